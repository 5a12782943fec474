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

impl Word<'_> {
    /// The fault that this word is.
    pub fn fault(self, what: What) -> Fault {
        Fault { at: self.at, size: self.raw.len() + if self.quoted { 2 } else { 0 }, what }
    }

    /// The fault that `size` octets of this word are, from octet `from` of [`Word::raw`] on.
    pub fn fault_within(self, from: usize, size: usize, what: What) -> Fault {
        Fault { at: self.at + usize::from(self.quoted) + from, size, what }
    }
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

    /// As [`Words::take`], for a field that never stands in quotes: a number, a name, an address, encoded octets.
    pub fn take_plain(&mut self, expected: &'static str) -> Result<Word<'a>, Fault> {
        let word = self.take(expected)?;
        if word.quoted { Err(word.fault(What::Rule("this must stand without quotes"))) } else { Ok(word) }
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

/// Cuts the value of one record, as the admin API and the command line are given it, into words.
///
/// Understands blanks, quotes, escapes, and lines joined by parentheses, in which comments may stand as they do in
/// the output of other tools. Outside of parentheses a semicolon is a fault: whoever writes `v=DKIM1; k=rsa`
/// without quotes would lose half of it in silence.
pub fn cut<'a>(text: &'a [u8], words: &mut Vec<Word<'a>>) -> Result<(), Fault> {
    let mut open = Vec::new(); // where the parentheses that are still open stand
    let mut at = 0;
    while let Some(&octet) = text.get(at) {
        at = match octet {
            b' ' | b'\t' => at + 1,
            b'\n' | b'\r' if !open.is_empty() || text[at..].trim_ascii().is_empty() => at + 1,
            b'\n' | b'\r' => return Err(point(at, "a value goes on in the next line only inside parentheses")),
            b'(' => {
                open.push(at);
                at + 1
            }
            b')' => {
                open.pop().ok_or_else(|| point(at, "this parenthesis was never opened"))?;
                at + 1
            }
            b';' if open.is_empty() => return Err(point(at, "a semicolon must stand in quotes, or as \\;")),
            b';' => text[at..].iter().position(|octet| *octet == b'\n').map_or(text.len(), |size| at + size),
            b'"' => cut_quoted(text, at, words)?,
            _ => cut_plain(text, at, words),
        };
    }
    match open.last() {
        Some(&at) => Err(point(at, "this parenthesis is never closed")),
        None => Ok(()),
    }
}

fn point(at: usize, rule: &'static str) -> Fault {
    Fault { at, size: 1, what: What::Rule(rule) }
}

/// The word in quotes that starts at `at`; returns the offset behind its closing quote.
fn cut_quoted<'a>(text: &'a [u8], at: usize, words: &mut Vec<Word<'a>>) -> Result<usize, Fault> {
    let mut end = at + 1;
    loop {
        match text.get(end) {
            Some(b'"') => break,
            Some(b'\\') => end += 2,
            Some(_) => end += 1,
            None => return Err(point(at, "this quote is never closed")),
        }
    }
    words.push(Word { raw: &text[at + 1..end], quoted: true, at });
    Ok(end + 1)
}

/// The word without quotes that starts at `at`; returns the offset behind it.
fn cut_plain<'a>(text: &'a [u8], at: usize, words: &mut Vec<Word<'a>>) -> usize {
    let mut end = at;
    while let Some(octet) = text.get(end) {
        match octet {
            b' ' | b'\t' | b'\n' | b'\r' | b'(' | b')' | b';' | b'"' => break,
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
    let end = end.min(text.len());
    words.push(Word { raw: &text[at..end], quoted: false, at });
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_text(text: &str) -> Result<Vec<(String, bool, usize)>, Fault> {
        let mut words = Vec::new();
        cut(text.as_bytes(), &mut words)?;
        Ok(words.iter().map(|word| (String::from_utf8_lossy(word.raw).into(), word.quoted, word.at)).collect())
    }

    #[test]
    fn words_know_their_place() {
        let plain = |text: &str, at| (text.to_owned(), false, at);
        let quoted = |text: &str, at| (text.to_owned(), true, at);
        assert_eq!(cut_text("10 mail\n").unwrap(), [plain("10", 0), plain("mail", 3)]);
        assert_eq!(cut_text(r#"  "a \" b"c\ d "#).unwrap(), [quoted(r#"a \" b"#, 2), plain(r"c\ d", 10)]);
        assert_eq!(cut_text("a ( b ; why\n (c) )").unwrap(), [plain("a", 0), plain("b", 4), plain("c", 14)]);
        assert_eq!(cut_text(r#"alpn="h2,h3""#).unwrap(), [plain("alpn=", 0), quoted("h2,h3", 5)]);
        assert_eq!(cut_text("").unwrap(), []);
    }

    #[test]
    fn what_cannot_be_cut_is_pointed_at() {
        for (text, at) in [("a \"b", 2), ("a\nb", 1), ("v=DKIM1; k=rsa", 7), ("(a", 0), ("a)", 1), (r#""a\""#, 0)] {
            assert_eq!(cut_text(text).unwrap_err().at, at, "{text}");
        }
    }
}
