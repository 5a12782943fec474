//! Allow or deny.
//!
//! What a request is about is an [`Object`]; there are few on purpose. The rule for a token with limits of names or types is
//! that it reaches single record sets and nothing else, and that a zone may be shown to it only with everything taken out
//! that [`Scope::allows`] denies.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::scope::{Rights, Scope};
use crate::wire::{Kind, Name, NameRef};

/// What somebody wants to read or change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object<'a> {
    /// The server itself: its state, with nothing of what is in a zone.
    Server,
    /// All there is: the history of everything, a backup, tokens.
    Everything,
    /// That there is a zone. What is shown of its records is looked at set by set.
    Zone(NameRef<'a>),
    /// A zone as a whole.
    WholeZone(NameRef<'a>),
    /// One record set.
    Set {
        /// The zone.
        zone: NameRef<'a>,
        /// The name.
        name: NameRef<'a>,
        /// The type.
        kind: Kind,
    },
}

/// The limit of a scope that stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// Read, write, admin.
    Rights,
    /// The zones.
    Zones,
    /// The names.
    Names,
    /// The record types.
    Types,
    /// The networks.
    Networks,
}

/// Why not: the limit, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Which limit.
    pub limit: Limit,
    /// What it is limited to and what it was used for, to go on behind "the token x ".
    pub reason: String,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Scope {
    /// Whether it may do `needed` to this.
    pub fn allows(&self, needed: Rights, object: Object<'_>) -> Result<(), Denied> {
        if self.rights < needed {
            return deny(Limit::Rights, format!("has the right to {}, and this needs {needed}", self.rights));
        }
        match object {
            Object::Server => Ok(()),
            Object::Everything => self.reaches_every_zone().and_then(|()| self.reaches_every_set()),
            Object::Zone(zone) => self.reaches_zone(zone),
            Object::WholeZone(zone) => self.reaches_zone(zone).and_then(|()| self.reaches_every_set()),
            Object::Set { zone, name, kind } => {
                self.reaches_zone(zone)?;
                self.reaches_name(name)?;
                self.reaches_type(kind)
            }
        }
    }

    /// Whether it may be used from this address; none is the Unix socket, which counts as this machine.
    pub fn allows_from(&self, address: Option<IpAddr>) -> Result<(), Denied> {
        let Some(networks) = &self.networks else { return Ok(()) };
        let here = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        // An IPv4 client of an IPv6 socket is the same client.
        let canonical = address.map(|address| address.to_canonical());
        let addresses = canonical.as_ref().map_or(&here[..], std::slice::from_ref);
        if addresses.iter().any(|address| networks.iter().any(|network| network.contains(address))) {
            return Ok(());
        }
        let used = canonical.map_or("the socket of this machine".to_owned(), |address| address.to_string());
        deny(Limit::Networks, format!("may be used from {}, and this is {used}", list(networks)))
    }

    /// Whether names or types are limited, so that a zone is shown in part only.
    pub fn is_partial(&self) -> bool {
        self.names.is_some() || self.types.is_some()
    }

    fn reaches_every_zone(&self) -> Result<(), Denied> {
        match &self.zones {
            None => Ok(()),
            Some(zones) => {
                let zones = counted(&plain_all(zones), "zone");
                deny(Limit::Zones, format!("is limited to {zones}, and this is about all zones"))
            }
        }
    }

    fn reaches_zone(&self, zone: NameRef<'_>) -> Result<(), Denied> {
        match &self.zones {
            Some(zones) if !zones.iter().any(|own| own.borrow().same(zone)) => {
                let zones = counted(&plain_all(zones), "zone");
                deny(Limit::Zones, format!("is limited to {zones}, and this is about {}", plain(zone)))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn reaches_every_set(&self) -> Result<(), Denied> {
        if let Some(names) = &self.names {
            let names = counted(names, "name");
            return deny(Limit::Names, format!("is limited to {names}, and this is about a zone as a whole"));
        }
        if let Some(types) = &self.types {
            let types = counted(types, "type");
            return deny(Limit::Types, format!("is limited to {types}, and this is about a zone as a whole"));
        }
        Ok(())
    }

    fn reaches_name(&self, name: NameRef<'_>) -> Result<(), Denied> {
        match &self.names {
            Some(names) if !names.iter().any(|pattern| pattern.matches(name)) => deny(
                Limit::Names,
                format!("is limited to {}, and this is about {}", counted(names, "name"), plain(name)),
            ),
            Some(_) | None => Ok(()),
        }
    }

    fn reaches_type(&self, kind: Kind) -> Result<(), Denied> {
        match &self.types {
            Some(types) if !types.contains(&kind) => {
                deny(Limit::Types, format!("is limited to {}, and this is about {kind}", counted(types, "type")))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn deny(limit: Limit, reason: String) -> Result<(), Denied> {
    Err(Denied { limit, reason })
}

/// Entries of a list that a refusal names; the rest is counted.
const NAMED_MAX: usize = 5;

/// `the zone home.example`, `the zones a, b`.
fn counted<T: ToString>(entries: &[T], noun: &str) -> String {
    format!("the {noun}{} {}", if entries.len() == 1 { "" } else { "s" }, list(entries))
}

fn list<T: ToString>(entries: &[T]) -> String {
    let named = entries.iter().take(NAMED_MAX).map(ToString::to_string);
    let more = entries.len().checked_sub(NAMED_MAX).filter(|more| *more > 0).map(|more| format!("{more} more"));
    named.chain(more).collect::<Vec<_>>().join(", ")
}

fn plain_all(names: &[Name]) -> Vec<String> {
    names.iter().map(|name| plain(name.borrow())).collect()
}

/// A name as people write it: without the final dot.
fn plain(name: NameRef<'_>) -> String {
    let text = name.to_string();
    text.strip_suffix('.').filter(|bare| !bare.is_empty()).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        serde_json::from_str(text).unwrap()
    }

    /// Every kind of object, and whether it is reached or which limit forbids it.
    fn reached(scope: &Scope, needed: Rights) -> Vec<Option<Limit>> {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let (home, other, sub) = (name("home.example"), name("other.example"), name("sub.home.example"));
        let (challenge, www) = (name("_ACME-challenge.home.example"), name("www.home.example"));
        let set = |name, kind| Object::Set { zone: home.borrow(), name, kind };
        let objects = [
            Object::Server,
            Object::Everything,
            Object::Zone(home.borrow()),
            Object::WholeZone(home.borrow()),
            Object::WholeZone(other.borrow()),
            Object::WholeZone(sub.borrow()),
            set(challenge.borrow(), Kind::TXT),
            set(challenge.borrow(), Kind::CNAME),
            set(www.borrow(), Kind::TXT),
            Object::Set { zone: other.borrow(), name: challenge.borrow(), kind: Kind::TXT },
        ];
        objects.iter().map(|object| scope.allows(needed, *object).err().map(|denied| denied.limit)).collect()
    }

    #[test]
    fn each_limit_takes_away_what_it_says_and_no_more() {
        let (rights, zones, names, types) =
            (Some(Limit::Rights), Some(Limit::Zones), Some(Limit::Names), Some(Limit::Types));
        let all = |denied| vec![denied; 10];
        for (scope_text, needed, expected) in [
            (r#"{"rights":"admin"}"#, Rights::Admin, all(None)),
            (r#"{"rights":"write"}"#, Rights::Write, all(None)),
            (r#"{"rights":"write"}"#, Rights::Read, all(None)),
            (r#"{"rights":"write"}"#, Rights::Admin, all(rights)),
            (r#"{"rights":"read"}"#, Rights::Write, all(rights)),
            (
                r#"{"rights":"write","zones":["home.example"]}"#,
                Rights::Write,
                vec![None, zones, None, None, zones, zones, None, None, None, zones],
            ),
            (
                r#"{"rights":"write","names":["_acme-challenge.*"]}"#,
                Rights::Write,
                vec![None, names, None, names, names, names, None, None, names, None],
            ),
            (
                r#"{"rights":"read","types":["TXT"]}"#,
                Rights::Read,
                vec![None, types, None, types, types, types, None, types, None, None],
            ),
            (
                r#"{"rights":"write","zones":["home.example"],"names":["_acme-challenge.*"],"types":["TXT"]}"#,
                Rights::Write,
                vec![None, zones, None, names, zones, zones, None, types, names, zones],
            ),
            (
                r#"{"rights":"write","zones":[],"names":[],"types":[]}"#,
                Rights::Read,
                vec![None, zones, zones, zones, zones, zones, zones, zones, zones, zones],
            ),
        ] {
            assert_eq!(reached(&scope(scope_text), needed), expected, "{scope_text} {needed}");
        }
    }

    #[test]
    fn a_refusal_names_the_limit_and_what_it_was_used_for() {
        let token =
            scope(r#"{"rights":"write","zones":["home.example"],"names":["a.home.example","_acme-challenge.*"]}"#);
        let (home, www): (Name, Name) = ("home.example".parse().unwrap(), "www.home.example".parse().unwrap());
        let reason = |needed, object| token.allows(needed, object).unwrap_err().to_string();
        let set = Object::Set { zone: home.borrow(), name: www.borrow(), kind: Kind::A };
        assert_eq!(
            reason(Rights::Write, set),
            "is limited to the names a.home.example, _acme-challenge.*, and this is about www.home.example"
        );
        assert_eq!(reason(Rights::Admin, Object::Server), "has the right to write, and this needs admin");
        assert_eq!(
            reason(Rights::Write, Object::WholeZone(www.borrow())),
            "is limited to the zone home.example, and this is about www.home.example"
        );
        let types: Vec<_> = (1..=7).map(Kind).collect();
        assert_eq!(list(&types), "A, NS, MD, MF, CNAME, 2 more");
        assert_eq!(plain(NameRef::root()), ".");
    }

    #[test]
    fn networks_are_of_the_client() {
        let token = scope(r#"{"rights":"read","networks":["192.0.2.0/24","2001:db8::/48"]}"#);
        let from = |address: &str| token.allows_from(Some(address.parse().unwrap())).is_ok();
        assert!(from("192.0.2.255") && from("::ffff:192.0.2.1") && from("2001:db8::1"));
        assert!(!from("192.0.3.1") && !from("2001:db9::1") && !from("::1") && !from("::192.0.2.1"));
        assert_eq!(
            token.allows_from(None).unwrap_err().reason,
            "may be used from 192.0.2.0/24, 2001:db8::/48, and this is the socket of this machine"
        );
        for here in ["127.0.0.0/8", "::1/128", "0.0.0.0/0"] {
            let token = scope(&format!(r#"{{"rights":"read","networks":["{here}"]}}"#));
            assert!(token.allows_from(None).is_ok(), "{here}");
        }
        assert!(Scope::everything().allows_from(None).is_ok());
    }
}
