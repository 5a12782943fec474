//! `$GENERATE start-stop[/step] owner [ttl] [class] type data`: BIND's template for many records.
//!
//! In owner and data `$` is the counter, `$$` and `\$` a dollar sign, and `${offset,width,base}` the counter plus
//! `offset`, filled up to `width` with zeros, in base d, o, x, X, or as nibbles n, N: hexadecimal digits from the
//! right with dots between, for `ip6.arpa`. As in BIND, data in one pair of quotes is read as if the quotes were not
//! there (`MX "10 mail$"`); unlike BIND, data of several words needs no quotes.
//!
//! The template is cut into pieces once; a step writes its text and has it read like any other record. The first
//! step that fails ends the directive: the others would fail alike.

use crate::wire::rdata::{Word, Words};
use crate::wire::{Name, NameRef};

use super::directive::argument;
use super::lexer::{Entry, Lexer};
use super::reader::{Owner, Reader, Scope};
use super::record::Head;
use super::trouble::{DirectiveTrouble, Finding, OwnerTrouble, Trouble};
use super::{GENERATED_MAX, GENERATED_OCTETS_MAX};

/// Digits that a counter is filled up to: no label and no string holds more.
const WIDTH_MAX: usize = 255;

/// `start-stop/step`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    start: u32,
    stop: u32,
    step: u32,
}

impl Range {
    /// Reads a range; the numbers have 31 bits, as in BIND.
    fn parse(text: &[u8]) -> Option<Self> {
        let (range, step) = std::str::from_utf8(text)
            .ok()?
            .split_once('/')
            .map_or_else(|| std::str::from_utf8(text).ok().map(|range| (range, "1")), Some)?;
        let (start, stop) = range.split_once('-')?;
        let range = Self { start: number(start)?, stop: number(stop)?, step: number(step)? };
        (range.start <= range.stop && range.step > 0).then_some(range)
    }

    fn count(self) -> u64 {
        u64::from((self.stop - self.start) / self.step) + 1
    }

    fn values(self) -> impl Iterator<Item = i64> {
        (i64::from(self.start)..=i64::from(self.stop)).step_by(self.step as usize)
    }
}

fn number(digits: &str) -> Option<u32> {
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse::<i32>().ok().filter(|_| is_number)?.try_into().ok()
}

/// A part of a template.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    /// Text that stays.
    Text(Vec<u8>),
    /// The counter.
    Counter { offset: i32, width: usize, base: Base },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    Decimal,
    Octal,
    Hex { upper: bool },
    Nibbles { upper: bool },
}

/// Owner or data with counters in it.
struct Template(Vec<Piece>);

impl Template {
    /// Cuts a text into pieces; `None` for a `${` that is not understood.
    fn parse(mut text: &[u8]) -> Option<Self> {
        let (mut pieces, mut plain) = (Vec::new(), Vec::new());
        while let Some((&octet, rest)) = text.split_first() {
            text = match (octet, rest) {
                (b'\\', [escaped, rest @ ..]) => {
                    plain.extend([b'\\', *escaped]);
                    rest
                }
                (b'$', [b'$', rest @ ..]) => {
                    plain.push(b'$');
                    rest
                }
                (b'$', _) => {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    let (counter, rest) = counter(rest)?;
                    pieces.push(counter);
                    rest
                }
                _ => {
                    plain.push(octet);
                    rest
                }
            };
        }
        pieces.push(Piece::Text(plain));
        Some(Self(pieces))
    }

    /// Writes the text of one step.
    fn write(&self, counter: i64, text: &mut Vec<u8>) {
        text.clear();
        for piece in &self.0 {
            match piece {
                Piece::Text(plain) => text.extend_from_slice(plain),
                Piece::Counter { offset, width, base } => {
                    write_counter(counter + i64::from(*offset), *width, *base, text);
                }
            }
        }
    }
}

/// Reads what stands behind a `$`: perhaps `{offset,width,base}`.
fn counter(text: &[u8]) -> Option<(Piece, &[u8])> {
    let Some(inner) = text.strip_prefix(b"{") else {
        return Some((Piece::Counter { offset: 0, width: 0, base: Base::Decimal }, text));
    };
    let end = inner.iter().position(|octet| *octet == b'}')?;
    let fields = std::str::from_utf8(&inner[..end]).ok()?;
    let mut fields = fields.split(',');
    let offset = fields.next()?.parse().ok()?;
    let width = fields.next().map_or(Some(0), |width| width.parse().ok().filter(|width| *width <= WIDTH_MAX))?;
    let base = match fields.next() {
        None | Some("d") => Base::Decimal,
        Some("o") => Base::Octal,
        Some("x") => Base::Hex { upper: false },
        Some("X") => Base::Hex { upper: true },
        Some("n") => Base::Nibbles { upper: false },
        Some("N") => Base::Nibbles { upper: true },
        Some(_) => return None,
    };
    fields.next().is_none().then_some((Piece::Counter { offset, width, base }, &inner[end + 1..]))
}

/// Writes as C's printf does, which BIND uses: a negative number in octal or hexadecimal as its 32 bits.
fn write_counter(value: i64, width: usize, base: Base, text: &mut Vec<u8>) {
    let bits = value as u32;
    let digits = match base {
        Base::Decimal => format!("{value:0width$}"),
        Base::Octal => format!("{bits:0width$o}"),
        Base::Hex { upper: false } => format!("{bits:0width$x}"),
        Base::Hex { upper: true } => format!("{bits:0width$X}"),
        Base::Nibbles { upper } => return write_nibbles(bits, width, upper, text),
    };
    text.extend_from_slice(digits.as_bytes());
}

/// The dots count for the width; where the width ends behind a dot, the name becomes absolute.
fn write_nibbles(mut bits: u32, mut width: usize, upper: bool, text: &mut Vec<u8>) {
    let digits = if upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    loop {
        text.push(digits[(bits & 15) as usize]);
        bits >>= 4;
        width = width.saturating_sub(1);
        if width > 0 || bits != 0 {
            text.push(b'.');
            width = width.saturating_sub(1);
        }
        if width == 0 && bits == 0 {
            return;
        }
    }
}

/// A directive that has been read, and what its steps need.
struct Generator<'a> {
    range: Range,
    owner: Template,
    owner_word: Word<'a>,
    head: Head,
    data: Template,
    /// Offset and size of the data in the file.
    data_at: (usize, usize),
}

impl<'a> Generator<'a> {
    fn read(entry: &Entry, words: &[Word<'a>]) -> Result<Self, Finding> {
        let range_word = argument(words, 1, entry, "the range, such as 1-100,")?;
        let range = Range::parse(range_word.raw).ok_or(Finding::word(range_word, DirectiveTrouble::Range))?;
        let owner_word = argument(words, 2, entry, "the owner, such as host-$,")?;
        let owner = Template::parse(owner_word.raw).ok_or(Finding::word(owner_word, DirectiveTrouble::Template))?;
        let head = Head::read(words, 3, entry.end)?;
        let first = argument(words, head.data, entry, "the record data, such as 192.0.2.$,")?;
        let data_at = (first.at, entry.end - first.at);
        let data = Template::parse(&data_text(&words[head.data..]));
        let data = data.ok_or(Finding::new(data_at.0, data_at.1, DirectiveTrouble::Template))?;
        Ok(Self { range, owner, owner_word, head, data, data_at })
    }
}

/// The data as one text: that of the quotes, if it is one word in quotes, else all words.
fn data_text(words: &[Word<'_>]) -> Vec<u8> {
    let mut text = Vec::new();
    if let [Word { raw, quoted: true, .. }] = words {
        let mut rest = raw.iter().peekable();
        while let Some(octet) = rest.next() {
            let hides_quote = *octet == b'\\' && rest.peek() == Some(&&b'"');
            let escaped = (*octet == b'\\' && !hides_quote).then(|| rest.next()).flatten();
            text.extend((!hides_quote).then_some(octet).into_iter().chain(escaped));
        }
        return text;
    }
    let mut end = None;
    for word in words {
        let quote: &[u8] = if word.quoted { b"\"" } else { b"" };
        if end.is_some_and(|end| end != word.at) {
            text.push(b' '); // but not in alpn="h2,h3"
        }
        text.extend_from_slice(&[quote, word.raw, quote].concat());
        end = Some(word.at + word.raw.len() + 2 * quote.len());
    }
    text
}

impl Reader<'_> {
    /// Makes the records of a template.
    pub(super) fn generate(&mut self, scope: &Scope<'_>, entry: &Entry, words: &[Word<'_>]) -> Result<(), Finding> {
        let generator = Generator::read(entry, words)?;
        let generated = self.generated.saturating_add(generator.range.count());
        if generated > GENERATED_MAX {
            return Err(Finding::word(words[1], DirectiveTrouble::TooMany));
        }
        self.generated = generated;
        let (mut owner, mut data) = (Vec::new(), Vec::new());
        for step in generator.range.values() {
            generator.owner.write(step, &mut owner);
            generator.data.write(step, &mut data);
            self.generated_octets += owner.len() + data.len();
            if self.generated_octets > GENERATED_OCTETS_MAX {
                return Err(Finding::word(words[1], DirectiveTrouble::TooMany));
            }
            self.generate_one(scope, entry, &generator, (step, &owner, &data))?;
        }
        Ok(())
    }

    fn generate_one(
        &mut self,
        scope: &Scope<'_>,
        entry: &Entry,
        generator: &Generator<'_>,
        (step, owner_text, data): (i64, &[u8], &[u8]),
    ) -> Result<(), Finding> {
        let generated = |text: &[u8], what: Trouble| {
            let text = String::from_utf8_lossy(text).into_owned();
            Trouble::Generated { step, text, what: Box::new(what) }
        };
        let wrong_data = |what| Finding::new(generator.data_at.0, generator.data_at.1, what);
        let mut owner = Owner::none();
        let wrong_owner = |what| Finding::word(generator.owner_word, generated(owner_text, what));
        owner
            .set(owner_text, scope.origin.as_ref().map(Name::borrow))
            .map_err(|fault| wrong_owner(OwnerTrouble::Name(fault).into()))?;
        let mut words = Vec::new();
        if let Some(Err(broken)) = Lexer::new(data).next(&mut words) {
            return Err(wrong_data(generated(data, broken.what.into())));
        }
        let kind = generator.head.kind;
        self.parse_data(scope.origin.as_ref(), kind, Words::new(&words, data.len())).map_err(|finding| {
            let culprit = data.get(finding.at..finding.at + finding.size).unwrap_or(data);
            wrong_data(generated(culprit, finding.what))
        })?;
        let ttl = match generator.head.ttl {
            Some(ttl) => {
                self.ttls.explicit(ttl);
                ttl
            }
            None => self.implicit_ttl(scope, entry, kind, generator.owner_word),
        };
        let place = scope.place(entry, generator.owner_word.at, entry.end - generator.owner_word.at);
        let owner = owner.name().unwrap_or(NameRef::trusted(b"\0"));
        self.push(owner, kind, ttl, place).map_err(wrong_owner)
    }
}
