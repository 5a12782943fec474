//! How often somebody asked, kept in a table of fixed size for all threads.
//!
//! Each client of a route has one number: when all of its allowance will be back (GCRA, which is a token bucket kept as a
//! time). A client whose allowance is back needs no place in the table, so an idle one costs nothing and nothing has to be swept.
//!
//! How exact it is: to the request, over all threads, as long as no more than eight busy clients meet in one of the 8,192 sets
//! of the table; the sets are chosen by a keyed hash that nobody outside can aim at. When more meet, as in a flood from
//! many thousand networks, the one that has used least of its allowance is forgotten and begins anew: then somebody may get more than
//! is granted, and never less. Each set has a lock of its own that is held for some nanoseconds and never while waiting.
//!
//! Rejected: a map that grows (a flood fills the memory), a table for each thread (N threads would grant N times as much).

use std::hash::Hasher;
use std::io;
use std::net::IpAddr;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use siphasher::sip::SipHasher13;

use crate::edge::failure::Failure;
use crate::route::options::RateLimit;

/// Sets of the table: with their places a megabyte, which is there from the first limited request on.
const SETS: usize = 8_192;
/// Places in a set.
const WAYS: usize = 8;

/// The fields of the IETF draft "RateLimit header fields for HTTP", version 10.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// One client of one route.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    who: u64,
    /// When all of its allowance is back, in nanoseconds since the table was made.
    whole_at: u64,
}

/// So many requests, which grow back evenly over a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    /// Requests.
    pub(super) count: u32,
    /// The time.
    pub(super) window: Duration,
}

/// What a client has left, or how long it has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may; so many more it may at once, and in so long it may all again.
    Granted { left: u64, whole_in: Duration },
    /// Not before so long has passed.
    Refused { wait: Duration },
}

/// How often everybody asked.
pub(super) struct Rates {
    keys: (u64, u64),
    begin: Instant,
    sets: OnceLock<Box<[Mutex<[Place; WAYS]>]>>,
}

impl Rates {
    pub(super) fn new() -> io::Result<Self> {
        let key = || getrandom::u64().map_err(|fault| io::Error::other(fault.to_string()));
        Ok(Self { keys: (key()?, key()?), begin: Instant::now(), sets: OnceLock::new() })
    }

    /// Counts a request, and tells the client how it stands.
    pub(super) fn ask(
        &self,
        limit: &RateLimit,
        route: &str,
        client: IpAddr,
        told: &mut HeaderMap,
    ) -> Result<(), Failure> {
        let allowance = Allowance { count: limit.requests, window: limit.window() };
        let verdict = self.take(route, limit.network(client), allowance, Use::One);
        let (left, until, outcome) = match verdict {
            Verdict::Granted { left, whole_in } => (left, whole_in, Ok(())),
            Verdict::Refused { wait } => (0, wait, Err(Failure::TooOften)),
        };
        let policy = format!("\"client\";q={};w={}", limit.requests, limit.seconds);
        let state = format!("\"client\";r={left};t={}", seconds(until));
        for (name, text) in [(POLICY, policy), (STATE, state)] {
            if let Ok(value) = HeaderValue::try_from(text) {
                told.insert(name, value);
            }
        }
        if outcome.is_err() {
            told.insert(RETRY_AFTER, HeaderValue::from(seconds(until).max(1)));
        }
        outcome
    }

    /// Asks for one of what a client is allowed under a heading.
    pub(super) fn take(&self, heading: &str, client: IpAddr, allowance: Allowance, used: Use) -> Verdict {
        let who = self.name(heading, client);
        let now = u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let sets = self.sets.get_or_init(|| (0..SETS).map(|_| Mutex::default()).collect());
        let mut set = sets[who as usize % SETS].lock().unwrap_or_else(PoisonError::into_inner);
        take(&mut set, who, allowance, now, used)
    }

    fn name(&self, heading: &str, client: IpAddr) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.keys.0, self.keys.1);
        match client {
            IpAddr::V4(address) => hasher.write(&address.octets()),
            IpAddr::V6(address) => hasher.write(&address.octets()),
        }
        hasher.write(heading.as_bytes());
        hasher.finish().max(1) // none is the place of nobody
    }
}

/// Whether a question uses something up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// One.
    One,
    /// One is given back.
    Back,
}

fn take(set: &mut [Place; WAYS], who: u64, allowance: Allowance, now: u64, used: Use) -> Verdict {
    let count = u64::from(allowance.count.max(1));
    let step = (u64::try_from(allowance.window.as_nanos()).unwrap_or(u64::MAX) / count).max(1);
    let known = set.iter().position(|place| place.who == who);
    let whole_at = known.map_or(now, |at| set[at].whole_at.max(now));
    let missing = whole_at - now;
    let most = step.saturating_mul(count - 1);
    if missing > most && used == Use::One {
        return Verdict::Refused { wait: Duration::from_nanos(missing - most) };
    }
    let missing = match used {
        Use::One => missing + step,
        Use::Back => missing.saturating_sub(step),
    };
    // Whoever is in a set with none to spare takes the place of the one who has used least.
    let at = known.or_else(|| (0..WAYS).min_by_key(|at| set[*at].whole_at));
    if let Some(at) = at.filter(|_| used == Use::One || known.is_some()) {
        set[at] = Place { who, whole_at: now.saturating_add(missing) };
    }
    Verdict::Granted {
        left: step.saturating_mul(count).saturating_sub(missing) / step,
        whole_in: Duration::from_nanos(missing),
    }
}

/// Seconds, a part of one being a whole one.
pub(super) fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const FIVE: Allowance = Allowance { count: 5, window: Duration::from_secs(10) };

    #[test]
    fn so_many_at_once_and_then_one_by_one() {
        let mut set = [Place::default(); WAYS];
        let mut ask = |now| take(&mut set, 7, FIVE, now, Use::One);
        for left in [4, 3, 2, 1, 0] {
            let whole_in = Duration::from_secs(2 * (5 - left));
            assert_eq!(ask(SECOND), Verdict::Granted { left, whole_in });
        }
        assert_eq!(ask(SECOND), Verdict::Refused { wait: Duration::from_secs(2) });
        assert_eq!(ask(2 * SECOND), Verdict::Refused { wait: Duration::from_secs(1) });
        assert!(matches!(ask(3 * SECOND), Verdict::Granted { left: 0, .. }));
        assert!(matches!(ask(3 * SECOND), Verdict::Refused { .. }), "it grows back one by one");
        assert!(matches!(ask(60 * SECOND), Verdict::Granted { left: 4, .. }), "and not beyond what is allowed");
    }

    #[test]
    fn what_is_given_back_can_be_used_again_and_is_never_more() {
        let mut set = [Place::default(); WAYS];
        for _ in 0..100 {
            assert!(matches!(take(&mut set, 7, FIVE, 0, Use::One), Verdict::Granted { left: 4, .. }));
            assert!(matches!(take(&mut set, 7, FIVE, 0, Use::Back), Verdict::Granted { left: 5, .. }));
        }
        take(&mut set, 7, FIVE, 0, Use::Back);
        assert!(matches!(take(&mut set, 7, FIVE, 0, Use::One), Verdict::Granted { left: 4, .. }));
    }

    #[test]
    fn a_flood_of_others_forgets_only_who_has_used_least() {
        let mut set = [Place::default(); WAYS];
        for _ in 0..5 {
            take(&mut set, 1, FIVE, 0, Use::One);
        }
        for other in 2..10_000 {
            assert!(matches!(take(&mut set, other, FIVE, 0, Use::One), Verdict::Granted { .. }));
        }
        assert!(matches!(take(&mut set, 1, FIVE, 0, Use::One), Verdict::Refused { .. }));
    }

    #[test]
    fn threads_together_grant_no_more_than_one_alone() {
        let rates = Rates::new().unwrap();
        let allowance = Allowance { count: 1_000, window: Duration::from_secs(86_400) };
        let client = "192.0.2.1".parse().unwrap();
        let granted = |_| {
            let ask = |_: &i32| matches!(rates.take("a.test/", client, allowance, Use::One), Verdict::Granted { .. });
            (0..1_000).filter(ask).count()
        };
        let total: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|at| scope.spawn(move || granted(at))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(total, 1_000);
        let other = rates.take("b.test/", client, allowance, Use::One);
        assert!(matches!(other, Verdict::Granted { left: 999, .. }), "each route counts by itself");
    }
}
