//! Routes and the edge's addresses → the record sets that they own in our zones.
//!
//! A route owns the addresses of its host: as long as there is one, the host's A and AAAA sets are those of this edge and
//! nothing else. They are derived in the very change that moves anything they follow from (a route, an address, a zone that
//! comes or goes, a delegation), so no state ever holds them wrong, and the serial of a zone moves once. Everything here is a
//! function of two states: what was there before the change, and what has become of it so far.
//!
//! Which sets are derived is not marked anywhere: at the host of a route all addresses are, because others are refused
//! ([`Applied::must_not_be_owned`]). So nothing can be left behind, and a later version may derive other sets from the same
//! routes. Rejected: a mark in each node (one more thing to be kept in step, in the journal too), and answering from the
//! routes without records (transfers, exports and DNSSEC would not know).
//!
//! HTTPS and CAA sets are derived as well, but yield to those that the owner puts there (`yielding.rs`).
//!
//! Where the edge knows no address of its own, routes own nothing: then people say by hand where a host is.

mod yielding;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use super::addresses::EdgeAddresses;
use super::apply::{Applied, Touched, ZonePart, sort};
use super::entry::SetChange;
use super::fault::Refused;
use super::snapshot::{Item, ItemKey, Shelf, Snapshot, Zones};
use crate::route::{Route, Routes};
use crate::wire::{Kind, Name, NameRef};
use crate::zone::{Edit, Fault, Node, SetData, SetEdit, Zone};
use yielding::YIELDING;

/// Seconds that resolvers may keep a derived address: short, so that a new address of the edge is soon everybody's.
const TTL: u32 = 300;
/// The same where it is looked at which of several addresses are well: one that is not is soon nobody's.
const WATCHED_TTL: u32 = 60;
/// The types of the sets that a route owns.
const OWNED: [Kind; 2] = [Kind::A, Kind::AAAA];

// ----- What is owned ----------------------------------------------------------------------------------------

impl Snapshot {
    /// The route that owns the set of this type at a name; of several with that host, the one with the shortest path.
    pub fn owner(&self, name: NameRef<'_>, kind: Kind) -> Option<&Arc<Route>> {
        if OWNED.contains(&kind) { self.owner_of_addresses(name) } else { None }
    }

    /// Whether what a change did to a set of this name follows from the routes: nobody has to take that back.
    pub(super) fn derives(&self, change: &SetChange) -> bool {
        let SetChange { name, kind, before, after } = change;
        let route = || self.owner_of_addresses(name.borrow()).map(|route| &**route);
        self.owner(name.borrow(), *kind).is_some()
            || yielding::follows(route(), *kind, [before.as_ref(), after.as_ref()])
    }

    /// The zone of ours that answers for a name; none if others do, also by a delegation of ours.
    pub fn home(&self, name: NameRef<'_>) -> Option<&Arc<Zone>> {
        home(&self.zones, name)
    }

    fn owner_of_addresses(&self, name: NameRef<'_>) -> Option<&Arc<Route>> {
        if self.routes.is_empty() || self.addresses.as_ref().is_none_or(|addresses| addresses.is_empty()) {
            return None;
        }
        let owner = self.routes.of_name(&host(name)).last()?;
        home(&self.zones, name).is_some().then_some(owner)
    }

    /// The addresses that serve a route's host.
    fn addresses_of(&self, route: &Route) -> Option<Cow<'_, EdgeAddresses>> {
        let all = self.addresses.as_ref()?;
        let own: Vec<IpAddr> = own_addresses(route).collect();
        Some(if own.is_empty() { Cow::Borrowed(all) } else { Cow::Owned(all.only(&own)) })
    }

    /// What a route's host shall have.
    fn derived(&self, route: &Route, kind: Kind) -> Option<SetData> {
        let addresses = self.addresses_of(route)?;
        let rdatas: Vec<Box<[u8]>> = match kind {
            Kind::A => addresses.answered_ipv4().iter().map(|address| address.octets().into()).collect(),
            _ => addresses.answered_ipv6().iter().map(|address| address.octets().into()).collect(),
        };
        (!rdatas.is_empty()).then(|| SetData::new(kind, ttl(&addresses), rdatas))
    }
}

/// The addresses that a route names.
fn own_addresses(route: &Route) -> impl Iterator<Item = IpAddr> {
    route.options().addresses.iter().filter_map(|address| Some(address.meaning()?.0))
}

/// How long what follows from these addresses may be kept.
fn ttl(addresses: &EdgeAddresses) -> u32 {
    if addresses.may_change() { WATCHED_TTL } else { TTL }
}

/// A name as routes write hosts.
fn host(name: NameRef<'_>) -> String {
    let mut host = name.to_string();
    host.make_ascii_lowercase();
    host.truncate(host.trim_end_matches('.').len());
    host
}

/// The hosts that have routes, each once, in no order.
fn hosts(routes: &Routes) -> impl Iterator<Item = Name> {
    let mut last: Option<&Arc<Route>> = None;
    let others = routes.iter().filter(move |route| last.replace(route).is_none_or(|last| last.host() != route.host()));
    others.filter_map(|route| name_of(route.host().as_str()))
}

/// Every host is a name.
fn name_of(host: &str) -> Option<Name> {
    host.parse().ok()
}

/// The zone that answers for a name; none if it is not ours, or has been delegated.
fn home<'z>(zones: &'z Zones, name: NameRef<'_>) -> Option<&'z Arc<Zone>> {
    let zone = closest(zones, name)?;
    (!is_delegated(zone, name)).then_some(zone)
}

fn closest<'z>(zones: &'z Zones, name: NameRef<'_>) -> Option<&'z Arc<Zone>> {
    let mut at = Some(name);
    while let Some(name) = at {
        if let Some(zone) = zones.get(name) {
            return Some(zone);
        }
        at = name.parent();
    }
    None
}

/// Whether the name lies at or below a delegation of the zone.
fn is_delegated(zone: &Zone, name: NameRef<'_>) -> bool {
    let mut at = Some(name).filter(|name| *name != zone.apex());
    while let Some(name) = at {
        if zone.node(name).is_some_and(Node::has_ns) {
            return true;
        }
        at = name.parent().filter(|name| *name != zone.apex());
    }
    false
}

fn set(zone: &Zone, name: NameRef<'_>, kind: Kind) -> Option<SetData> {
    Some(zone.node(name)?.set(kind)?.to_data())
}

// ----- By hand ----------------------------------------------------------------------------------------------

impl Applied {
    /// Refuses an edit that somebody makes of what belongs to a route. One that changes nothing is let through.
    pub(super) fn must_not_be_owned(&self, zone: &Zone, edit: &Edit) -> Result<(), Refused> {
        if self.state.routes.is_empty() {
            return Ok(());
        }
        for SetEdit { name, kind, after } in &edit.sets {
            let name = name.borrow().to_lower();
            if YIELDING.contains(kind) {
                self.must_not_be_derived(zone, &name, *kind, after.as_ref())?;
                continue;
            }
            if !OWNED.contains(kind) && *kind != Kind::CNAME || set(zone, name.borrow(), *kind) == *after {
                continue;
            }
            if let Some(route) = self.state.owner_of_addresses(name.borrow()) {
                return Err(Refused::Owned { name, kind: *kind, route: route.id().to_owned() });
            }
        }
        Ok(())
    }

    /// The same of a set that yields to another one which the owner puts there.
    fn must_not_be_derived(
        &self,
        zone: &Zone,
        name: &Name,
        kind: Kind,
        after: Option<&SetData>,
    ) -> Result<(), Refused> {
        let now = set(zone, name.borrow(), kind).filter(yielding::is_ours);
        let Some(now) = now.filter(|now| Some(now) != after && !yielding::may_replace(now, after)) else {
            return Ok(());
        };
        match self.state.owner_of_addresses(name.borrow()) {
            Some(route) if self.state.offered(zone, name.borrow(), kind).as_ref() == Some(&now) => {
                Err(Refused::Owned { name: name.clone(), kind, route: route.id().to_owned() })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A zone that somebody gives as a whole, with what belongs to routes put in. Where it says otherwise there is a
    /// warning, for a zone file may well be kept elsewhere by somebody who knows nothing of routes.
    pub(super) fn complete(&mut self, zone: &Arc<Zone>) -> Result<Arc<Zone>, Refused> {
        let mut edit = Edit::default();
        if self.state.routes.is_empty() || self.state.addresses.as_ref().is_none_or(|addresses| addresses.is_empty()) {
            return Ok(zone.clone());
        }
        for name in hosts(&self.state.routes).filter(|name| name.borrow().is_within(zone.apex())) {
            let is_deeper = closest(&self.state.zones, name.borrow())
                .is_some_and(|other| other.apex() != zone.apex() && other.apex().is_within(zone.apex()));
            if is_deeper || is_delegated(zone, name.borrow()) {
                continue;
            }
            let Some(route) = self.state.routes.of_name(&host(name.borrow())).last() else { continue };
            if set(zone, name.borrow(), Kind::CNAME).is_some() {
                return Err(Refused::Taken { name, kind: Kind::CNAME, route: route.id().to_owned() });
            }
            for kind in OWNED {
                let (found, after) = (set(zone, name.borrow(), kind), self.state.derived(route, kind));
                if found.is_some() && found != after {
                    self.warnings.push(kept(&name, kind, route));
                }
                if found != after {
                    edit.sets.push(SetEdit { name: name.clone(), kind, after });
                }
            }
            edit.sets.extend(self.state.yielding(zone, &name));
            self.settled.push(name);
        }
        match edit.sets.is_empty() {
            true => Ok(zone.clone()),
            false => zone.edit(&edit).map(Arc::new).map_err(Refused::Unsound),
        }
    }
}

fn kept(name: &Name, kind: Kind, route: &Route) -> Fault {
    let host = host(name.borrow());
    Fault::warning(
        None,
        format!("the {kind} records of {host} belong to the route {}, which has put in its own", route.id()),
        "leave them out of the file, or delete the route",
    )
}

// ----- In step ----------------------------------------------------------------------------------------------

impl Applied {
    /// Brings what belongs to routes in step with what the change has done to `before`.
    pub(super) fn derive(&mut self, before: &Snapshot) -> Result<(), Refused> {
        if before.routes.is_empty() && self.state.routes.is_empty() {
            return Ok(());
        }
        self.warn_of_strange_addresses();
        let mut edits: Vec<(Name, Edit)> = Vec::new();
        for name in self.stirred(before) {
            let old = before.owner_of_addresses(name.borrow()).and_then(|_| home(&before.zones, name.borrow()));
            let route = self.state.owner_of_addresses(name.borrow());
            let new = route.and_then(|_| home(&self.state.zones, name.borrow()));
            let moved = |old: &&Arc<Zone>| new.is_none_or(|new| new.apex() != old.apex());
            if let Some(old) = old.filter(moved) {
                self.give_back(old, &name, &mut edits);
            }
            if let (Some(route), Some(zone)) = (route, new) {
                let was_ours = old.is_some_and(|old| old.apex() == zone.apex()) || self.settled.contains(&name);
                if !was_ours {
                    must_be_free(zone, &name, route)?;
                }
                let put = |kind| SetEdit { name: name.clone(), kind, after: self.state.derived(route, kind) };
                note(&mut edits, zone, OWNED.map(put).into_iter().chain(self.state.yielding(zone, &name)));
            }
        }
        edits.iter().try_for_each(|(apex, edit)| self.edit_unasked(apex, edit))
    }

    /// A route may name an address that is none of the edge's, or not yet: it has no effect.
    fn warn_of_strange_addresses(&mut self) {
        let Some(addresses) = &self.state.addresses else { return };
        for kept in self.items.iter().filter(|part| part.changed()).filter_map(|part| part.after.as_ref()) {
            let Item::Route(route) = &kept.item else { continue };
            for address in own_addresses(route).filter(|own| !addresses.all().any(|address| address == *own)) {
                let message = format!("{address}, which {} names, is none of `edge.addresses`", route.id());
                let cure = "add it there, or take it out of the route's addresses";
                self.warnings.push(Fault::warning(None, message, cure));
            }
        }
    }

    /// What a route had in a zone goes, unless this very change has put something else there.
    fn give_back(&self, old: &Zone, name: &Name, edits: &mut Vec<(Name, Edit)>) {
        let Some(zone) = self.state.zones.get(old.apex()) else { return };
        let same = |kind: &Kind| set(zone, name.borrow(), *kind) == set(old, name.borrow(), *kind);
        let ours = |kind: &Kind| set(zone, name.borrow(), *kind).as_ref().is_some_and(yielding::is_ours);
        let gone = OWNED.into_iter().filter(same).chain(YIELDING.into_iter().filter(ours));
        note(edits, zone, gone.map(|kind| SetEdit { name: name.clone(), kind, after: None }));
    }

    /// The hosts for which something may have to be done.
    fn stirred(&self, before: &Snapshot) -> Vec<Name> {
        let mut names = Vec::new();
        for part in self.items.iter().filter(|part| part.changed()) {
            match &part.key {
                ItemKey { shelf: Shelf::Route, key } => {
                    names.extend(key.split_once('/').and_then(|(host, _)| name_of(host)));
                }
                ItemKey { shelf: Shelf::Addresses, .. } => {
                    names.extend(hosts(&before.routes).chain(hosts(&self.state.routes)));
                }
                ItemKey { shelf: Shelf::Account, .. } if before.caa() != self.state.caa() => {
                    names.extend(hosts(&self.state.routes));
                }
                ItemKey { .. } => (),
            }
        }
        for part in self.zones.iter().filter(|part| part.changed()) {
            let below: Vec<_> = match &part.touched {
                Touched::Whole => vec![part.apex.clone()],
                Touched::Names(names) => names.iter().filter(|name| part.stirs(name)).cloned().collect(),
            };
            if !below.is_empty() {
                let is_below = |name: &Name| below.iter().any(|above| name.borrow().is_within(above.borrow()));
                names.extend(hosts(&self.state.routes).filter(is_below));
            }
        }
        sort(&mut names);
        names
    }
}

impl Snapshot {
    /// What becomes of the sets that yield to the owner's, where there are none of those.
    fn yielding(&self, zone: &Zone, name: &Name) -> Vec<SetEdit> {
        let free = |kind: &Kind| set(zone, name.borrow(), *kind).is_none_or(|set| yielding::is_ours(&set));
        let put = |kind| SetEdit { name: name.clone(), kind, after: self.offered(zone, name.borrow(), kind) };
        let put = YIELDING.into_iter().filter(free).map(put);
        put.filter(|edit| set(zone, name.borrow(), edit.kind) != edit.after).collect()
    }
}

impl ZonePart {
    /// Whether something may have to be done for the hosts at this name or below it.
    fn stirs(&self, name: &Name) -> bool {
        self.moves_delegation(name) || yielding::moved(self.before.as_deref(), self.after.as_deref(), name)
    }

    /// Whether a delegation has come or gone at this name.
    fn moves_delegation(&self, name: &Name) -> bool {
        let has_ns = |zone: &Option<Arc<Zone>>| {
            zone.as_ref().and_then(|zone| zone.node(name.borrow())).is_some_and(Node::has_ns)
        };
        *name != self.apex && has_ns(&self.before) != has_ns(&self.after)
    }
}

/// What a route shall own must not be there by hand.
fn must_be_free(zone: &Zone, name: &Name, route: &Route) -> Result<(), Refused> {
    let kinds = OWNED.into_iter().chain([Kind::CNAME]);
    match kinds.into_iter().find(|kind| set(zone, name.borrow(), *kind).is_some()) {
        Some(kind) => Err(Refused::Taken { name: name.clone(), kind, route: route.id().to_owned() }),
        None => Ok(()),
    }
}

/// Adds to the edit of a zone what is not so already.
fn note(edits: &mut Vec<(Name, Edit)>, zone: &Zone, sets: impl IntoIterator<Item = SetEdit>) {
    let sets = sets.into_iter().filter(|edit| set(zone, edit.name.borrow(), edit.kind) != edit.after);
    for set in sets {
        match edits.iter_mut().find(|(apex, _)| apex.borrow() == zone.apex()) {
            Some((_, edit)) => edit.sets.push(set),
            None => edits.push((zone.apex().to_name(), Edit { sets: vec![set] })),
        }
    }
}

#[cfg(test)]
mod tests;
