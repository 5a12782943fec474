//! The way to a server somewhere else, and in words why there is none.

use std::error::Error;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Body;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::super::stop::{Exit, Stop};
use super::{Remote, Url};
use crate::api::system_reason;
use crate::cert;

/// How long one address may take to answer, and a TLS handshake.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// How long the other side may be silent until it is asked whether it is there. Answers may take long; a dead line is
/// noticed by this.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Connects to a server.
pub(in crate::cli) async fn reach<B>(remote: &Remote) -> Result<SendRequest<B>, Stop>
where
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let url = &remote.url;
    let stream = connect(url).await?;
    if !url.secure {
        return speak(url, stream).await;
    }
    let config = trust(remote.ca_file.as_deref())?;
    let name = ServerName::try_from(url.host.to_string())
        .map_err(|_| unreachable(url, "that is no name for a certificate", "use another name of the server"))?;
    match timeout(CONNECT_TIME_MAX, TlsConnector::from(config).connect(name, stream)).await {
        Ok(Ok(stream)) => speak(url, stream).await,
        Ok(Err(fault)) => Err(no_tls(remote, &fault)),
        Err(_) => Err(unreachable(url, "no TLS handshake within 10 s", "is it Freehold that listens there?")),
    }
}

async fn speak<B, S>(url: &Url, stream: S) -> Result<SendRequest<B>, Stop>
where
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (server, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(|fault| unreachable(url, &fault.to_string(), "look at its log, and whether it still runs"))?;
    tokio::spawn(connection);
    Ok(server)
}

fn unreachable(url: &Url, reason: &str, cure: &str) -> Stop {
    Stop::new(Exit::Unreachable, format!("cannot reach {url}: {reason}"), cure)
}

/// The first address of the host that answers.
async fn connect(url: &Url) -> Result<TcpStream, Stop> {
    let host = url.host.to_string();
    let found = tokio::net::lookup_host((host.as_str(), url.port)).await.map_err(|fault| unknown(url, &fault))?;
    // What must not leave the machine does not, whatever a resolver says.
    let addresses: Vec<SocketAddr> =
        found.filter(|address| url.secure || address.ip().to_canonical().is_loopback()).collect();
    let mut last = unreachable(url, "it has no address", "check the name");
    for address in addresses {
        let reason = match timeout(CONNECT_TIME_MAX, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                prepare(&stream);
                return Ok(stream);
            }
            Ok(Err(fault)) => system_reason(&fault),
            Err(_) => "no answer within 10 s".into(),
        };
        let cure = if reason.starts_with("no answer") { "is a firewall in the way?".into() } else { url.port_cure() };
        last = unreachable(url, &reason, &cure);
    }
    Err(last)
}

fn prepare(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE).with_retries(4);
    // Without either it works as well, most of the time.
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
    let _ = stream.set_nodelay(true);
}

/// The resolver's words begin with what everybody knows: "failed to lookup address information: ".
fn unknown(url: &Url, fault: &io::Error) -> Stop {
    let text = fault.to_string();
    let reason = text.rsplit(": ").next().unwrap_or(&text).to_lowercase();
    unreachable(url, &reason, "check the name, and whether this machine has a resolver")
}

/// How the server has to prove who it is.
fn trust(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, Stop> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|fault| Stop::file("read the CA file", path, &fault))?;
            let found = cert::read_certificates(&text).map_err(|fault| {
                Stop::new(Exit::Usage, format!("{}: {}", path.display(), fault.message), fault.cure)
            })?;
            roots.add_parsable_certificates(found);
        }
        // Those of the machine, as its owner wants them, and read only when they are needed. Rejected: a list built in,
        // which grows old with the program and knows no CA of a company.
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    if roots.is_empty() {
        let cure = "say --ca-file FILE, or install the package ca-certificates";
        return Err(Stop::failed("there is no CA to trust", cure));
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|fault| Stop::failed(format!("TLS cannot be set up: {fault}"), "report it"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Why a handshake failed.
fn no_tls(remote: &Remote, fault: &io::Error) -> Stop {
    let url = &remote.url;
    let Some(fault) = fault.get_ref().and_then(|fault| fault.downcast_ref::<rustls::Error>()) else {
        return unreachable(url, &system_reason(fault), "is it HTTPS that is spoken there?");
    };
    let rustls::Error::InvalidCertificate(reason) = fault else {
        return unreachable(url, &format!("no TLS: {fault}"), "is it HTTPS that is spoken there?");
    };
    let (reason, cure) = if *reason == CertificateError::UnknownIssuer {
        untrusted(remote)
    } else if let CertificateError::NotValidForNameContext { .. } | CertificateError::NotValidForName = reason {
        let cure = format!("add \"{}\" to `names` below [admin] in its settings file", url.host);
        (format!("its certificate is not for {}", url.host), cure)
    } else if let CertificateError::ExpiredContext { .. } | CertificateError::Expired = reason {
        ("its certificate has ended".into(), "are the clocks of both machines right?".into())
    } else if let CertificateError::NotValidYetContext { .. } | CertificateError::NotValidYet = reason {
        ("its certificate is of the future".into(), "are the clocks of both machines right?".into())
    } else {
        (format!("its certificate is not accepted: {reason}"), "look at the certificate it shows".into())
    };
    unreachable(url, &reason, &cure)
}

fn untrusted(remote: &Remote) -> (String, String) {
    match &remote.ca_file {
        Some(path) => {
            let reason = format!("its certificate is not from the CA in {}", path.display());
            (reason, "copy local-ca.pem from its data directory again, and ask who stands in between".into())
        }
        None => {
            let reason = "its certificate is not from a CA that this machine trusts";
            (reason.into(), "copy local-ca.pem from its data directory, and say --ca-file local-ca.pem".into())
        }
    }
}
