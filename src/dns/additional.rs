//! The additional section: addresses that the client would ask for next.

use crate::limits::ADDITIONAL_TARGETS_MAX;
use crate::wire::reply::{Full, Owner, Section, Spot};
use crate::wire::{Hash, Key, Kind, NameRef, Reply};
use crate::zone::{Found, Node, Set, Zone};

use super::sections::put;

/// Where the first names in the data of a set came to stand in the message.
#[derive(Default)]
pub(super) struct Spots {
    spots: [Option<Spot>; ADDITIONAL_TARGETS_MAX],
    count: usize,
}

impl Spots {
    #[inline]
    pub(super) fn add(&mut self, spot: Spot) {
        if let Some(free) = self.spots.get_mut(self.count) {
            *free = Some(spot);
            self.count += 1;
        }
    }

    #[inline]
    pub(super) fn first(&self) -> Option<Spot> {
        self.spots[0]
    }
}

/// The name in record data whose addresses will be asked for, for the types that have one.
fn target<'a>(kind: Kind, data: &'a [u8], owner: NameRef<'a>) -> Option<NameRef<'a>> {
    let at = match kind {
        Kind::NS => 0,
        Kind::MX | Kind::SVCB | Kind::HTTPS => 2,
        Kind::SRV => 6,
        _ => return None,
    };
    let (name, _) = NameRef::read(data.get(at..)?).ok()?;
    let service_binding = matches!(kind, Kind::SVCB | Kind::HTTPS);
    match name.is_root() {
        true if service_binding && data[..2] != [0, 0] => Some(owner), // ServiceMode: the owner itself (RFC 9460, section 2.5)
        true => None,                                                  // no service (RFC 2782, RFC 7505, RFC 9460)
        false => Some(name),
    }
}

/// The addresses that go with an answer: of name servers, mail exchanges, services (RFC 1035, RFC 2782, RFC 9460). They are a
/// courtesy: what does not fit is left out.
pub(super) fn of_answer(
    reply: &mut Reply<'_>,
    zone: &Zone,
    hash: Hash,
    (key, spot): (&Key, Spot),
    set: Set<'_>,
    spots: &Spots,
) {
    let kind = set.kind();
    if !matches!(kind, Kind::NS | Kind::MX | Kind::SRV | Kind::SVCB | Kind::HTTPS) {
        return;
    }
    for (data, target_spot) in set.rdatas().zip(spots.spots) {
        let Some(name) = target(kind, data, key.name()) else { continue };
        let repeated = set.rdatas().take_while(|earlier| *earlier != data);
        if repeated.filter_map(|earlier| target(kind, earlier, key.name())).any(|earlier| earlier.same(name)) {
            continue;
        }
        if !name.is_within(zone.apex()) {
            continue;
        }
        let owner = match target_spot {
            _ if name.same(key.name()) => Owner::at(name, spot),
            Some(spot) => Owner::at(name, spot),
            None => {
                Owner { name, spot: spot.ancestor(zone.apex().as_bytes().len()), shared: zone.apex().as_bytes().len() }
            }
        };
        let target_key = Key::new(name);
        if kind == Kind::NS {
            let _ = addresses(reply, zone.node(target_key.name()), owner); // a courtesy: what does not fit is left out
            continue;
        }
        let alias_mode = matches!(kind, Kind::SVCB | Kind::HTTPS) && data[..2] == [0, 0];
        let wanted = [Kind::A, Kind::AAAA, kind];
        for wanted in &wanted[..if alias_mode { 3 } else { 2 }] {
            if let Found::Answer(set) = zone.lookup(&target_key, *wanted, hash) {
                let _ = put(reply, Section::Additional, owner, set, &mut Spots::default()); // likewise
            }
        }
    }
}

/// The addresses of a delegation's name servers. Those below the cut are needed to get there: without them the
/// reply is truncated (RFC 9471, section 3). Those beside it are a courtesy.
pub(super) fn glue(reply: &mut Reply<'_>, zone: &Zone, cut: &Node, servers: Set<'_>, spots: &Spots) {
    for needed in [true, false] {
        let spots = spots.spots.iter().copied().chain(std::iter::repeat(None));
        for (data, spot) in servers.rdatas().zip(spots) {
            let Ok((name, _)) = NameRef::read(data) else { continue };
            if name.is_within(cut.name()) != needed || !name.is_within(zone.apex()) {
                continue;
            }
            let owner = Owner { name, spot, shared: name.as_bytes().len() };
            let written = addresses(reply, zone.node(Key::new(name).name()), owner);
            match written {
                Err(Full) if needed => return reply.set_truncated(),
                Err(Full) | Ok(()) => (),
            }
        }
    }
}

fn addresses(reply: &mut Reply<'_>, node: Option<&Node>, owner: Owner<'_>) -> Result<(), Full> {
    let Some(node) = node else { return Ok(()) };
    let sets = [node.set(Kind::A), node.set(Kind::AAAA)];
    // Every set gets its chance, so that a large one does not keep a small one out.
    let written =
        sets.into_iter().flatten().map(|set| put(reply, Section::Additional, owner, set, &mut Spots::default()));
    written.fold(Ok(()), Result::and)
}
