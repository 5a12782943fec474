//! Which names share a certificate, and which no public CA can certify.

use std::collections::BTreeSet;

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
    let asked_for = |name: &Subject| together.iter().any(|list| list.iter().any(|other| other.covers(name)));
    let mut groups = Vec::new();
    for name in names.iter().filter(|name| !asked_for(name)) {
        let base = name.wildcard_parent().map(|parent| Subject::Name(parent.into()));
        let is_served = |name: &Subject| {
            names.iter().any(|other| {
                other.wildcard_parent().is_some_and(|parent| matches!(name, Subject::Name(own) if **own == *parent))
                    || other.is_wildcard() && other != name && other.covers(name)
            })
        };
        match base {
            None if is_served(name) => (),
            Some(base) if names.contains(&base) && !asked_for(&base) => {
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

    #[test]
    fn what_somebody_wants_together_stays_so() {
        assert_eq!(told("a.org c.org", &["b.org a.org"]), ["c.org", "a.org b.org"]);
        assert_eq!(told("x.a.org", &["*.a.org"]), ["*.a.org"]);
    }
}
