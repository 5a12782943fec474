//! Requests that wait for an app that restarts: how many at once, and how long between two tries.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Requests of one thread that wait at once. Each costs a try ten times a second: of so many that is 10,000 tries a second, about a
/// tenth of a processor, for a few seconds.
const HELD_MAX: u32 = 1_000;
/// The pause before the second try, and the longest one.
const PAUSES: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(100));

/// A request that waits: counts by being there.
pub(super) struct Waiting(Rc<Cell<u32>>);

impl Waiting {
    /// None if too many wait already.
    pub(super) fn begin(held: &Rc<Cell<u32>>) -> Option<Self> {
        (held.get() < HELD_MAX).then(|| {
            held.set(held.get() + 1);
            Self(Rc::clone(held))
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// How long to wait after so many waits.
pub(super) fn pause(waits: u32) -> Duration {
    PAUSES.0.saturating_mul(1 << waits.min(8)).min(PAUSES.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_wait_and_each_gives_its_place_back() {
        let held = Rc::new(Cell::new(HELD_MAX - 1));
        let last = Waiting::begin(&held);
        assert!(last.is_some() && Waiting::begin(&held).is_none());
        drop(last);
        assert!(Waiting::begin(&held).is_some());
    }

    #[test]
    fn pauses_grow_to_a_tenth_of_a_second() {
        let pauses = [0, 1, 2, 3, 4, 99].map(|waits| pause(waits).as_millis());
        assert_eq!(pauses, [25, 50, 100, 100, 100, 100]);
    }
}
