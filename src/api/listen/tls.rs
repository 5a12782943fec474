//! HTTPS for whoever comes from another machine, with a certificate of the built-in CA.
//!
//! The certificate is for the addresses that are listened at, the names in the settings, and, listening everywhere, each
//! address of this machine that was reached so far: the kernel knows them better than a list at the start could. It is made
//! anew when it grows old, an address is new or the CA is another, before the handshake that needs it; that takes a tenth of
//! a millisecond. Rejected: a task that renews by a timer, which a clock that jumps would fool.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::super::settings::{HostName, Listen, Settings};
use crate::cert::{Authority, Certificate, Fault, Subject};
use crate::limits::ADMIN_NAMES_MAX;
use crate::store::Snapshot;

/// How long a certificate is valid.
const LIFETIME: Duration = Duration::from_secs(90 * 86_400);

/// What HTTPS needs.
pub struct Tls {
    config: Arc<ServerConfig>,
    shown: Arc<Shown>,
    /// Where the CA is found when it is replaced.
    snapshots: Arc<ArcSwap<Snapshot>>,
}

/// The certificate that is shown.
struct Shown(Mutex<Issued>);

/// A certificate, and who made it.
#[derive(Clone)]
struct Issued {
    by: Arc<Authority>,
    certificate: Arc<Certificate>,
}

impl Issued {
    fn new(by: &Arc<Authority>, subjects: &[Subject], now: u64) -> Result<Self, Fault> {
        Ok(Self { by: Arc::clone(by), certificate: Arc::new(by.issue(subjects, now, LIFETIME)?) })
    }
}

impl Tls {
    /// For the names in the settings, by the CA in the store, of which `authority` is the one of now. `now` is in seconds
    /// since 1970.
    pub fn new(
        snapshots: Arc<ArcSwap<Snapshot>>,
        authority: &Arc<Authority>,
        settings: &Settings,
        now: u64,
    ) -> Result<Self, Fault> {
        let listen = settings.listen.as_deref().unwrap_or(&Listen::DEFAULT);
        let listen = listen.iter().map(|listen| listen.0.ip()).filter(|address| !address.is_unspecified());
        let mut subjects: Vec<Subject> = listen.map(Subject::from).collect();
        subjects.extend(settings.names.iter().map(HostName::subject).cloned());
        subjects.extend(HostName::read("localhost").map(|host| host.subject().clone()));
        let shown = Arc::new(Shown(Mutex::new(Issued::new(authority, &subjects, now)?)));
        Ok(Self { config: Arc::new(config(Arc::clone(&shown))?), shown, snapshots })
    }

    /// Speaks TLS with a client who reached this machine at `local`.
    pub(super) async fn accept(&self, stream: TcpStream, local: IpAddr) -> std::io::Result<TlsStream<TcpStream>> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        if let Err(fault) = self.shown.fit(self.snapshots.load().authority.as_ref(), local, now) {
            tracing::warn!(%fault, "the certificate of the admin API is not renewed");
        }
        TlsAcceptor::from(Arc::clone(&self.config)).accept(stream).await
    }
}

/// TLS 1.3, and 1.2 with nothing but ephemeral keys and authenticated encryption: rustls has no other.
fn config(shown: Arc<Shown>) -> Result<ServerConfig, Fault> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|fault| Fault::new(format!("TLS cannot be set up: {fault}"), "report it"))?
        .with_no_client_auth()
        .with_cert_resolver(shown);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

impl Shown {
    fn issued(&self) -> MutexGuard<'_, Issued> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the certificate anew if it is old, not for this address, or not by this CA.
    fn fit(&self, authority: Option<&Arc<Authority>>, local: IpAddr, now: u64) -> Result<(), Fault> {
        let mut issued = self.issued();
        let Issued { by, certificate } = &*issued;
        let authority = authority.unwrap_or(by);
        let local = Subject::Address(local.to_canonical());
        let is_new = !certificate.covers(&local) && certificate.subjects().len() < ADMIN_NAMES_MAX;
        let last_third = certificate.not_after().saturating_sub(LIFETIME.as_secs() / 3);
        // A clock that was set back makes a certificate of the future.
        if !is_new && authority == by && (certificate.not_before()..last_third).contains(&now) {
            return Ok(());
        }
        let mut subjects = certificate.subjects().to_vec();
        subjects.extend(is_new.then_some(local));
        *issued = Issued::new(authority, &subjects, now)?;
        Ok(())
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.issued().certificate.certified()
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificate of the admin API")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn shown(tls: &Tls) -> Arc<Certificate> {
        Arc::clone(&tls.shown.issued().certificate)
    }

    fn names(tls: &Tls) -> Vec<String> {
        shown(tls).subjects().iter().map(Subject::to_string).collect()
    }

    fn tls() -> Tls {
        let listen = ["192.0.2.1", "::"].map(|text| Listen::try_from(text.to_owned()).unwrap());
        let names = vec![HostName::try_from("dns.example.com".to_owned()).unwrap()];
        let settings = Settings { listen: Some(listen.into()), names, ..Settings::default() };
        Tls::new(Arc::default(), &Arc::new(Authority::new(NOW).unwrap()), &settings, NOW).unwrap()
    }

    #[test]
    fn it_is_for_all_names_and_for_addresses_as_they_are_reached() {
        let tls = tls();
        assert_eq!(names(&tls), ["dns.example.com", "localhost", "192.0.2.1"]);
        let first = shown(&tls);
        tls.shown.fit(None, "192.0.2.1".parse().unwrap(), NOW).unwrap();
        assert!(Arc::ptr_eq(&first, &shown(&tls)), "nothing is new");
        tls.shown.fit(None, "::ffff:198.51.100.7".parse().unwrap(), NOW).unwrap();
        assert_eq!(names(&tls), ["dns.example.com", "localhost", "192.0.2.1", "198.51.100.7"]);
        for i in 0..200 {
            tls.shown.fit(None, std::net::Ipv6Addr::from_bits(i).into(), NOW).unwrap();
        }
        assert_eq!(names(&tls).len(), ADMIN_NAMES_MAX);
    }

    #[test]
    fn it_is_of_the_ca_that_there_is_now() {
        let (tls, another) = (tls(), Arc::new(Authority::new(NOW).unwrap()));
        let before = shown(&tls);
        tls.shown.fit(Some(&another), "192.0.2.1".parse().unwrap(), NOW).unwrap();
        assert_ne!(shown(&tls).issuer(), before.issuer());
        assert_eq!(shown(&tls).subjects(), before.subjects());
    }

    #[test]
    fn it_is_renewed_in_its_last_third_and_when_the_clock_was_set_back() {
        let tls = tls();
        let local = "192.0.2.1".parse().unwrap();
        let until = |tls: &Tls| shown(tls).not_after();
        let (first, day) = (until(&tls), 86_400);
        tls.shown.fit(None, local, NOW + 59 * day).unwrap();
        assert_eq!(until(&tls), first);
        tls.shown.fit(None, local, NOW + 61 * day).unwrap();
        assert_eq!(until(&tls), NOW + 151 * day);
        tls.shown.fit(None, local, NOW).unwrap();
        assert_eq!(until(&tls), first);
    }
}
