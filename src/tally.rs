//! Numbers that count up while the server runs: raised by one thread, read by any.
//!
//! Here because every floor counts, each in a `stats.rs` of its own, and none may import a higher one. Counting is an
//! ordinary addition. Rejected: a counter that several threads raise. At some hundred thousand queries a second on
//! several processors the cache line that it lies on costs more than the look-up it counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only its own thread changes and any thread reads.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds. Only the thread the counter belongs to may call it: two at once could lose counts, nothing worse.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// Makes it another number: for what goes up and down, such as a size.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// What it is now.
    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The buckets of a distribution: the largest value of each, ascending; the last takes all that is left.
#[derive(Debug)]
pub struct Scale<const N: usize>(pub [u64; N]);

impl<const N: usize> Scale<N> {
    /// The bucket of a value.
    fn bucket(&self, value: u64) -> usize {
        // Few and mostly among the first: a search would cost more.
        self.0.iter().position(|most| value <= *most).unwrap_or(N - 1)
    }
}

/// How often values of which size came: counted by one thread, read by any.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    counts: [Counter; N],
    sum: Counter,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self { counts: std::array::from_fn(|_| Counter::default()), sum: Counter::default() }
    }
}

impl<const N: usize> Histogram<N> {
    /// Counts a value that came so many times. Always with the same scale, and only from the thread it belongs to.
    pub fn record(&self, scale: &Scale<N>, value: u64, times: u64) {
        self.counts[scale.bucket(value)].add(times);
        self.sum.add(value.saturating_mul(times));
    }

    /// What was counted so far.
    pub fn read(&self) -> Distribution<N> {
        Distribution { counts: std::array::from_fn(|at| self.counts[at].read()), sum: self.sum.read() }
    }
}

/// How often values of which size came, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution<const N: usize> {
    /// Values in each bucket of the scale, and only there.
    pub counts: [u64; N],
    /// All values together.
    pub sum: u64,
}

impl<const N: usize> Default for Distribution<N> {
    fn default() -> Self {
        Self { counts: [0; N], sum: 0 }
    }
}

impl<const N: usize> Distribution<N> {
    /// Counts a value. Always with the same scale.
    pub fn record(&mut self, scale: &Scale<N>, value: u64) {
        self.counts[scale.bucket(value)] += 1;
        self.sum = self.sum.saturating_add(value);
    }

    /// Adds another distribution on the same scale.
    pub fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(count, more)| *count += more);
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: Scale<3> = Scale([10, 100, u64::MAX]);

    #[test]
    fn a_value_counts_in_the_first_bucket_that_is_large_enough() {
        let histogram = Histogram::default();
        for (value, times) in [(0, 1), (10, 2), (11, 3), (100, 4), (101, 5), (u64::MAX / 2, 1)] {
            histogram.record(&SCALE, value, times);
        }
        let mut read = histogram.read();
        assert_eq!((read.counts, read.count()), ([3, 7, 6], 16));
        assert_eq!(read.sum, 20 + 33 + 400 + 505 + u64::MAX / 2);
        read.add(&Distribution { counts: [1, 0, 2], sum: 5 });
        read.record(&SCALE, 50);
        assert_eq!((read.counts, read.sum), ([4, 8, 8], 20 + 33 + 400 + 505 + u64::MAX / 2 + 55));
    }

    #[test]
    fn a_counter_goes_up_and_a_size_both_ways() {
        let counter = Counter::default();
        counter.add(3);
        counter.add(4);
        assert_eq!(counter.read(), 7);
        counter.set(2);
        assert_eq!(counter.read(), 2);
    }
}
