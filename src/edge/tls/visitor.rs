//! TLS as a visitor of a site sees it: whatever certificate is shown is looked at, and whether a browser would take it is told
//! rather than enforced.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::client::{AppStream, roots};
use super::{HTTP1, provider};
use crate::cert::{Authority, Facts, facts, read_certificates};

/// What a visitor was shown.
pub(in crate::edge) struct Shown {
    pub(in crate::edge) stream: AppStream,
    /// What the certificate at the head of the chain says.
    pub(in crate::edge) facts: Facts,
    /// Why a client of this machine would not take it; none if it would.
    pub(in crate::edge) doubt: Option<String>,
}

/// Shakes hands with whoever serves this host. The built-in CA is trusted beside the authorities of this machine.
pub(in crate::edge) async fn look(stream: TcpStream, host: &str, authority: Option<&Authority>) -> io::Result<Shown> {
    let also = authority.and_then(|authority| read_certificates(&authority.root_pem()).ok()).unwrap_or_default();
    let seen = Arc::<Seen>::default();
    let config = config(also, Arc::clone(&seen)).map_err(io::Error::other)?;
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let seen = seen.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (certificate, doubt) = seen.ok_or_else(|| io::Error::other("no certificate was shown"))?;
    let facts = facts(&certificate).map_err(|fault| io::Error::other(fault.message))?;
    Ok(Shown { stream, facts, doubt })
}

fn config(also: Vec<CertificateDer<'static>>, seen: Arc<Seen>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(provider());
    let algorithms = provider.signature_verification_algorithms;
    let mut trusted: RootCertStore = roots();
    trusted.add_parsable_certificates(also);
    let judge = WebPkiServerVerifier::builder_with_provider(Arc::new(trusted), Arc::clone(&provider)).build().ok();
    let onlooker = Arc::new(Onlooker { judge, algorithms, seen });
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.dangerous().with_custom_certificate_verifier(onlooker).with_no_client_auth();
    config.alpn_protocols = vec![HTTP1.to_vec()];
    config.resumption = rustls::client::Resumption::disabled(); // or no certificate would be shown
    Ok(config)
}

/// What was shown, and what is wrong with it.
#[derive(Debug, Default)]
struct Seen(Mutex<Option<(CertificateDer<'static>, Option<String>)>>);

/// Looks at the certificate and lets it pass. That its owner has the key is checked.
#[derive(Debug)]
struct Onlooker {
    /// None if this machine trusts nobody.
    judge: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
    seen: Arc<Seen>,
}

impl ServerCertVerifier for Onlooker {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        staple: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let doubt = match &self.judge {
            Some(judge) => {
                judge.verify_server_cert(certificate, others, name, staple, now).err().map(|why| words(&why))
            }
            None => Some("this machine trusts no authority".to_owned()),
        };
        let mut seen = self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = Some((certificate.clone().into_owned(), doubt));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Why a client would not take a certificate.
#[allow(clippy::wildcard_enum_match_arm, reason = "the type is another package's and may grow")]
fn words(fault: &Error) -> String {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
        UnknownIssuer,
    };
    let Error::InvalidCertificate(fault) = fault else { return fault.to_string() };
    let known = match fault {
        Expired | ExpiredContext { .. } => Some("it has ended"),
        NotValidYet | NotValidYetContext { .. } => Some("it is not valid yet"),
        NotValidForName | NotValidForNameContext { .. } => Some("it is for another name"),
        UnknownIssuer => Some("this machine trusts nobody who vouches for it"),
        _ => None,
    };
    known.map_or_else(|| Error::InvalidCertificate(fault.clone()).to_string(), str::to_owned)
}
