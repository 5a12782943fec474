//! When a certificate is due for renewal.
//!
//! As the CA wishes (RFC 9773), somewhere within the window it names; else when a third of the lifetime is left, or half of a
//! lifetime under ten days. Where within the window, and how much earlier than the third, follows from the serial number: it
//! is spread over all certificates, and the same each time it is asked. Rejected: dice, which would have to be kept, or
//! would be thrown again at every look until they say "now".

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::cert::{Certificate, Window};

/// Lifetimes below this are renewed at their half.
const SHORT_LIFETIME: u64 = 10 * 86_400;
/// The part of what is left that the renewal may come earlier, so that certificates of one day do not stay together.
const SPREAD: f64 = 0.1;
/// The part of the lifetime that is always left for the renewal, whatever the CA wishes: enough for several attempts.
const LEFT_AT_LEAST: u64 = 8;

/// The moment from which on it is to be renewed, in seconds since 1970.
pub(super) fn due(certificate: &Certificate, window: Option<&Window>) -> u64 {
    let (begin, end) = (certificate.not_before(), certificate.not_after());
    let lifetime = end.saturating_sub(begin);
    let latest = end - lifetime / LEFT_AT_LEAST;
    let wished = window
        .filter(|window| window.serial == certificate.serial() && window.start < window.end && window.start < end)
        .map(|window| within(window, certificate.serial()));
    let own = || {
        let left = if lifetime < SHORT_LIFETIME { lifetime / 2 } else { lifetime / 3 };
        end - left - (left as f64 * SPREAD * fraction(certificate.serial())) as u64
    };
    wished.unwrap_or_else(own).min(latest)
}

fn within(window: &Window, serial: &str) -> u64 {
    window.start + ((window.end - window.start) as f64 * fraction(serial)) as u64
}

/// A number from 0 up to 1 that follows from a text.
pub(super) fn fraction(text: &str) -> f64 {
    let mut hasher = SipHasher13::new();
    hasher.write(text.as_bytes());
    (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cert::Authority;

    const NOW: u64 = 1_800_000_000;
    const DAY: u64 = 86_400;

    fn certificate(seconds: u64) -> Certificate {
        let authority = Authority::new(NOW).unwrap();
        authority.issue(&["a.example".parse().unwrap()], NOW, Duration::from_secs(seconds)).unwrap()
    }

    #[test]
    fn a_third_of_the_lifetime_is_left_or_half_of_a_short_one() {
        for (seconds, left) in [(90 * DAY, 30 * DAY), (6 * DAY, 3 * DAY), (45, 22)] {
            let certificate = certificate(seconds);
            let told = certificate.not_after() - due(&certificate, None);
            assert!((left..=left + left / 8 + 3_600).contains(&told), "{seconds}: {told} left");
        }
    }

    #[test]
    fn the_ca_says_when_as_long_as_it_makes_sense() {
        let certificate = certificate(90 * DAY);
        let window =
            |start: u64, end: u64| Window { serial: certificate.serial().to_owned(), start, end, explanation: None };
        let (start, end) = (NOW + 10 * DAY, NOW + 12 * DAY);
        assert!((start..end).contains(&due(&certificate, Some(&window(start, end)))));
        assert!(due(&certificate, Some(&window(0, 1))) <= 1, "at once");
        let own = due(&certificate, None);
        assert_eq!(due(&certificate, Some(&window(end, start))), own, "a window that ends before it begins");
        assert_eq!(due(&certificate, Some(&window(NOW + 100 * DAY, NOW + 101 * DAY))), own, "after the end");
        let other = Window { serial: "01".to_owned(), ..window(start, end) };
        assert_eq!(due(&certificate, Some(&other)), own, "of another certificate");
        let late = due(&certificate, Some(&window(NOW + 89 * DAY, NOW + 90 * DAY)));
        assert!(certificate.not_after() - late >= 11 * DAY, "some attempts are always left");
    }

    #[test]
    fn fractions_are_spread() {
        let mean = (0..1_000).map(|i| fraction(&i.to_string())).sum::<f64>() / 1_000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }
}
