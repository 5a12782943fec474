//! The sets that a route brings to its host unless the owner has put others there: HTTPS (RFC 9460), so that browsers ask over
//! HTTPS and HTTP/2 at once and need no second question for the address; and CAA (RFC 8659, with RFC 8657), so that nobody but our
//! own account with our own CA gets a certificate for the host.
//!
//! Which of them are ours is told by their form, as nothing is marked: a TTL of 300, or 60 of HTTPS, and exactly the parameters written
//! here. So an old one that comes back in a zone file is taken for what it is and brought up to date. CAA stands at the host
//! and not at the apex of the zone, for other names of the zone may well be certified by others (a page hosted elsewhere), and
//! would not be any more; and it yields to one that the owner has put above, which says what shall be for all below it.

use super::{TTL, WATCHED_TTL, closest, host, set, ttl};
use crate::route::Route;
use crate::store::addresses::EdgeAddresses;
use crate::store::snapshot::Snapshot;
use crate::wire::{Kind, Name, NameRef};
use crate::zone::{SetData, Zone};

/// The types of these sets.
pub(super) const YIELDING: [Kind; 2] = [Kind::HTTPS, Kind::CAA];

/// Keys of parameters (RFC 9460, section 14.3.2).
const ALPN: u16 = 1;
const PORT: u16 = 3;
const IPV4HINT: u16 = 4;
const IPV6HINT: u16 = 6;
/// What is spoken, as TLS names it: HTTP/3 if it is served, HTTP/2 and HTTP/1.1.
const PROTOCOLS: [&[u8]; 2] = [b"\x02h2\x08http/1.1", b"\x02h3\x02h2\x08http/1.1"];
/// Addresses of each family that are hinted at: a client needs one.
const HINTS_MAX: usize = 8;
/// The port that need not be said.
const HTTPS_PORT: u16 = 443;
/// Whom RFC 8659 lets certify: flags 0, and the tag.
const ISSUE: &[u8] = b"\x00\x05issue";
/// The ways in which we prove a name (RFC 8657, section 4).
const METHODS: &str = "; validationmethods=dns-01,http-01,tls-alpn-01";

impl Snapshot {
    /// What the host of a route gets, if the owner has nothing of this type there.
    pub(super) fn offered(&self, zone: &Zone, name: NameRef<'_>, kind: Kind) -> Option<SetData> {
        let route = self.routes.of_name(&host(name)).last()?;
        if route.is_passed() {
            return None; // what is spoken there, and who certifies it, is the app's to say
        }
        match kind {
            Kind::HTTPS => self.addresses_of(route).and_then(|addresses| https(&addresses, self.takes_http3(name))),
            _ if self.has_caa_above(zone, name) => None,
            _ => self.caa(),
        }
    }

    /// Whether clients of this host may come over HTTP/3: not where one is asked for a certificate, as it is not there.
    fn takes_http3(&self, name: NameRef<'_>) -> bool {
        let routes = self.routes.of_name(&host(name));
        routes.iter().all(|route| route.options().client_certificate.is_none())
    }

    /// Who may certify our hosts; none while no CA has told its name.
    pub fn caa(&self) -> Option<SetData> {
        let names = self.accounts.iter().flat_map(|account| {
            let value = |issuer: &String| format!("{issuer}; accounturi={}{METHODS}", account.url());
            account.issuers().iter().map(value).collect::<Vec<_>>()
        });
        let rdatas: Vec<Box<[u8]>> = names.map(|value| [ISSUE, value.as_bytes()].concat().into()).collect();
        (!rdatas.is_empty()).then(|| SetData::new(Kind::CAA, TTL, rdatas))
    }

    /// Whether the owner says above the name who may certify it.
    fn has_caa_above(&self, zone: &Zone, name: NameRef<'_>) -> bool {
        let mut at = name.parent();
        while let Some(name) = at.filter(|name| !name.is_root()) {
            let here =
                if name.is_within(zone.apex()) { Some(zone) } else { closest(&self.zones, name).map(|zone| &**zone) };
            if here.and_then(|zone| set(zone, name, Kind::CAA)).is_some_and(|set| !is_ours(&set)) {
                return true;
            }
            at = name.parent();
        }
        false
    }
}

/// The record of an edge at these addresses; none if it serves no HTTPS.
fn https(addresses: &EdgeAddresses, takes_http3: bool) -> Option<SetData> {
    let port = addresses.https_port()?;
    let port = (port != HTTPS_PORT).then(|| port.to_be_bytes());
    let mut rdata = vec![0, 1, 0]; // the only one, and it is about the name itself
    let mut put = |key: u16, value: &[u8]| {
        if !value.is_empty() {
            rdata.extend(key.to_be_bytes());
            rdata.extend((value.len() as u16).to_be_bytes());
            rdata.extend(value);
        }
    };
    let ipv4: Vec<u8> = addresses.answered_ipv4().iter().take(HINTS_MAX).flat_map(|address| address.octets()).collect();
    let ipv6: Vec<u8> = addresses.answered_ipv6().iter().take(HINTS_MAX).flat_map(|address| address.octets()).collect();
    put(ALPN, PROTOCOLS[usize::from(addresses.http3() && takes_http3)]);
    put(PORT, port.as_ref().map_or(&[], |port| &port[..]));
    put(IPV4HINT, &ipv4);
    put(IPV6HINT, &ipv6);
    Some(SetData::new(Kind::HTTPS, ttl(addresses), vec![rdata.into()]))
}

/// Whether a set has the form of those that are derived.
pub(super) fn is_ours(set: &SetData) -> bool {
    let sound = |rdata: &[u8]| match set.kind {
        Kind::HTTPS => is_our_https(rdata),
        _ => is_our_caa(rdata),
    };
    let is_https = set.kind == Kind::HTTPS;
    let usual = set.ttl == TTL || is_https && set.ttl == WATCHED_TTL;
    usual && (!is_https || set.rdatas.len() == 1) && set.rdatas.iter().all(|rdata| sound(rdata))
}

fn is_our_https(rdata: &[u8]) -> bool {
    let Some(mut rest) = rdata.strip_prefix(&[0, 1, 0]) else { return false };
    let mut keys = Vec::new();
    while let Some(([k0, k1, s0, s1], behind)) = rest.split_first_chunk() {
        let size = usize::from(u16::from_be_bytes([*s0, *s1]));
        let Some((value, behind)) = behind.split_at_checked(size) else { return false };
        let key = u16::from_be_bytes([*k0, *k1]);
        if key == ALPN && !PROTOCOLS.contains(&value) {
            return false;
        }
        keys.push(key);
        rest = behind;
    }
    keys.first() == Some(&ALPN) && keys.iter().all(|key| [ALPN, PORT, IPV4HINT, IPV6HINT].contains(key))
}

fn is_our_caa(rdata: &[u8]) -> bool {
    let value = rdata.strip_prefix(ISSUE).and_then(|value| std::str::from_utf8(value).ok());
    value.is_some_and(|value| value.contains("; accounturi=") && value.ends_with(METHODS))
}

/// Whether somebody may put this in the place of what is derived: another set altogether, and not one that holds on to a part of it,
/// which would then never change with the edge.
pub(super) fn may_replace(derived: &SetData, after: Option<&SetData>) -> bool {
    let keeps = |after: &SetData| after.rdatas.iter().any(|rdata| derived.rdatas.contains(rdata));
    after.is_some_and(|after| !is_ours(after) && !keeps(after))
}

/// Whether a change was between nothing and what is derived, so that nobody has to take it back.
pub(in crate::store) fn follows(route: Option<&Route>, kind: Kind, sets: [Option<&SetData>; 2]) -> bool {
    route.is_some() && YIELDING.contains(&kind) && sets.into_iter().flatten().all(is_ours)
}

/// Whether the owner's own set of such a type has come, gone or changed at a name.
pub(super) fn moved(before: Option<&Zone>, after: Option<&Zone>, name: &Name) -> bool {
    let at = |zone: Option<&Zone>, kind| zone.and_then(|zone| set(zone, name.borrow(), kind));
    YIELDING.into_iter().any(|kind| at(before, kind) != at(after, kind))
}
