//! Whether a client showed a certificate that the route wants, and what the app is told about it.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::edge::exchange::Exchange;
use crate::edge::failure::Failure;
use crate::route::options::ClientCertificate;

/// The fields in which the app is told, and is told by nobody else: the certificate (RFC 9440), whose it is, its SHA-256.
pub(super) const FIELDS: [HeaderName; 3] = [
    HeaderName::from_static("client-cert"),
    HeaderName::from_static("x-client-certificate-subject"),
    HeaderName::from_static("x-client-certificate-fingerprint"),
];

/// Looks at what TLS learned. Over plain HTTP nobody shows anything.
pub(super) fn admit(wanted: &ClientCertificate, exchange: &Exchange, told: &mut HeaderMap) -> Result<(), Failure> {
    let missing = if wanted.optional { Ok(()) } else { Err(Failure::CertificateWanted) };
    let Some(secure) = &exchange.client.secure else { return missing };
    let authorities = wanted.ca.as_str();
    // The rule is younger than the connection: on another one the client will be asked.
    let shown = secure.shown.as_deref().filter(|shown| shown.was_asked(authorities)).ok_or(Failure::Misdirected)?;
    if !shown.is_vouched_by(authorities) {
        return missing;
    }
    for (name, text) in FIELDS.into_iter().zip([&shown.written, &shown.subject, &shown.fingerprint]) {
        if let Ok(value) = HeaderValue::from_str(text) {
            told.insert(name, value);
        }
    }
    Ok(())
}
