//! Whom we believe to be the CA: the root that the settings name, or those of the system.

use std::fs;
use std::io;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::settings::Ca;
use super::trouble::{Trouble, plain};
use crate::cert;

/// Octets of a file with roots.
const FILE_SIZE_MAX: u64 = 1 << 20;

/// What makes a CA's address trustworthy.
#[derive(Clone)]
pub(super) struct Trust(Arc<ClientConfig>);

impl Trust {
    pub(super) fn of(ca: &Ca) -> Result<Self, Trouble> {
        let mut roots = RootCertStore::empty();
        let Some(file) = &ca.root else { return of_the_system() };
        let fault = |reason: String| {
            Trouble::of_this_ca(
                format!("the root of the CA, {}, cannot be used: {reason}", file.display()),
                "correct acme.ca.root: a PEM file with the certificate that vouches for the CA's own address",
            )
        };
        let size = fs::metadata(file).map_err(|error| fault(plain(&error)))?.len();
        if size > FILE_SIZE_MAX {
            return Err(fault(format!("it has {size} octets")));
        }
        let text = fs::read_to_string(file).map_err(|error| fault(plain(&error)))?;
        for root in cert::read_certificates(&text).map_err(|wrong| fault(wrong.message))? {
            roots.add(root).map_err(|wrong| fault(wrong.to_string()))?;
        }
        Ok(Self(with(roots)))
    }

    /// Shakes hands as a client of this host.
    pub(super) async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(self.0.clone()).connect(name, stream).await
    }
}

/// The system's roots, read once.
fn of_the_system() -> Result<Trust, Trouble> {
    static SYSTEM: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(ready) = SYSTEM.get() {
        return Ok(Trust(ready.clone()));
    }
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        return Err(Trouble::of_this_ca(
            "this system has no list of trusted CAs, so no CA's address can be verified",
            "install the package ca-certificates, or name the CA's root in acme.ca.root",
        ));
    }
    Ok(Trust(SYSTEM.get_or_init(|| with(roots)).clone()))
}

fn with(roots: RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    // The provider has suites for both versions, so this does not fail; and if it did, the plain builder is the same.
    let builder = versions.unwrap_or_else(|_| ClientConfig::builder());
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}
