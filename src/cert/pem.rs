//! PEM, the text form of certificates and keys (RFC 7468).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{Error, PemObject};
use zeroize::{Zeroize, Zeroizing};

use super::Fault;

/// Octets of a text with certificates that is read. A chain has three or four of about 2 KiB each.
const TEXT_SIZE_MAX: usize = 256 << 10;
/// Certificates of one chain.
const CERTIFICATES_MAX: usize = 16;
/// Characters of a line (RFC 7468, section 2).
const LINE_LENGTH: usize = 64;

/// Reads every certificate of a PEM text, in its order; other parts are passed over. At least one, at most 16.
pub fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, Fault> {
    if text.len() > TEXT_SIZE_MAX {
        let message = format!("the certificates have {} octets; {TEXT_SIZE_MAX} are taken", text.len());
        return Err(Fault::new(message, "give only the certificate and those that vouch for it"));
    }
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).take(CERTIFICATES_MAX + 1).collect();
    match read {
        Err(error) => Err(Fault::new(
            format!("the certificates cannot be read: {}", reason(&error)),
            "give them unchanged, in PEM form (-----BEGIN CERTIFICATE-----)",
        )),
        Ok(none) if none.is_empty() => Err(Fault::new(
            "there is no certificate in the text",
            "it must have a part that starts with -----BEGIN CERTIFICATE-----",
        )),
        Ok(many) if many.len() > CERTIFICATES_MAX => Err(Fault::new(
            format!("there are more than {CERTIFICATES_MAX} certificates in the text"),
            "give only the certificate and those that vouch for it",
        )),
        Ok(read) => Ok(read),
    }
}

/// What is wrong with a PEM text, without a word out of it: it may be a key.
#[allow(clippy::wildcard_enum_match_arm, reason = "the library may learn of more faults")]
pub(super) fn reason(error: &Error) -> &'static str {
    match error {
        Error::MissingSectionEnd { .. } => "a part that begins has no -----END line",
        Error::IllegalSectionStart { .. } => "a -----BEGIN line is not whole",
        Error::Base64Decode(_) => "what stands between the -----BEGIN and -----END lines is not base64",
        Error::SectionTooLarge => "it is too large",
        Error::NoItemsFound => "there is none in it",
        _ => "it is not in PEM form",
    }
}

/// Writes one part. The text is wiped when it goes, for it may be a key.
pub(super) fn write(label: &str, octets: &[u8]) -> Zeroizing<String> {
    // The room is enough, so that the text never moves and leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(2 * (label.len() + 20) + octets.len() * 3 / 2 + 16));
    let mut lines = STANDARD.encode(octets);
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    let mut rest = lines.as_str();
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(rest.len().min(LINE_LENGTH));
        text.push_str(line);
        text.push('\n');
        rest = behind;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    lines.zeroize();
    text
}

/// Writes certificates one behind the other.
pub(super) fn write_chain<'c>(chain: impl IntoIterator<Item = &'c CertificateDer<'static>>) -> String {
    chain.into_iter().map(|certificate| write("CERTIFICATE", certificate).to_string()).collect()
}
