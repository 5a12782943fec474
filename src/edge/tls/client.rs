//! TLS towards apps: `https://` checks the app's certificate against the authorities this machine trusts and the name in
//! the address; `https+insecure://` takes any.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{HTTP1, HTTP2, provider};
use crate::route::Server;

/// A connection to an app over TLS.
pub(in crate::edge) type AppStream = tokio_rustls::client::TlsStream<TcpStream>;

/// Makes connections to apps secure.
pub(in crate::edge) struct AppTls {
    checked: Option<TlsConnector>,
    checked_http1: Option<TlsConnector>,
    unchecked: TlsConnector,
    unchecked_http1: TlsConnector,
}

impl AppTls {
    pub(in crate::edge) fn new() -> Result<Self, rustls::Error> {
        let provider = Arc::new(provider());
        let builder =
            || ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let roots = roots();
        let checked = match roots.is_empty() {
            true => None,
            false => Some(builder()?.with_root_certificates(roots).with_no_client_auth()),
        };
        let anything = Arc::new(Anything(provider.signature_verification_algorithms));
        let unchecked = builder()?.dangerous().with_custom_certificate_verifier(anything).with_no_client_auth();
        Ok(Self {
            checked: checked.as_ref().map(|config| connector(config, &[HTTP2, HTTP1])),
            checked_http1: checked.as_ref().map(|config| connector(config, &[HTTP1])),
            unchecked: connector(&unchecked, &[HTTP2, HTTP1]),
            unchecked_http1: connector(&unchecked, &[HTTP1]),
        })
    }

    /// Shakes hands with an app. With `http1_only`, HTTP/2 is not offered: an upgrade of HTTP/1.1 is to follow.
    pub(in crate::edge) async fn connect(
        &self,
        stream: TcpStream,
        server: &Server,
        check: bool,
        http1_only: bool,
    ) -> io::Result<AppStream> {
        let connector = match (check, http1_only) {
            (true, false) => self.checked.as_ref(),
            (true, true) => self.checked_http1.as_ref(),
            (false, false) => Some(&self.unchecked),
            (false, true) => Some(&self.unchecked_http1),
        };
        let connector = connector
            .ok_or_else(|| io::Error::other("this machine trusts no authority: install the package ca-certificates"))?;
        let name = match server {
            Server::Ip(address) => ServerName::from(*address),
            Server::Name(name) => ServerName::try_from(name.to_string())
                .map_err(|_| io::Error::other("the name in the address is none that a certificate can have"))?,
        };
        connector.connect(name, stream).await
    }
}

/// Whether HTTP/2 was agreed on.
pub(in crate::edge) fn speaks_http2(stream: &AppStream) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP2)
}

fn connector(config: &ClientConfig, protocols: &[&[u8]]) -> TlsConnector {
    let mut config = config.clone();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

pub(super) fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    roots
}

/// Takes any certificate. That its owner has the key is checked all the same.
#[derive(Debug)]
struct Anything(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
