//! The table of differences: what a peer does otherwise, in which part of the reply, and why ours is right.
//!
//! `tests/peers/differences` has a line for each: `case | ask | peer | parts | why`. `*` in a case or an ask stands for
//! any text. A difference that is not in the table fails the test, and so does a line that nothing matches any more.

use std::cell::Cell;
use std::path::Path;

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) number: usize,
    case: String,
    ask: String,
    peers: Vec<String>,
    parts: Vec<String>,
    /// Which of its peers it has matched.
    used: Cell<u32>,
}

/// Reads the table.
pub(crate) fn read(path: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with(';'));
    lines.map(|(index, line)| Line::read(index + 1, line)).collect()
}

impl Line {
    fn read(number: usize, text: &str) -> Line {
        let fields: Vec<&str> = text.split('|').map(str::trim).collect();
        let [case, ask, peers, parts, why] = fields[..] else {
            panic!("tests/peers/differences:{number}: five fields: case | ask | peer | parts | why");
        };
        assert!(!why.is_empty(), "tests/peers/differences:{number}: say why ours is right");
        let list = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        let (case, ask) = (case.to_owned(), ask.to_owned());
        Line { number, case, ask, peers: list(peers), parts: list(parts), used: Cell::new(0) }
    }

    /// Whether it explains these parts of this reply.
    pub(crate) fn explains(&self, case: &str, ask: &str, peer: &str, parts: &[&str]) -> bool {
        let Some(index) = self.peers.iter().position(|name| name == peer) else { return false };
        let matches = stands_for(&self.case, case) && stands_for(&self.ask, ask) && self.parts == parts;
        if matches {
            self.used.set(self.used.get() | 1 << index);
        }
        matches
    }

    /// The peers that it names and that did not differ.
    pub(crate) fn unused(&self) -> Vec<&str> {
        let used = |index: usize| self.used.get() & 1 << index != 0;
        self.peers.iter().enumerate().filter(|(index, _)| !used(*index)).map(|(_, name)| name.as_str()).collect()
    }
}

/// `*` stands for any text, `?` for one character.
fn stands_for(pattern: &str, text: &str) -> bool {
    match (pattern.as_bytes(), text.as_bytes()) {
        ([], []) => true,
        ([b'*', ..], _) => {
            (0..=text.len()).any(|at| text.get(at..).is_some_and(|rest| stands_for(&pattern[1..], rest)))
        }
        ([b'?', ..], [_, ..]) => stands_for(&pattern[1..], &text[1..]),
        ([one, ..], [other, ..]) if one == other => stands_for(&pattern[1..], &text[1..]),
        _ => false,
    }
}
