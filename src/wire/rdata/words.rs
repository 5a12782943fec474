//! The words of one record in presentation format, as the zone-file lexer or the admin API cut them.
//!
//! A word keeps its escapes and remembers where it stood, so that a fault can be shown in its place.

use std::fmt;

/// One word: what stands between blanks, or between two quotes.
#[derive(Clone, Copy, Debug)]
pub struct Word<'a> {
    /// The octets as written, escapes included, quotes not.
    pub raw: &'a [u8],
    /// Whether it stood in quotes.
    pub quoted: bool,
    /// Offset of its first octet (of the quote, if quoted) in whatever text it was cut from.
    pub at: usize,
}

/// The words of a record that have not been read yet.
#[derive(Clone, Debug)]
pub struct Words<'a> {
    rest: std::slice::Iter<'a, Word<'a>>,
    end: usize,
}

impl<'a> Words<'a> {
    /// All of `words`; `end` is the offset behind the last, where a missing word would stand.
    pub fn new(words: &'a [Word<'a>], end: usize) -> Self {
        Self { rest: words.iter(), end }
    }

    /// The next word without taking it.
    pub fn peek(&self) -> Option<Word<'a>> {
        self.rest.as_slice().first().copied()
    }

    /// Takes the next word; a missing one is a fault that says what was `expected`.
    pub fn take(&mut self, expected: &'static str) -> Result<Word<'a>, Fault> {
        match self.rest.next() {
            Some(word) => Ok(*word),
            None => Err(Fault { at: self.end, size: 0, what: What::Missing(expected) }),
        }
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.as_slice().is_empty()
    }
}

/// What is wrong with record data in presentation format, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Offset of the first octet at fault, in the text the words were cut from.
    pub at: usize,
    /// How many octets are at fault; 0 where something is missing.
    pub size: usize,
    /// What is wrong.
    pub what: What,
}

/// What is wrong with record data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A word is missing; says what was expected there.
    Missing(&'static str),
    /// A word is not what it should be: what was expected, in words that continue "expected ...".
    Expected(&'static str),
    /// A number outside its range.
    Range {
        /// What the number stands for, as "MX preference".
        field: &'static str,
        /// The largest number that is allowed.
        max: u64,
    },
    /// A word is not a domain name.
    Name(super::super::NameFault),
    /// Words behind the last field of the type.
    TooMany,
    /// The record data would be longer than 65,535 octets.
    TooLong,
    /// A rule of the type is broken; the text says which and cites the RFC.
    Rule(&'static str),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(expected) => write!(f, "{expected} is missing"),
            Self::Expected(expected) => write!(f, "expected {expected}"),
            Self::Range { field, max } => write!(f, "{field} must be a number from 0 to {max}"),
            Self::Name(fault) => fault.fmt(f),
            Self::TooMany => f.write_str("there is more here than the record type has fields"),
            Self::TooLong => f.write_str("the record data is longer than 65,535 octets"),
            Self::Rule(rule) => f.write_str(rule),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.fmt(f)
    }
}

impl std::error::Error for Fault {}
