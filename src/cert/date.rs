//! Moments for people.

use std::time::Duration;

use rcgen::date_time_ymd;

/// The last moment that can be written: the end of the year 9999, as in certificates (RFC 5280, section 4.1.2.5).
pub(super) const LAST: u64 = 253_402_300_799;

/// Seconds since 1970 as `2026-11-21 15:04:05 UTC`.
pub fn date(unix_seconds: u64) -> String {
    let at = date_time_ymd(1970, 1, 1) + Duration::from_secs(unix_seconds.min(LAST));
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", at.hour(), at.minute(), at.second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_dates_up_to_the_last() {
        assert_eq!(date(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(date(LAST), "9999-12-31 23:59:59 UTC");
        assert_eq!(date(u64::MAX), date(LAST));
    }
}
