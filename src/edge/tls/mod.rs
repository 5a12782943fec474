//! TLS towards clients: which certificate for which name, which versions and ciphers, sessions that resume.
//!
//! The hello of the client is read first, and only then is it decided what to do: a name without a certificate is answered with
//! `unrecognized_name` and nothing else, a challenge of a CA (RFC 8737) with its own certificate and protocol. Certificates
//! are taken from the snapshot of the moment, so a renewed one is shown from the next handshake on; connections that
//! are there stay. A name that a route passes on unopened (`hello.rs`) gets no further than its hello.
//!
//! TLS 1.2 only has suites with authenticated encryption, since rustls knows no others. AES-128 stands before AES-256,
//! whatever the client would rather have: its SHA-256 runs in hardware, and a handshake costs a seventh less. 0-RTT is off:
//! what can be replayed is no request.

mod client;
mod hello;
mod shown;
mod tickets;
pub(super) mod visitor;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use quinn::crypto::rustls::{HandshakeData, QuicServerConfig};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{Acceptor, ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, ProtocolVersion, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

use crate::store::Snapshot;

pub(super) use client::{AppStream, AppTls, speaks_http2};
pub(super) use hello::Passed;
pub(super) use shown::Shown;
use shown::{Asking, AskingHosts};
pub use tickets::TicketKeys;
use tickets::Tickets;

/// The application protocol of a CA's challenge (RFC 8737, section 6.2).
const CHALLENGE_PROTOCOL: &[u8] = b"acme-tls/1";
/// HTTP/2 over TLS (RFC 9113, section 3.2).
const HTTP2: &[u8] = b"h2";
/// HTTP/1.1 (RFC 7301, section 6).
const HTTP1: &[u8] = b"http/1.1";
/// HTTP/3 (RFC 9114, section 3.1).
const HTTP3: &[u8] = b"h3";
/// The fatal alerts `unrecognized_name` (RFC 6066, section 3), `access_denied` and `internal_error` (RFC 8446, section 6.2).
const UNRECOGNIZED_NAME: u8 = 112;
pub(super) const ACCESS_DENIED: u8 = 49;
pub(super) const INTERNAL_ERROR: u8 = 80;
/// Octets of a client's last words that are read so that the alert is not lost in a reset.
const LAST_WORDS_MAX: u64 = 16_384;

/// A connection over TLS.
pub(super) type TlsStream = tokio_rustls::server::TlsStream<TcpStream>;

/// The certificate of a TLS-ALPN-01 challenge for a name, while there is one.
pub type ChallengeCertificate = dyn Fn(&str) -> Option<Arc<CertifiedKey>> + Send + Sync;

/// Which HTTP is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// HTTP/1.0 or HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
    /// HTTP/3.
    Http3,
}

/// What was agreed on.
pub(super) struct Secure {
    /// The name the client asked for, in lower case; the default one if it said none.
    pub(super) server_name: Box<str>,
    /// Which HTTP is spoken.
    pub(super) spoken: Spoken,
    /// `TLSv1.2` or `TLSv1.3`.
    pub(super) version: &'static str,
    /// Whether an earlier session was resumed.
    pub(super) resumed: bool,
    /// What the client showed, where it was asked for a certificate.
    pub(super) shown: Option<Box<Shown>>,
}

/// How a handshake ended.
pub(super) enum Outcome {
    /// With a connection.
    Agreed(Box<TlsStream>, Secure),
    /// With the proof that a CA wanted to see.
    Proven,
    /// It is for an app to shake hands: the connection is passed on as it is.
    Passed(Passed),
    /// There is no certificate for the name, or no name was said.
    NameUnknown,
    /// It failed.
    Failed(Mishap),
}

/// Why a handshake failed, as far as that says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mishap {
    /// The client spoke no TLS.
    Garbled,
    /// It knows no version or cipher of ours.
    Unmatched,
    /// It broke off with an alert: it does not take the certificate.
    Rejected,
    /// It left.
    Left,
    /// Something else.
    Other,
}

impl From<io::Error> for Mishap {
    fn from(fault: io::Error) -> Self {
        let inner = fault.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(rustls::Error::InvalidMessage(_) | rustls::Error::InappropriateMessage { .. }) => Self::Garbled,
            Some(rustls::Error::PeerIncompatible(_)) => Self::Unmatched,
            Some(rustls::Error::AlertReceived(_)) => Self::Rejected,
            Some(_) => Self::Other, // the type is another package's and may grow
            None => Self::Left,
        }
    }
}

/// Makes connections secure.
pub(super) struct Tls {
    config: Arc<ServerConfig>,
    challenge_config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
    asking: AskingHosts,
    tickets: Arc<Tickets>,
}

impl Tls {
    pub(super) fn new(
        snapshots: Arc<ArcSwap<Snapshot>>,
        challenges: Arc<ChallengeCertificate>,
        keys: &TicketKeys,
        default_name: Option<String>,
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(provider());
        let certificates = Arc::new(Certificates { snapshots, default_name });
        let tickets = Arc::new(Tickets::new(keys));
        let config = |resolver: Arc<dyn ResolvesServerCert>| {
            let builder =
                ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
            Ok::<_, rustls::Error>(builder?.with_no_client_auth().with_cert_resolver(resolver))
        };
        let mut usual = config(Arc::clone(&certificates) as _)?;
        usual.alpn_protocols = vec![HTTP2.into(), HTTP1.into()];
        usual.ignore_client_order = true;
        usual.ticketer = Arc::clone(&tickets) as _;
        usual.send_tls13_tickets = 1;
        let mut challenge = config(Arc::new(Challenges(challenges)))?;
        challenge.alpn_protocols = vec![CHALLENGE_PROTOCOL.into()];
        challenge.send_tls13_tickets = 0;
        let asking = AskingHosts::default();
        Ok(Self { config: Arc::new(usual), challenge_config: Arc::new(challenge), certificates, asking, tickets })
    }

    /// Other keys for session tickets, from now on.
    pub(super) fn put_ticket_keys(&self, keys: &TicketKeys) {
        self.tickets.put(keys);
    }

    /// How QUIC shakes hands: as everybody else does, but by TLS 1.3 and for HTTP/3 only. Challenges of a CA are not answered there,
    /// and no client is asked for a certificate, since which host it wants is not known beforehand.
    pub(super) fn for_quic(&self) -> io::Result<QuicServerConfig> {
        let builder = ServerConfig::builder_with_provider(Arc::clone(self.config.crypto_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(io::Error::other)?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::clone(&self.certificates) as _);
        config.alpn_protocols = vec![HTTP3.into()];
        config.ignore_client_order = self.config.ignore_client_order;
        config.ticketer = Arc::clone(&self.tickets) as _;
        config.send_tls13_tickets = self.config.send_tls13_tickets;
        QuicServerConfig::try_from(config).map_err(io::Error::other)
    }

    /// Shakes hands. How long that may take is up to the caller.
    pub(super) async fn accept(&self, stream: TcpStream) -> Outcome {
        let start = match self.hear(stream).await {
            Ok(Heard::Ours(start)) => start,
            Ok(Heard::Passed(passed)) => return Outcome::Passed(passed),
            Err(fault) => return Outcome::Failed(fault.into()),
        };
        let hello = start.client_hello();
        if offers_challenge(&hello) {
            let proven = start.into_stream(Arc::clone(&self.challenge_config)).await;
            return match proven {
                Ok(mut stream) => {
                    let _ = stream.shutdown().await;
                    Outcome::Proven
                }
                Err(fault) => Outcome::Failed(fault.into()),
            };
        }
        let known = self.certificates.name(&hello).filter(|name| self.certificates.find(name).is_some());
        let Some(server_name) = known.map(|name| name.to_ascii_lowercase().into_boxed_str()) else {
            turn_away(start.io, UNRECOGNIZED_NAME).await;
            return Outcome::NameUnknown;
        };
        let asking = match self.certificates.asking(&server_name, &self.asking, &self.config) {
            Ok(asking) => asking,
            Err(fault) => return Outcome::Failed(io::Error::other(fault).into()),
        };
        let config = asking.as_ref().map_or(&self.config, |asking| &asking.config);
        let stream = match start.into_stream(Arc::clone(config)).await {
            Ok(stream) => stream,
            Err(fault) => return Outcome::Failed(fault.into()),
        };
        let (_, session) = stream.get_ref();
        let secure = Secure {
            server_name,
            spoken: if session.alpn_protocol() == Some(HTTP2) { Spoken::Http2 } else { Spoken::Http1 },
            version: match session.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "TLSv1.3", // the other one that rustls speaks
            },
            resumed: session.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
            shown: asking.map(|asking| Box::new(asking.shown(session.peer_certificates().unwrap_or_default()))),
        };
        Outcome::Agreed(Box::new(stream), secure)
    }

    /// Reads the hello, and whether it is ours to answer. A challenge of a CA for a name that is passed on is the app's as well.
    async fn hear(&self, stream: TcpStream) -> io::Result<Heard> {
        if !self.certificates.snapshots.load().routes.passes() {
            return LazyConfigAcceptor::new(Acceptor::default(), stream).await.map(Heard::Ours);
        }
        let (start, said) = hello::hear(stream).await?;
        let hello = start.client_hello();
        let Some(name) = self.certificates.name(&hello) else { return Ok(Heard::Ours(start)) };
        let server_name = name.to_ascii_lowercase().into_boxed_str();
        let route = self.certificates.snapshots.load().routes.passed(&server_name).cloned();
        Ok(match route {
            Some(route) => Heard::Passed(Passed { stream: start.io, said, server_name, route }),
            None => Heard::Ours(start),
        })
    }
}

/// Whose a connection is.
#[allow(clippy::large_enum_variant, reason = "it is taken apart where it is made")]
enum Heard {
    Ours(StartHandshake<TcpStream>),
    Passed(Passed),
}

/// The name that a client over QUIC asked for.
pub(super) fn quic_name(connection: &quinn::Connection) -> Option<String> {
    connection.handshake_data()?.downcast::<HandshakeData>().ok()?.server_name
}

/// Says why, and reads what the client may have sent meanwhile: a close with unread octets would be a reset, which
/// takes the alert with it.
pub(super) async fn turn_away(mut stream: TcpStream, alert: u8) {
    // A record of its own, as it is sent before any key is agreed on.
    if stream.write_all(&[21, 3, 3, 0, 2, 2, alert]).await.is_ok() && stream.shutdown().await.is_ok() {
        let _ = tokio::io::copy(&mut (&mut stream).take(LAST_WORDS_MAX), &mut tokio::io::sink()).await;
    }
}

fn offers_challenge(hello: &ClientHello<'_>) -> bool {
    hello.alpn().is_some_and(|mut offered| offered.any(|protocol| protocol == CHALLENGE_PROTOCOL))
}

/// The ciphers of aws-lc-rs, AES-128 first.
fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| {
        !matches!(
            suite.suite(),
            CipherSuite::TLS13_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        )
    });
    provider
}

/// The certificates of the snapshot.
struct Certificates {
    snapshots: Arc<ArcSwap<Snapshot>>,
    /// What a client means that says no name.
    default_name: Option<String>,
}

impl Certificates {
    fn name<'n>(&'n self, hello: &'n ClientHello<'_>) -> Option<&'n str> {
        hello.server_name().or(self.default_name.as_deref())
    }

    fn find(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.snapshots.load().certificates.for_server_name(name, now)?.certified()
    }
}

impl Certificates {
    /// How clients of a host are asked for a certificate, if they are.
    fn asking(
        &self,
        name: &str,
        hosts: &AskingHosts,
        usual: &ServerConfig,
    ) -> Result<Option<Arc<Asking>>, rustls::Error> {
        hosts.of(self.snapshots.load().routes.of_server_name(name), usual)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.find(self.name(&hello)?)
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificates of the snapshot")
    }
}

/// The certificates of challenges.
struct Challenges(Arc<ChallengeCertificate>);

impl ResolvesServerCert for Challenges {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        (self.0)(hello.server_name()?)
    }

    fn only_raw_public_keys(&self) -> bool {
        false
    }
}

impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificates of challenges")
    }
}
