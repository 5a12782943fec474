//! Names and passwords (RFC 7617), without keeping the thread busy and without helping who guesses.
//!
//! A password is compared on a thread for such work, two at a time, and 32 may wait; whoever comes then is told to come back. One that
//! was right is remembered for five minutes under a keyed hash of name, password and the hash it was compared with, so that a page
//! with fifty pictures costs one comparison, and another password or another route is another entry. Wrong ones are not remembered.
//!
//! A client network may have ten comparisons at once and then one every six seconds; right ones are given back. An unknown
//! name costs as much time as a known one.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use tokio::sync::Semaphore;

use super::rate::{Allowance, Rates, Use, Verdict, seconds};
use crate::edge::client::network;
use crate::edge::failure::Failure;
use crate::route::options::{BasicAuth, Given, PasswordHash, UserName};

/// Passwords that are compared at once, on all threads together: each takes up to 64 MiB.
const AT_ONCE: usize = 2;
/// Comparisons that are under way or wait.
const QUEUE_MAX: usize = 32;
/// How long a password that was right is remembered, and how many are.
const KNOWN_FOR: Duration = Duration::from_secs(300);
const KNOWN_MAX: usize = 4_096;
/// Comparisons that a client network may have.
const GUESSES: Allowance = Allowance { count: 10, window: Duration::from_secs(60) };
/// Octets of a name and password together.
const CREDENTIALS_SIZE_MAX: usize = 1_024;

const REALM: HeaderValue = HeaderValue::from_static("Basic realm=\"Please sign in\", charset=\"UTF-8\"");

/// Passwords that were right lately, and the queue of those that are to be compared.
pub(super) struct Passwords {
    key: hmac::Key,
    known: Mutex<HashMap<[u8; 32], Instant>>,
    queue: Arc<Semaphore>,
    at_once: Arc<Semaphore>,
}

impl Passwords {
    pub(super) fn new() -> io::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|fault| io::Error::other(fault.to_string()))?;
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            known: Mutex::default(),
            queue: Arc::new(Semaphore::new(QUEUE_MAX)),
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    /// The user whose name and password a request has.
    pub(super) async fn admit<'a>(
        &self,
        auth: &'a BasicAuth,
        headers: &HeaderMap,
        guesser: &Guesser<'_>,
        told: &std::cell::RefCell<HeaderMap>,
    ) -> Result<&'a UserName, Failure> {
        let wanted = || {
            let realm = auth.realm.as_ref().and_then(Given::meaning).map_or(REALM, |realm| realm.0.clone());
            told.borrow_mut().insert(WWW_AUTHENTICATE, realm);
            Failure::PasswordWanted
        };
        let Some((name, password)) = credentials(headers) else { return Err(wanted()) };
        let user = auth.users.iter().find(|(user, _)| user.as_str() == name);
        // Somebody whom nobody knows is compared with whoever comes first, and never let in.
        let (Some((known, hash)), is_known) = (user.or(auth.users.first_key_value()), user.is_some()) else {
            return Err(wanted());
        };
        let (Some(known), Some(hash)) = (known.meaning(), hash.meaning()) else { return Err(wanted()) };
        let mark = self.mark(&name, &password, hash);
        if is_known && self.knows(&mark, Instant::now()) {
            return Ok(known);
        }
        if let Verdict::Refused { wait } = guesser.uses(Use::One) {
            told.borrow_mut().insert(RETRY_AFTER, HeaderValue::from(seconds(wait).max(1)));
            return Err(Failure::TooManyGuesses);
        }
        if !self.compare(hash.clone(), password).await? || !is_known {
            return Err(wanted());
        }
        guesser.uses(Use::Back);
        self.remember(mark, Instant::now());
        Ok(known)
    }

    /// Whether a password is right, looked at elsewhere. A client that leaves meanwhile does not make room for another.
    async fn compare(&self, hash: PasswordHash, password: Vec<u8>) -> Result<bool, Failure> {
        let place = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| Failure::PasswordsBusy)?;
        let turn = Arc::clone(&self.at_once).acquire_owned().await.map_err(|_| Failure::PasswordsBusy)?;
        let compared = tokio::task::spawn_blocking(move || {
            let right = hash.is_of(&password);
            drop((turn, place));
            right
        });
        compared.await.map_err(|_| Failure::Panic)
    }

    fn mark(&self, name: &str, password: &[u8], hash: &PasswordHash) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [name.as_bytes(), password, hash.as_bytes()] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut mark = [0; 32];
        mark.copy_from_slice(context.sign().as_ref());
        mark
    }

    fn knows(&self, mark: &[u8; 32], now: Instant) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(mark).is_some_and(|until| *until > now)
    }

    fn remember(&self, mark: [u8; 32], now: Instant) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.retain(|_, until| *until > now);
        }
        if known.len() >= KNOWN_MAX {
            known.clear(); // everybody's is compared once more
        }
        known.insert(mark, now + KNOWN_FOR);
    }
}

/// Who may be guessing, and where that is counted.
pub(super) struct Guesser<'a> {
    pub(super) rates: &'a Rates,
    pub(super) route: &'a str,
    pub(super) client: IpAddr,
}

impl Guesser<'_> {
    fn uses(&self, used: Use) -> Verdict {
        // No route has a space in its id.
        self.rates.take(&format!("passwords of {}", self.route), network(self.client), GUESSES, used)
    }
}

/// The name and password of a request, if it has them once.
fn credentials(headers: &HeaderMap) -> Option<(String, Vec<u8>)> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let (field, None) = (fields.next()?, fields.next()) else { return None };
    let (scheme, coded) = field.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || coded.len() > CREDENTIALS_SIZE_MAX * 4 / 3 {
        return None;
    }
    let octets = STANDARD.decode(coded.trim()).ok()?;
    let at = octets.iter().position(|octet| *octet == b':')?;
    let name = String::from_utf8(octets[..at].to_vec()).ok()?;
    Some((name, octets[at + 1..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[&str]) -> Option<(String, Vec<u8>)> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(AUTHORIZATION, HeaderValue::from_str(field).unwrap());
        }
        credentials(&headers)
    }

    #[test]
    fn name_and_password_are_read_once() {
        let anna = Some(("anna".to_owned(), b"se:cret".to_vec()));
        assert_eq!(read(&["Basic YW5uYTpzZTpjcmV0"]), anna);
        assert_eq!(read(&["basic YW5uYTpzZTpjcmV0"]), anna);
        for fields in [
            &["Basic YW5uYTpzZTpjcmV0", "Basic YW5uYTpzZTpjcmV0"][..],
            &["Bearer x"],
            &["Basic"],
            &["Basic YW5uYQ=="],
            &["Basic ///"],
            &[],
        ] {
            assert_eq!(read(fields), None, "{fields:?}");
        }
        let long = format!("Basic {}", "A".repeat(4_096));
        assert_eq!(read(&[&long]), None);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_ends() {
        let passwords = Passwords::new().unwrap();
        let now = Instant::now();
        let mark = |number: u32| {
            let mut mark = [0; 32];
            mark[..4].copy_from_slice(&number.to_be_bytes());
            mark
        };
        passwords.remember(mark(0), now);
        assert!(passwords.knows(&mark(0), now + KNOWN_FOR / 2) && !passwords.knows(&mark(0), now + KNOWN_FOR));
        for number in 0..10_000 {
            passwords.remember(mark(number), now);
        }
        assert!(passwords.known.lock().unwrap().len() <= KNOWN_MAX && passwords.knows(&mark(9_999), now));
    }

    #[test]
    fn another_name_password_or_hash_is_another_entry() {
        let passwords = Passwords::new().unwrap();
        let [one, two] = [4, 5].map(|cost| Given::<PasswordHash>::from(bcrypt::hash("x", cost).unwrap().as_str()));
        let (one, two) = (one.meaning().unwrap(), two.meaning().unwrap());
        let marks = [
            passwords.mark("ab", b"c", one),
            passwords.mark("a", b"bc", one),
            passwords.mark("ab", b"d", one),
            passwords.mark("ab", b"c", two),
        ];
        assert_eq!(marks.iter().collect::<std::collections::HashSet<_>>().len(), 4);
        assert_ne!(marks[0], Passwords::new().unwrap().mark("ab", b"c", one));
    }
}
