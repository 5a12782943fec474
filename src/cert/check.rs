//! Whether a chain and a key are fit to be served: every fault that a client would stumble over, in plain words.

use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use super::{Fault, Key, Subject};

/// Names of one certificate. Let's Encrypt signs 100.
const SUBJECTS_MAX: usize = 1_000;

/// What a certificate says of itself.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Whom it is for: sorted, each once.
    pub subjects: Vec<Subject>,
    /// From when on it is valid, in seconds since 1970.
    pub not_before: u64,
    /// Until when it is valid, in seconds since 1970.
    pub not_after: u64,
    /// Who vouches for it.
    pub issuer: String,
    /// Its serial number: hexadecimal, with colons.
    pub serial: String,
}

/// Reads what the certificate at the head of a chain says.
pub fn facts(certificate: &CertificateDer<'_>) -> Result<Facts, Fault> {
    let read = read(certificate, 1)?;
    let seconds = |at: i64| u64::try_from(at).unwrap_or(0);
    Ok(Facts {
        subjects: subjects(&read)?,
        not_before: seconds(read.validity().not_before.timestamp()),
        not_after: seconds(read.validity().not_after.timestamp()),
        issuer: issuer(&read),
        serial: read.tbs_certificate.raw_serial_as_string(),
    })
}

/// Checks everything that holds whatever the time is.
pub(super) fn chain(chain: &[CertificateDer<'static>], key: &Key) -> Result<(), Fault> {
    let read: Vec<_> = chain.iter().zip(1..).map(|(octets, place)| read(octets, place)).collect::<Result<_, _>>()?;
    let certified = CertifiedKey::new(chain.to_vec(), key.signer()?);
    if certified.keys_match().is_err() {
        return Err(foreign_key(chain, &certified));
    }
    if let Some(first) = read.first() {
        use_of(first)?;
    }
    for (pair, place) in read.windows(2).zip(2..) {
        if let [lower, upper] = pair {
            vouches(upper, lower, place)?;
        }
    }
    Ok(())
}

fn read<'c>(octets: &'c CertificateDer<'_>, place: usize) -> Result<X509Certificate<'c>, Fault> {
    match parse_x509_certificate(octets) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(Fault::new(format!("certificate {place} of the chain is damaged"), "give the file unchanged")),
    }
}

/// The key does not belong to the first certificate; perhaps it does to another.
fn foreign_key(chain: &[CertificateDer<'static>], certified: &CertifiedKey) -> Fault {
    let belongs = |octets: &CertificateDer<'static>| {
        CertifiedKey::new(vec![octets.clone()], certified.key.clone()).keys_match().is_ok()
    };
    match chain.iter().position(belongs) {
        Some(at) => Fault::new(
            format!("the chain is in the wrong order: the certificate of the key stands at place {}", at + 1),
            "put it first, then the one that vouches for it, and so on",
        ),
        None => Fault::new(
            "the private key does not belong to the certificate",
            "give the key with which this certificate was requested",
        ),
    }
}

/// Whether a TLS server may show it.
fn use_of(certificate: &X509Certificate<'_>) -> Result<(), Fault> {
    if certificate.is_ca() {
        return Err(Fault::new(
            "this is the certificate of a CA, not of a server",
            "give the server's own certificate first; a CA's key has no place here",
        ));
    }
    let usage = certificate.extended_key_usage().ok().flatten();
    if usage.is_some_and(|usage| !usage.value.server_auth && !usage.value.any) {
        return Err(Fault::new(
            "the certificate is not meant for servers (its extended key usage lacks serverAuth)",
            "ask the CA for one for a TLS server",
        ));
    }
    Ok(())
}

fn vouches(upper: &X509Certificate<'_>, lower: &X509Certificate<'_>, place: usize) -> Result<(), Fault> {
    let named = lower.tbs_certificate.issuer.as_raw() == upper.tbs_certificate.subject.as_raw();
    if named && lower.verify_signature(Some(upper.public_key())).is_ok() {
        return Ok(());
    }
    Err(Fault::new(
        format!(
            "the chain is in the wrong order or not whole: certificate {place} ({}) did not issue the one before it, which was issued by {}",
            upper.subject(),
            lower.issuer()
        ),
        "put the server's certificate first, then the one that vouches for it, and so on",
    ))
}

/// The names it vouches for: only the subjectAltName counts (RFC 9525, section 2).
fn subjects(certificate: &X509Certificate<'_>) -> Result<Vec<Subject>, Fault> {
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let mut found: Vec<Subject> = Vec::new();
    for name in alternative.iter().flat_map(|extension| &extension.value.general_names).take(SUBJECTS_MAX) {
        // Mail addresses and the like are nothing that a server is reached by.
        let subject = if let GeneralName::DNSName(name) = name {
            name.parse().ok()
        } else if let GeneralName::IPAddress(octets) = name {
            address(octets)
        } else {
            None
        };
        found.extend(subject);
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        return Err(Fault::new(
            "the certificate has no name of a server (no DNS name or address in its subjectAltName)",
            "ask the CA for one with the names in it; the common name is looked at by nobody any more",
        ));
    }
    Ok(found)
}

fn address(octets: &[u8]) -> Option<Subject> {
    let address = match octets.len() {
        4 => <[u8; 4]>::try_from(octets).ok()?.into(),
        16 => <[u8; 16]>::try_from(octets).ok()?.into(),
        _ => return None,
    };
    Some(Subject::Address(address))
}

/// The issuer in short: organization and common name where it has them.
fn issuer(certificate: &X509Certificate<'_>) -> String {
    let name = certificate.issuer();
    let words = name.iter_organization().chain(name.iter_common_name()).filter_map(|part| part.as_str().ok());
    let short = words.collect::<Vec<_>>().join(" ");
    if short.is_empty() { name.to_string() } else { short }
}

/// The last second in which the root of the built-in CA is valid.
pub(super) fn end_of_root(root: &CertificateDer<'_>) -> Result<u64, Fault> {
    let read = read(root, 1)?;
    if !read.is_ca() {
        return Err(Fault::new(
            "the root of the local CA is not the certificate of a CA",
            "restore the data directory",
        ));
    }
    Ok(u64::try_from(read.validity().not_after.timestamp()).unwrap_or(0))
}
