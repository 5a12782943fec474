//! The date for answers whose app said none (RFC 9110, section 6.6.1), written at most once for each look of the clock.

use std::cell::Cell;
use std::time::SystemTime;

use crate::edge::watch::Tick;

/// Octets of a date: `Sun, 06 Nov 1994 08:49:37 GMT`.
const SIZE: usize = 29;

/// The date as it was written last, and when.
#[derive(Default)]
pub(in crate::edge) struct Date(Cell<Option<(Tick, [u8; SIZE])>>);

impl Date {
    /// The date at this look of the clock.
    pub(in crate::edge) fn at(&self, now: Tick) -> [u8; SIZE] {
        if let Some((tick, text)) = self.0.get()
            && tick == now
        {
            return text;
        }
        let written = httpdate::fmt_http_date(SystemTime::now());
        let mut text = [b' '; SIZE];
        let size = written.len().min(SIZE);
        text[..size].copy_from_slice(&written.as_bytes()[..size]);
        self.0.set(Some((now, text)));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_once_for_each_look() {
        let date = Date::default();
        let first = date.at(1);
        assert!(httpdate::parse_http_date(std::str::from_utf8(&first).unwrap()).is_ok());
        date.0.set(Some((1, [b'x'; SIZE])));
        assert_eq!(date.at(1), [b'x'; SIZE]);
        assert_ne!(date.at(2), [b'x'; SIZE]);
    }
}
