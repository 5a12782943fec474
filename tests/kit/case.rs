//! A case file, read: its zones, its settings, and what it asks.

use super::expect::Expect;
use super::query::{Packet, Query};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A case file.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) path: PathBuf,
    /// The file's name without `.case`.
    pub(crate) name: String,
    pub(crate) zones: Vec<ZoneText>,
    /// The lines of `with`: settings of our DNS server, as in `freehold.toml`.
    pub(crate) settings: String,
    pub(crate) steps: Vec<Step>,
}

/// A zone, as a complete zone file.
#[derive(Debug)]
pub(crate) struct ZoneText {
    /// Without the final dot; the root is `.`.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// One `ask` or `send`.
#[derive(Debug)]
pub(crate) struct Step {
    /// Its lines in the file, from 0.
    pub(crate) lines: Range<usize>,
    /// What stands before `->`: names it in messages and in the table of differences.
    pub(crate) text: String,
    pub(crate) query: Query,
    /// None where the case leaves it to be filled in.
    pub(crate) expect: Option<Expect>,
}

impl Step {
    pub(crate) fn is_send(&self) -> bool {
        matches!(self.query.packet, Packet::Send(_))
    }
}

/// The case files of a folder, in the order of their names.
pub(crate) fn read_all(folder: &Path) -> Vec<Case> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "case")).collect();
    paths.sort();
    let wanted = std::env::var("CASE").unwrap_or_default();
    paths.retain(|path| path.to_string_lossy().contains(&wanted));
    paths.iter().map(|path| Case::read_file(path)).collect()
}

impl Case {
    /// Reads a file; a mistake in it ends the test with its line.
    pub(crate) fn read_file(path: &Path) -> Case {
        let text = std::fs::read_to_string(path).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut case =
            Case { path: path.to_owned(), name, zones: Vec::new(), settings: String::new(), steps: Vec::new() };
        assert!(
            text.starts_with("; "),
            "{}:1: a case begins with a comment: what it shows, and of which RFC",
            path.display()
        );
        if let Err((line, fault)) = case.read(&text) {
            panic!("{}:{}: {fault}", path.display(), line + 1);
        }
        case
    }

    /// What a `with` line sets, without its quotes.
    pub(crate) fn setting(&self, key: &str) -> Option<&str> {
        let mut pairs = self.settings.lines().filter_map(|line| line.split_once('='));
        pairs.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().trim_matches('"'))
    }

    fn read(&mut self, text: &str) -> Result<(), (usize, String)> {
        let lines: Vec<&str> = text.lines().collect();
        let mut at = 0;
        while at < lines.len() {
            let start = at;
            at += 1;
            // What follows indented belongs to it, and so do comments with more of it after them.
            loop {
                let comments = lines[at..].iter().take_while(|line| line.starts_with(';')).count();
                if !lines.get(at + comments).is_some_and(|line| line.starts_with([' ', '\t'])) {
                    break;
                }
                at += comments + 1;
            }
            self.item(&lines[start..at], start).map_err(|fault| (start, fault))?;
        }
        Ok(())
    }

    fn item(&mut self, lines: &[&str], start: usize) -> Result<(), String> {
        let head = words(lines[0]);
        match head.first().map(String::as_str) {
            None => Ok(()),
            Some("zone") => self.zone(&head[1..], &lines[1..]),
            Some("with") => {
                self.settings.push_str(lines[0].trim_start_matches("with").trim());
                self.settings.push('\n');
                Ok(())
            }
            Some("ask" | "send") => self.step(lines, start),
            Some(word) => Err(format!("a line begins with zone, with, ask, send or ';', not with {word}")),
        }
    }

    fn zone(&mut self, head: &[String], lines: &[&str]) -> Result<(), String> {
        let (name, ttl) = match head {
            [name] => (name, "3600"),
            [name, ttl, number] if ttl == "ttl" => (name, number.as_str()),
            _ => return Err("write: zone NAME ttl SECONDS".to_owned()),
        };
        let origin = if name == "." { ".".to_owned() } else { format!("{name}.") };
        let mut text = format!("$ORIGIN {origin}\n$TTL {ttl}\n");
        for line in lines.iter().filter(|line| !line.starts_with(';')) {
            text.push_str(line.strip_prefix("  ").ok_or("a zone's lines are indented by two spaces")?);
            text.push('\n');
        }
        self.zones.push(ZoneText { name: name.clone(), text });
        Ok(())
    }

    fn step(&mut self, lines: &[&str], start: usize) -> Result<(), String> {
        let all: Vec<String> = lines.iter().flat_map(|line| words(line)).collect();
        let arrow = all.iter().position(|word| word == "->");
        let (before, after) = all.split_at(arrow.unwrap_or(all.len()));
        let query = if before[0] == "ask" { Query::ask(&before[1..])? } else { Query::send(&before[1..])? };
        let expect = arrow.map(|_| Expect::read(&after[1..])).transpose()?;
        let lines = start..start + lines.len();
        self.steps.push(Step { lines, text: before.join(" "), query, expect });
        Ok(())
    }
}

/// A line's words: quoted strings stay whole, `;` outside them begins a comment.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut in_quotes) = (String::new(), false);
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ';' if !in_quotes => break,
            '\\' => word.extend(std::iter::once('\\').chain(characters.next())),
            ' ' | '\t' if !in_quotes => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            '"' => {
                in_quotes = !in_quotes;
                word.push('"');
            }
            character => word.push(character),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}
