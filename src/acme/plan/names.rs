//! Which names share a certificate, and which no public CA can certify.

use std::collections::{BTreeSet, HashSet};

use crate::cert::Subject;

/// Names that only their own network knows (RFC 6761, RFC 6762, RFC 7686, RFC 8375, and `internal` as ICANN has set it
/// aside). `lan`, `home` and `corp` are in use but belong to nobody, and no CA certifies them either.
const INTERNAL: &[&str] = &[
    "localhost",
    "local",
    "test",
    "example",
    "invalid",
    "internal",
    "home.arpa",
    "in-addr.arpa",
    "ip6.arpa",
    "onion",
    "lan",
    "home",
    "corp",
    "intranet",
    "private",
];

/// Whether no public CA can vouch for it: an address, a name without a dot, or one below a name that only its own network
/// knows.
pub fn is_internal(subject: &Subject) -> bool {
    let name = match subject {
        Subject::Address(_) => return true,
        Subject::Name(name) => name.strip_prefix("*.").unwrap_or(name),
    };
    let below = |top: &&str| name.strip_suffix(*top).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    !name.contains('.') || INTERNAL.iter().any(below)
}

/// The certificates for these names, each a sorted list. A name of its own has one of its own, so that one name in trouble
/// never holds up another; a wildcard shares one with the name above it, and serves the names right below.
/// `together` are lists that somebody wants exactly so.
pub fn group(
    names: impl IntoIterator<Item = Subject>,
    together: impl IntoIterator<Item = Vec<Subject>>,
) -> Vec<Vec<Subject>> {
    let names: BTreeSet<Subject> = names.into_iter().collect();
    let together: BTreeSet<Vec<Subject>> = together.into_iter().filter(|list| !list.is_empty()).collect();
    let (asked_for, wildcards) = (Covered::by(together.iter().flatten()), Covered::by(names.iter()));
    let mut groups = Vec::new();
    for name in names.iter().filter(|name| !asked_for.covers(name)) {
        match name.wildcard_parent().map(|parent| Subject::Name(parent.into())) {
            None if wildcards.has_wildcard_beside(name) => (),
            Some(base) if names.contains(&base) && !asked_for.covers(&base) => {
                let mut both = vec![name.clone(), base];
                both.sort();
                groups.push(both);
            }
            None | Some(_) => groups.push(vec![name.clone()]),
        }
    }
    groups.extend(together);
    groups
}

/// What some names cover, found without going through them all: among ten thousand routes, each change asks for each.
struct Covered<'s> {
    exact: HashSet<&'s Subject>,
    /// The names right below which every name is covered.
    below: HashSet<&'s str>,
}

impl<'s> Covered<'s> {
    fn by(subjects: impl Iterator<Item = &'s Subject> + Clone) -> Self {
        Self { below: subjects.clone().filter_map(Subject::wildcard_parent).collect(), exact: subjects.collect() }
    }

    fn covers(&self, name: &Subject) -> bool {
        self.exact.contains(name) || (!name.is_wildcard() && self.is_below(name))
    }

    /// Whether there is a wildcard whose certificate serves this name: for the names beside it, or for those below it.
    fn has_wildcard_beside(&self, name: &Subject) -> bool {
        matches!(name, Subject::Name(own) if self.below.contains(&**own)) || self.is_below(name)
    }

    fn is_below(&self, name: &Subject) -> bool {
        match name {
            Subject::Name(own) => own.split_once('.').is_some_and(|(_, parent)| self.below.contains(parent)),
            Subject::Address(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subjects(names: &str) -> Vec<Subject> {
        names.split_whitespace().map(|name| name.parse().unwrap()).collect()
    }

    fn told(names: &str, together: &[&str]) -> Vec<String> {
        let together = together.iter().map(|names| {
            let mut list = subjects(names);
            list.sort();
            list
        });
        let groups = group(subjects(names), together);
        groups.iter().map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn names_that_only_their_own_network_knows() {
        for name in
            ["localhost", "nas", "a.local", "home.arpa", "x.home.arpa", "*.a.internal", "10.0.0.1", "app.home.example"]
        {
            assert!(is_internal(&name.parse().unwrap()), "{name}");
        }
        for name in ["example.org", "*.example.org", "local.example.org", "myhome.arpa", "xlocal.net"] {
            assert!(!is_internal(&name.parse().unwrap()), "{name}");
        }
    }

    #[test]
    fn each_name_has_its_certificate_and_a_wildcard_takes_along_what_is_right_beside_it() {
        assert_eq!(told("b.org a.b.org", &[]), ["a.b.org", "b.org"]);
        assert_eq!(told("*.b.org a.b.org", &[]), ["*.b.org"]);
        assert_eq!(told("*.b.org b.org a.b.org x.a.b.org", &[]), ["*.b.org b.org", "x.a.b.org"]);
        assert_eq!(told("b.org b.org", &[]), ["b.org"]);
        assert_eq!(told("", &[]), Vec::<String>::new());
    }

    /// What the certificates cover is the same as when each name is compared with each other.
    #[test]
    fn every_name_is_covered_by_exactly_what_covers_it() {
        let names = subjects("*.b.org b.org a.b.org *.a.b.org x.a.b.org y.c.org *.d.org 10.0.0.1 q.r.org");
        let together = [subjects("*.r.org"), subjects("10.0.0.1")];
        let groups = group(names.clone(), together);
        for name in &names {
            let covered = groups.iter().flatten().any(|other| other == name || other.covers(name));
            assert!(covered, "{name} in {groups:?}");
        }
        assert!(!groups.contains(&subjects("q.r.org")) && !groups.contains(&subjects("x.a.b.org")), "{groups:?}");
    }

    #[test]
    fn ten_thousand_names_are_grouped_in_no_time() {
        let names = (0..10_000).map(|number| format!("app{number}.example.org").parse().unwrap());
        let begun = std::time::Instant::now();
        assert_eq!(group(names, []).len(), 10_000);
        assert!(begun.elapsed() < std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
    }

    #[test]
    fn what_somebody_wants_together_stays_so() {
        assert_eq!(told("a.org c.org", &["b.org a.org"]), ["c.org", "a.org b.org"]);
        assert_eq!(told("x.a.org", &["*.a.org"]), ["*.a.org"]);
    }
}
