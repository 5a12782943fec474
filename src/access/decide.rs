//! Allow or deny.
//!
//! What a request is about is an [`Object`]; there are few on purpose. The rule for a token with limits of names or types is
//! that it reaches single record sets and nothing else, and that a zone may be shown to it only with everything taken out
//! that [`Scope::allows`] denies.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::pattern::Pattern;
use super::scope::{Rights, Scope};
use crate::wire::{Kind, NameRef};

/// What somebody wants to read or change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object<'a> {
    /// Whether the server is well: for everybody.
    Health,
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
        match self.forbids(needed, object) {
            None => Ok(()),
            Some(limit) => Err(Denied { limit, reason: self.reason(limit, needed, object) }),
        }
    }

    /// The limit because of which it may not do `needed` to this. It makes no words, so that a zone of a million sets can
    /// be looked through with it.
    pub fn forbids(&self, needed: Rights, object: Object<'_>) -> Option<Limit> {
        if object == Object::Health {
            return None;
        }
        if self.rights < needed {
            return Some(Limit::Rights);
        }
        match object {
            Object::Health | Object::Server => None,
            Object::Everything => self.zones.as_ref().map(|_| Limit::Zones).or_else(|| self.forbids_wholes()),
            Object::Zone(zone) => self.forbids_zone(zone),
            Object::WholeZone(zone) => self.forbids_zone(zone).or_else(|| self.forbids_wholes()),
            Object::Set { zone, name, kind } => {
                let matches = |pattern: &Pattern| pattern.matches(name);
                let no_name = self.names.as_ref().is_some_and(|names| !names.iter().any(matches));
                let no_type = self.types.as_ref().is_some_and(|types| !types.contains(&kind));
                let no_name = no_name.then_some(Limit::Names);
                self.forbids_zone(zone).or(no_name).or(no_type.then_some(Limit::Types))
            }
        }
    }

    fn forbids_zone(&self, zone: NameRef<'_>) -> Option<Limit> {
        let zones = self.zones.as_ref()?;
        (!zones.iter().any(|own| own.borrow().same(zone))).then_some(Limit::Zones)
    }

    fn forbids_wholes(&self) -> Option<Limit> {
        self.names.as_ref().map(|_| Limit::Names).or(self.types.as_ref().map(|_| Limit::Types))
    }

    fn reason(&self, limit: Limit, needed: Rights, object: Object<'_>) -> String {
        let (names, types) = (self.names.as_deref().unwrap_or_default(), self.types.as_deref().unwrap_or_default());
        let own = match limit {
            Limit::Rights => return format!("has the right to {}, and this needs {needed}", self.rights),
            Limit::Zones => {
                let zones = self.zones.iter().flatten().map(|zone| plain(zone.borrow()));
                counted(&zones.collect::<Vec<_>>(), "zone")
            }
            Limit::Names => counted(names, "name"),
            Limit::Types => counted(types, "type"),
            Limit::Networks => counted(self.networks.as_deref().unwrap_or_default(), "network"),
        };
        let used_for = match (limit, object) {
            (_, Object::Health | Object::Server) => "the server".to_owned(),
            (_, Object::Everything) => "all there is".to_owned(),
            (Limit::Names | Limit::Types, Object::Zone(_) | Object::WholeZone(_)) => "a zone as a whole".to_owned(),
            (Limit::Names, Object::Set { name, .. }) => plain(name),
            (Limit::Types, Object::Set { kind, .. }) => kind.to_string(),
            (_, Object::Zone(zone) | Object::WholeZone(zone) | Object::Set { zone, .. }) => plain(zone),
        };
        format!("is limited to {own}, and this is about {used_for}")
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
        let reason = format!("may be used from {}, and this is {used}", list(networks));
        Err(Denied { limit: Limit::Networks, reason })
    }

    /// Whether names or types are limited, so that a zone is shown in part only.
    pub fn is_partial(&self) -> bool {
        self.names.is_some() || self.types.is_some()
    }
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

/// A name as people write it: without the final dot.
fn plain(name: NameRef<'_>) -> String {
    let text = name.to_string();
    text.strip_suffix('.').filter(|bare| !bare.is_empty()).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Name;

    fn scope(text: &str) -> Scope {
        serde_json::from_str(text).unwrap()
    }

    /// Every kind of object, and whether it is reached or which limit forbids it.
    fn reached(scope: &Scope, needed: Rights) -> Vec<Option<Limit>> {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let (home, other, sub) = (name("home.example"), name("other.example"), name("sub.home.example"));
        let (challenge, www) = (name("_ACME-challenge.home.example"), name("www.home.example"));
        let set = |name, kind| Object::Set { zone: home.borrow(), name, kind };
        assert_eq!(scope.forbids(needed, Object::Health), None);
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
