//! What this folder counts. Each thread has a set of its own, so that counting is an ordinary addition; so has each
//! route on each thread.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::tls::Spoken;
use crate::tally::{Counter, Distribution, Histogram, Scale};

/// How many steps times are counted in.
pub const TIME_STEPS: usize = 13;
/// The steps in which times are counted, in microseconds: from what a local app needs to what nobody waits for.
pub const TIMES: Scale<TIME_STEPS> = Scale([
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    1_000_000,
    5_000_000,
    30_000_000,
    u64::MAX,
]);

/// Why an app did not answer soundly, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppFailure {
    /// Its name cannot be resolved.
    Unresolved,
    /// Nobody listens at its address.
    Refused,
    /// The network does not lead there.
    Unreachable,
    /// It took no connection in time.
    ConnectTimeout,
    /// Its TLS is no good.
    Tls,
    /// It closed the connection without an answer.
    Closed,
    /// What it answered is no HTTP.
    Garbled,
    /// It did not answer, or not go on, in time.
    Timeout,
    /// It broke off its answer.
    BrokenOff,
    /// All apps of the route are drained.
    Drained,
    /// It was none of the app's: a file that cannot be read, a request that came back, a panic.
    Inside,
}

impl AppFailure {
    /// All of them, in the order in which they are counted.
    pub const ALL: [Self; 11] = [
        Self::Unresolved,
        Self::Refused,
        Self::Unreachable,
        Self::ConnectTimeout,
        Self::Tls,
        Self::Closed,
        Self::Garbled,
        Self::Timeout,
        Self::BrokenOff,
        Self::Drained,
        Self::Inside,
    ];

    /// What metrics call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unresolved => "unresolved",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::ConnectTimeout => "connect_timeout",
            Self::Tls => "tls",
            Self::Closed => "closed",
            Self::Garbled => "garbled",
            Self::Timeout => "timeout",
            Self::BrokenOff => "broken_off",
            Self::Drained => "drained",
            Self::Inside => "inside",
        }
    }
}

/// Routes that one thread counts apart; requests of further ones are only in the totals.
const ROUTES_MAX: usize = 100_000;

macro_rules! counters {
    ($(#[$meaning:meta])* $set:ident, $(#[$sum:meta])* $total:ident { $($name:ident $what:literal;)* }) => {
        $(#[$meaning])*
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub struct $set {
            /// Answers by the first digit of their status; those without one are under 0.
            pub answers: [Counter; 6],
            /// Those of them that went over HTTP/2, likewise.
            pub http2_answers: [Counter; 6],
            /// Those of them that went over HTTP/3, likewise.
            pub http3_answers: [Counter; 6],
            /// Requests that an app did not answer soundly, in the order of [`AppFailure::ALL`].
            pub failures: [Counter; AppFailure::ALL.len()],
            /// Microseconds from the head of a request to the last octet of its answer, in the steps of [`TIMES`].
            pub times: Histogram<TIME_STEPS>,
            $(#[doc = $what] pub $name: Counter,)*
        }

        $(#[$sum])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $total {
            /// Answers by the first digit of their status; those without one are under 0.
            pub answers: [u64; 6],
            /// Those of them that went over HTTP/2, likewise.
            pub http2_answers: [u64; 6],
            /// Those of them that went over HTTP/3, likewise.
            pub http3_answers: [u64; 6],
            /// Requests that an app did not answer soundly, in the order of [`AppFailure::ALL`].
            pub failures: [u64; AppFailure::ALL.len()],
            /// Microseconds from the head of a request to the last octet of its answer, in the steps of [`TIMES`].
            pub times: Distribution<TIME_STEPS>,
            $(#[doc = $what] pub $name: u64,)*
        }

        impl $total {
            /// Adds what one thread has counted.
            pub fn add(&mut self, stats: &$set) {
                let answers = self.answers.iter_mut().chain(&mut self.http2_answers).chain(&mut self.http3_answers);
                let totals = answers.chain(&mut self.failures);
                let answers = stats.answers.iter().chain(&stats.http2_answers).chain(&stats.http3_answers);
                let counters = answers.chain(&stats.failures);
                totals.zip(counters).for_each(|(total, counter)| *total += counter.read());
                self.times.add(&stats.times.read());
                $(self.$name += stats.$name.read();)*
            }

            /// Answers of every kind.
            pub fn requests(&self) -> u64 {
                self.answers.iter().sum()
            }

            /// Requests that an app did not answer soundly, for whatever reason.
            pub fn app_failures(&self) -> u64 {
                self.failures.iter().sum()
            }
        }

        impl $set {
            /// Counts an answer.
            pub(super) fn answer(&self, status: u16, spoken: Spoken, took: Duration) {
                let class = usize::from(status / 100).min(5);
                self.answers[class].add(1);
                match spoken {
                    Spoken::Http1 => (),
                    Spoken::Http2 => self.http2_answers[class].add(1),
                    Spoken::Http3 => self.http3_answers[class].add(1),
                }
                self.times.record(&TIMES, took.as_micros() as u64, 1);
            }

            /// Counts a request that an app did not answer soundly.
            pub(super) fn fail(&self, failure: AppFailure) {
                self.failures[failure as usize].add(1);
            }
        }
    };
}

counters! {
    /// The counters of one thread, on cache lines of their own.
    Stats,
    /// The counters of all threads together, at one moment.
    Totals {
        connections "Connections that were accepted.";
        closed "Connections that are over, for whatever reason.";
        refused "Connections closed at once because of a limit.";
        evicted "Idle connections closed to make room for a new one.";
        accept_failed "Connections the kernel could not hand over, such as for want of file descriptors.";
        handshakes "TLS handshakes that succeeded.";
        resumed "Those of them that resumed an earlier session.";
        handshakes_failed "TLS handshakes that failed, for whatever reason but an unknown name.";
        handshakes_garbled "Those of them in which the client spoke no TLS.";
        handshakes_unmatched "Those of them in which the client knows no version or cipher of ours.";
        handshakes_rejected "Those of them that the client broke off with an alert: it does not take the certificate.";
        handshakes_left "Those of them whose client left.";
        handshakes_slow "Those of them whose client was too slow.";
        names_unknown "TLS handshakes for names without a certificate, or without a name.";
        http2 "Connections that spoke HTTP/2.";
        http3 "Connections that spoke HTTP/3.";
        timed_out "Connections and requests cut because the client was idle or slow for too long.";
        misbehaved "Connections cut because of what the client sent: ambiguous requests, floods.";
        received "Octets of request bodies.";
        sent "Octets of answers, heads not counted.";
        retried "Requests sent to an app a second time, on a new connection.";
        reused "Requests sent to an app on a connection that was there.";
        connected "Connections to apps.";
        upgrades "Connections turned over to WebSocket or another protocol.";
        passed "Connections passed on to an app unopened.";
        aborted "Requests whose client left before the answer was complete.";
        panics "Requests that ended in a panic: a bug, please report it.";
        cache_hits "Requests answered with what was kept and fresh.";
        cache_stale "Requests answered with what was kept and no longer fresh: it was asked for again, or the app failed.";
        cache_misses "Requests that had the cache ask an app.";
        cache_coalesced "Requests that waited for what another one had the cache ask for.";
        cache_passed "Requests of routes with a cache that were not for it.";
        cache_revalidated "Answers of which an app said that they are still good.";
        cache_evicted "Answers that made room for others.";
        log_lost "Lines of the access log that could not be written.";
    }
}

counters! {
    /// The counters of one route on one thread.
    RouteStats,
    /// The counters of one route.
    RouteTotals {
        received "Octets of request bodies.";
        sent "Octets of answers, heads not counted.";
        upgrades "Connections turned over to WebSocket or another protocol.";
        passed "Connections passed on to an app unopened.";
    }
}

/// The counters of one thread and its routes. The lock is taken by the thread itself only when it meets a route
/// for the first time, and by whoever reads the numbers.
#[derive(Debug, Default)]
pub(super) struct ThreadStats {
    pub(super) all: Stats,
    routes: Mutex<HashMap<Box<str>, Arc<RouteStats>>>,
}

impl ThreadStats {
    /// The counters of a route, by [`crate::route::Route::id`].
    pub(super) fn route(&self, id: &str) -> Option<Arc<RouteStats>> {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stats) = routes.get(id) {
            return Some(Arc::clone(stats));
        }
        if routes.len() >= ROUTES_MAX {
            return None;
        }
        let stats = Arc::new(RouteStats::default());
        routes.insert(id.into(), Arc::clone(&stats));
        Some(stats)
    }

    /// Forgets routes that are gone.
    pub(super) fn keep_routes(&self, is_there: impl Fn(&str) -> bool) {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| is_there(id));
    }

    fn add_routes(&self, totals: &mut HashMap<Box<str>, RouteTotals>) {
        for (id, stats) in self.routes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            match totals.get_mut(id) {
                Some(total) => total.add(stats),
                None => totals.entry(id.clone()).or_default().add(stats),
            }
        }
    }
}

/// Adds up what the threads have counted.
pub(super) fn sum(threads: &[Arc<ThreadStats>]) -> Totals {
    let mut totals = Totals::default();
    threads.iter().for_each(|thread| totals.add(&thread.all));
    totals
}

/// Adds up what the threads have counted for each route, by [`crate::route::Route::id`].
pub(super) fn sum_routes(threads: &[Arc<ThreadStats>]) -> HashMap<Box<str>, RouteTotals> {
    let mut totals = HashMap::new();
    threads.iter().for_each(|thread| thread.add_routes(&mut totals));
    totals
}

impl Totals {
    /// Connections that are open now. The two counts are not read at the same moment, so it may be off by a few.
    pub fn open(&self) -> u64 {
        self.connections.saturating_sub(self.closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_place_and_word() {
        let stats = RouteStats::default();
        for (times, failure) in AppFailure::ALL.into_iter().enumerate() {
            (0..=times).for_each(|_| stats.fail(failure));
        }
        let mut totals = RouteTotals::default();
        totals.add(&stats);
        assert!(totals.failures.iter().enumerate().all(|(place, count)| *count == place as u64 + 1), "{totals:?}");
        let words: std::collections::BTreeSet<_> = AppFailure::ALL.map(AppFailure::word).into();
        assert_eq!((words.len(), totals.app_failures()), (AppFailure::ALL.len(), 66));
    }

    #[test]
    fn threads_and_routes_are_added_up() {
        let threads = [Arc::new(ThreadStats::default()), Arc::new(ThreadStats::default())];
        threads[0].all.answer(200, Spoken::Http2, Duration::from_micros(500));
        threads[1].all.answer(503, Spoken::Http1, Duration::from_secs(60));
        threads[1].all.answer(0, Spoken::Http3, Duration::from_micros(501));
        for thread in &threads {
            let route = thread.route("a.example/").unwrap();
            route.answer(200, Spoken::Http1, Duration::ZERO);
            route.sent.add(7);
            assert!(Arc::ptr_eq(&route, &thread.route("a.example/").unwrap()));
        }
        let totals = sum(&threads);
        assert_eq!((totals.answers, totals.requests()), ([1, 0, 1, 0, 0, 1], 3));
        assert_eq!((totals.http2_answers, totals.http3_answers), ([0, 0, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]));
        assert_eq!((totals.times.counts[0], totals.times.counts[1], totals.times.counts[TIME_STEPS - 1]), (1, 1, 1));
        let routes = sum_routes(&threads);
        assert_eq!((routes["a.example/"].requests(), routes["a.example/"].sent), (2, 14));
        threads[0].keep_routes(|_| false);
        assert_eq!(sum_routes(&threads)["a.example/"].requests(), 1);
    }
}
