//! Faults of a settings file in words for people: where, what, and the cure.
//!
//! serde says what it expected; this turns it into what to write. All words of serde that are relied on stand in
//! the tests, so that an update of it that changes them is seen.

use std::ops::Range;

use toml::de::DeTable;

use crate::zone::{Fault, Place};

const MANUAL: &str = "see the manual, docs/settings.md";
const SECTIONS: [&str; 6] = ["store", "dns", "admin", "edge", "acme", "log"];
/// How alike a word must be to be suggested: 0 is nothing alike, 1 the same.
const ALIKE_MIN: f64 = 0.7;

/// A fault of the toml crate.
pub(super) fn of(error: &toml::de::Error, text: &str) -> Fault {
    let (message, cure) = explain(error.message());
    let span = narrowed(error.span().unwrap_or_default(), &message, text);
    Fault::error(Some(place(span, text)), message, cure)
}

/// A section, or a key outside of all sections, that does not exist.
pub(super) fn unknown_section(name: &str, span: Range<usize>, text: &str) -> Fault {
    let cure = match most_alike(name, SECTIONS) {
        Some(section) => format!("did you mean [{section}]?"),
        None => {
            format!("the sections are {}; each key stands below one", list(SECTIONS.map(|name| format!("[{name}]"))))
        }
    };
    Fault::error(Some(place(span, text)), format!("there is no section or setting `{name}` here"), cure)
}

/// The span of a fault in a list is the whole list; the message begins with the value that is meant, in quotes.
fn narrowed(span: Range<usize>, message: &str, text: &str) -> Range<usize> {
    let value = message.strip_prefix('"').and_then(|rest| rest.split('"').next());
    let within = text.get(span.clone()).zip(value).and_then(|(list, value)| {
        let quoted = format!("\"{value}\"");
        list.find(&quoted).map(|at| span.start + at..span.start + at + quoted.len())
    });
    within.unwrap_or(span)
}

/// A line of a section's own check: `dns.workers is 257; it must be from 0 to 256`.
pub(super) fn of_check(line: &str, root: &DeTable<'_>, text: &str) -> Fault {
    let path = line.split(' ').next().unwrap_or_default();
    let span = span_of(path, root).unwrap_or_default();
    let (message, cure) = line.split_once("; ").unwrap_or((line, MANUAL));
    Fault::error(Some(place(span, text)), message, cure)
}

/// Where the value of a key such as `dns.tcp.idle_seconds` stands.
fn span_of(path: &str, root: &DeTable<'_>) -> Option<Range<usize>> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let (_, value) = root.iter().find(|(key, _)| key.get_ref().as_ref() == first)?;
    match value.get_ref().as_table() {
        Some(table) if !rest.is_empty() => span_of(rest, table),
        _ => Some(value.span()),
    }
}

fn explain(message: &str) -> (String, String) {
    let first_line = message.lines().next().unwrap_or_default();
    if let Some(rest) = first_line.strip_prefix("unknown field ") {
        let words: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        let (name, known) = words.split_first().map_or(("", &[][..]), |(name, known)| (*name, known));
        return (format!("there is no setting `{name}` here"), known_keys(name, known));
    }
    if let Some((_, expected)) = first_line.split_once(", expected ") {
        return (first_line.to_owned(), expectation(expected));
    }
    if message.contains("duplicate key") {
        return (first_line.to_owned(), "keep one of the two".into());
    }
    // The sections' own words: what is wrong, a semicolon, what to write.
    let (message, cure) = first_line.split_once("; ").unwrap_or((first_line, MANUAL));
    (message.to_owned(), cure.to_owned())
}

fn known_keys(name: &str, known: &[&str]) -> String {
    match most_alike(name, known.iter().copied()) {
        Some(key) => format!("did you mean `{key}`?"),
        None => format!("this section has {}", list(known.iter().map(|key| format!("`{key}`")))),
    }
}

/// What to write where serde expected something of this name.
fn expectation(expected: &str) -> String {
    let cure = match expected {
        "a boolean" => "write true or false, without quotes",
        "a string" | "path string" => "write it in double quotes",
        "a sequence" => "write a list: [ \"...\", \"...\" ]",
        number if number.contains("integer") || is_number_type(number) => {
            "write a whole number of that range, without quotes"
        }
        variants if variants.contains('`') => {
            return format!("write one of {}", variants.trim_start_matches("one of ").replace('`', "\""));
        }
        section if section.starts_with("struct ") => {
            "write it as a section: its name in brackets on a line, keys below"
        }
        _ => return format!("write {expected}"),
    };
    cure.into()
}

fn is_number_type(name: &str) -> bool {
    matches!(name, "u8" | "u16" | "u32" | "u64" | "usize" | "i64") || name.starts_with("a nonzero")
}

fn most_alike<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let alike = |known: &&str| strsim::jaro_winkler(word, known);
    known.into_iter().filter(|known| alike(known) >= ALIKE_MIN).max_by(|a, b| alike(a).total_cmp(&alike(b)))
}

fn list(words: impl IntoIterator<Item = String>) -> String {
    words.into_iter().collect::<Vec<_>>().join(", ")
}

/// The place of a span; one that runs over several lines is cut at the end of the first.
fn place(span: Range<usize>, text: &str) -> Place {
    let start = span.start.min(text.len());
    let before = text.get(..start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line_end = text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| start + at);
    Place {
        file: 0,
        line: u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX),
        column: u16::try_from(start - line_start + 1).unwrap_or(u16::MAX),
        width: u16::try_from(span.end.min(line_end).saturating_sub(start)).unwrap_or(u16::MAX),
    }
}
