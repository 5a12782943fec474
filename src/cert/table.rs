//! All certificates, found by the name a client asks for.

use std::borrow::Cow;
use std::sync::Arc;

use imbl::OrdMap;

use super::{Certificate, Origin, Subject};

/// Certificates by a name, several where they vouch for the same.
type Index = OrdMap<Arc<str>, Arc<[Arc<Certificate>]>>;

/// All certificates there are. A clone shares everything; a change copies a short path.
#[derive(Clone, Default)]
pub struct Certificates {
    by_id: OrdMap<Arc<str>, Arc<Certificate>>,
    /// By each name and address they vouch for, as text. A wildcard stands under the name below which it holds, so that a
    /// look-up has nothing to put together.
    exact: Index,
    wildcard: Index,
}

impl Certificates {
    /// The one to show to a client that asks for this name: of those that cover it, a valid one before others, one
    /// of a public CA or brought by somebody before the built-in CA's, one for the very name before a wildcard, and then
    /// the one that is valid longest. So the last one is shown even when it has ended: some clients go on with it, and
    /// all of them say what is wrong.
    pub fn for_server_name(&self, name: &str, now: u64) -> Option<&Arc<Certificate>> {
        let rank = |certificate: &Certificate| (certificate.is_valid(now), *certificate.origin() != Origin::Local);
        self.covering(name)
            .max_by_key(|(exact, certificate)| (rank(certificate), *exact, certificate.not_after()))
            .map(|(_, certificate)| certificate)
    }

    /// Whether the two hold the same, as far as that can be told at a glance: no change was made to either.
    pub fn is_untouched(&self, other: &Self) -> bool {
        self.by_id.ptr_eq(&other.by_id)
    }

    /// Every certificate that covers this name, and whether it names the very name.
    pub fn covering(&self, name: &str) -> impl Iterator<Item = (bool, &Arc<Certificate>)> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let name = match name.bytes().any(|octet| octet.is_ascii_uppercase()) {
            true => Cow::Owned(name.to_ascii_lowercase()),
            false => Cow::Borrowed(name),
        };
        let exact = match name.strip_prefix("*.") {
            Some(parent) => self.wildcard.get(parent),
            None => self.exact.get(name.as_ref()),
        };
        let wildcard = name.split_once('.').filter(|(first, _)| *first != "*");
        let wildcard = wildcard.and_then(|(_, parent)| self.wildcard.get(parent));
        marked(true, exact).chain(marked(false, wildcard))
    }

    /// The certificate in this place; see [`Certificate::id`].
    pub fn get(&self, id: &str) -> Option<&Arc<Certificate>> {
        self.by_id.get(id)
    }

    /// All of them, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Certificate>> {
        self.by_id.values()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Puts one in, in place of the one for the same names.
    pub fn insert(&mut self, certificate: Arc<Certificate>) {
        self.remove(certificate.id());
        for subject in certificate.subjects() {
            let (map, key) = self.index(subject);
            let old = map.get(key.as_str()).map_or(&[][..], |list| list.as_ref());
            let new = old.iter().chain([&certificate]).cloned().collect();
            let key = if *key == *certificate.id() { certificate.shared_id().clone() } else { key.into() };
            map.insert(key, new);
        }
        self.by_id.insert(certificate.shared_id().clone(), certificate);
    }

    /// Takes one out and hands it over, if it was there.
    pub fn remove(&mut self, id: &str) -> Option<Arc<Certificate>> {
        let gone = self.by_id.remove(id)?;
        for subject in gone.subjects() {
            let (map, key) = self.index(subject);
            let old = map.get(key.as_str()).map_or(&[][..], |list| list.as_ref());
            let new: Arc<[_]> = old.iter().filter(|other| !Arc::ptr_eq(other, &gone)).cloned().collect();
            match new.is_empty() {
                true => map.remove(key.as_str()).is_some(),
                false => map.insert(key.into(), new).is_some(),
            };
        }
        Some(gone)
    }

    /// Where a subject is looked up, and under what.
    fn index(&mut self, subject: &Subject) -> (&mut Index, String) {
        match subject.wildcard_parent() {
            Some(parent) => (&mut self.wildcard, parent.to_owned()),
            None => (&mut self.exact, subject.to_string()),
        }
    }
}

/// The certificates under one name, each with how it was found.
fn marked(exact: bool, found: Option<&Arc<[Arc<Certificate>]>>) -> impl Iterator<Item = (bool, &Arc<Certificate>)> {
    found.map_or(&[][..], |list| list.as_ref()).iter().map(move |certificate| (exact, certificate))
}

impl FromIterator<Arc<Certificate>> for Certificates {
    fn from_iter<I: IntoIterator<Item = Arc<Certificate>>>(certificates: I) -> Self {
        let mut all = Self::default();
        certificates.into_iter().for_each(|certificate| all.insert(certificate));
        all
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Authority;
    use super::*;

    const NOW: u64 = 1_800_000_000;
    const DAY: u64 = 86_400;

    fn certificate(authority: &Authority, names: &[&str], days: u64, origin: Origin) -> Arc<Certificate> {
        let names: Vec<Subject> = names.iter().map(|name| name.parse().unwrap()).collect();
        let made = authority.issue(&names, NOW, Duration::from_secs(days * DAY)).unwrap();
        Arc::new(Certificate::parse(&made.chain_pem(), &made.key_pem(), origin).unwrap())
    }

    fn ca() -> Origin {
        Origin::Acme("https://ca.example/".to_owned())
    }

    #[test]
    fn the_best_certificate_is_shown() {
        let authority = Authority::new(NOW).unwrap();
        let stop_gap = certificate(&authority, &["app.example.org"], 900, Origin::Local);
        let wildcard = certificate(&authority, &["*.example.org", "example.org"], 90, ca());
        let mut all = Certificates::from_iter([stop_gap.clone(), wildcard.clone()]);
        let shown = |all: &Certificates, name: &str, now: u64| all.for_server_name(name, now).cloned();

        assert_eq!(shown(&all, "App.Example.ORG.", NOW), Some(wildcard.clone()), "one of a public CA is better");
        assert_eq!(shown(&all, "app.example.org", NOW + 91 * DAY), Some(stop_gap), "but not when it has ended");
        assert_eq!(shown(&all, "a.b.example.org", NOW), None);
        assert_eq!(shown(&all, "org", NOW), None);
        assert_eq!(shown(&all, "", NOW), None);

        let exact = certificate(&authority, &["app.example.org", "b.example.org"], 30, ca());
        all.insert(exact.clone());
        assert_eq!(shown(&all, "app.example.org", NOW), Some(exact.clone()), "the very name before a wildcard");
        let longer = certificate(&authority, &["app.example.org", "c.example.org"], 31, ca());
        all.insert(longer.clone());
        assert_eq!(shown(&all, "app.example.org", NOW), Some(longer.clone()), "then the one that is valid longest");
        assert_eq!(shown(&all, "app.example.org", NOW - DAY), Some(longer), "the last resort: one that is not valid");
        assert_eq!(shown(&all, "new.example.org", NOW + 91 * DAY), Some(wildcard), "or has ended");
    }

    #[test]
    fn a_renewed_certificate_takes_the_place_of_the_old() {
        let authority = Authority::new(NOW).unwrap();
        let mut all = Certificates::from_iter([certificate(&authority, &["b.example", "*.a.example"], 90, ca())]);
        let renewed = certificate(&authority, &["*.a.example", "b.example"], 10, ca());
        all.insert(renewed.clone());
        assert_eq!(all.len(), 1);
        assert_eq!(all.for_server_name("x.a.example", NOW), Some(&renewed));
        assert!(all.remove("nothing").is_none());
        assert_eq!(all.remove(renewed.id()), Some(renewed));
        assert!(all.is_empty() && all.exact.is_empty() && all.wildcard.is_empty());
    }

    #[test]
    fn an_address_is_found_by_its_text() {
        let authority = Authority::new(NOW).unwrap();
        let one = certificate(&authority, &["127.0.0.1", "::1", "localhost"], 90, Origin::Local);
        let all = Certificates::from_iter([one.clone()]);
        for name in ["127.0.0.1", "::1", "localhost"] {
            assert_eq!(all.for_server_name(name, NOW), Some(&one), "{name}");
        }
    }
}
