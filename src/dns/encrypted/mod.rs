//! What DNS over TLS and over QUIC have in common: which certificate is shown, and which TLS is spoken.
//!
//! The certificate is taken from the snapshot of the moment, so a renewed one is shown from the next handshake on. A client
//! that asks for a name of this server gets that name's; one that asks for another name or for none, as a resolver does that
//! only knows our address, gets that of the first name. The certificates of apps are not shown here: a port vouches for what it serves.
//!
//! DNS over TLS and over QUIC are our own, on rustls and on quinn, and not hickory-server's listeners (0.26.3). Its listener for
//! QUIC finishes one handshake before it begins the next, for up to five seconds: one packet with a forged source keeps all
//! newcomers out for that long. It takes any number of connections, and one query at a time on each. The one for TLS
//! has no limit of connections either. Neither can be told otherwise, nor be handed a connection that somebody else has admitted.

pub mod settings;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion, version};

use crate::cert::Subject;
use crate::store::Snapshot;

/// The protocol of DNS over TLS in ALPN (RFC 7858, section 3.1; the IANA registry).
const OVER_TLS: &[u8] = b"dot";
/// The protocol of DNS over QUIC in ALPN (RFC 9250, section 4.1.1).
const OVER_QUIC: &[u8] = b"doq";

/// How TLS is spoken with clients of DNS over TLS.
pub(super) fn over_tls(snapshots: Arc<ArcSwap<Snapshot>>, names: Vec<Subject>) -> Result<ServerConfig, rustls::Error> {
    config(snapshots, names, &[&version::TLS13, &version::TLS12], OVER_TLS)
}

/// How TLS is spoken within QUIC, which has 1.3 only (RFC 9001, section 4.2). 0-RTT stays off, as rustls has it.
pub(super) fn over_quic(snapshots: Arc<ArcSwap<Snapshot>>, names: Vec<Subject>) -> Result<ServerConfig, rustls::Error> {
    config(snapshots, names, &[&version::TLS13], OVER_QUIC)
}

fn config(
    snapshots: Arc<ArcSwap<Snapshot>>,
    names: Vec<Subject>,
    versions: &[&'static SupportedProtocolVersion],
    protocol: &[u8],
) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider())).with_protocol_versions(versions)?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(Shown { snapshots, names }));
    config.alpn_protocols = vec![protocol.into()];
    config.ticketer = Ticketer::new()?; // a resolver that comes back saves both sides a signature
    config.send_tls13_tickets = 1;
    Ok(config)
}

/// The certificates that are shown.
struct Shown {
    snapshots: Arc<ArcSwap<Snapshot>>,
    names: Vec<Subject>,
}

impl Shown {
    fn find(&self, asked: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let asked: Option<Subject> = asked.and_then(|name| name.parse().ok());
        let own = asked.filter(|name| self.names.contains(name));
        let name = own.as_ref().or(self.names.first())?.to_string();
        self.snapshots.load().certificates.for_server_name(&name, now)?.certified()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.find(hello.server_name())
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificates of the name server")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cert::{Authority, Certificate, Origin};

    fn now() -> u64 {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
    }

    fn put(snapshots: &ArcSwap<Snapshot>, authority: &Authority, name: &str) -> Arc<CertifiedKey> {
        let made = authority.issue(&[name.parse().unwrap()], now(), Duration::from_secs(86_400)).unwrap();
        let made = Certificate::parse(&made.chain_pem(), &made.key_pem(), Origin::Local).unwrap();
        let mut certificates = snapshots.load().certificates.clone();
        certificates.insert(Arc::new(made));
        snapshots.store(Arc::new(Snapshot { certificates, ..Snapshot::default() }));
        snapshots.load().certificates.for_server_name(name, now()).unwrap().certified().unwrap()
    }

    #[test]
    fn a_client_is_shown_the_name_it_asks_for_or_the_first_and_never_an_apps() {
        let (snapshots, authority) =
            (Arc::new(ArcSwap::from_pointee(Snapshot::default())), Authority::new(now()).unwrap());
        let names = ["ns1.example", "ns2.example"].map(|name| name.parse().unwrap()).to_vec();
        let shown = Shown { snapshots: Arc::clone(&snapshots), names };
        assert!(shown.find(Some("ns1.example")).is_none(), "there is none yet");
        let first = put(&snapshots, &authority, "ns1.example");
        let second = put(&snapshots, &authority, "ns2.example");
        put(&snapshots, &authority, "app.example");
        for (asked, expected) in [
            (Some("ns1.example"), &first),
            (Some("NS2.example"), &second),
            (Some("app.example"), &first),
            (Some("*"), &first),
            (None, &first),
        ] {
            assert_eq!(shown.find(asked).unwrap().cert, expected.cert, "{asked:?}");
        }
        let renewed = put(&snapshots, &authority, "ns1.example");
        assert_ne!(renewed.cert, first.cert);
        assert_eq!(shown.find(None).unwrap().cert, renewed.cert, "renewed, it is shown at once");
    }
}
