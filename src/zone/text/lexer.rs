//! Cuts the octets of a zone file into entries: the words of one record or directive, over as many lines as its
//! parentheses join.
//!
//! One pass, one table of octet classes, no allocation an entry: the words go into a vector that is used again and
//! again. Lines are counted where a line ends; a column is worked out only when somebody is told of it.
//!
//! A fault never takes the rest of the file with it: the entry is read to its end and the next one as if nothing had
//! been. A parenthesis that is never closed reaches to the end of the file, and the reader goes back to the first
//! line inside it that starts in the first column, because there, most likely, the next record begins. Going back
//! costs a second reading of the same lines, so it happens [`RETRIES_MAX`] times; from then on such a line ends its
//! parenthesis right away. So the work stays linear, whatever the octets are.

use crate::wire::rdata::Word;
use crate::zone::Place;

/// How often a file is read again from a line inside a parenthesis: enough for what a person gets wrong at a time.
const RETRIES_MAX: usize = 16;
/// Words of an entry: the record data with the most words is a TXT of 65,535 empty strings.
const WORDS_MAX: usize = 65_535 + 8;

/// One record or directive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Offset of the line it begins on.
    start: usize,
    /// That line, from 1.
    line: u32,
    /// Offset behind the last octet.
    pub(super) end: usize,
    /// Whether the line starts with a blank, so that the owner is that of the record before.
    pub(super) indented: bool,
    /// Where a comment touches the word before it, as in `v=DKIM1; k=rsa`.
    pub(super) glued_comment: Option<usize>,
    /// The first line inside its parentheses that starts in the first column: a record of its own, perhaps.
    suspect: Option<Mark>,
}

/// A point that the lexer can go back to.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: usize,
    line: u32,
    /// Where the parenthesis stands that it is in.
    open_at: usize,
}

/// Octets that are no entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Broken {
    pub(super) entry: Entry,
    pub(super) at: usize,
    pub(super) size: usize,
    pub(super) what: Breakage,
}

/// Why octets are no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breakage {
    /// A quote is not closed on its line.
    OpenQuote,
    /// A parenthesis is not closed.
    OpenParenthesis,
    /// A parenthesis is closed only behind the next record.
    LateParenthesis,
    /// A parenthesis is closed that was never opened.
    StrayParenthesis,
    /// A control octet.
    Control(u8),
    /// More words than any record has.
    TooManyWords,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    Escape,
    Blank,
    Newline,
    Comment,
    Quote,
    Open,
    Close,
    Control,
}

static CLASSES: [Class; 256] = {
    let mut classes = [Class::Plain; 256];
    let mut octet = 0;
    while octet < 0x20 {
        classes[octet] = Class::Control;
        octet += 1;
    }
    classes[0x7f] = Class::Control;
    classes[b'\\' as usize] = Class::Escape;
    classes[b' ' as usize] = Class::Blank;
    classes[b'\t' as usize] = Class::Blank;
    classes[b'\r' as usize] = Class::Blank; // of CRLF
    classes[b'\n' as usize] = Class::Newline;
    classes[b';' as usize] = Class::Comment;
    classes[b'"' as usize] = Class::Quote;
    classes[b'(' as usize] = Class::Open;
    classes[b')' as usize] = Class::Close;
    classes
};

fn class(octet: u8) -> Class {
    CLASSES[octet as usize]
}

/// Reads entries, one after another.
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    line: u32,
    retries: usize,
    /// The parentheses that are open in this entry, and where the outermost stands.
    depth: usize,
    open_at: usize,
    /// The first thing that is wrong in this entry: offset, size and what.
    wrong: Option<(usize, usize, Breakage)>,
}

impl<'a> Lexer<'a> {
    /// Starts at the beginning of `text`, behind the byte order mark that some editors put there.
    pub(super) fn new(text: &'a [u8]) -> Self {
        let at = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        Self { text, at, line: 1, retries: 0, depth: 0, open_at: 0, wrong: None }
    }

    /// How many octets have been read.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// Reads the next entry into `words`; `None` at the end of the file.
    pub(super) fn next(&mut self, words: &mut Vec<Word<'a>>) -> Option<Result<Entry, Broken>> {
        loop {
            words.clear();
            let first = *self.text.get(self.at)?;
            let mut entry = Entry {
                start: self.at,
                line: self.line,
                end: self.at,
                indented: class(first) == Class::Blank,
                glued_comment: None,
                suspect: None,
            };
            (self.depth, self.wrong) = (0, None);
            self.entry(&mut entry, words);
            match self.wrong {
                Some((at, size, what)) => return Some(Err(Broken { entry, at, size, what })),
                None if words.is_empty() => (),
                None => return Some(Ok(entry)),
            }
        }
    }

    /// Goes back to the line inside the parentheses of `entry` that may be a record of its own, if that line
    /// stands no later than `fault_at`, so that it is what did not fit. Returns where the parenthesis stands.
    pub(super) fn retry(&mut self, entry: &Entry, fault_at: usize) -> Option<usize> {
        let mark = entry.suspect.filter(|mark| mark.at <= fault_at && self.retries < RETRIES_MAX)?;
        self.go_back(mark);
        Some(mark.open_at)
    }

    /// Where `size` octets from offset `at` on stand, which lies in `entry`.
    pub(super) fn place(&self, file: u16, entry: &Entry, at: usize, size: usize) -> Place {
        let before = &self.text[entry.start..at.clamp(entry.start, self.text.len())];
        let (lines, column) = match before.iter().rposition(|octet| *octet == b'\n') {
            Some(newline) => (before.iter().filter(|octet| **octet == b'\n').count(), before.len() - newline),
            None => (0, before.len() + 1),
        };
        Place {
            file,
            line: entry.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX)),
            column: u16::try_from(column).unwrap_or(u16::MAX),
            width: u16::try_from(size).unwrap_or(u16::MAX),
        }
    }

    /// Reads up to and with the end of the line that ends the entry.
    fn entry(&mut self, entry: &mut Entry, words: &mut Vec<Word<'a>>) {
        while let Some(&octet) = self.text.get(self.at) {
            match class(octet) {
                Class::Blank => self.at += 1,
                Class::Plain | Class::Escape => self.plain(entry, words),
                Class::Newline => {
                    self.at += 1;
                    self.line = self.line.saturating_add(1);
                    if self.depth == 0 || self.gives_up_parenthesis(entry) {
                        return;
                    }
                }
                Class::Comment => self.comment(entry),
                Class::Quote => self.quoted(entry, words),
                Class::Open => self.open(),
                Class::Close => self.close(),
                Class::Control => {
                    self.blame(self.at, 1, Breakage::Control(octet));
                    self.at += 1;
                }
            }
        }
        if self.depth > 0 {
            if let Some(mark) = entry.suspect {
                self.wrong = self.wrong.filter(|(at, ..)| *at < mark.at); // the rest is read again
                self.go_back(mark);
            }
            self.blame(self.open_at, 1, Breakage::OpenParenthesis);
        }
    }

    #[inline]
    fn plain(&mut self, entry: &mut Entry, words: &mut Vec<Word<'a>>) {
        let start = self.at;
        let mut at = start;
        while let Some(&octet) = self.text.get(at) {
            match class(octet) {
                Class::Plain => at += 1,
                Class::Escape => at += 1 + usize::from(self.is_inside_line(at + 1)),
                Class::Blank
                | Class::Newline
                | Class::Comment
                | Class::Quote
                | Class::Open
                | Class::Close
                | Class::Control => break,
            }
        }
        self.at = at;
        self.push(Word { raw: &self.text[start..at], quoted: false, at: start }, entry, words);
    }

    fn quoted(&mut self, entry: &mut Entry, words: &mut Vec<Word<'a>>) {
        let start = self.at;
        let mut at = start + 1;
        let raw = loop {
            match self.text.get(at).map(|octet| (class(*octet), *octet)) {
                Some((Class::Quote, _)) => {
                    self.at = at + 1;
                    break &self.text[start + 1..at];
                }
                Some((Class::Newline, _)) | None => {
                    self.blame(start, self.text[start..at].trim_ascii_end().len(), Breakage::OpenQuote);
                    self.at = at;
                    break &[];
                }
                Some((Class::Control, octet)) => {
                    self.blame(at, 1, Breakage::Control(octet));
                    at += 1;
                }
                Some((Class::Escape, _)) => at += 1 + usize::from(self.is_inside_line(at + 1)),
                Some((Class::Plain | Class::Blank | Class::Comment | Class::Open | Class::Close, _)) => at += 1,
            }
        };
        self.push(Word { raw, quoted: true, at: start }, entry, words);
    }

    /// Whether there is an octet at `at` that a backslash before it can escape: a line ends all the same.
    fn is_inside_line(&self, at: usize) -> bool {
        match self.text.get(at) {
            None | Some(b'\n') => false,
            Some(b'\r') => self.text.get(at + 1).is_some_and(|next| *next != b'\n'),
            Some(_) => true,
        }
    }

    fn push(&mut self, word: Word<'a>, entry: &mut Entry, words: &mut Vec<Word<'a>>) {
        entry.end = self.at;
        if words.len() < WORDS_MAX {
            words.push(word);
        } else {
            self.blame(word.at, word.raw.len(), Breakage::TooManyWords);
        }
    }

    fn comment(&mut self, entry: &mut Entry) {
        if self.at == entry.end && self.at > entry.start {
            entry.glued_comment.get_or_insert(self.at);
        }
        let rest = &self.text[self.at..];
        self.at += rest.iter().position(|octet| *octet == b'\n').unwrap_or(rest.len());
    }

    fn open(&mut self) {
        if self.depth == 0 {
            self.open_at = self.at;
        }
        self.depth += 1;
        self.at += 1;
    }

    fn close(&mut self) {
        match self.depth.checked_sub(1) {
            Some(depth) => self.depth = depth,
            None => self.blame(self.at, 1, Breakage::StrayParenthesis),
        }
        self.at += 1;
    }

    /// At the start of a line inside of parentheses: remembers it if it starts in the first column. Returns whether
    /// it ends the parentheses, because it was gone back too often.
    fn gives_up_parenthesis(&mut self, entry: &mut Entry) -> bool {
        let starts_record = self.text.get(self.at).is_some_and(|octet| class(*octet) == Class::Plain);
        if !starts_record || entry.suspect.is_some() {
            return false;
        }
        entry.suspect = Some(Mark { at: self.at, line: self.line, open_at: self.open_at });
        if self.retries < RETRIES_MAX {
            return false;
        }
        self.blame(self.open_at, 1, Breakage::OpenParenthesis);
        true
    }

    fn go_back(&mut self, mark: Mark) {
        (self.at, self.line) = (mark.at, mark.line);
        self.retries += 1;
    }

    /// Keeps the first thing that is wrong: what follows in the same entry follows from it.
    fn blame(&mut self, at: usize, size: usize, what: Breakage) {
        self.wrong.get_or_insert((at, size, what));
    }
}
