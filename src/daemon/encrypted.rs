//! Encrypted DNS of the running server: its sockets, its certificates, and what the edge has to do with it.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use super::authority::{self, now};
use super::settings::Settings;
use super::{Failure, demo::HOST};
use crate::cert::Subject;
use crate::dns;
use crate::edge::DnsOverHttps;
use crate::store::Store;

/// How long a start waits for the certificates; the built-in CA needs a few milliseconds for each.
const CERTIFIED_TIME_MAX: Duration = Duration::from_secs(5);

/// The names for which certificates are wanted.
pub(super) fn names(settings: &Settings) -> Vec<Subject> {
    settings.dns.encrypted.as_ref().map(dns::settings::Encrypted::wanted).unwrap_or_default()
}

/// Adds the sockets of encrypted DNS. `Ok` holds why there are none in development mode, where the rest is wanted meanwhile.
pub(super) fn bind(
    sockets: &mut dns::Sockets,
    settings: &Settings,
    development: bool,
) -> Result<Option<Failure>, Failure> {
    if settings.dns.encrypted.is_none() && sockets.are_encrypted() {
        let message = "systemd hands over sockets for encrypted DNS, of which the settings say nothing";
        return Err(Failure::new(message, "name this server in dns.encrypted.names, or disable these sockets"));
    }
    match sockets.bind_encrypted(&settings.dns) {
        Ok(()) => Ok(None),
        Err(fault) if development => Ok(Some(failure(&fault))),
        Err(fault) => Err(failure(&fault)),
    }
}

fn failure(fault: &dns::StartFault) -> Failure {
    let fault = fault.to_string();
    let (message, cure) = fault.split_once("; ").unwrap_or((&fault, "correct the section [dns.encrypted]"));
    Failure::new(message, cure)
}

/// What the edge answers with DNS.
pub(super) fn over_https(settings: &Settings, dns: &dns::Handle) -> Option<DnsOverHttps> {
    let https = settings.dns.encrypted.as_ref()?.https.as_ref()?;
    let answers = dns.over_https();
    Some(DnsOverHttps {
        host: https.host.to_string().into(),
        path: https.path.as_str().into(),
        answers: std::sync::Arc::new(move || answers()),
    })
}

/// DNS over HTTPS needs an edge.
pub(super) fn check_edge(settings: &Settings, has_edge: bool) -> Result<(), Failure> {
    let https = settings.dns.encrypted.as_ref().and_then(|encrypted| encrypted.https.as_ref());
    match https.filter(|_| !has_edge) {
        None => Ok(()),
        Some(https) => Err(Failure::new(
            format!("DNS over HTTPS is wanted for {}, and HTTPS is not served", https.host),
            "add the section [edge], or take dns.encrypted.https away",
        )),
    }
}

/// Waits until there is a certificate for each name, so that whoever is told that the server is ready can ask at once.
pub(super) async fn certified(store: &Store, names: &[Subject]) {
    let mut revisions = store.revisions();
    let all = async {
        loop {
            revisions.borrow_and_update();
            let snapshot = store.snapshot();
            let has_one = |name: &Subject| snapshot.certificates.for_server_name(&name.to_string(), now()).is_some();
            if names.iter().all(has_one) || revisions.changed().await.is_err() {
                return;
            }
        }
    };
    if timeout(CERTIFIED_TIME_MAX, all).await.is_err() {
        tracing::warn!(
            "there is no certificate yet for every name in dns.encrypted; \"freehold cert list\" tells more"
        );
    }
}

/// A command that asks over TLS, and trusts nobody but our own CA.
pub(super) fn try_it(settings: &Settings, dns: &dns::Handle, data: &Path) -> Option<String> {
    let (address, name) = (dns.tls_addresses().first()?, names(settings).into_iter().next()?);
    let root = authority::root(data);
    Some(format!("kdig @{} -p {} +tls-ca={} +tls-host={name} {HOST}", address.ip(), address.port(), root.display()))
}
