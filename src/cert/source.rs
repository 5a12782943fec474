//! What certificates from one place have in common: where they came from, who signed them, and the chain above them.
//!
//! A CA signs with a handful of intermediates, so ten thousand certificates have ten thousand times the same octets behind
//! their own. Each such value is held once, whoever reads it: [`Source::shared`] gives the one that is there already. The
//! table of them holds no value longer than twice as many arrive, if no certificate has it any more.
//!
//! Rejected: to share only what stands next to each other in one snapshot. Certificates are read one by one, from sled, the
//! journal and CAs, by code that knows nothing of the others; and a renewed one should share with the one it replaces.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use rustls::pki_types::CertificateDer;

use super::Origin;

/// So many are known before those without a certificate are looked for.
const KNOWN_AT_LEAST: usize = 64;

/// What certificates from one place have in common.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Source {
    pub(super) origin: Origin,
    /// Who signed them, in short.
    pub(super) issuer: String,
    /// Those that vouch for them, in the order in which they are sent.
    pub(super) above: Vec<CertificateDer<'static>>,
}

impl Source {
    /// The only value that is equal to this one.
    pub(super) fn shared(self) -> Arc<Self> {
        static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner).share(self)
    }
}

/// Every value there is.
#[derive(Default)]
struct Known {
    all: HashSet<Arc<Source>>,
    /// How many there may be until the unused ones go.
    most: usize,
}

impl Known {
    fn share(&mut self, source: Source) -> Arc<Source> {
        if let Some(known) = self.all.get(&source) {
            return Arc::clone(known);
        }
        if self.all.len() >= self.most {
            self.all.retain(|known| Arc::strong_count(known) > 1);
            self.most = KNOWN_AT_LEAST.max(2 * self.all.len());
        }
        let source = Arc::new(source);
        self.all.insert(Arc::clone(&source));
        source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(issuer: usize) -> Source {
        Source { origin: Origin::Imported, issuer: issuer.to_string(), above: Vec::new() }
    }

    #[test]
    fn equal_ones_are_one_and_those_of_nobody_go() {
        let mut known = Known::default();
        let held: Vec<_> = (0..100).map(|issuer| known.share(source(issuer))).collect();
        assert!(Arc::ptr_eq(&known.share(source(7)), &held[7]));
        for issuer in 100..10_000 {
            known.share(source(issuer));
            assert!(known.all.len() <= 2 * held.len() + KNOWN_AT_LEAST, "{}", known.all.len());
        }
        assert!(held.iter().all(|source| known.all.contains(source)), "those that are in use stay");
    }
}
