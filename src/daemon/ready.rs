//! Whether the server does what it is there for, for `/readyz`: DNS answers at every address, and the disk takes changes.
//!
//! That zones are loaded needs no look: before they are, nobody listens. Whoever asks needs no token, so it is looked at
//! once a second at most and by one at a time, however many ask.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::alive::{self, Question};
use crate::api::{Hindrance, Ready};
use crate::dns;
use crate::store::{Refused, Store};

/// How long what was found counts.
const AGE_MAX: Duration = Duration::from_secs(1);
/// How long DNS may take to answer at all addresses, and the store to say whether it takes changes.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);

struct Readiness {
    addresses: Vec<SocketAddr>,
    dns: dns::Meter,
    store: Arc<Store>,
    /// Whose turn it is to look.
    turn: Semaphore,
    found: Mutex<Option<Found>>,
    /// What the store is asked; taken out while somebody waits for the answer.
    question: Mutex<Question<Result<(), Refused>>>,
}

/// What was found, and when.
struct Found {
    at: Instant,
    hindrances: Vec<Hindrance>,
}

/// What the API asks.
pub(super) fn ready(dns: &dns::Handle, store: &Arc<Store>) -> Ready {
    let readiness = Arc::new(Readiness {
        addresses: dns.addresses().to_vec(),
        dns: dns.meter().clone(),
        store: Arc::clone(store),
        turn: Semaphore::new(1),
        found: Mutex::default(),
        question: Mutex::default(),
    });
    Arc::new(move || {
        let readiness = Arc::clone(&readiness);
        Box::pin(async move { readiness.hindrances().await })
    })
}

impl Readiness {
    async fn hindrances(&self) -> Vec<Hindrance> {
        let _turn = self.turn.acquire().await; // it is never closed
        if let Some(hindrances) = self.known() {
            return hindrances;
        }
        let (dns, store) = tokio::join!(self.dns(), self.store());
        let hindrances: Vec<Hindrance> = dns.into_iter().chain(store).collect();
        *lock(&self.found) = Some(Found { at: Instant::now(), hindrances: hindrances.clone() });
        hindrances
    }

    /// What was found a moment ago.
    fn known(&self) -> Option<Vec<Hindrance>> {
        let found = lock(&self.found);
        found.as_ref().filter(|found| found.at.elapsed() < AGE_MAX).map(|found| found.hindrances.clone())
    }

    async fn dns(&self) -> Option<Hindrance> {
        let address = alive::dns_answers(&self.addresses, &self.dns, ANSWER_TIME_MAX).await.err()?;
        let what = format!("DNS does not answer this machine's own question at {address}");
        Some(Hindrance { what, cure: "is a firewall in the way? Otherwise look at the log".into() })
    }

    async fn store(&self) -> Option<Hindrance> {
        let mut question = std::mem::take(&mut *lock(&self.question));
        let store = Arc::clone(&self.store);
        let answer = question.ask(|| async move { store.check().await }, ANSWER_TIME_MAX).await;
        *lock(&self.question) = question;
        let (what, cure) = match answer {
            Some(Ok(())) => return None,
            Some(Err(refused)) => {
                let said = refused.to_string();
                let (what, cure) = said.rsplit_once(": ").unwrap_or((&said, "look at the log"));
                (format!("no changes are taken: {what}"), cure.to_owned())
            }
            None => ("the store does not answer".into(), "is the disk slow or gone? Look at the log".into()),
        };
        Some(Hindrance { what, cure })
    }
}

/// No step under these locks can fail and leave something half done.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store;

    #[tokio::test]
    async fn it_names_what_is_not_and_looks_once_a_second() {
        let listen = vec!["127.0.0.1:0".parse().unwrap()];
        let settings = dns::Settings { listen, workers: 1, ..dns::Settings::default() };
        let directory = tempfile::tempdir().unwrap();
        let place = store::Settings { directory: directory.path().join("data"), ..store::Settings::default() };
        let store = Arc::new(Store::open(&place).unwrap());
        let sockets = dns::Sockets::bind(&settings).unwrap();
        let server = dns::start(sockets, &settings, &[0; 16], store.snapshots()).unwrap();
        let ready = ready(&server, &store);
        assert_eq!(ready().await, []);
        let asked = server.stats().queries();
        assert_eq!(ready().await, []);
        assert_eq!(server.stats().queries(), asked, "known from a moment ago");
        store.close();
        drop(server);
        tokio::time::sleep(AGE_MAX).await; // what was found has to grow old; there is nothing else to wait for
        let found = ready().await;
        assert!(found[0].what.starts_with("DNS does not answer"), "{found:?}");
        assert_eq!(found[1].what, "no changes are taken: the store is closing");
    }
}
