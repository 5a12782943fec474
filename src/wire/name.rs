//! A domain name in wire format, owned ([`Name`]) or borrowed ([`NameRef`]).
//!
//! Both hold exactly the octets of RFC 1035, section 3.1: length-prefixed labels ending with the root's
//! zero octet, uncompressed, at most 255 octets. So a comparison is a comparison of octets and writing
//! a name into a message is a copy. Zones keep their owner names in lower case ([`NameRef::to_lower`]);
//! names inside record data keep the case their owner gave them.
//!
//! Rejected: a `Vec` of labels (an allocation a label), and text (every use would parse again).

use std::cmp::Ordering;
use std::fmt::{self, Write};

use crate::limits::{LABEL_SIZE_MAX, NAME_SIZE_MAX};

/// A domain name that owns its octets.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name(Box<[u8]>);

/// A domain name that borrows its octets, already known to be well formed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NameRef<'a>(&'a [u8]);

/// Why octets or text are not a domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// More than 255 octets in wire format (RFC 1035, section 2.3.4).
    TooLong,
    /// A label of more than 63 octets (RFC 1035, section 2.3.4).
    LabelTooLong,
    /// Two dots in a row, or a dot at the start.
    EmptyLabel,
    /// A backslash that is followed by neither a character nor three digits up to 255.
    BadEscape,
    /// No characters at all.
    Empty,
    /// A name without a final dot where no origin is known.
    Relative,
    /// The octets end inside the name.
    CutShort,
    /// A compression pointer or an unknown label type where none is allowed.
    Pointer,
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the name is longer than 255 octets",
            Self::LabelTooLong => "a label is longer than 63 octets",
            Self::EmptyLabel => "the name has an empty label (two dots in a row, or a dot at the start)",
            Self::BadEscape => "a backslash must be followed by a character or by three digits from 000 to 255",
            Self::Empty => "the name is empty",
            Self::Relative => "the name has no final dot and there is no origin to complete it",
            Self::CutShort => "the name is cut short",
            Self::Pointer => "the name has a compression pointer or an unknown label type",
        })
    }
}

impl std::error::Error for NameFault {}

impl Name {
    /// The root, `.`.
    pub fn root() -> Self {
        Self(Box::new([0]))
    }

    /// Reads presentation format (RFC 1035, section 5.1): `\X` and `\DDD` are understood, `@` is the origin,
    /// and a name without a final dot is completed with `origin`.
    pub fn parse(text: &[u8], origin: Option<NameRef<'_>>) -> Result<Self, NameFault> {
        let mut buffer = [0; NAME_SIZE_MAX];
        let size = parse_into(text, origin, &mut buffer)?;
        Ok(Self(buffer[..size].into()))
    }

    /// The same name, borrowed.
    pub fn borrow(&self) -> NameRef<'_> {
        NameRef(&self.0)
    }

    /// The octets in wire format.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// As [`Name::parse`], into a buffer of the caller's; returns the size. For the zone-file reader, which
/// reads millions of names and allocates for none.
pub fn parse_into(
    text: &[u8],
    origin: Option<NameRef<'_>>,
    buffer: &mut [u8; NAME_SIZE_MAX],
) -> Result<usize, NameFault> {
    match (text, origin) {
        ([], _) => return Err(NameFault::Empty),
        (b"@", Some(origin)) => return append(origin, buffer, 0),
        (b".", _) => {
            buffer[0] = 0;
            return Ok(1);
        }
        _ => (),
    }
    let (mut length_at, mut at) = (0, 1);
    let mut rest = text.iter();
    let mut open = false; // a label has been started since the last dot
    while let Some(&octet) = rest.next() {
        let octet = match octet {
            b'.' if !open => return Err(NameFault::EmptyLabel),
            b'.' => {
                close_label(buffer, length_at, at)?;
                (length_at, at, open) = (at, at + 1, false);
                continue;
            }
            b'\\' => unescape(&mut rest).ok_or(NameFault::BadEscape)?,
            plain => plain,
        };
        *buffer.get_mut(at).ok_or(NameFault::TooLong)? = octet;
        (at, open) = (at + 1, true);
    }
    if open {
        close_label(buffer, length_at, at)?;
        return append(origin.ok_or(NameFault::Relative)?, buffer, at);
    }
    *buffer.get_mut(length_at).ok_or(NameFault::TooLong)? = 0;
    Ok(length_at + 1)
}

fn close_label(buffer: &mut [u8; NAME_SIZE_MAX], length_at: usize, end: usize) -> Result<(), NameFault> {
    let size = end - length_at - 1;
    if size > LABEL_SIZE_MAX {
        return Err(NameFault::LabelTooLong);
    }
    *buffer.get_mut(length_at).ok_or(NameFault::TooLong)? = size as u8;
    Ok(())
}

fn append(origin: NameRef<'_>, buffer: &mut [u8; NAME_SIZE_MAX], at: usize) -> Result<usize, NameFault> {
    let end = at + origin.0.len();
    buffer.get_mut(at..end).ok_or(NameFault::TooLong)?.copy_from_slice(origin.0);
    Ok(end)
}

/// The octet behind a backslash: `\X` is X, `\DDD` the octet with that decimal value.
pub(crate) fn unescape(rest: &mut std::slice::Iter<'_, u8>) -> Option<u8> {
    let first = *rest.next()?;
    if !first.is_ascii_digit() {
        return Some(first);
    }
    let (second, third) = (*rest.next()?, *rest.next()?);
    if !second.is_ascii_digit() || !third.is_ascii_digit() {
        return None;
    }
    let value = u32::from(first - b'0') * 100 + u32::from(second - b'0') * 10 + u32::from(third - b'0');
    u8::try_from(value).ok()
}

impl<'a> NameRef<'a> {
    /// The root, `.`.
    pub fn root() -> Self {
        Self(&[0])
    }

    /// Reads an uncompressed name at the start of `bytes`; returns it and what follows.
    pub fn read(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), NameFault> {
        let mut at = 0;
        loop {
            match *bytes.get(at).ok_or(NameFault::CutShort)? {
                0 => break,
                size if size as usize <= LABEL_SIZE_MAX => at += 1 + size as usize,
                _ => return Err(NameFault::Pointer),
            }
            if at >= NAME_SIZE_MAX {
                return Err(NameFault::TooLong);
            }
        }
        let (name, rest) = bytes.split_at(at + 1);
        Ok((Self(name), rest))
    }

    /// Takes octets that are known to be a whole name, because they came out of one.
    pub(crate) fn trusted(bytes: &'a [u8]) -> Self {
        debug_assert!(matches!(Self::read(bytes), Ok((_, []))));
        Self(bytes)
    }

    /// The octets in wire format.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// A copy that owns its octets.
    pub fn to_name(self) -> Name {
        Name(self.0.into())
    }

    /// A copy in lower case. (A length octet is at most 63 and so is never mistaken for a letter.)
    pub fn to_lower(self) -> Name {
        Name(self.0.to_ascii_lowercase().into())
    }

    /// The labels from left to right, without the root.
    pub fn labels(self) -> Labels<'a> {
        Labels(self.0)
    }

    /// How many labels, without the root: 2 for `example.org.`
    pub fn label_count(self) -> usize {
        self.labels().count()
    }

    /// Whether this is `.`
    pub fn is_root(self) -> bool {
        self.0.len() == 1
    }

    /// Whether the leftmost label is `*` (RFC 4592, section 2.1.1).
    pub fn is_wildcard(self) -> bool {
        self.0.starts_with(b"\x01*")
    }

    /// The name without its leftmost label; `None` for the root.
    pub fn parent(self) -> Option<Self> {
        match self.0[0] {
            0 => None,
            size => Some(Self(&self.0[1 + size as usize..])),
        }
    }

    /// Whether both are the same name, compared without case (RFC 4343).
    pub fn same(self, other: NameRef<'_>) -> bool {
        self.0.eq_ignore_ascii_case(other.0)
    }

    /// Whether this name is `ancestor` or below it, compared without case.
    pub fn is_within(self, ancestor: NameRef<'_>) -> bool {
        let mut at = 0;
        while self.0.len() - at > ancestor.0.len() {
            at += 1 + self.0[at] as usize;
        }
        self.0[at..].eq_ignore_ascii_case(ancestor.0)
    }

    /// The octets at the end that both names share as whole labels, compared without case; at least 1, the root.
    pub fn shared_suffix_size(self, other: NameRef<'_>) -> usize {
        let (mut mine, mut theirs) = (self.0, other.0);
        loop {
            match mine.len().cmp(&theirs.len()) {
                Ordering::Equal if mine.eq_ignore_ascii_case(theirs) => return mine.len(),
                Ordering::Equal => (mine, theirs) = (skip_label(mine), skip_label(theirs)),
                Ordering::Greater => mine = skip_label(mine),
                Ordering::Less => theirs = skip_label(theirs),
            }
        }
    }

    /// The canonical order of names (RFC 4034, section 6.1): by label from the right, without case.
    pub fn canonical_cmp(self, other: NameRef<'_>) -> Ordering {
        let (mut mine, mut theirs) = ([0; 128], [0; 128]);
        let (mine, theirs) = (self.label_starts(&mut mine), other.label_starts(&mut theirs));
        for (&m, &t) in mine.iter().rev().zip(theirs.iter().rev()) {
            let order = lower_octets(self.label_at(m)).cmp(lower_octets(other.label_at(t)));
            if order != Ordering::Equal {
                return order;
            }
        }
        mine.len().cmp(&theirs.len())
    }

    /// Appends octets whose plain order is the canonical order: the labels from the right, in lower case, each
    /// closed by a zero octet; 0 and 1 inside a label are written as 1 1 and 1 2. For sorting many names and for keys.
    pub fn write_sort_key(self, key: &mut Vec<u8>) {
        let mut starts = [0; 128];
        for &start in self.label_starts(&mut starts).iter().rev() {
            for octet in lower_octets(self.label_at(start)) {
                match octet {
                    0 | 1 => key.extend([1, octet + 1]),
                    _ => key.push(octet),
                }
            }
            key.push(0);
        }
    }

    fn label_starts(self, starts: &mut [u8; 128]) -> &[u8] {
        let (mut at, mut count) = (0, 0);
        while self.0[at] != 0 {
            starts[count] = at as u8;
            count += 1;
            at += 1 + self.0[at] as usize;
        }
        &starts[..count]
    }

    fn label_at(self, start: u8) -> &'a [u8] {
        let start = start as usize;
        &self.0[start + 1..][..self.0[start] as usize]
    }
}

fn skip_label(name: &[u8]) -> &[u8] {
    &name[1 + name[0] as usize..]
}

fn lower_octets(label: &[u8]) -> impl Iterator<Item = u8> {
    label.iter().map(u8::to_ascii_lowercase)
}

/// The labels of a name, from left to right.
#[derive(Clone)]
pub struct Labels<'a>(&'a [u8]);

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (&size, rest) = self.0.split_first()?;
        if size == 0 {
            return None;
        }
        let (label, rest) = rest.split_at(size as usize);
        self.0 = rest;
        Some(label)
    }
}

/// Absolute presentation format, with the final dot and with everything unusual escaped.
impl fmt::Display for NameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        for label in self.labels() {
            for &octet in label {
                match octet {
                    b'-' | b'_' | b'*' | b'/' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                        f.write_char(octet.into())?
                    }
                    b'#' => f.write_str("\\035")?, // \# alone would announce RFC 3597
                    0x21..=0x7e => write!(f, "\\{}", octet as char)?, // Knot takes no other plainly
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrow().fmt(f)
    }
}

impl fmt::Debug for NameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Name {
    type Err = NameFault;

    /// Reads an absolute name; a missing final dot is forgiven, because people leave it out.
    fn from_str(text: &str) -> Result<Self, NameFault> {
        Self::parse(text.as_bytes(), Some(NameRef(&[0])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn escapes_are_octets() {
        assert_eq!(name("a\\.b.\\000\\255.").as_bytes(), b"\x03a.b\x02\x00\xff\x00");
        assert_eq!(name("a\\.b.\\000\\255.").to_string(), "a\\.b.\\000\\255.");
    }

    #[test]
    fn sizes_are_held_at_the_limit() {
        let label = "a".repeat(63);
        let full = [&label[..], &label, &label, &label[..61]].join(".");
        assert_eq!(name(&full).as_bytes().len(), 255);
        assert_eq!((full + "a").parse::<Name>(), Err(NameFault::TooLong));
        assert_eq!("a".repeat(64).parse::<Name>(), Err(NameFault::LabelTooLong));
    }

    #[test]
    fn faults_are_told_apart() {
        for (text, fault) in [
            ("", NameFault::Empty),
            ("a..b", NameFault::EmptyLabel),
            (".a", NameFault::EmptyLabel),
            ("a\\256", NameFault::BadEscape),
            ("a\\1", NameFault::BadEscape),
            ("a\\", NameFault::BadEscape),
        ] {
            assert_eq!(text.parse::<Name>(), Err(fault), "{text}");
        }
        assert_eq!(Name::parse(b"a", None), Err(NameFault::Relative));
        assert_eq!(NameRef::read(b"\x03ab"), Err(NameFault::CutShort));
        assert_eq!(NameRef::read(b"\xc0\x0c"), Err(NameFault::Pointer));
    }

    /// The order of RFC 4034, section 6.1, word for word.
    #[test]
    fn canonical_order() {
        let names = [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "Z.a.example.",
            "zABC.a.EXAMPLE.",
            "z.example.",
            "\\001.z.example.",
            "*.z.example.",
            "\\200.z.example.",
        ];
        let keys: Vec<_> = names
            .iter()
            .map(|text| {
                let mut key = Vec::new();
                name(text).borrow().write_sort_key(&mut key);
                key
            })
            .collect();
        for (i, a) in names.iter().enumerate() {
            for (j, b) in names.iter().enumerate() {
                assert_eq!(name(a).borrow().canonical_cmp(name(b).borrow()), i.cmp(&j), "{a} {b}");
                assert_eq!(keys[i].cmp(&keys[j]), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn ancestry_is_by_label() {
        assert!(name("www.Example.org").borrow().is_within(name("example.ORG").borrow()));
        assert!(!name("wwwexample.org").borrow().is_within(name("example.org").borrow()));
        assert!(!name("org").borrow().is_within(name("example.org").borrow()));
        assert_eq!(name("a.b.example.org").borrow().shared_suffix_size(name("c.b.example.org").borrow()), 15);
        assert_eq!(name("a.example").borrow().shared_suffix_size(name("b.org").borrow()), 1);
    }
}
