//! Shows faults to a person: the message, the place, the line with the place marked, the cure.
//!
//! ```text
//! error: MX preference must be a number from 0 to 65535
//!   --> zones/home.example.zone:12:12
//!    |
//! 12 | @       MX ten mail
//!    |            ^^^
//!    = cure: write a number from 0 to 65535 instead of "ten"
//! ```
//!
//! A zone file is anybody's octets: nothing in it reaches the terminal as a command, a tab is shown as blanks, and
//! of a line of a megabyte only the surroundings of the place.

use std::fmt::Write;

use crate::zone::{Fault, Place, Severity};

use super::Source;

/// Columns of a line that are shown.
const SHOWN_MAX: usize = 100;
/// Columns that stay before the place, if the line is cut there.
const BEFORE_MAX: usize = 40;
/// Columns between two stops of the tabulator.
const TAB: usize = 8;

/// Renders faults one below the other, in colour for a terminal.
pub fn show(files: &[Source], faults: &[Fault], colour: bool) -> String {
    let mut text = String::new();
    for fault in faults {
        let paint = Paint { is_on: colour, severity: fault.severity };
        let _ = write_fault(files, fault, &paint, &mut text); // a String takes everything
    }
    text
}

struct Paint {
    is_on: bool,
    severity: Severity,
}

impl Paint {
    fn strong(&self, text: &str) -> String {
        match (self.is_on, self.severity) {
            (false, _) => text.to_owned(),
            (true, Severity::Error) => format!("\x1b[1;31m{text}\x1b[0m"),
            (true, Severity::Warning) => format!("\x1b[1;33m{text}\x1b[0m"),
        }
    }

    fn faint(&self, text: &str) -> String {
        if self.is_on { format!("\x1b[34m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn write_fault(files: &[Source], fault: &Fault, paint: &Paint, text: &mut String) -> std::fmt::Result {
    let severity = match fault.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    writeln!(text, "{}: {}", paint.strong(severity), harmless(&fault.message))?;
    let source = fault.place.and_then(|place| Some((place, files.get(usize::from(place.file))?)));
    let margin = source.map_or(0, |(place, _)| place.line.to_string().len());
    let margin = " ".repeat(margin);
    if let Some((place, source)) = source {
        let bar = paint.faint("|");
        let (line, marks) = excerpt(&source.text, place);
        let at = format!("{}:{}:{}", harmless(&source.label), place.line, place.column);
        writeln!(text, "{margin}{} {at}", paint.faint("-->"))?;
        writeln!(text, "{margin} {bar}")?;
        writeln!(text, "{} {bar} {line}", paint.faint(&place.line.to_string()))?;
        writeln!(text, "{margin} {bar} {}", paint.strong(&marks))?;
    }
    writeln!(text, "{margin} {} cure: {}\n", paint.faint("="), harmless(&fault.cure))
}

fn harmless(text: &str) -> String {
    text.chars().map(printable).collect()
}

/// The character, or a replacement for one that a terminal would obey or hide.
fn printable(character: char) -> char {
    let reorders =
        matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    if character.is_control() || reorders { '\u{fffd}' } else { character }
}

/// The line of a place, cut to its surroundings, and the marks for the line below it.
fn excerpt(text: &[u8], place: Place) -> (String, String) {
    let line = text.split(|octet| *octet == b'\n').nth(place.line.saturating_sub(1) as usize).unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let start = usize::from(place.column.saturating_sub(1)).min(line.len());
    let end = (start + usize::from(place.width)).min(line.len());
    let (before, marked, after) = (&line[..start], &line[start..end], &line[end..]);
    let before = columns(&before[before.len().saturating_sub(4 * SHOWN_MAX)..], 0);
    let marked = columns(&marked[..marked.len().min(4 * SHOWN_MAX)], before.len());
    let after = columns(&after[..after.len().min(4 * SHOWN_MAX)], before.len() + marked.len());
    let skipped =
        if before.len() + marked.len() + after.len() > SHOWN_MAX { before.len().saturating_sub(BEFORE_MAX) } else { 0 };
    let shown: Vec<char> = before[skipped..].iter().chain(&marked).chain(&after).copied().collect();
    let (cut, cut_end) = (if skipped > 0 { "..." } else { "" }, if shown.len() > SHOWN_MAX { "..." } else { "" });
    let blanks = " ".repeat(cut.len() + before.len() - skipped);
    let marks = "^".repeat(marked.len().clamp(1, (SHOWN_MAX + skipped).saturating_sub(before.len()).max(1)));
    let shown: String = shown.iter().take(SHOWN_MAX).collect();
    (
        format!("{cut}{}{cut_end}", if cut_end.is_empty() { shown.trim_end() } else { &shown }),
        format!("{blanks}{marks}"),
    )
}

/// The characters of octets, one a column; `column` is where the first stands.
fn columns(octets: &[u8], column: usize) -> Vec<char> {
    let mut columns = Vec::new();
    for character in String::from_utf8_lossy(octets).chars() {
        match character {
            '\t' => columns.resize(columns.len() + TAB - (column + columns.len()) % TAB, ' '),
            _ => columns.push(printable(character)),
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, line: u32, column: u16, width: u16) -> String {
        let files = [Source { label: "a.zone".to_owned(), text: text.as_bytes().into() }];
        let place = Place { file: 0, line, column, width };
        show(&files, &[Fault::error(Some(place), "it is wrong", "mend it")], false)
    }

    #[test]
    fn the_place_is_marked() {
        let expected = "\
error: it is wrong
  --> a.zone:10:8
   |
10 | www     MX ten mail
   |            ^^^
   = cure: mend it

";
        assert_eq!(shown(&("\n".repeat(9) + "www\tMX ten mail\r\n"), 10, 8, 3), expected);
    }

    #[test]
    fn a_point_and_what_lies_beyond_the_line() {
        assert!(shown("a A", 1, 4, 0).contains("1 | a A\n  |    ^\n"));
        assert!(shown("a (\nb", 1, 3, 9).contains("1 | a (\n  |   ^\n"));
        assert!(shown("", 7, 9, 9).contains("7 | \n  | ^\n"));
    }

    #[test]
    fn of_a_long_line_the_surroundings_are_shown() {
        let text = format!("{}HERE{}", "x".repeat(5_000), "y".repeat(5_000));
        let text = shown(&text, 1, 5_001, 4);
        assert!(text.contains(&format!("1 | ...{}HERE{}...\n", "x".repeat(40), "y".repeat(56))), "{text}");
        assert!(text.contains(&format!("  |    {}^^^^\n", " ".repeat(40))), "{text}");
        let wide = shown(&"z".repeat(9_000), 1, 1, 9_000);
        assert!(wide.contains(&format!("  | {}\n", "^".repeat(100))), "{wide}");
    }

    #[test]
    fn nothing_commands_the_terminal() {
        let text = shown("a\x1b[31m\u{202e}\u{fc} A\x07", 1, 1, 1);
        assert!(!text.contains(['\x1b', '\x07', '\u{202e}']), "{text:?}");
        assert!(text.contains('\u{fc}'));
        let fault = Fault::error(None, "\x1b]0;", "\x1b");
        assert_eq!(show(&[], &[fault], false), "error: \u{fffd}]0;\n = cure: \u{fffd}\n\n");
    }

    #[test]
    fn colours_are_for_terminals() {
        let fault = Fault::warning(None, "hm", "so");
        assert!(show(&[], &[fault], true).starts_with("\x1b[1;33mwarning\x1b[0m: hm"));
    }
}
