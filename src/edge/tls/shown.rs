//! Certificates that clients show (mutual TLS).
//!
//! They are asked for only at hosts with a route that wants one: everybody else's browser would ask its user for a certificate.
//! Such a host has a configuration of its own, made when it is first asked for and kept by the authorities it names. It
//! resumes no session, so each connection shows its certificate anew: a ticket would outlive a change of the authorities. Who
//! is turned away is decided twice: a certificate that no authority of the host vouches for ends the handshake, and what a route asks
//! for is looked at with each request, since routes of one host may differ and change while a connection stands.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::route::Route;
use crate::route::options::{Authorities, Given};

/// Hosts' configurations that are kept.
const KEPT_MAX: usize = 256;
/// Octets of a subject that an app is told.
const SUBJECT_SIZE_MAX: usize = 1_024;

/// What a client showed, where it was asked.
pub(in crate::edge) struct Shown {
    /// The authorities that were asked for, as the routes wrote them.
    asked: Vec<Arc<str>>,
    /// Those of them that vouch for the client; none if it showed nothing.
    vouching: Vec<Arc<str>>,
    /// Whose certificate it is, as RFC 4514 writes it, in ASCII.
    pub(in crate::edge) subject: String,
    /// The SHA-256 of the certificate in hexadecimal digits.
    pub(in crate::edge) fingerprint: String,
    /// The certificate as RFC 9440 writes it.
    pub(in crate::edge) written: String,
}

impl Shown {
    /// Whether the client was asked for a certificate of these authorities.
    pub(in crate::edge) fn was_asked(&self, authorities: &str) -> bool {
        self.asked.iter().any(|asked| **asked == *authorities)
    }

    /// Whether one of these authorities vouches for the client.
    pub(in crate::edge) fn is_vouched_by(&self, authorities: &str) -> bool {
        self.vouching.iter().any(|vouching| **vouching == *authorities)
    }
}

/// How the clients of one host are asked.
pub(super) struct Asking {
    bundles: Vec<(Arc<str>, Arc<dyn ClientCertVerifier>)>,
    pub(super) config: Arc<ServerConfig>,
}

/// The configurations of hosts that ask.
#[derive(Default)]
pub(super) struct AskingHosts(Mutex<Vec<Arc<Asking>>>);

impl AskingHosts {
    /// How to ask the clients of a host with these routes; none if it does not ask. `usual` is how everybody else is spoken with.
    pub(super) fn of(&self, routes: &[Arc<Route>], usual: &ServerConfig) -> Result<Option<Arc<Asking>>, rustls::Error> {
        let wanted = routes.iter().filter_map(|route| route.options().client_certificate.as_ref());
        let mut wanted: Vec<&Given<Authorities>> = wanted.map(|wanted| &wanted.ca).collect();
        if wanted.is_empty() {
            return Ok(None);
        }
        wanted.sort_unstable();
        wanted.dedup();
        let same = |asking: &&Arc<Asking>| {
            asking.bundles.iter().map(|(text, _)| &**text).eq(wanted.iter().map(|ca| ca.as_str()))
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asking) = kept.iter().find(same) {
            return Ok(Some(Arc::clone(asking)));
        }
        let asking = Arc::new(Asking::new(&wanted, usual)?);
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push(Arc::clone(&asking));
        Ok(Some(asking))
    }
}

impl Asking {
    fn new(wanted: &[&Given<Authorities>], usual: &ServerConfig) -> Result<Self, rustls::Error> {
        let mut all = RootCertStore::empty();
        let mut bundles = Vec::with_capacity(wanted.len());
        for ca in wanted {
            let mut own = RootCertStore::empty();
            for der in ca.meaning().iter().flat_map(|authorities| &*authorities.0) {
                own.add(CertificateDer::from(der.to_vec()))?;
                all.add(CertificateDer::from(der.to_vec()))?;
            }
            bundles.push((Arc::from(ca.as_str()), verifier(own, usual)?));
        }
        let builder = ServerConfig::builder_with_provider(Arc::clone(usual.crypto_provider()))
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier(all, usual)?);
        let mut config = builder.with_cert_resolver(Arc::clone(&usual.cert_resolver));
        config.alpn_protocols.clone_from(&usual.alpn_protocols);
        config.ignore_client_order = usual.ignore_client_order;
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self { bundles, config: Arc::new(config) })
    }

    /// What a client showed.
    pub(super) fn shown(&self, chain: &[CertificateDer<'_>]) -> Shown {
        let asked = self.bundles.iter().map(|(text, _)| Arc::clone(text)).collect();
        let none = Shown {
            asked,
            vouching: Vec::new(),
            subject: String::new(),
            fingerprint: String::new(),
            written: String::new(),
        };
        let Some((own, others)) = chain.split_first() else { return none };
        let vouches = |(_, verifier): &&(Arc<str>, Arc<dyn ClientCertVerifier>)| {
            verifier.verify_client_cert(own, others, UnixTime::now()).is_ok()
        };
        Shown {
            vouching: self.bundles.iter().filter(vouches).map(|(text, _)| Arc::clone(text)).collect(),
            subject: subject(own),
            fingerprint: hexadecimal(digest(&SHA256, own).as_ref()),
            written: format!(":{}:", STANDARD.encode(own)),
            ..none
        }
    }
}

/// Takes a certificate of these authorities, or none.
fn verifier(roots: RootCertStore, usual: &ServerConfig) -> Result<Arc<dyn ClientCertVerifier>, rustls::Error> {
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(usual.crypto_provider()));
    builder.allow_unauthenticated().build().map_err(|fault| rustls::Error::General(fault.to_string()))
}

fn subject(certificate: &[u8]) -> String {
    let Ok((_, read)) = X509Certificate::from_der(certificate) else { return String::new() };
    let mut text = String::new();
    for c in read.subject().to_string().chars() {
        if text.len() >= SUBJECT_SIZE_MAX {
            break;
        }
        match c {
            ' '..='~' if c != '%' => text.push(c),
            c => c.encode_utf8(&mut [0; 4]).bytes().for_each(|octet| {
                let _ = write!(text, "%{octet:02X}");
            }),
        }
    }
    text
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}
