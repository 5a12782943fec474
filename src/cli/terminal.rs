//! How results look: tables, numbers, colour, progress.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::arguments::Color;

/// How long something must take before it shows progress.
const PROGRESS_AFTER: Duration = Duration::from_secs(1);
/// How often progress is drawn.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

impl Color {
    /// Whether to use colour on this stream.
    pub(super) fn on(self, stream: &impl IsTerminal) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => stream.is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }
}

/// Writes rows in columns, each as wide as its widest cell; numbers are set to the right.
pub fn table(out: &mut dyn Write, head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|cell| cell.len())).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    for (number, row) in std::iter::once(&head).chain(rows).enumerate() {
        let mut line = String::new();
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let like = if number == 0 { rows.first().and_then(|row| row.get(column)) } else { Some(cell) };
            let is_number = like.is_some_and(|cell| cell.bytes().all(|octet| octet.is_ascii_digit()));
            line += &if is_number { format!("{cell:>width$}  ") } else { format!("{cell:width$}  ") };
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// `1 name`, `2 names`.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Progress of a long reading, on standard error if that is a terminal; it takes itself away.
pub(super) struct Progress {
    deed: &'static str,
    whole: usize,
    started: Instant,
    drawn: Option<Instant>,
    wanted: bool,
}

impl Progress {
    /// Progress towards `whole` octets.
    pub(super) fn new(deed: &'static str, whole: usize) -> Self {
        Self { deed, whole, started: Instant::now(), drawn: None, wanted: io::stderr().is_terminal() }
    }

    /// So many octets are done.
    pub(super) fn at(&mut self, octets: usize) {
        let now = Instant::now();
        if !self.wanted
            || now - self.started < PROGRESS_AFTER
            || self.drawn.is_some_and(|drawn| now - drawn < PROGRESS_EVERY)
        {
            return;
        }
        self.drawn = Some(now);
        let percent = (octets.min(self.whole) * 100).checked_div(self.whole).unwrap_or(100);
        // A terminal that takes no more is no reason to stop reading.
        let _ = write!(io::stderr(), "\r{} {percent:>3} % of {} MB\x1b[K", self.deed, self.whole / 1_000_000);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up() {
        let mut out = Vec::new();
        let row = |name: &str, count: &str| vec![name.to_owned(), count.to_owned()];
        table(&mut out, &["ZONE", "NAMES"], &[row("home.example", "31"), row("é.example", "123456")]).unwrap();
        let expected = "ZONE           NAMES\nhome.example      31\né.example     123456\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn colour_can_be_forced_and_forbidden() {
        assert!(Color::Always.on(&io::stdout()));
        assert!(!Color::Never.on(&io::stdout()));
    }
}
