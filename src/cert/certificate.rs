//! A certificate with its chain and key, ready to be shown to clients.
//!
//! A server holds thousands and shows few of them at a time, so each fact is here once and without slack: what it shares
//! with others lies in its [`Source`], and what rustls wants, which is half as much again, is made for the first client.

use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

use super::check::{self, Facts};
use super::source::Source;
use super::{Fault, Key, Subject, date, pem};

/// The version of the form in which the store keeps certificates.
const VERSION: u8 = 1;

/// Where a certificate came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The built-in CA; replaced as soon as a better one is there.
    Local,
    /// A CA by ACME, named by the URL of its directory.
    Acme(String),
    /// Somebody brought it; nobody but them can renew it.
    Imported,
}

/// A certificate, those that vouch for it, and its private key, which fit each other.
pub struct Certificate {
    id: Arc<str>,
    /// Sorted, each once.
    subjects: Box<[Subject]>,
    not_before: u64,
    not_after: u64,
    serial: Box<str>,
    /// The certificate itself; those above it are its source's.
    own: CertificateDer<'static>,
    source: Arc<Source>,
    key: Key,
    certified: OnceLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads a chain and its key in PEM form, and checks that they fit: the key belongs to the first certificate, each
    /// certificate is vouched for by the next, it is one for servers and has names. Its dates are checked by
    /// [`Certificate::check_dates`].
    pub fn parse(chain: &str, key: &str, origin: Origin) -> Result<Self, Fault> {
        Self::assemble(pem::certificates(chain)?, Key::from_pem(key)?, origin)
    }

    /// As [`Certificate::parse`], with the key at hand: what a CA has sent for a request of ours.
    pub fn received(chain: &str, key: Key, origin: Origin) -> Result<Self, Fault> {
        Self::assemble(pem::certificates(chain)?, key, origin)
    }

    pub(super) fn assemble(chain: Vec<CertificateDer<'static>>, key: Key, origin: Origin) -> Result<Self, Fault> {
        check::chain(&chain, &key)?;
        Self::trusted(chain, key, origin)
    }

    /// Without the checks: they were made before it was stored.
    fn trusted(mut chain: Vec<CertificateDer<'static>>, key: Key, origin: Origin) -> Result<Self, Fault> {
        if chain.is_empty() {
            return Err(Fault::new("the chain is empty", "give at least one certificate"));
        }
        let own = chain.remove(0);
        let Facts { subjects, not_before, not_after, issuer, serial } = check::facts(&own)?;
        Ok(Self {
            id: Self::id_of(&subjects).into(),
            subjects: subjects.into(),
            not_before,
            not_after,
            serial: serial.into(),
            own,
            source: Source { origin, issuer, above: chain }.shared(),
            key,
            certified: OnceLock::new(),
        })
    }

    /// What its place in the store is called: the names it vouches for, in short. A renewed one has the same.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The same, for those who keep it.
    pub(super) fn shared_id(&self) -> &Arc<str> {
        &self.id
    }

    /// The [`Certificate::id`] of a certificate for these names, which are sorted, each once. A single name is its own
    /// id; of several, the first with how many others there are and a hash of all.
    pub fn id_of(subjects: &[Subject]) -> String {
        let first = subjects.iter().find(|subject| !subject.is_wildcard()).or(subjects.first());
        let first = first.map(Subject::to_string).unwrap_or_default();
        if subjects.len() <= 1 {
            return first;
        }
        let all = subjects.iter().map(Subject::to_string).collect::<Vec<_>>().join(",");
        let hash = digest(&SHA256, all.as_bytes());
        let hash: String = hash.as_ref().iter().take(6).map(|octet| format!("{octet:02x}")).collect();
        format!("{first}+{}-{hash}", subjects.len() - 1)
    }

    /// The names and addresses it vouches for, sorted, each once; at least one.
    pub fn subjects(&self) -> &[Subject] {
        &self.subjects
    }

    /// Whether it serves this name or address.
    pub fn covers(&self, subject: &Subject) -> bool {
        self.subjects.iter().any(|own| own.covers(subject))
    }

    /// The first second in which it is valid, since 1970.
    pub fn not_before(&self) -> u64 {
        self.not_before
    }

    /// The last second in which it is valid, since 1970.
    pub fn not_after(&self) -> u64 {
        self.not_after
    }

    /// Whether it is valid at this moment.
    pub fn is_valid(&self, now: u64) -> bool {
        (self.not_before()..=self.not_after()).contains(&now)
    }

    /// Who vouches for it, in short: `Let's Encrypt E7`.
    pub fn issuer(&self) -> &str {
        &self.source.issuer
    }

    /// Its serial number, hexadecimal with colons.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Where it came from.
    pub fn origin(&self) -> &Origin {
        &self.source.origin
    }

    /// The certificate itself, without those that vouch for it.
    pub fn own(&self) -> &CertificateDer<'static> {
        &self.own
    }

    /// The certificate itself and those that vouch for it, in the order in which they are sent.
    pub fn chain(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        std::iter::once(&self.own).chain(&self.source.above)
    }

    /// The chain in PEM form.
    pub fn chain_pem(&self) -> String {
        pem::write_chain(self.chain())
    }

    /// The private key in PEM form, for whoever is allowed to have it. The text is wiped when it goes.
    pub fn key_pem(&self) -> Zeroizing<String> {
        self.key.to_pem()
    }

    /// Chain and key as rustls shows them. Made once, when first asked for; none if the key cannot be used, which was checked before.
    pub fn certified(&self) -> Option<Arc<CertifiedKey>> {
        if let Some(ready) = self.certified.get() {
            return Some(ready.clone());
        }
        let made = Arc::new(CertifiedKey::new(self.chain().cloned().collect(), self.key.signer().ok()?));
        Some(self.certified.get_or_init(|| made).clone())
    }

    /// Whether it can be served now, in words.
    pub fn check_dates(&self, now: u64) -> Result<(), Fault> {
        let (from, until) = (self.not_before(), self.not_after());
        if until < from {
            return Err(Fault::new("the certificate ends before it begins", "ask the CA for a sound one"));
        }
        if now > until {
            return Err(Fault::new(format!("the certificate has ended at {}", date(until)), "get a new one"));
        }
        if now < from {
            return Err(Fault::new(
                format!("the certificate is valid only from {} on", date(from)),
                "wait until then, or set this machine's clock if it is wrong",
            ));
        }
        Ok(())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, {}, until {})", self.id(), self.issuer(), date(self.not_after()))
    }
}

/// Equal octets make equal certificates; the key follows from them.
impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.own == other.own && self.source == other.source
    }
}

impl Eq for Certificate {}

/// What the store keeps. With the private key: for no other reader.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u8,
    origin: Origin,
    chain: String,
    key: Zeroizing<String>,
}

/// For the store only: the private key is in it.
impl Serialize for Certificate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (origin, chain) = (self.origin().clone(), self.chain_pem());
        Stored { version: VERSION, origin, chain, key: self.key_pem() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Certificate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        if stored.version != VERSION {
            let message = format!("a certificate in format {}; this version reads {VERSION}", stored.version);
            return Err(de::Error::custom(message));
        }
        let read = || Self::trusted(pem::certificates(&stored.chain)?, Key::from_pem(&stored.key)?, stored.origin);
        read().map_err(de::Error::custom)
    }
}
