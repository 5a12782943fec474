//! Numbers that nobody outside can guess, for request ids and for choosing: seeded by the system, then a permuted counter
//! (SplitMix64) that costs a nanosecond. They keep no secret.

use std::cell::Cell;
use std::io;

/// A source of numbers for one thread.
pub(super) struct Random(Cell<u64>);

impl Random {
    pub(super) fn new() -> io::Result<Self> {
        let seed = getrandom::u64().map_err(|fault| io::Error::other(fault.to_string()))?;
        Ok(Self(Cell::new(seed)))
    }

    /// The next number.
    pub(super) fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_do_not_repeat() {
        let random = Random::new().unwrap();
        let numbers: std::collections::HashSet<_> = (0..10_000).map(|_| random.next()).collect();
        assert_eq!(numbers.len(), 10_000);
    }
}
