//! What this folder counts. Each thread has a set of its own, so that counting is an ordinary addition.
//!
//! Rejected: one shared set of atomics. At some hundred thousand queries a second on several processors the
//! cache line that holds a shared counter costs more than the look-up it counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// Response codes that are counted one by one: 0 to 23 (the IANA registry; 16 and up are extended, RFC 6891).
pub const RCODES: usize = 24;

/// A number that only its own thread raises and any thread reads.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds. Only the thread the counter belongs to may call it: two at once could lose counts, nothing worse.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// The sum of all additions so far.
    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($name:ident $meaning:literal;)*) => {
        /// The counters of one thread, on cache lines of their own.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub struct Stats {
            /// Replies by response code.
            pub replies: [Counter; RCODES],
            $(#[doc = $meaning] pub $name: Counter,)*
        }

        /// The counters of all threads together, at one moment.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Totals {
            /// Replies by response code.
            pub replies: [u64; RCODES],
            $(#[doc = $meaning] pub $name: u64,)*
        }

        impl Totals {
            /// Adds what one thread has counted.
            pub fn add(&mut self, stats: &Stats) {
                for (total, counter) in self.replies.iter_mut().zip(&stats.replies) {
                    *total += counter.read();
                }
                $(self.$name += stats.$name.read();)*
            }
        }
    };
}

counters! {
    udp_queries "Datagrams that were looked at.";
    tcp_queries "Messages that came over TCP.";
    dropped "Queries that the rate limit left without a reply.";
    slipped "Queries that the rate limit answered with a truncated reply.";
    malformed "Packets that are no query: without a reply, or with FORMERR.";
    truncated "Replies that did not fit and said so (TC).";
    udp_oversized "Datagrams longer than any query that is looked at; dropped.";
    udp_unanswerable "Datagrams whose source address cannot be answered, such as port 0; dropped.";
    udp_unsent "Replies that the kernel refused to send.";
    panics "Queries whose answer ended in a panic: a bug, please report it.";
    tcp_accepted "Connections that were accepted.";
    tcp_closed "Connections that are over, for whatever reason.";
    tcp_refused "Connections closed at once because of a limit.";
    tcp_evicted "Connections closed, while waiting, to make room for a new one.";
    tcp_timed_out "Connections closed because the client was idle or slow for too long.";
    tcp_accept_failed "Connections the kernel could not hand over, such as for want of file descriptors.";
}

impl Stats {
    /// Counts one reply. A code out of the registry's range counts as the last.
    #[inline]
    pub fn reply(&self, rcode: u16) {
        self.replies[usize::from(rcode).min(RCODES - 1)].add(1);
    }
}

impl Totals {
    /// Adds up what the threads have counted.
    pub fn sum<'a>(threads: impl IntoIterator<Item = &'a Stats>) -> Self {
        let mut totals = Self::default();
        threads.into_iter().for_each(|stats| totals.add(stats));
        totals
    }

    /// Connections that are open now. The two counts are not read at the same moment, so it may be off by a few.
    pub fn tcp_open(&self) -> u64 {
        self.tcp_accepted.saturating_sub(self.tcp_closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threads_are_added_up() {
        let (one, two) = (Stats::default(), Stats::default());
        one.udp_queries.add(3);
        two.udp_queries.add(4);
        one.reply(0);
        two.reply(3);
        two.reply(3);
        two.reply(4_095);
        two.tcp_accepted.add(5);
        one.tcp_closed.add(2);
        let totals = Totals::sum([&one, &two]);
        assert_eq!((totals.udp_queries, totals.tcp_queries, totals.tcp_open()), (7, 0, 3));
        assert_eq!((totals.replies[0], totals.replies[3], totals.replies[RCODES - 1]), (1, 2, 1));
    }

    #[test]
    fn a_thread_shares_no_cache_line_with_another() {
        assert_eq!(align_of::<Stats>(), 128);
        assert_eq!(size_of::<Stats>() % 128, 0);
    }
}
