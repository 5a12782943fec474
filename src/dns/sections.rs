//! What a zone says → the answer, authority and additional sections, following aliases through our zones.

use crate::limits::ALIAS_CHAIN_MAX;
use crate::store::Zones;
use crate::wire::reply::{Data, Full, Owner, Section, Spot};
use crate::wire::{Hash, Key, Kind, NameRef, Query, Rcode, Reply};
use crate::zone::{Found, Node, Set, Zone};

use super::additional::{self, Spots};

/// Fills a reply to a query for a name at or below the apex of `zone`; `hash` is the hash of that apex.
///
/// What leads out of our data, around in a circle or on and on ends where it is: the client has what we know.
pub(super) fn fill(reply: &mut Reply<'_>, query: &Query<'_>, zones: &Zones, zone: &Zone, hash: Hash) -> Rcode {
    reply.set_authoritative(true);
    let mut part = Part { reply, zone, hash, kind: query.kind, spot: Spot::question(query.key.name()) };
    let mut target = match part.fill(query.key, true) {
        Step::Done(rcode) => return rcode,
        Step::Follow(target) => target,
    };
    let mut seen = [Hash::of(query.key.name()); ALIAS_CHAIN_MAX + 1];
    for link in 1..=ALIAS_CHAIN_MAX {
        let Some((zone, hash)) = zones.closest(&target.key, query.kind) else { break };
        let name_hash = Hash::of(target.key.name());
        if seen[..link].contains(&name_hash) {
            break;
        }
        seen[link] = name_hash;
        (part.zone, part.hash, part.spot) = (zone, hash, target.spot);
        target = match part.fill(&target.key, false) {
            Step::Done(rcode) => return rcode,
            Step::Follow(target) => target,
        };
    }
    Rcode::NOERROR
}

/// What one name contributes.
struct Part<'r, 'b, 'z> {
    reply: &'r mut Reply<'b>,
    zone: &'z Zone,
    hash: Hash,
    kind: Kind,
    /// Where the name stands in the message.
    spot: Spot,
}

#[expect(clippy::large_enum_variant, reason = "a name is at most 255 octets, and boxing it would grow the heap")]
enum Step {
    Done(Rcode),
    Follow(Target),
}

/// Where an alias leads.
struct Target {
    key: Key,
    spot: Spot,
}

impl Part<'_, '_, '_> {
    fn fill(&mut self, key: &Key, first: bool) -> Step {
        match self.zone.lookup(key, self.kind, self.hash) {
            Found::Answer(set) => self.answer(key, set),
            Found::Alias(set) => self.alias(key, set),
            Found::Redirect(set, depth) => self.redirect(key, set, depth),
            Found::Referral(cut, _) => self.referral(cut, first),
            Found::NoData => self.negative(Rcode::NOERROR),
            Found::NoName => self.negative(Rcode::NXDOMAIN),
        }
    }

    fn answer(&mut self, key: &Key, set: Set<'_>) -> Step {
        let mut spots = Spots::default();
        let owner = Owner::at(key.name(), self.spot);
        match put(self.reply, Section::Answer, owner, set, &mut spots) {
            Ok(()) => additional::of_answer(self.reply, self.zone, self.hash, (key, self.spot), set, &spots),
            Err(Full) => self.reply.set_truncated(),
        }
        Step::Done(Rcode::NOERROR)
    }

    fn alias(&mut self, key: &Key, set: Set<'_>) -> Step {
        let mut spots = Spots::default();
        let owner = Owner::at(key.name(), self.spot);
        let written = put(self.reply, Section::Answer, owner, set, &mut spots);
        let target = set.rdatas().next().and_then(Key::read);
        match (written, target, spots.first()) {
            (Ok(()), Some(key), Some(spot)) => Step::Follow(Target { key, spot }),
            (Ok(()), ..) => Step::Done(Rcode::NOERROR),
            (Err(Full), ..) => self.truncated(),
        }
    }

    /// The DNAME, and the CNAME it stands for at this name (RFC 6672, section 3.1).
    fn redirect(&mut self, key: &Key, set: Set<'_>, depth: usize) -> Step {
        let owner = key.ancestor(depth);
        let owner = Owner::at(owner, self.spot);
        if put(self.reply, Section::Answer, owner, set, &mut Spots::default()).is_err() {
            return self.truncated();
        }
        let target = set.rdatas().next().and_then(|data| NameRef::read(data).ok());
        let Some((target, _)) = target else { return Step::Done(Rcode::NOERROR) };
        let Some(target) = key.redirected(depth, target) else { return Step::Done(Rcode::YXDOMAIN) };
        let hint = target.name().shared_suffix_size(key.name()) as u8;
        let [t1, t2, t3, t4] = set.ttl().to_be_bytes();
        let record = Data { rdata: target.name().as_bytes(), hints: &[hint], name_at: 0 };
        let mut spot = None;
        let owner = Owner::at(key.name(), self.spot);
        let fixed = [0, 5, 0, 1, t1, t2, t3, t4];
        let told = &mut |at| spot = Some(at);
        match self.reply.put_set(Section::Answer, owner, &fixed, [record].into_iter(), told) {
            Ok(()) if self.kind == Kind::CNAME => Step::Done(Rcode::NOERROR), // it was asked for
            Ok(()) => spot.map_or(Step::Done(Rcode::NOERROR), |spot| Step::Follow(Target { key: target, spot })),
            Err(Full) => self.truncated(),
        }
    }

    fn referral(&mut self, cut: &Node, first: bool) -> Step {
        if first {
            self.reply.set_authoritative(false);
        }
        let Some(set) = cut.set(Kind::NS) else { return Step::Done(Rcode::NOERROR) };
        let mut spots = Spots::default();
        let owner = Owner::at(cut.name(), self.spot);
        match put(self.reply, Section::Authority, owner, set, &mut spots) {
            Ok(()) => additional::glue(self.reply, self.zone, cut, set, &spots),
            Err(Full) => self.reply.set_truncated(),
        }
        Step::Done(Rcode::NOERROR)
    }

    /// The SOA says how long to remember it (RFC 2308, section 3).
    fn negative(&mut self, rcode: Rcode) -> Step {
        let Some(set) = self.zone.apex_node().set(Kind::SOA) else { return Step::Done(rcode) };
        let minimum =
            set.rdatas().next().and_then(|data| data.last_chunk()).map_or(0, |octets| u32::from_be_bytes(*octets));
        let mut fixed = *set.fixed();
        fixed[4..].copy_from_slice(&set.ttl().min(minimum).to_be_bytes());
        let owner = Owner::at(self.zone.apex(), self.spot);
        if self.reply.put_set(Section::Authority, owner, &fixed, data_of(set), &mut |_| ()).is_err() {
            self.reply.set_truncated();
        }
        Step::Done(rcode)
    }

    fn truncated(&mut self) -> Step {
        self.reply.set_truncated();
        Step::Done(Rcode::NOERROR)
    }
}

/// Writes a set as the zone has it.
#[inline]
pub(super) fn put(
    reply: &mut Reply<'_>,
    section: Section,
    owner: Owner<'_>,
    set: Set<'_>,
    spots: &mut Spots,
) -> Result<(), Full> {
    reply.put_set(section, owner, set.fixed(), data_of(set), &mut |spot| spots.add(spot))
}

fn data_of(set: Set<'_>) -> impl Iterator<Item = Data<'_>> {
    set.records().map(|record| Data { rdata: record.rdata, hints: record.hints, name_at: record.name_at })
}
