//! What is known of one app of a route. Times are milliseconds since the board began; 0 stands for "never".

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the checker has found.
const UNKNOWN: u8 = 0;
const UP: u8 = 1;
const DOWN: u8 = 2;

/// How long an app is left out the first time; each further time in a row twice as long, and never longer than the last.
const EJECTED: (u64, u64) = (10_000, 300_000);

/// What is known of one app. Each value stands for itself, so nothing has to be read together.
#[derive(Debug, Default)]
pub(in crate::edge) struct AppState {
    found: AtomicU8,
    /// Since when it is back, having been down.
    back_since: AtomicU64,
    ejected_until: AtomicU64,
    /// How often in a row it was left out.
    in_a_row: AtomicU64,
    /// How often it was.
    ejections: AtomicU64,
    /// Whether it ever took a connection.
    reached: AtomicBool,
    /// Since when it takes none, having taken some.
    lost_since: AtomicU64,
    looks: AtomicU64,
    bad_looks: AtomicU64,
    story: Mutex<Story>,
}

/// What is only told, never decided by.
#[derive(Clone, Debug, Default)]
struct Story {
    /// When it went up or down, in seconds since 1970.
    since: Option<u64>,
    /// Why it is down.
    reason: Option<String>,
}

/// How an app is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppHealth {
    /// It was found well.
    Up,
    /// It was found unwell.
    Down,
    /// It failed too many requests in a row and is left out for a while.
    Ejected,
    /// It takes no connections, and did before.
    Lost,
    /// It gets no requests, because the owner says so.
    Drained,
    /// Nothing is known that speaks against it.
    Unknown,
}

/// What is told of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppReport {
    /// Its address.
    pub url: String,
    /// How it is.
    pub health: AppHealth,
    /// Since when, in seconds since 1970, where that is known.
    pub since: Option<u64>,
    /// Why it is not well.
    pub reason: Option<String>,
    /// How often it was left out.
    pub ejections: u64,
    /// How often it was looked at, and how often it was not well.
    pub looks: (u64, u64),
}

impl AppState {
    /// Whether nothing speaks against asking it.
    pub(in crate::edge) fn is_well(&self, now: u64) -> bool {
        self.found.load(Relaxed) != DOWN && self.ejected_until.load(Relaxed) <= now
    }

    /// Since when it is back, if it was away.
    pub(in crate::edge) fn back_since(&self) -> Option<u64> {
        let since = self.back_since.load(Relaxed).max(self.ejected_until.load(Relaxed));
        (since > 0).then_some(since)
    }

    //----- By connections ----------------------------------------------------------------------------------------

    /// It took a connection.
    pub(in crate::edge) fn is_reached(&self, now: u64) {
        if !self.reached.load(Relaxed) {
            self.reached.store(true, Relaxed);
        }
        if self.lost_since.load(Relaxed) != 0 && self.lost_since.swap(0, Relaxed) != 0 {
            self.back_since.store(now, Relaxed);
        }
    }

    /// It took no connection.
    pub(in crate::edge) fn is_missed(&self, now: u64) {
        if self.reached.load(Relaxed) {
            let _ = self.lost_since.compare_exchange(0, now, Relaxed, Relaxed); // it may be known already
        }
    }

    /// Whether it was lost so short a time ago that it may well be restarting.
    pub(in crate::edge) fn is_awaited(&self, now: u64, lasts: Duration) -> bool {
        let since = self.lost_since.load(Relaxed);
        since > 0 && u128::from(now.saturating_sub(since)) < lasts.as_millis()
    }

    //----- By requests -------------------------------------------------------------------------------------------

    /// It is left out for a while.
    pub(super) fn eject(&self, now: u64) {
        let ended = self.ejected_until.load(Relaxed);
        let again = ended > 0 && now < ended + EJECTED.1;
        let in_a_row = if again { self.in_a_row.load(Relaxed) + 1 } else { 0 };
        self.in_a_row.store(in_a_row, Relaxed);
        self.ejected_until.store(now + (EJECTED.0 << in_a_row.min(8)).min(EJECTED.1), Relaxed);
        self.ejections.fetch_add(1, Relaxed);
    }

    //----- By looking --------------------------------------------------------------------------------------------

    /// It was looked at.
    pub(super) fn looked(&self, well: bool) {
        self.looks.fetch_add(1, Relaxed);
        self.bad_looks.fetch_add((!well).into(), Relaxed);
    }

    /// Whether it was found down, or up; none before it is clear.
    pub(super) fn found(&self) -> Option<bool> {
        match self.found.load(Relaxed) {
            UNKNOWN => None,
            found => Some(found == UP),
        }
    }

    /// It was found up, or down and why.
    pub(super) fn find(&self, found: Result<(), String>, now: u64) {
        let before = self.found.swap(if found.is_ok() { UP } else { DOWN }, Relaxed);
        if before == DOWN && found.is_ok() {
            self.back_since.store(now, Relaxed);
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map(|time| time.as_secs()).ok();
        *self.story.lock().unwrap_or_else(PoisonError::into_inner) = Story { since, reason: found.err() };
    }

    /// What is told of it.
    pub(super) fn report(&self, url: String, drained: bool, now: u64) -> AppReport {
        let Story { since, reason } = self.story.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let health = match self.found.load(Relaxed) {
            _ if drained => AppHealth::Drained,
            DOWN => AppHealth::Down,
            _ if self.ejected_until.load(Relaxed) > now => AppHealth::Ejected,
            _ if self.lost_since.load(Relaxed) > 0 => AppHealth::Lost,
            UP => AppHealth::Up,
            _ => AppHealth::Unknown,
        };
        let (since, reason) = match health {
            AppHealth::Up | AppHealth::Down => (since, reason),
            AppHealth::Ejected => (None, Some("it failed too many requests in a row".to_owned())),
            AppHealth::Lost => (None, Some("it takes no connections".to_owned())),
            AppHealth::Drained | AppHealth::Unknown => (None, None),
        };
        let looks = (self.looks.load(Relaxed), self.bad_looks.load(Relaxed));
        AppReport { url, health, since, reason, ejections: self.ejections.load(Relaxed), looks }
    }

    /// Whether it is left out or down.
    pub(super) fn is_out(&self, now: u64) -> bool {
        !self.is_well(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_left_out_longer_each_time_in_a_row() {
        let state = AppState::default();
        let mut now = 1_000;
        let mut lasts = Vec::new();
        for _ in 0..7 {
            state.eject(now);
            let until = state.ejected_until.load(Relaxed);
            lasts.push((until - now) / 1_000);
            assert!(!state.is_well(until - 1) && state.is_well(until));
            assert_eq!(state.back_since(), Some(until));
            now = until + 1;
        }
        assert_eq!(lasts, [10, 20, 40, 80, 160, 300, 300]);
        now += EJECTED.1;
        state.eject(now);
        assert_eq!(state.ejected_until.load(Relaxed) - now, 10_000, "it has been well for long");
        assert_eq!(state.report("a".into(), false, now).ejections, 8);
    }

    #[test]
    fn only_an_app_that_was_there_is_waited_for_and_not_for_long() {
        let (state, lasts) = (AppState::default(), Duration::from_secs(5));
        state.is_missed(1_000);
        assert!(!state.is_awaited(1_000, lasts), "it never took a connection");
        state.is_reached(2_000);
        state.is_missed(3_000);
        state.is_missed(6_000);
        assert!(state.is_awaited(7_999, lasts) && !state.is_awaited(8_000, lasts));
        assert!(!state.is_awaited(3_000, Duration::ZERO));
        assert_eq!(state.report("a".into(), false, 9_000).health, AppHealth::Lost);
        state.is_reached(9_000);
        assert_eq!((state.back_since(), state.is_awaited(9_000, lasts)), (Some(9_000), false));
    }

    #[test]
    fn what_is_found_is_told_with_its_reason() {
        let state = AppState::default();
        assert_eq!(state.report("a".into(), false, 1).health, AppHealth::Unknown);
        state.find(Err("it answers 500".into()), 1);
        let told = state.report("a".into(), false, 1);
        assert_eq!((told.health, told.reason.as_deref()), (AppHealth::Down, Some("it answers 500")));
        assert!(told.since.is_some() && !state.is_well(1) && state.back_since().is_none());
        state.find(Ok(()), 7);
        let told = state.report("a".into(), true, 1);
        assert_eq!((told.health, told.reason, state.back_since()), (AppHealth::Drained, None, Some(7)));
    }
}
