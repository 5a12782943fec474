//! Tokens that turned out wrong, counted by where they came from, so that nobody tries many.
//!
//! Each source has a bucket that holds ten wrong tokens and loses one every six seconds; while it is full, its tokens are not
//! looked at and the answer is 429. A source is a client network and what was tried: either the identity of a token that is
//! there, or anything else. So a script with a revoked token shuts nobody out who has a valid one behind the same address, and
//! that a valid token is still let in tells a guesser nothing: whoever guesses the secret of a token has ten tries a minute
//! for that very token, and whoever is looking for identities learns what is no secret.
//!
//! There is no lock: a bucket is one word, changed by compare and exchange. The table does not grow. Where it is full, the
//! bucket that is emptiest makes room, so that somebody with very many addresses only ever forgets their own tries, and
//! shuts nobody out; 256 random bits are not guessed all the same. Where a source lies in the table is a keyed hash: nobody
//! can aim.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::limits::{GUESS_BUCKETS, GUESS_EVERY, GUESSES_MAX};

/// Buckets that a source may use one of.
const WAYS: usize = 4;
/// The lower bits of a bucket: when it is empty again, in milliseconds since the start, for 34 years; the upper ones say
/// whose it is.
const TIME_BITS: u32 = 40;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;
/// Milliseconds until a bucket has lost one.
const EVERY: u64 = GUESS_EVERY.as_millis() as u64;
/// Milliseconds until a full bucket is empty.
const FULL: u64 = GUESSES_MAX as u64 * EVERY;

/// Wrong tokens by source.
pub(super) struct Guesses {
    hash: RandomState,
    buckets: Box<[AtomicU64]>,
}

/// A client network, and what it tries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source(u64);

impl Default for Guesses {
    fn default() -> Self {
        Self { hash: RandomState::new(), buckets: (0..GUESS_BUCKETS).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Guesses {
    /// The source of a request. `token` is the identity of the token that is tried, if there is one of that identity.
    pub(super) fn source(&self, client: IpAddr, token: Option<&str>) -> Source {
        Source(match client.to_canonical() {
            IpAddr::V4(address) => self.hash.hash_one((address, token)),
            IpAddr::V6(address) => self.hash.hash_one((&address.octets()[..8], token)), // a household has a /64 of its own
        })
    }

    /// How long this source has to wait before its next token is looked at. `now` is the time since the start.
    pub(super) fn wait(&self, source: Source, now: Duration) -> Option<Duration> {
        let (now, tag) = (milliseconds(now), source.tag());
        let own =
            self.ways(source).iter().map(|way| way.load(Ordering::Relaxed)).find(|bucket| bucket & !TIME_MASK == tag);
        let empty_at = own? & TIME_MASK;
        let room_at = empty_at.saturating_sub(FULL - EVERY);
        (room_at > now).then(|| Duration::from_millis(room_at - now))
    }

    /// A token of this source was wrong.
    pub(super) fn note(&self, source: Source, now: Duration) {
        let (now, tag) = (milliseconds(now), source.tag());
        let ways = self.ways(source);
        // Again if another thread has changed the bucket meanwhile: one of them always gets on.
        loop {
            let own = ways.iter().find(|way| way.load(Ordering::Relaxed) & !TIME_MASK == tag);
            let emptiest = || ways.iter().min_by_key(|way| way.load(Ordering::Relaxed) & TIME_MASK);
            let Some(way) = own.or_else(emptiest) else { return };
            let old = way.load(Ordering::Relaxed);
            let held = if old & !TIME_MASK == tag { (old & TIME_MASK).saturating_sub(now) } else { 0 };
            let new = tag | ((now + (held + EVERY).min(FULL)) & TIME_MASK);
            if way.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }

    fn ways(&self, source: Source) -> &[AtomicU64] {
        let set = source.0 as usize % (self.buckets.len() / WAYS).max(1);
        &self.buckets[set * WAYS..][..WAYS]
    }
}

impl Source {
    /// The upper bits, never all zero: that is an empty bucket.
    fn tag(self) -> u64 {
        match self.0 & !TIME_MASK {
            0 => 1 << TIME_BITS,
            tag => tag,
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX) & TIME_MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn client(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ten_are_free_and_then_one_in_six_seconds() {
        let guesses = Guesses::default();
        let source = guesses.source(client("192.0.2.1"), None);
        for number in 0..10 {
            assert_eq!(guesses.wait(source, at(1_000)), None, "{number}");
            guesses.note(source, at(1_000));
        }
        assert_eq!(guesses.wait(source, at(1_000)), Some(at(6_000)));
        assert_eq!(guesses.wait(source, at(6_999)), Some(at(1)));
        assert_eq!(guesses.wait(source, at(7_000)), None);
        guesses.note(source, at(7_000));
        assert_eq!(guesses.wait(source, at(7_000)), Some(at(6_000)));
        for _ in 0..100 {
            guesses.note(source, at(8_000)); // more than one at once, before the first was noted
        }
        assert_eq!(guesses.wait(source, at(8_000)), Some(at(6_000)), "it is never fuller than full");
        assert_eq!(guesses.wait(source, at(68_000)), None);
    }

    #[test]
    fn others_are_not_slowed() {
        let guesses = Guesses::default();
        let guesser = guesses.source(client("2001:db8:0:1::1"), None);
        (0..10).for_each(|_| guesses.note(guesser, at(0)));
        let waits =
            |address: &str, token: Option<&str>| guesses.wait(guesses.source(client(address), token), at(0)).is_some();
        assert!(waits("2001:db8:0:1::2", None), "the same network");
        assert!(!waits("2001:db8:0:2::1", None) && !waits("192.0.2.1", None), "another");
        assert!(!waits("2001:db8:0:1::1", Some("0123456789")), "a token that is there");
        let mapped = guesses.source(client("::ffff:192.0.2.9"), None);
        (0..10).for_each(|_| guesses.note(mapped, at(0)));
        assert!(waits("192.0.2.9", None) && !waits("192.0.2.8", None));
    }

    /// More networks than the table holds: it forgets, and shuts nobody out who has done nothing.
    #[test]
    fn a_full_table_shuts_nobody_out() {
        let guesses = Guesses::default();
        for number in 0..GUESS_BUCKETS as u32 * 2 {
            let source = guesses.source(IpAddr::V4((0x0a00_0000 + number).into()), None);
            (0..10).for_each(|_| guesses.note(source, at(u64::from(number))));
        }
        let slowed = (0..10_000_u32).filter(|number| {
            let source = guesses.source(IpAddr::V4((0xc000_0000 + number).into()), None);
            guesses.wait(source, at(0)).is_some()
        });
        assert_eq!(slowed.count(), 0);
    }

    #[test]
    fn several_threads_count_together() {
        let guesses = Guesses::default();
        let source = guesses.source(client("192.0.2.1"), None);
        std::thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| guesses.note(source, at(0)));
            }
        });
        assert!(guesses.wait(source, at(0)).is_some());
    }
}
