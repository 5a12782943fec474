//! What this folder counts. Each thread has a set of its own, so that counting is an ordinary addition; so has each
//! route on each thread.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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
            /// Microseconds from the head of a request to the last octet of its answer, in the steps of [`TIMES`].
            pub times: Histogram<TIME_STEPS>,
            $(#[doc = $what] pub $name: Counter,)*
        }

        $(#[$sum])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $total {
            /// Answers by the first digit of their status; those without one are under 0.
            pub answers: [u64; 6],
            /// Microseconds from the head of a request to the last octet of its answer, in the steps of [`TIMES`].
            pub times: Distribution<TIME_STEPS>,
            $(#[doc = $what] pub $name: u64,)*
        }

        impl $total {
            /// Adds what one thread has counted.
            pub fn add(&mut self, stats: &$set) {
                for (total, counter) in self.answers.iter_mut().zip(&stats.answers) {
                    *total += counter.read();
                }
                self.times.add(&stats.times.read());
                $(self.$name += stats.$name.read();)*
            }

            /// Answers of every kind.
            pub fn requests(&self) -> u64 {
                self.answers.iter().sum()
            }
        }

        impl $set {
            /// Counts an answer.
            pub(super) fn answer(&self, status: u16, took: Duration) {
                self.answers[usize::from(status / 100).min(5)].add(1);
                self.times.record(&TIMES, took.as_micros() as u64, 1);
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
        names_unknown "TLS handshakes for names without a certificate, or without a name.";
        http2 "Connections that spoke HTTP/2.";
        timed_out "Connections and requests cut because the client was idle or slow for too long.";
        misbehaved "Connections cut because of what the client sent: ambiguous requests, floods.";
        received "Octets of request bodies.";
        sent "Octets of answers, heads not counted.";
        retried "Requests sent to an app a second time, on a new connection.";
        reused "Requests sent to an app on a connection that was there.";
        connected "Connections to apps.";
        app_failures "Requests that an app did not answer soundly.";
        upgrades "Connections turned over to WebSocket or another protocol.";
        aborted "Requests whose client left before the answer was complete.";
        panics "Requests that ended in a panic: a bug, please report it.";
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
        app_failures "Requests that an app did not answer soundly.";
        upgrades "Connections turned over to WebSocket or another protocol.";
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
    fn threads_and_routes_are_added_up() {
        let threads = [Arc::new(ThreadStats::default()), Arc::new(ThreadStats::default())];
        threads[0].all.answer(200, Duration::from_micros(500));
        threads[1].all.answer(503, Duration::from_secs(60));
        threads[1].all.answer(0, Duration::from_micros(501));
        for thread in &threads {
            let route = thread.route("a.example/").unwrap();
            route.answer(200, Duration::ZERO);
            route.sent.add(7);
            assert!(Arc::ptr_eq(&route, &thread.route("a.example/").unwrap()));
        }
        let totals = sum(&threads);
        assert_eq!((totals.answers, totals.requests()), ([1, 0, 1, 0, 0, 1], 3));
        assert_eq!((totals.times.counts[0], totals.times.counts[1], totals.times.counts[TIME_STEPS - 1]), (1, 1, 1));
        let routes = sum_routes(&threads);
        assert_eq!((routes["a.example/"].requests(), routes["a.example/"].sent), (2, 14));
        threads[0].keep_routes(|_| false);
        assert_eq!(sum_routes(&threads)["a.example/"].requests(), 1);
    }
}
