//! How results look: tables, numbers, colour, progress.

use std::env;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

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

/// Writes rows in columns, each as wide as its widest cell; numbers are set to the right, but for ids, of which only some
/// happen to look like one.
pub fn table(out: &mut dyn Write, head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|cell| cell.len())).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let ids = head.iter().position(|name| *name == "ID");
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    for (number, row) in std::iter::once(&head).chain(rows).enumerate() {
        let mut line = String::new();
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let like = if number == 0 { rows.first().and_then(|row| row.get(column)) } else { Some(cell) };
            let is_number =
                ids != Some(column) && like.is_some_and(|cell| cell.bytes().all(|octet| octet.is_ascii_digit()));
            line += &if is_number { format!("{cell:>width$}  ") } else { format!("{cell:width$}  ") };
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Whether somebody can be asked.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal()
}

/// Asks for yes or no and the like: what was typed, in lower case; nothing if the terminal is closed.
pub(super) fn ask(question: &str) -> io::Result<String> {
    Ok(ask_for(question)?.to_lowercase())
}

/// Asks, and reads the answer as it was typed; nothing if the terminal is closed.
pub(super) fn ask_for(question: &str) -> io::Result<String> {
    Ok(line_for(question)?.trim().to_owned())
}

fn line_for(question: &str) -> io::Result<String> {
    write!(io::stderr(), "{question} ")?;
    let mut answer = String::new();
    if io::stdin().lock().read_line(&mut answer)? == 0 {
        writeln!(io::stderr())?;
    }
    Ok(answer)
}

/// Asks for what nobody is to see; nothing if the terminal is closed.
pub(super) fn ask_hidden(question: &str) -> io::Result<String> {
    let stdin = io::stdin();
    let usual = tcgetattr(&stdin)?;
    let mut hidden = usual.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Flush, &hidden)?;
    let answer = line_for(question);
    tcsetattr(&stdin, OptionalActions::Flush, &usual)?;
    writeln!(io::stderr())?; // the one that was typed is not seen either
    Ok(answer?.trim_end_matches(['\r', '\n']).to_owned())
}

/// `1 name`, `2 names`.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Progress of what takes long: a line on standard error, if that is a terminal, once a second has gone by. It takes
/// itself away.
///
/// A thread draws it, so that work that cannot tell how far it is shows the seconds all the same.
pub(super) struct Progress {
    shared: Arc<Shared>,
    drawing: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    done: AtomicUsize,
    line: Mutex<Line>,
    ended: Condvar,
}

#[derive(Default)]
struct Line {
    deed: String,
    /// Octets that are done when the deed is; 0 if nobody knows.
    whole: usize,
    drawn: bool,
    ended: bool,
}

impl Progress {
    /// Nothing is shown before the first [`Progress::begin`].
    pub(super) fn new() -> Self {
        let shared = Arc::new(Shared::default());
        let drawing = io::stderr().is_terminal().then(|| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.draw())
        });
        Self { shared, drawing }
    }

    /// From here on this is done, with so many octets before it; 0 if nobody knows.
    pub(super) fn begin(&self, deed: impl Into<String>, whole: usize) {
        let mut line = self.shared.line();
        self.shared.done.store(0, Ordering::Relaxed);
        (line.deed, line.whole) = (deed.into(), whole);
    }

    /// So many octets are done.
    pub(super) fn at(&self, octets: usize) {
        self.shared.done.store(octets, Ordering::Relaxed);
    }

    /// Makes room for something that is said; to be called before it.
    pub(super) fn clear(&self) {
        let mut line = self.shared.line();
        line.deed.clear();
        self.shared.erase(&mut line);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
        self.shared.line().ended = true;
        self.shared.ended.notify_one();
        if let Some(drawing) = self.drawing.take() {
            let _ = drawing.join(); // it only draws
        }
    }
}

impl Shared {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self) {
        let (started, mut wait, mut line) = (Instant::now(), PROGRESS_AFTER, self.line());
        loop {
            let waited = self.ended.wait_timeout_while(line, wait, |line| !line.ended);
            (line, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if line.ended {
                return;
            }
            wait = PROGRESS_EVERY;
            if !line.deed.is_empty() {
                let text = progress(&line.deed, self.done.load(Ordering::Relaxed), line.whole, started.elapsed());
                // A terminal that takes no more is no reason to stop the work.
                let _ = write!(io::stderr(), "\r{text}\x1b[K");
                line.drawn = true;
            }
        }
    }

    fn erase(&self, line: &mut Line) {
        if std::mem::take(&mut line.drawn) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn progress(deed: &str, done: usize, whole: usize, time: Duration) -> String {
    let megabytes = |octets: usize| format!("{}.{} MB", octets / 1_000_000, octets / 100_000 % 10);
    match (done.min(whole) * 100).checked_div(whole) {
        Some(percent) => format!("{deed}: {percent} % of {}", megabytes(whole)),
        None if done > 0 => format!("{deed}: {}", megabytes(done)),
        None => format!("{deed}: {} s", time.as_secs()),
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
    fn progress_tells_what_is_known() {
        let after = Duration::from_secs(3);
        assert_eq!(progress("reading a.zone", 25_000_000, 50_000_000, after), "reading a.zone: 50 % of 50.0 MB");
        assert_eq!(progress("backup", 1_250_000, 0, after), "backup: 1.2 MB");
        assert_eq!(progress("checking a.zone", 0, 0, after), "checking a.zone: 3 s");
    }

    #[test]
    fn colour_can_be_forced_and_forbidden() {
        assert!(Color::Always.on(&io::stdout()));
        assert!(!Color::Never.on(&io::stdout()));
    }
}
