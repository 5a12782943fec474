//! Keeps a flood of failures from flooding the log: some lines a second, and then how many were kept back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Lines a second.
const LINES_MAX: u64 = 10;

/// The second it is, above, and the lines that were asked for in it, in the lower 24 bits.
static SECOND: AtomicU64 = AtomicU64::new(0);
static KEPT_BACK: AtomicU64 = AtomicU64::new(0);

/// Who may speak.
pub(super) struct Quiet;

impl Quiet {
    /// Whether there may be another line in this second, and how many were kept back before it.
    pub(super) fn speak() -> Option<u64> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        speak_at(now, &SECOND, &KEPT_BACK)
    }
}

fn speak_at(now: u64, second: &AtomicU64, kept_back: &AtomicU64) -> Option<u64> {
    let asked = second.load(Ordering::Relaxed);
    let lines = if asked >> 24 == now & 0xff_ffff_ffff { asked & 0xff_ffff } else { 0 };
    if lines >= LINES_MAX {
        kept_back.fetch_add(1, Ordering::Relaxed);
        return None;
    }
    // Two threads at once may both speak: it is about floods, not about one line.
    second.store((now << 24) | (lines + 1), Ordering::Relaxed);
    Some(kept_back.swap(0, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_gets_a_few_lines_a_second() {
        let (second, kept_back) = (AtomicU64::new(0), AtomicU64::new(0));
        let spoken = (0..100).filter(|_| speak_at(1_791_640_536, &second, &kept_back).is_some()).count();
        assert_eq!(spoken, 10);
        assert_eq!(speak_at(1_791_640_537, &second, &kept_back), Some(90));
        assert_eq!(speak_at(1_791_640_537, &second, &kept_back), Some(0));
    }
}
