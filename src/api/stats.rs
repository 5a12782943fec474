//! What this folder counts: requests by the pattern of their path, never by the path itself, or whoever asks could make the
//! list endless; and backups.
//!
//! A request costs some ten thousand times what counting does, so all counts stand behind one lock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use crate::tally::{Distribution, Scale};

/// Classes of status codes, from 1xx to 5xx.
pub(super) const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What whoever may not is answered: no good token, one that does not reach, too many wrong ones.
pub(super) const DENIALS: [(u16, &str); 3] = [(401, "401"), (403, "403"), (429, "429")];

const DURATION_BUCKETS: usize = 14;

/// Microseconds from 100 to 10,000,000.
pub(super) const DURATION: Scale<DURATION_BUCKETS> = Scale([
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    100_000,
    250_000,
    1_000_000,
    2_500_000,
    10_000_000,
    u64::MAX,
]);

/// What stands for a path that leads nowhere.
const NOWHERE: &str = "nowhere";

/// What became of the requests of one method at one pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Served {
    /// Answers by the class of their status.
    pub(super) classes: [u64; CLASSES.len()],
    /// Microseconds, on the scale [`DURATION`].
    pub(super) durations: Distribution<DURATION_BUCKETS>,
}

/// By pattern, and within it by method.
pub(super) type Routes = BTreeMap<String, BTreeMap<&'static str, Served>>;

/// A backup that somebody has taken, to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Backup {
    /// The revision it holds.
    pub(super) revision: u64,
    /// When it was complete, in seconds since 1970.
    pub(super) time: u64,
}

/// The counts.
#[derive(Default)]
pub(super) struct Stats {
    in_flight: AtomicU64,
    routes: Mutex<Routes>,
    denials: [AtomicU64; DENIALS.len()],
    backups: Mutex<(u64, Option<Backup>)>,
}

impl Stats {
    /// Requests that wait for the beginning of their answer.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// All that was answered so far.
    pub(super) fn routes(&self) -> Routes {
        lock(&self.routes).clone()
    }

    /// Requests that were denied, as in [`DENIALS`].
    pub(super) fn denials(&self) -> [u64; DENIALS.len()] {
        self.denials.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// How many backups were taken since the start, and the last of them.
    pub(super) fn backups(&self) -> (u64, Option<Backup>) {
        *lock(&self.backups)
    }

    /// A backup was taken.
    pub(super) fn backed_up(&self, backup: Backup) {
        let mut backups = lock(&self.backups);
        *backups = (backups.0 + 1, Some(backup));
    }

    fn answered(&self, route: &str, method: &'static str, status: StatusCode, time: Duration) {
        if let Some(denial) = DENIALS.iter().position(|(code, _)| *code == status.as_u16()) {
            self.denials[denial].fetch_add(1, Ordering::Relaxed);
        }
        let mut routes = lock(&self.routes);
        if !routes.contains_key(route) {
            routes.insert(route.to_owned(), BTreeMap::new());
        }
        if let Some(methods) = routes.get_mut(route) {
            let served = methods.entry(method).or_default();
            let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len());
            served.classes[class - 1] += 1;
            served.durations.record(&DURATION, time.as_micros() as u64);
        }
    }
}

/// No step under these locks can fail and leave something half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request under way; also one whose client goes away before it is answered is over at some time.
struct Flight<'s>(&'s Stats);

impl<'s> Flight<'s> {
    fn begin(stats: &'s Stats) -> Self {
        stats.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(stats)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Stands around every endpoint.
pub(super) async fn count(State(stats): State<std::sync::Arc<Stats>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = known(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let flight = Flight::begin(&stats);
    let response = next.run(request).await;
    let route = route.as_ref().map_or(NOWHERE, MatchedPath::as_str);
    stats.answered(route, method, response.status(), started.elapsed());
    drop(flight);
    response
}

/// Methods have names of the client's choice; only these are told.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
