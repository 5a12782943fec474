//! What our own zones say, and which addresses are ours.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use crate::store::Snapshot;
use crate::wire::{Key, Kind, Name, NameRef};
use crate::zone::{Found, Zone};

/// Aliases that are followed, one behind the other; as in answers ([`crate::limits`]).
pub(super) const ALIASES_MAX: usize = crate::limits::ALIAS_CHAIN_MAX;

/// What our zones say to a name and a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The data of the set.
    Data(Vec<Vec<u8>>),
    /// The name is an alias of this one.
    Alias(Name),
    /// There is no such data.
    Nothing,
    /// The name is not ours, or is delegated to others.
    NotOurs,
}

impl Said {
    /// The addresses in it.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let Self::Data(values) = self else { return Vec::new() };
        let address = |octets: &Vec<u8>| {
            let four = <[u8; 4]>::try_from(octets.as_slice()).map(IpAddr::from);
            four.or_else(|_| <[u8; 16]>::try_from(octets.as_slice()).map(IpAddr::from)).ok()
        };
        values.iter().filter_map(address).collect()
    }
}

/// Asks our zones.
pub fn say(snapshot: &Snapshot, name: NameRef<'_>, kind: Kind) -> Said {
    let key = Key::new(name);
    let Some((zone, hash)) = snapshot.zones.closest(&key, kind) else { return Said::NotOurs };
    match zone.lookup(&key, kind, hash) {
        Found::Answer(set) => Said::Data(set.rdatas().map(<[u8]>::to_vec).collect()),
        Found::Alias(set) => match set.rdatas().next().map(NameRef::read) {
            Some(Ok((target, _))) => Said::Alias(target.to_lower()),
            Some(Err(_)) | None => Said::Nothing,
        },
        // What a DNAME leads to is left to the world to find out.
        Found::Redirect(..) | Found::Referral(..) => Said::NotOurs,
        Found::NoData | Found::NoName => Said::Nothing,
    }
}

/// A name as people write it, without the final dot.
pub(super) fn shown(name: &Name) -> String {
    let text = name.to_string();
    text.strip_suffix('.').filter(|text| !text.is_empty()).map_or(text.clone(), str::to_owned)
}

/// The zone of ours in which this name lies, unless it is delegated to others there.
pub(super) fn zone_of<'s>(snapshot: &'s Snapshot, name: NameRef<'_>) -> Option<&'s Zone> {
    let key = Key::new(name);
    let (zone, hash) = snapshot.zones.closest(&key, Kind::TXT)?;
    match zone.lookup(&key, Kind::TXT, hash) {
        Found::Referral(..) | Found::Redirect(..) => None,
        Found::Answer(_) | Found::Alias(_) | Found::NoData | Found::NoName => Some(zone),
    }
}

/// The name servers of a zone of ours, as it says itself.
pub(super) fn name_servers(zone: &Zone) -> Vec<Name> {
    let Some(set) = zone.apex_node().set(Kind::NS) else { return Vec::new() };
    let read = |data| NameRef::read(data).map(|(name, _)| name.to_lower()).ok();
    let mut hosts: Vec<Name> = set.rdatas().filter_map(read).collect();
    hosts.sort_by(|a, b| a.borrow().canonical_cmp(b.borrow()));
    hosts
}

/// The name of the primary, as a zone of ours says itself.
pub(super) fn primary(zone: &Zone) -> Option<Name> {
    let start = zone.apex_node().set(Kind::SOA)?;
    NameRef::read(start.rdatas().next()?).map(|(name, _)| name.to_lower()).ok()
}

/// The addresses of a host, if our zones know them.
pub(super) fn addresses(snapshot: &Snapshot, host: NameRef<'_>) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for kind in [Kind::A, Kind::AAAA] {
        let Some((zone, _)) = snapshot.zones.closest(&Key::new(host), kind) else { continue };
        // Glue below a cut counts too: it is what we tell the world.
        let set = zone.node(host.to_lower().borrow()).and_then(|node| node.set(kind));
        for data in set.iter().flat_map(|set| set.rdatas()) {
            let four = <[u8; 4]>::try_from(data).map(IpAddr::from);
            found.extend(four.or_else(|_| <[u8; 16]>::try_from(data).map(IpAddr::from)));
        }
    }
    found
}

/// The addresses at which the world reaches us: those of the settings, and those that this machine has.
pub(super) fn is_own(snapshot: &Snapshot, address: IpAddr) -> bool {
    let told: HashSet<IpAddr> = snapshot
        .addresses
        .iter()
        .flat_map(|edge| {
            let four = edge.ipv4().iter().copied().map(IpAddr::from);
            four.chain(edge.ipv6().iter().copied().map(IpAddr::from))
        })
        .collect();
    told.contains(&address) || is_here(address)
}

/// Whether this machine has the address: the kernel lets a socket have no other.
pub(super) fn is_here(address: IpAddr) -> bool {
    UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_knows_its_addresses() {
        let snapshot = Snapshot::default();
        assert!(is_own(&snapshot, "127.0.0.1".parse().unwrap()));
        assert!(!is_own(&snapshot, "192.0.2.77".parse().unwrap()));
        let told = crate::store::EdgeAddresses::new(["192.0.2.77".parse().unwrap()], []);
        let snapshot = Snapshot { addresses: Some(std::sync::Arc::new(told)), ..Snapshot::default() };
        assert!(is_own(&snapshot, "192.0.2.77".parse().unwrap()));
    }
}
