//! How long to wait after a failure.

use super::due::fraction;
use crate::cert::Story;

/// The longest wait that is believed, be it a CA's `Retry-After` or one from the store after the clock was set back.
pub(crate) const WAIT_MAX: u64 = 8 * 86_400;
const DAY: u64 = 86_400;
/// How much longer than said a wait may be, so that all who failed together do not come back together.
const SPREAD: f64 = 0.1;

/// What kind of failure it was, as far as waiting goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Likely to be gone in a moment: no connection, no answer, the CA's own fault.
    Passing,
    /// Found out before anything was sent: looking again costs nobody anything.
    Preflight,
    /// Anything else: somebody has to do something, or a CA to forget.
    Lasting,
}

/// Notes a failure at `now` in the story: how many there were, and when to try again. `valid_until` is the end of the
/// certificate that is served meanwhile, if there is one.
pub(crate) fn note_failure(story: &mut Story, cause: Cause, step: u64, valid_until: Option<u64>, now: u64) {
    story.failures = story.failures.saturating_add(1);
    let spread = fraction(&format!("{}{}", story.subjects().first().map(ToString::to_string).unwrap_or_default(), now));
    if cause == Cause::Passing && !story.tried_soon {
        story.tried_soon = true;
        story.retry_at = now + 1 + u64::from(spread > 0.5);
        return;
    }
    let counted = story.failures - u32::from(story.tried_soon && story.failures > 1);
    let wait = match cause {
        Cause::Preflight => preflight(step, counted),
        Cause::Passing | Cause::Lasting => lasting(step, counted),
    };
    // Towards the end more often, so that several attempts are always left.
    let left = valid_until.and_then(|end| end.checked_sub(now)).map_or(u64::MAX, |left| (left / 4).max(step));
    let wait = wait.min(left);
    story.retry_at = now + wait + (wait as f64 * SPREAD * spread) as u64;
}

/// Notes a success.
pub(crate) fn note_success(story: &mut Story) {
    (story.failures, story.tried_soon, story.retry_at, story.renew_since) = (0, false, 0, None);
}

/// 1, 10, 100 steps, then daily; with steps of a minute that is said in minutes.
fn lasting(step: u64, failures: u32) -> u64 {
    let daily = (1_440 * step).min(DAY);
    match failures {
        0 | 1 => step.min(daily),
        2 => (10 * step).min(daily),
        3 => (100 * step).min(daily),
        _ => daily,
    }
}

/// A step, doubled each time up to sixty.
fn preflight(step: u64, failures: u32) -> u64 {
    (step << failures.saturating_sub(1).min(6)).min(60 * step).min(DAY)
}

/// When a story lets the next attempt be, as seen from now. A wait that is longer than any that is ever set comes from a clock
/// that went wrong.
pub(super) fn retry_at(at: u64, now: u64) -> u64 {
    if at > now + WAIT_MAX + DAY { now } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn waits(cause: Cause, step: u64, valid_until: Option<u64>) -> Vec<u64> {
        let mut story = Story::new(vec!["a.example".parse().unwrap()]);
        let mut wait = || {
            note_failure(&mut story, cause, step, valid_until, NOW);
            story.retry_at - NOW
        };
        (0..6).map(|_| wait()).collect()
    }

    fn near(told: &[u64], wanted: &[u64]) {
        for (told, wanted) in told.iter().zip(wanted) {
            assert!((*wanted..=wanted + wanted / 10).contains(told), "{told} is not about {wanted}");
        }
    }

    #[test]
    fn one_ten_a_hundred_minutes_then_daily() {
        near(&waits(Cause::Lasting, 60, None), &[60, 600, 6_000, 86_400, 86_400, 86_400]);
        let passing = waits(Cause::Passing, 60, None);
        assert!((1..=2).contains(&passing[0]), "{passing:?}");
        near(&passing[1..], &[60, 600, 6_000, 86_400, 86_400]);
        near(&waits(Cause::Preflight, 60, None), &[60, 120, 240, 480, 960, 1_920]);
    }

    #[test]
    fn steps_of_a_second_and_of_a_day_keep_their_order() {
        near(&waits(Cause::Lasting, 1, None), &[1, 10, 100, 1_440, 1_440]);
        near(&waits(Cause::Lasting, 86_400, None), &[86_400; 5]);
        near(&waits(Cause::Preflight, 86_400, None), &[86_400; 5]);
    }

    #[test]
    fn attempts_are_left_before_the_end() {
        let waits = waits(Cause::Lasting, 60, Some(NOW + 40_000));
        near(&waits[3..], &[10_000, 10_000]);
    }

    #[test]
    fn a_success_forgets_the_failures_and_a_wrong_clock_blocks_nothing() {
        let mut story = Story::new(vec!["a.example".parse().unwrap()]);
        note_failure(&mut story, Cause::Passing, 60, None, NOW);
        note_success(&mut story);
        assert_eq!((story.failures, story.tried_soon, story.retry_at), (0, false, 0));
        assert_eq!(retry_at(NOW + 100, NOW), NOW + 100);
        assert_eq!(retry_at(NOW + 365 * DAY, NOW), NOW, "the clock was set back by a year");
    }
}
