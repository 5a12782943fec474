//! What a token may reach.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::pattern::Pattern;
use super::words;
use crate::limits::SCOPE_ENTRIES_MAX;
use crate::wire::{Kind, Name};

/// How much somebody may do. Each holds what the ones before it hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rights {
    /// To look.
    Read,
    /// To change zones and records.
    Write,
    /// Everything: also tokens, backups, what is about the server itself.
    Admin,
}

impl Rights {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Rights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Read, Self::Write, Self::Admin].into_iter().find(|rights| rights.name() == text);
        known.ok_or_else(|| format!("`{text}` is none of read, write and admin"))
    }
}

/// What a token may reach. A list that is not there is no limit; one that is there and empty lets nothing through.
///
/// It is kept as JSON. A field that is not known is a fault and never passed over: it would be a limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// How much.
    pub rights: Rights,
    /// In which zones: exactly these, in lower case. A zone below one of them is another zone.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "words")]
    pub zones: Option<Vec<Name>>,
    /// At which names.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "words")]
    pub names: Option<Vec<Pattern>>,
    /// Of which types.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "words")]
    pub types: Option<Vec<Kind>>,
    /// From which networks.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "words")]
    pub networks: Option<Vec<IpNet>>,
}

/// Why a scope makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeFault {
    /// The field at fault, and which of its entries, if it is one.
    pub field: (&'static str, Option<usize>),
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub cure: &'static str,
}

impl Scope {
    /// Everything, from everywhere.
    pub fn everything() -> Self {
        Self { rights: Rights::Admin, zones: None, names: None, types: None, networks: None }
    }

    /// Everything that is wrong with it: a token that could do nothing, or more than its limits seem to say.
    pub fn faults(&self) -> Vec<ScopeFault> {
        let mut faults = Vec::new();
        let sizes = [
            ("zones", self.zones.as_ref().map(Vec::len)),
            ("names", self.names.as_ref().map(Vec::len)),
            ("types", self.types.as_ref().map(Vec::len)),
            ("networks", self.networks.as_ref().map(Vec::len)),
        ];
        for (field, size) in sizes {
            let mut note = |message, cure| faults.push(ScopeFault { field: (field, None), message, cure });
            match size {
                Some(0) => note(
                    format!("the list of {field} is empty, so the token could do nothing"),
                    "name at least one, or leave the list out for no such limit",
                ),
                Some(size) if size > SCOPE_ENTRIES_MAX => {
                    note(format!("{size} {field} are more than {SCOPE_ENTRIES_MAX}"), "make several tokens of it");
                }
                Some(_) if self.rights == Rights::Admin && field != "networks" => note(
                    format!(
                        "an admin token cannot be limited to {field}: with it anybody could make one without limits"
                    ),
                    "give it read or write instead, or leave the limit out",
                ),
                Some(_) | None => (),
            }
        }
        faults.extend(self.unreachable_names());
        let types = self.types.iter().flatten().enumerate().filter(|(_, kind)| kind.is_meta());
        faults.extend(types.map(|(at, kind)| ScopeFault {
            field: ("types", Some(at)),
            message: format!("{kind} is a type that is only ever asked, never data"),
            cure: "name a type that records can have, such as A, MX or TXT",
        }));
        faults
    }

    fn unreachable_names(&self) -> impl Iterator<Item = ScopeFault> {
        let zones = self.zones.as_deref().unwrap_or_default();
        let names = self.names.iter().flatten().enumerate();
        let lost = names.filter(|(_, name)| !zones.is_empty() && !zones.iter().any(|zone| name.meets(zone.borrow())));
        lost.map(|(at, name)| ScopeFault {
            field: ("names", Some(at)),
            message: format!("{name} lies in none of the zones of the token"),
            cure: "write the whole name, with its zone, or a star for the labels you do not say",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_kept_word_for_word() {
        let text = r#"{"rights":"write","zones":["home.example."],"names":["_acme-challenge.*"],"types":["TXT","TYPE65280"],"networks":["192.0.2.0/24","2001:db8::/48"]}"#;
        let scope: Scope = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&scope).unwrap(), text);
        let text = r#"{"rights":"admin"}"#;
        let scope: Scope = serde_json::from_str(text).unwrap();
        assert_eq!((serde_json::to_string(&scope).unwrap(), scope), (text.to_owned(), Scope::everything()));
    }

    /// A limit that a newer version knows must not be lost here.
    #[test]
    fn an_unknown_limit_is_a_fault() {
        let fault = serde_json::from_str::<Scope>(r#"{"rights":"read","hours":["9-17"]}"#).unwrap_err();
        assert!(fault.to_string().contains("hours"), "{fault}");
        assert!(serde_json::from_str::<Scope>(r#"{"rights":"read","names":["a..b"]}"#).is_err());
        assert!(serde_json::from_str::<Scope>(r#"{"rights":"all"}"#).is_err());
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let fields = |text: &str| {
            let scope: Scope = serde_json::from_str(text).unwrap();
            scope.faults().iter().map(|fault| fault.field).collect::<Vec<_>>()
        };
        assert_eq!(fields(r#"{"rights":"read","zones":[],"networks":[]}"#), [("zones", None), ("networks", None)]);
        assert_eq!(
            fields(r#"{"rights":"admin","zones":["a"],"names":["b.a"],"types":["A"],"networks":["::/0"]}"#),
            [("zones", None), ("names", None), ("types", None),]
        );
        assert_eq!(
            fields(r#"{"rights":"write","zones":["a","b"],"names":["x.b","x","*.a","c"]}"#),
            [("names", Some(1)), ("names", Some(3)),]
        );
        assert_eq!(fields(r#"{"rights":"write","names":["x"],"types":["TXT","ANY"]}"#), [("types", Some(1))]);
        let list = |size| format!(r#"{{"rights":"read","types":["A"{}]}}"#, r#","A""#.repeat(size - 1));
        assert_eq!(fields(&list(SCOPE_ENTRIES_MAX)), []);
        assert_eq!(fields(&list(SCOPE_ENTRIES_MAX + 1)), [("types", None)]);
    }
}
