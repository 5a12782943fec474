//! What this folder counts. Each thread has a set of its own, so that counting is an ordinary addition (see
//! [`crate::tally`]), and each thread has one transport, so that counting by transport costs nothing.
//!
//! How long answers take is looked at once for all queries that were read together: a look at the clock for each would
//! cost more than many an answer does.

use crate::tally::{Counter, Distribution, Histogram, Scale};
use crate::wire::Kind;

use super::cookie::CookieState;

/// Response codes that are counted one by one: 0 to 23 (the IANA registry; 16 and up are extended, RFC 6891).
pub const RCODES: usize = 24;

/// Types that are counted one by one; all others are counted together, or whoever asks could make the list endless.
pub const KINDS: [Kind; 26] = [
    Kind::A,
    Kind::AAAA,
    Kind::NS,
    Kind::SOA,
    Kind::CNAME,
    Kind::DNAME,
    Kind::PTR,
    Kind::MX,
    Kind::TXT,
    Kind::SRV,
    Kind::NAPTR,
    Kind::CAA,
    Kind::HTTPS,
    Kind::SVCB,
    Kind::TLSA,
    Kind::SSHFP,
    Kind::DS,
    Kind::DNSKEY,
    Kind::CDS,
    Kind::CDNSKEY,
    Kind::RRSIG,
    Kind::NSEC,
    Kind::NSEC3PARAM,
    Kind::ANY,
    Kind::AXFR,
    Kind::IXFR,
];

/// One count for each of [`KINDS`], and behind them one for all others.
const SLOTS: usize = KINDS.len() + 1;

/// The slot of each type below 258, the last of [`KINDS`] by number.
static SLOT_OF: [u8; 258] = {
    let mut slots = [KINDS.len() as u8; 258];
    let mut slot = 0;
    while slot < KINDS.len() {
        slots[KINDS[slot].0 as usize] = slot as u8;
        slot += 1;
    }
    slots
};

/// What a COOKIE option can say, in the order in which it is counted.
pub const COOKIES: [CookieState; 4] =
    [CookieState::ClientOnly, CookieState::Valid, CookieState::Invalid, CookieState::Malformed];

const LATENCY_BUCKETS: usize = 14;

/// Microseconds from 10 to 1,000,000.
pub const LATENCY: Scale<LATENCY_BUCKETS> =
    Scale([10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 1_000_000, u64::MAX]);

macro_rules! counters {
    ($($name:ident $meaning:literal;)*) => {
        /// The counters of one thread, on cache lines of their own.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub struct Stats {
            /// Replies by response code.
            pub replies: [Counter; RCODES],
            /// Queries that were read, by type: one count for each of [`KINDS`], and one for all others.
            pub kinds: [Counter; SLOTS],
            /// Queries with a cookie, as in [`COOKIES`].
            pub cookies: [Counter; COOKIES.len()],
            /// Microseconds from reading queries to sending their replies, on the scale [`LATENCY`].
            pub latency: Histogram<LATENCY_BUCKETS>,
            $(#[doc = $meaning] pub $name: Counter,)*
        }

        /// The counters of several threads together, at one moment.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Totals {
            /// Replies by response code.
            pub replies: [u64; RCODES],
            /// Queries that were read, by type: one count for each of [`KINDS`], and one for all others.
            pub kinds: [u64; SLOTS],
            /// Queries with a cookie, as in [`COOKIES`].
            pub cookies: [u64; COOKIES.len()],
            /// Microseconds from reading queries to sending their replies, on the scale [`LATENCY`].
            pub latency: Distribution<LATENCY_BUCKETS>,
            $(#[doc = $meaning] pub $name: u64,)*
        }

        impl Totals {
            /// Adds what one thread has counted.
            pub fn add(&mut self, stats: &Stats) {
                self.latency.add(&stats.latency.read());
                let counts = stats.replies.iter().chain(&stats.kinds).chain(&stats.cookies);
                let totals = self.replies.iter_mut().chain(&mut self.kinds).chain(&mut self.cookies);
                totals.zip(counts).for_each(|(total, counter)| *total += counter.read());
                $(self.$name += stats.$name.read();)*
            }
        }
    };
}

counters! {
    queries "Packets that were looked at: datagrams, or messages on connections.";
    dropped "Queries that the rate limit left without a reply.";
    slipped "Queries that the rate limit answered with a truncated reply; not among the replies.";
    malformed "Packets that are no query: without a reply, or with FORMERR or NOTIMP.";
    truncated "Replies that did not fit and said so (TC).";
    oversized "Datagrams longer than any query that is looked at; dropped.";
    unanswerable "Datagrams whose source address cannot be answered, such as port 0; dropped.";
    unsent "Replies that the kernel refused to send.";
    panics "Queries whose answer ended in a panic: a bug, please report it.";
    accepted "Connections that were accepted.";
    closed "Connections that are over, for whatever reason.";
    refused "Connections closed at once because of a limit.";
    evicted "Connections closed, while waiting, to make room for a new one.";
    timed_out "Connections closed because the client was idle or slow for too long.";
    handshakes_failed "Connections over TLS or QUIC that ended before both sides had agreed on keys.";
    accept_failed "Connections the kernel could not hand over, such as for want of file descriptors.";
}

impl Stats {
    /// Counts one reply. A code out of the registry's range counts as the last.
    #[inline]
    pub fn reply(&self, rcode: u16) {
        self.replies[usize::from(rcode).min(RCODES - 1)].add(1);
    }

    /// Counts one query that was read.
    #[inline]
    pub fn kind(&self, kind: Kind) {
        let slot = SLOT_OF.get(usize::from(kind.0)).map_or(KINDS.len(), |slot| usize::from(*slot));
        self.kinds[slot].add(1);
    }

    /// Counts what a query's cookie says.
    pub fn cookie(&self, state: CookieState) {
        if let Some(slot) = COOKIES.iter().position(|known| *known == state) {
            self.cookies[slot].add(1);
        }
    }

    /// Counts the time, in microseconds, that queries took which were read together and answered together.
    pub fn took(&self, micros: u64, queries: u64) {
        if queries > 0 {
            self.latency.record(&LATENCY, micros, queries);
        }
    }
}

impl Totals {
    /// Adds up what some threads have counted.
    pub fn sum<'a>(threads: impl IntoIterator<Item = &'a Stats>) -> Self {
        let mut totals = Self::default();
        threads.into_iter().for_each(|stats| totals.add(stats));
        totals
    }

    /// Connections that are open now. The two counts are not read at the same moment, so it may be off by a few.
    pub fn open(&self) -> u64 {
        self.accepted.saturating_sub(self.closed)
    }

    /// All replies that were made.
    pub fn replied(&self) -> u64 {
        self.replies.iter().sum::<u64>() + self.slipped
    }
}

/// Everything that was counted, at one moment, by transport.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Over UDP.
    pub udp: Totals,
    /// Over TCP.
    pub tcp: Totals,
    /// Over TLS.
    pub tls: Totals,
    /// Over HTTPS; its connections are counted by the edge.
    pub https: Totals,
    /// Over QUIC.
    pub quic: Totals,
}

impl Report {
    /// Queries over all transports.
    pub fn queries(&self) -> u64 {
        self.sum(|totals| totals.queries)
    }

    /// Replies over all transports.
    pub fn replied(&self) -> u64 {
        self.sum(Totals::replied)
    }

    /// A number over all transports.
    pub fn sum(&self, number: impl Fn(&Totals) -> u64) -> u64 {
        self.all().iter().map(|(_, totals)| number(totals)).sum()
    }

    /// Each transport with what was counted of it.
    pub fn all(&self) -> [(&'static str, &Totals); 5] {
        [("udp", &self.udp), ("tcp", &self.tcp), ("tls", &self.tls), ("https", &self.https), ("quic", &self.quic)]
    }
}

/// What the rate limit remembers of client networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// How many it can remember at a time; 0 when it is switched off.
    pub room: u64,
    /// Those whose allowance is not full again.
    pub busy: u64,
    /// Those of them that have none left.
    pub limited: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threads_are_added_up() {
        let (one, two) = (Stats::default(), Stats::default());
        one.queries.add(3);
        two.queries.add(4);
        one.reply(0);
        two.reply(3);
        two.reply(3);
        two.reply(4_095);
        two.slipped.add(1);
        two.accepted.add(5);
        one.closed.add(2);
        one.took(30, 3);
        two.took(2_000_000, 4);
        two.took(5, 0);
        let totals = Totals::sum([&one, &two]);
        assert_eq!((totals.queries, totals.open(), totals.replied()), (7, 3, 5));
        assert_eq!((totals.replies[0], totals.replies[3], totals.replies[RCODES - 1]), (1, 2, 1));
        assert_eq!((totals.latency.count(), totals.latency.sum), (7, 8_000_090));
        assert_eq!((totals.latency.counts[2], totals.latency.counts[LATENCY_BUCKETS - 1]), (3, 4));
    }

    #[test]
    fn each_type_has_its_slot_and_the_rest_share_one() {
        let stats = Stats::default();
        for (times, kind) in KINDS.iter().enumerate() {
            (0..=times).for_each(|_| stats.kind(*kind));
        }
        let others = [0, 3, 13, 99, 248, 254, 256, 258, 259, 32_768, 65_535];
        others.iter().for_each(|kind| stats.kind(Kind(*kind)));
        let counted = Totals::sum([&stats]).kinds;
        assert!(
            counted[..KINDS.len()].iter().enumerate().all(|(slot, count)| *count == slot as u64 + 1),
            "{counted:?}"
        );
        assert_eq!(counted[KINDS.len()], others.len() as u64);
    }

    #[test]
    fn cookies_are_counted_by_what_they_say() {
        let stats = Stats::default();
        stats.cookie(CookieState::Absent);
        stats.cookie(CookieState::Valid);
        stats.cookie(CookieState::Malformed);
        assert_eq!(Totals::sum([&stats]).cookies, [0, 1, 0, 1]);
    }

    #[test]
    fn a_thread_shares_no_cache_line_with_another() {
        assert_eq!(align_of::<Stats>(), 128);
        assert_eq!(size_of::<Stats>() % 128, 0);
    }
}
