//! A pattern of names: labels, one of which may be a star that stands for one label or more.
//!
//! `www.home.example` is that name, `*.lan.home.example` all names below lan.home.example, `_acme-challenge.*` that label
//! below whatever name. Labels match as wholes, never in parts, so that nobody has to think about `*lan.home.example` and
//! `evil-lan.home.example`. The star also stands for the label `*` of a wildcard record; `\*` is that label alone.

use std::fmt;
use std::str::FromStr;

use crate::wire::{Name, NameFault, NameRef};

/// Which names.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The labels before the star, or all of them; as a name, in lower case.
    head: Name,
    /// The labels behind the star, if there is one.
    tail: Option<Name>,
}

/// Why a text is not a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPattern {
    /// There is more than one star.
    Stars,
    /// The labels do not make a name.
    Name(NameFault),
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stars => f.write_str("a pattern has one star at most: it stands for as many labels as there are"),
            Self::Name(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for BadPattern {}

impl Pattern {
    /// Whether a name is one of these.
    pub fn matches(&self, name: NameRef<'_>) -> bool {
        let Some(tail) = &self.tail else { return name.same(self.head.borrow()) };
        let (head, tail) = (self.head.borrow(), tail.borrow());
        let stood_for = name.label_count().checked_sub(head.label_count() + tail.label_count());
        let starts = || name.labels().zip(head.labels()).all(|(a, b)| a.eq_ignore_ascii_case(b));
        stood_for.is_some_and(|labels| labels >= 1) && starts() && name.is_within(tail)
    }

    /// Whether a name of this zone can be one of these.
    pub fn meets(&self, zone: NameRef<'_>) -> bool {
        match &self.tail {
            None => self.head.borrow().is_within(zone),
            Some(tail) => tail.borrow().is_within(zone) || zone.is_within(tail.borrow()),
        }
    }
}

impl FromStr for Pattern {
    type Err = BadPattern;

    /// Reads it as an absolute name; a missing final dot is forgiven.
    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let name = |text: &str| match text {
            "" => Ok(Name::root()),
            text => text.parse::<Name>().map(|name| name.borrow().to_lower()).map_err(BadPattern::Name),
        };
        let mut stars = stars(text);
        let pattern = match (stars.next(), stars.next()) {
            (None, _) if text.is_empty() => return Err(BadPattern::Name(NameFault::Empty)),
            (None, _) => Self { head: name(text)?, tail: None },
            (Some(at), None) => {
                let (head, tail) = (&text[..at], &text[at + 1..]);
                let tail = tail.strip_prefix('.').filter(|tail| *tail != ".").unwrap_or(tail);
                let head = if head == "." { Err(BadPattern::Name(NameFault::EmptyLabel)) } else { name(head) };
                Self { head: head?, tail: Some(name(tail)?) }
            }
            (Some(_), Some(_)) => return Err(BadPattern::Stars),
        };
        let octets = pattern.head.as_bytes().len() + pattern.tail.as_ref().map_or(0, |tail| tail.as_bytes().len());
        if octets > crate::limits::NAME_SIZE_MAX { Err(BadPattern::Name(NameFault::TooLong)) } else { Ok(pattern) }
    }
}

/// Where labels are a bare star.
fn stars(text: &str) -> impl Iterator<Item = usize> {
    let octets = text.as_bytes();
    let mut escaped = false;
    let mut label_starts = true;
    octets.iter().enumerate().filter_map(move |(at, octet)| {
        let is_star = *octet == b'*' && label_starts && matches!(octets.get(at + 1), None | Some(b'.'));
        label_starts = *octet == b'.' && !escaped;
        escaped = *octet == b'\\' && !escaped;
        is_star.then_some(at)
    })
}

/// As people write it: without the final dot.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = shown(&self.head);
        let Some(tail) = &self.tail else {
            return f.write_str(head.strip_suffix('.').unwrap_or("."));
        };
        write!(f, "{head}*")?;
        match shown(tail).strip_suffix('.') {
            None => Ok(()),
            Some(tail) => write!(f, ".{tail}"),
        }
    }
}

/// The labels, each with a dot behind it; one that is a star by itself is escaped, so that it stays itself.
fn shown(name: &Name) -> String {
    let name = name.borrow();
    if name.is_root() {
        return String::new();
    }
    let text = name.to_string();
    let mut shown = String::new();
    let mut from = 0;
    for at in stars(&text) {
        shown += &text[from..at];
        shown += "\\*";
        from = at + 1;
    }
    shown + &text[from..]
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        pattern.parse::<Pattern>().unwrap().matches(name.parse::<Name>().unwrap().borrow())
    }

    #[test]
    fn whole_labels_match() {
        for (pattern, yes, no) in [
            (
                "www.home.example",
                &["www.home.example", "WWW.Home.Example."][..],
                &["a.www.home.example", "home.example", "xwww.home.example", "."][..],
            ),
            (
                "_acme-challenge.*",
                &["_acme-challenge.home.example", "_ACME-challenge.a.b.home.example", "_acme-challenge.*.example"],
                &["_acme-challenge", "home.example", "x_acme-challenge.home.example", "a._acme-challenge.home.example"],
            ),
            (
                "*.lan.home.example",
                &["a.lan.home.example", "a.b.LAN.home.example", "*.lan.home.example"],
                &["lan.home.example", "evil-lan.home.example", "a.evil-lan.home.example", "a.lan.home.example.org"],
            ),
            (
                "_acme-challenge.*.home.example",
                &["_acme-challenge.a.home.example", "_acme-challenge.a.b.home.example"],
                &["_acme-challenge.home.example", "a.home.example", "_acme-challenge.a.other.example"],
            ),
            ("*", &["example", "a.b.c"], &["."]),
            (".", &["."], &["example"]),
            ("\\*.home.example", &["*.home.example"], &["a.home.example", "b.*.home.example"]),
            ("a\\.*.example", &["a\\.*.example"], &["a\\.b.example", "a.b.example"]),
            ("a*.example", &["a*.example"], &["ab.example"]),
            // A dot inside a label is no border between labels.
            ("*.home.example", &["a.home.example"], &["a\\.home.example", "home.example"]),
        ] {
            for name in yes {
                assert!(matches(pattern, name), "{pattern} is {name}");
            }
            for name in no {
                assert!(!matches(pattern, name), "{pattern} is not {name}");
            }
        }
    }

    #[test]
    fn what_is_no_pattern() {
        let long = format!("*.{}", ["a".repeat(63).as_str(); 4].join("."));
        for (text, fault) in [
            ("", BadPattern::Name(NameFault::Empty)),
            ("*.a.*", BadPattern::Stars),
            ("*.*", BadPattern::Stars),
            ("a..b", BadPattern::Name(NameFault::EmptyLabel)),
            ("*..b", BadPattern::Name(NameFault::EmptyLabel)),
            (".*", BadPattern::Name(NameFault::EmptyLabel)),
            ("a.\\", BadPattern::Name(NameFault::BadEscape)),
            (&long, BadPattern::Name(NameFault::TooLong)),
        ] {
            assert_eq!(text.parse::<Pattern>(), Err(fault), "{text}");
        }
    }

    #[test]
    fn a_pattern_that_meets_no_zone_is_known_beforehand() {
        let meets = |pattern: &str, zone: &str| {
            pattern.parse::<Pattern>().unwrap().meets(zone.parse::<Name>().unwrap().borrow())
        };
        for (pattern, zone) in [
            ("www.home.example", "home.example"),
            ("home.example", "home.example"),
            ("*.lan.home.example", "home.example"),
            ("*.lan.home.example", "lan.home.example"),
            ("*.lan.home.example", "sub.lan.home.example"),
            ("_acme-challenge.*", "home.example"),
        ] {
            assert!(meets(pattern, zone), "{pattern} {zone}");
        }
        assert!(!meets("www", "home.example") && !meets("*.lan.other.example", "home.example"));
    }

    proptest! {
        #[test]
        fn text_and_back(labels in prop::collection::vec("[a-c*\\\\.#@]{1,3}|\\*", 1..5)) {
            if let Ok(pattern) = labels.join(".").parse::<Pattern>() {
                prop_assert_eq!(pattern.to_string().parse::<Pattern>(), Ok(pattern.clone()), "{}", pattern);
            }
        }

        /// No pattern but one with a star matches a name that is not its own.
        #[test]
        fn a_match_has_every_label(head in "[ab]{1,2}", tail in "[ab]{1,2}", name in "[ab]{1,2}(\\.[ab]{1,2}){0,3}") {
            let pattern = format!("{head}.*.{tail}");
            let labels: Vec<_> = name.split('.').collect();
            let expected = labels.len() >= 3 && labels[0] == head && labels[labels.len() - 1] == tail;
            prop_assert_eq!(matches(&pattern, &name), expected);
        }
    }
}
