//! Certificates that clients have to show.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use x509_parser::pem::Pem;

use super::{Fault, Given, Meaning, OptionFault};

/// Authorities of one bundle, and its octets.
const AUTHORITIES_MAX: usize = 32;
const BUNDLE_SIZE_MAX: usize = 128 << 10;

/// Certificates that clients have to show, or may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RouteClientCertificate)]
pub struct ClientCertificate {
    /// The authorities that vouch for clients, as PEM.
    #[schema(value_type = String, max_length = 131072, examples("-----BEGIN CERTIFICATE-----\n…"))]
    pub ca: Given<Authorities>,
    /// Whether a client may come without one. The app is told who showed one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false, default = false, examples(false))]
    pub optional: bool,
}

/// The authorities that vouch for clients, as DER.
#[derive(Clone)]
pub struct Authorities(pub Box<[Box<[u8]>]>);

impl Meaning for Authorities {
    fn read(text: &str) -> Result<Self, Fault> {
        let fault = |message: &str| {
            Err(Fault::new(message, "give the certificates of the authorities as PEM, one behind the other"))
        };
        if text.len() > BUNDLE_SIZE_MAX {
            return fault("the authorities are more than 128 KiB");
        }
        let mut found = Vec::new();
        for pem in Pem::iter_from_buffer(text.as_bytes()) {
            let Ok(pem) = pem else { return fault("the authorities are no PEM") };
            if pem.label != "CERTIFICATE" {
                return fault("there is something else than a certificate among the authorities");
            }
            let Ok(read) = pem.parse_x509() else { return fault("an authority is no X.509 certificate") };
            if !read.is_ca() {
                return fault("a certificate among the authorities is of no authority (basicConstraints has no CA)");
            }
            found.push(pem.contents.into_boxed_slice());
        }
        match found.len() {
            0 => fault("there is no authority"),
            1..=AUTHORITIES_MAX => Ok(Self(found.into())),
            _ => fault("there are more than 32 authorities"),
        }
    }
}

impl ClientCertificate {
    pub(super) fn check(&self, faults: &mut Vec<OptionFault>) {
        self.ca.check(|| "/client_certificate/ca".into(), faults);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_vouches_for_nobody_is_told() {
        for (text, told) in [
            ("", "there is no authority"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no X.509"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "something else"),
            ("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", "no PEM"),
        ] {
            let fault = Authorities::read(text).err().unwrap().to_string();
            assert!(fault.contains(told), "{text}: {fault}");
        }
    }
}
