//! A private key. It cannot be printed or cloned, and is wiped when it goes.

use std::fmt;
use std::sync::Arc;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::SigningKey;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::Fault;
use super::pem;

/// The kinds of key that are made. Others can be imported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyKind {
    /// ECDSA on P-256: small, fast, taken by everybody.
    #[default]
    #[serde(rename = "p256")]
    P256,
    /// ECDSA on P-384: slower, for whoever has to.
    #[serde(rename = "p384")]
    P384,
}

/// A private key, in the form in which it came.
pub struct Key(PrivateKeyDer<'static>);

impl Key {
    /// A new one from the system's randomness.
    pub fn generate(kind: KeyKind) -> Result<Self, Fault> {
        let algorithm = match kind {
            KeyKind::P256 => &PKCS_ECDSA_P256_SHA256,
            KeyKind::P384 => &PKCS_ECDSA_P384_SHA384,
        };
        let mut pair = KeyPair::generate_for(algorithm).map_err(|error| Fault::making(&error))?;
        let key = Self(PrivatePkcs8KeyDer::from(pair.serialize_der()).into());
        pair.zeroize();
        Ok(key)
    }

    /// Reads the first private key of a PEM text: PKCS #8, SEC1 or PKCS #1.
    pub fn from_pem(text: &str) -> Result<Self, Fault> {
        match PrivateKeyDer::from_pem_slice(text.as_bytes()) {
            Ok(key) => Ok(Self(key)),
            Err(PemError::NoItemsFound) if text.contains("BEGIN ENCRYPTED PRIVATE KEY") => Err(Fault::new(
                "the private key is protected by a passphrase",
                "take it off first, for example with: openssl pkey -in key.pem -out plain.pem",
            )),
            Err(PemError::NoItemsFound) => Err(Fault::new(
                "the key file holds no private key",
                "it must have a part that starts with -----BEGIN PRIVATE KEY-----",
            )),
            Err(error) => Err(Fault::new(
                format!("the private key cannot be read: {}", pem::reason(&error)),
                "give it unchanged, in PEM form (-----BEGIN PRIVATE KEY-----)",
            )),
        }
    }

    /// The key in PEM form; the text is wiped when it goes.
    pub fn to_pem(&self) -> Zeroizing<String> {
        pem::write(self.label(), self.0.secret_der())
    }

    fn label(&self) -> &'static str {
        match &self.0 {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            PrivateKeyDer::Pkcs8(_) => "PRIVATE KEY",
            _ => "PRIVATE KEY", // the type is another package's and may grow
        }
    }

    /// The key as rustls signs with it.
    pub(super) fn signer(&self) -> Result<Arc<dyn SigningKey>, Fault> {
        rustls::crypto::aws_lc_rs::sign::any_supported_type(&self.0).map_err(|_| {
            let cure = "take ECDSA (P-256, P-384 or P-521), Ed25519, or RSA of 2,048 to 8,192 bits";
            Fault::new("the private key is damaged or of a kind that TLS cannot use", cure)
        })
    }

    /// The key as rcgen signs requests and certificates with it.
    pub(super) fn pair(&self) -> Result<KeyPair, Fault> {
        KeyPair::try_from(&self.0).map_err(|error| Fault::making(&error))
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(secret)")
    }
}
