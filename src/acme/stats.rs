//! This folder's own counters.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What was done since the start.
#[derive(Default)]
pub struct Stats {
    attempts: AtomicU64,
    issued: AtomicU64,
    failures: AtomicU64,
}

impl Stats {
    pub(super) fn attempted(&self) {
        self.attempts.fetch_add(1, Relaxed);
    }

    pub(super) fn issued(&self) {
        self.issued.fetch_add(1, Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Relaxed);
    }

    /// Attempts with a CA, rehearsals included.
    pub fn attempts(&self) -> u64 {
        self.attempts.load(Relaxed)
    }

    /// Certificates that a CA has issued, rehearsals included.
    pub fn issued_count(&self) -> u64 {
        self.issued.load(Relaxed)
    }

    /// Attempts that failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }
}
