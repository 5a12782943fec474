//! What a certificate vouches for: a DNS name, perhaps with a wildcard, or an address.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::LABEL_SIZE_MAX;

/// Characters of a DNS name in text, without a final dot.
const NAME_LENGTH_MAX: usize = 253;

/// A DNS name in lower case without a final dot, perhaps starting with `*.`, or an IP address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Subject {
    /// A name, international ones in their ASCII form (`xn--…`).
    Name(Box<str>),
    /// An address.
    Address(IpAddr),
}

/// Why a text is nothing a certificate could vouch for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectFault {
    /// Nothing at all.
    Empty,
    /// More than 253 characters, or a label of more than 63.
    TooLong,
    /// Two dots in a row, or a dot at the start.
    EmptyLabel,
    /// A character other than letters, digits and inner hyphens.
    Character(char),
    /// A star that is not the whole first label.
    Star,
}

impl fmt::Display for SubjectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the name is empty"),
            Self::TooLong => f.write_str("a name has at most 253 characters, and 63 between two dots"),
            Self::EmptyLabel => f.write_str("two dots in a row, or a dot at the start"),
            Self::Character(c) => write!(f, "{c:?} has no place in the name of a host: letters, digits, inner hyphens"),
            Self::Star => {
                f.write_str("a star must be the whole first label, with a name behind it, as in *.example.org")
            }
        }
    }
}

impl std::error::Error for SubjectFault {}

impl Subject {
    /// Whether it stands for all names one label longer.
    pub fn is_wildcard(&self) -> bool {
        self.wildcard_parent().is_some()
    }

    /// For a wildcard, the name below which it stands.
    pub fn wildcard_parent(&self) -> Option<&str> {
        match self {
            Self::Name(name) => name.strip_prefix("*."),
            Self::Address(_) => None,
        }
    }

    /// Whether a certificate for this one also serves `other`: the same, or a wildcard one label above
    /// (RFC 9525, section 6.3).
    pub fn covers(&self, other: &Self) -> bool {
        let below = |parent: &str| match other {
            Self::Name(name) => name.split_once('.').is_some_and(|(first, rest)| first != "*" && rest == parent),
            Self::Address(_) => false,
        };
        self == other || self.wildcard_parent().is_some_and(below)
    }
}

impl FromStr for Subject {
    type Err = SubjectFault;

    fn from_str(text: &str) -> Result<Self, SubjectFault> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        check(&name)?;
        Ok(Self::Name(name.into()))
    }
}

fn check(name: &str) -> Result<(), SubjectFault> {
    if name.is_empty() {
        return Err(SubjectFault::Empty);
    }
    if name.len() > NAME_LENGTH_MAX {
        return Err(SubjectFault::TooLong);
    }
    let plain = name.strip_prefix("*.").unwrap_or(name);
    if plain.contains('*') {
        return Err(SubjectFault::Star);
    }
    for label in plain.split('.') {
        if label.is_empty() {
            return Err(SubjectFault::EmptyLabel);
        }
        if label.len() > LABEL_SIZE_MAX {
            return Err(SubjectFault::TooLong);
        }
        if let Some(wrong) = label.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
            return Err(SubjectFault::Character(wrong));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(SubjectFault::Character('-'));
        }
    }
    Ok(())
}

impl TryFrom<String> for Subject {
    type Error = SubjectFault;

    fn try_from(text: String) -> Result<Self, SubjectFault> {
        text.parse()
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.to_string()
    }
}

impl From<IpAddr> for Subject {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(text: &str) -> Subject {
        text.parse().unwrap()
    }

    #[test]
    fn names_and_addresses_are_told_apart() {
        assert_eq!(subject("App.Example.ORG.").to_string(), "app.example.org");
        assert_eq!(subject("::1"), Subject::Address("::1".parse().unwrap()));
        assert_eq!(subject("*.example.org").wildcard_parent(), Some("example.org"));
        assert!(!subject("localhost").is_wildcard());
    }

    #[test]
    fn what_is_no_host_is_refused_with_its_reason() {
        let fault = |text: &str| text.parse::<Subject>().unwrap_err();
        assert_eq!(fault(""), SubjectFault::Empty);
        assert_eq!(fault("."), SubjectFault::Empty);
        assert_eq!(fault("a..b"), SubjectFault::EmptyLabel);
        assert_eq!(fault(".a"), SubjectFault::EmptyLabel);
        assert_eq!(fault("a_b.org"), SubjectFault::Character('_'));
        assert_eq!(fault("-a.org"), SubjectFault::Character('-'));
        assert_eq!(fault("bücher.example"), SubjectFault::Character('ü'));
        assert_eq!(fault("a.*.org"), SubjectFault::Star);
        assert_eq!(fault("*a.org"), SubjectFault::Star);
        assert_eq!(fault("*"), SubjectFault::Star);
        assert_eq!(fault(&"a".repeat(64)), SubjectFault::TooLong);
        assert_eq!(fault(&["a"; 128].join(".")), SubjectFault::TooLong);
        assert!(["a"; 127].join(".").parse::<Subject>().is_ok());
    }

    #[test]
    fn a_wildcard_covers_one_label() {
        let wildcard = subject("*.example.org");
        assert!(wildcard.covers(&subject("a.example.org")) && wildcard.covers(&wildcard));
        for other in ["example.org", "a.b.example.org", "*.a.example.org", "192.0.2.1"] {
            assert!(!wildcard.covers(&subject(other)), "{other}");
        }
    }
}
