//! The built-in CA, and whatever else is signed here: requests to other CAs, and the certificates of TLS-ALPN-01.
//!
//! One root signs servers directly. An intermediate would let the root's key lie elsewhere, but here both would lie side
//! by side, and every client would have to be sent one certificate more.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

use super::date::LAST;
use super::{Certificate, Fault, Key, KeyKind, Origin, Subject, check, pem};

/// The version of the form in which the store keeps the authority.
const VERSION: u8 = 1;
/// How long a root is valid. Whoever trusts it once should not have to again soon.
const ROOT_LIFETIME: Duration = Duration::from_secs(10 * 365 * 86_400);
/// Certificates begin this long before they are made, for clients whose clocks are behind.
const CLOCKS_BEHIND: u64 = 3_600;
/// Characters of a common name (RFC 5280, appendix A.1).
const COMMON_NAME_LENGTH_MAX: usize = 64;
/// Names of one certificate.
const SUBJECTS_MAX: usize = 100;

/// The built-in CA: a root certificate and its key.
pub struct Authority {
    root: CertificateDer<'static>,
    key: Key,
    not_after: u64,
}

impl Authority {
    /// A new root, valid for ten years.
    pub fn new(now: u64) -> Result<Self, Fault> {
        let key = Key::generate(KeyKind::P256)?;
        let pair = key.pair()?;
        let mut parameters = blank();
        // Old roots stay in the trust stores of clients, where they must be told apart.
        let mark: String =
            parameters.key_identifier(&pair).iter().take(4).map(|octet| format!("{octet:02x}")).collect();
        parameters.distinguished_name.push(DnType::CommonName, format!("Freehold local CA {mark}"));
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        last(&mut parameters, now.saturating_sub(24 * CLOCKS_BEHIND), now + ROOT_LIFETIME.as_secs());
        let root = parameters.self_signed(&pair).map_err(|error| Fault::making(&error))?;
        Self::assemble(root.der().clone(), key)
    }

    fn assemble(root: CertificateDer<'static>, key: Key) -> Result<Self, Fault> {
        let not_after = check::end_of_root(&root)?;
        Ok(Self { root, key, not_after })
    }

    /// Vouches for names and addresses from now on, no longer than the root itself is valid.
    pub fn issue(&self, subjects: &[Subject], now: u64, lifetime: Duration) -> Result<Certificate, Fault> {
        let key = Key::generate(KeyKind::P256)?;
        let mut parameters = naming(subjects)?;
        // Nobody should look at it, but kdig 3.2 and others of its age take no certificate that is nobody's.
        let name = subjects.iter().map(ToString::to_string).find(|name| name.len() <= COMMON_NAME_LENGTH_MAX);
        parameters.distinguished_name.push(DnType::CommonName, name.unwrap_or_else(|| "Freehold".into()));
        parameters.is_ca = IsCa::ExplicitNoCa;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        let begin = now.saturating_sub(CLOCKS_BEHIND.min(lifetime.as_secs() / 4));
        last(&mut parameters, begin, now.saturating_add(lifetime.as_secs()).min(self.not_after));
        let made = Issuer::from_ca_cert_der(&self.root, self.key.pair()?)
            .and_then(|issuer| parameters.signed_by(&key.pair().map_err(|_| rcgen::Error::RingUnspecified)?, &issuer))
            .map_err(|error| Fault::making(&error))?;
        Certificate::assemble(vec![made.der().clone()], key, Origin::Local)
    }

    /// The root certificate in PEM form: what clients are to trust. Nothing in it is secret.
    pub fn root_pem(&self) -> String {
        pem::write_chain([&self.root])
    }

    /// The last second in which the root is valid, since 1970.
    pub fn not_after(&self) -> u64 {
        self.not_after
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority(until {})", super::date(self.not_after))
    }
}

/// The same root is the same authority.
impl PartialEq for Authority {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl Eq for Authority {}

/// What the store keeps. With the private key: for no other reader.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u8,
    root: String,
    key: Zeroizing<String>,
}

/// For the store only: the private key is in it.
impl Serialize for Authority {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Stored { version: VERSION, root: self.root_pem(), key: self.key.to_pem() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Authority {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        if stored.version != VERSION {
            let message = format!("a local CA in format {}; this version reads {VERSION}", stored.version);
            return Err(de::Error::custom(message));
        }
        let read = || {
            let root = pem::certificates(&stored.root)?.swap_remove(0);
            Self::assemble(root, Key::from_pem(&stored.key)?)
        };
        read().map_err(de::Error::custom)
    }
}

/// A request (PKCS #10, DER) for a certificate with these names and this key. It names nobody: CAs look at the names
/// alone, and some refuse more.
pub fn request(subjects: &[Subject], key: &Key) -> Result<Vec<u8>, Fault> {
    let made = naming(subjects)?.serialize_request(&key.pair()?).map_err(|error| Fault::making(&error))?;
    Ok(made.der().to_vec())
}

/// The certificate that answers a TLS-ALPN-01 challenge (RFC 8737, section 3): it names the subject and carries the
/// SHA-256 digest of the key authorization.
pub fn challenge_certificate(subject: &Subject, digest: &[u8; 32], now: u64) -> Result<Arc<CertifiedKey>, Fault> {
    let key = Key::generate(KeyKind::P256)?;
    let mut parameters = naming(std::slice::from_ref(subject))?;
    parameters.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    last(&mut parameters, now.saturating_sub(24 * CLOCKS_BEHIND), now.saturating_add(24 * CLOCKS_BEHIND));
    let made = parameters.self_signed(&key.pair()?).map_err(|error| Fault::making(&error))?;
    Ok(Arc::new(CertifiedKey::new(vec![made.der().clone()], key.signer()?)))
}

/// Parameters that say nothing yet; rcgen's own name themselves.
fn blank() -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters
}

fn naming(subjects: &[Subject]) -> Result<CertificateParams, Fault> {
    if subjects.is_empty() || subjects.len() > SUBJECTS_MAX {
        let message = format!("a certificate is for 1 to {SUBJECTS_MAX} names, not {}", subjects.len());
        return Err(Fault::new(message, "spread the names over several"));
    }
    let mut parameters = blank();
    for subject in subjects {
        parameters.subject_alt_names.push(match subject {
            Subject::Address(address) => SanType::IpAddress(*address),
            Subject::Name(name) => {
                SanType::DnsName(name.to_string().try_into().map_err(|error| Fault::making(&error))?)
            }
        });
    }
    Ok(parameters)
}

/// Sets the time in which it is valid.
fn last(parameters: &mut CertificateParams, from: u64, until: u64) {
    let epoch = date_time_ymd(1970, 1, 1);
    parameters.not_before = epoch + Duration::from_secs(from.min(LAST));
    parameters.not_after = epoch + Duration::from_secs(until.min(LAST));
}
