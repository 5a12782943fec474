//! Field sections as QPACK writes them (RFC 9204), without a dynamic table.
//!
//! We announce a table of no octets (which is what saying nothing means), so no section waits for another stream, no state is shared by
//! requests, and what a client can make us keep is its section and nothing else. What we say refers to the static table, which has
//! most of what an answer's head repeats.

mod huffman;
mod table;

use table::{FIELDS, Found, find};

/// Octets that a field counts beside its name and value (RFC 9114, section 4.2.2).
const FIELD_OVERHEAD: u64 = 32;
/// Integers above this are no length or index of ours.
const INTEGER_MAX: u64 = u32::MAX as u64;

/// Why a section cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is not written soundly, or refers to a table that is not there.
    Broken,
    /// It is larger than it may be.
    TooLarge,
}

/// Reads a section of at most `size_max` octets, as RFC 9114 counts them: each field is handed over as it comes.
pub(super) fn read(section: &[u8], size_max: u64, mut take: impl FnMut(&[u8], &[u8])) -> Result<(), Unread> {
    let mut rest = section;
    if integer(&mut rest, 8)? != 0 || rest.first().is_none_or(|base| base & 0x80 != 0) {
        return Err(Unread::Broken); // it refers to what was never inserted
    }
    integer(&mut rest, 7)?;
    let (mut size, mut name, mut value) = (0, Vec::new(), Vec::new());
    while let Some(first) = rest.first().copied() {
        name.clear();
        value.clear();
        if first & 0x80 != 0 {
            let known = entry(&mut rest, 6, first & 0x40)?;
            name.extend_from_slice(known.0.as_bytes());
            value.extend_from_slice(known.1.as_bytes());
        } else if first & 0x40 != 0 {
            let known = entry(&mut rest, 4, first & 0x10)?;
            name.extend_from_slice(known.0.as_bytes());
            string(&mut rest, 7, &mut value)?;
        } else if first & 0x20 != 0 {
            string(&mut rest, 3, &mut name)?;
            string(&mut rest, 7, &mut value)?;
        } else {
            return Err(Unread::Broken);
        }
        size += (name.len() + value.len()) as u64 + FIELD_OVERHEAD;
        if size > size_max {
            return Err(Unread::TooLarge);
        }
        take(&name, &value);
    }
    Ok(())
}

/// The row of the static table that an index refers to.
fn entry(rest: &mut &[u8], bits: u32, is_static: u8) -> Result<(&'static str, &'static str), Unread> {
    let index = integer(rest, bits)?;
    let known = usize::try_from(index).ok().and_then(|index| FIELDS.get(index));
    known.copied().filter(|_| is_static != 0).ok_or(Unread::Broken)
}

/// An integer in the lower bits of the first octet and those behind it (RFC 7541, section 5.1).
pub(super) fn integer(rest: &mut &[u8], bits: u32) -> Result<u64, Unread> {
    let (first, mut behind) = rest.split_first().ok_or(Unread::Broken)?;
    let most = (1_u64 << bits) - 1;
    let mut value = u64::from(*first) & most;
    let mut shift = 0;
    while value >= most {
        let (octet, left) = behind.split_first().ok_or(Unread::Broken)?;
        behind = left;
        value += u64::from(octet & 0x7f) << shift;
        shift += 7;
        if value > INTEGER_MAX || shift > 35 {
            return Err(Unread::Broken);
        }
        if octet & 0x80 == 0 {
            break;
        }
    }
    *rest = behind;
    Ok(value)
}

/// A text, whose length has so many bits of the first octet, and the bit above them says whether it is coded.
fn string(rest: &mut &[u8], bits: u32, out: &mut Vec<u8>) -> Result<(), Unread> {
    let coded = rest.first().is_some_and(|first| first >> bits & 1 != 0);
    let length = usize::try_from(integer(rest, bits)?).map_err(|_| Unread::Broken)?;
    let (text, behind) = rest.split_at_checked(length).ok_or(Unread::Broken)?;
    *rest = behind;
    if !coded {
        out.extend_from_slice(text);
        return Ok(());
    }
    huffman::read(text, out).then_some(()).ok_or(Unread::Broken)
}

/// Writes what every section begins with.
pub(super) fn begin(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, 0]);
}

/// Writes a field. The name is in lower case.
pub(super) fn write(name: &str, value: &[u8], out: &mut Vec<u8>) {
    match find(name, value) {
        Some(Found::Field(index)) => write_integer(index, 6, 0xc0, out),
        Some(Found::Name(index)) => {
            write_integer(index, 4, 0x50, out);
            write_string(value, 7, 0, out);
        }
        None => {
            write_string(name.as_bytes(), 3, 0x20, out);
            write_string(value, 7, 0, out);
        }
    }
}

fn write_integer(value: usize, bits: u32, flags: u8, out: &mut Vec<u8>) {
    let most = (1_usize << bits) - 1;
    if value < most {
        return out.push(flags | value as u8);
    }
    out.push(flags | most as u8);
    let mut left = value - most;
    while left >= 0x80 {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

fn write_string(text: &[u8], bits: u32, flags: u8, out: &mut Vec<u8>) {
    let size = huffman::size(text);
    if size < text.len() {
        write_integer(size, bits, flags | 1 << bits, out);
        huffman::write(text, out);
    } else {
        write_integer(text.len(), bits, flags, out);
        out.extend_from_slice(text);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Fields = Vec<(Vec<u8>, Vec<u8>)>;

    fn fields(section: &[u8], size_max: u64) -> Result<Fields, Unread> {
        let mut fields = Vec::new();
        read(section, size_max, |name, value| fields.push((name.to_vec(), value.to_vec())))?;
        Ok(fields)
    }

    fn owned(fields: &[(&str, &str)]) -> Fields {
        fields.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
    }

    #[test]
    fn sections_are_read_in_every_spelling() {
        // RFC 9204, appendix B.1, and the same with the name in full.
        let example = b"\x00\x00\x51\x0b/index.html";
        assert_eq!(fields(example, 100), Ok(owned(&[(":path", "/index.html")])));
        let literal = b"\x00\x00\x25:path\x0b/index.html";
        assert_eq!(fields(literal, 100), Ok(owned(&[(":path", "/index.html")])));
        assert_eq!(
            fields(b"\x00\x00\xd1\xff\x23", 200),
            Ok(owned(&[(":method", "GET"), ("x-frame-options", "sameorigin")]))
        );
        assert_eq!(fields(b"\x00\x00", 0), Ok(Vec::new()));
        assert_eq!(fields(b"\x00\x05\xd1", 100), Ok(owned(&[(":method", "GET")])), "any base will do");
    }

    #[test]
    fn what_refers_to_no_table_or_ends_too_soon_is_broken() {
        for section in [
            &b""[..],
            b"\x00",
            b"\x01\x00\x80",     // a section that waits for an insertion
            b"\x00\x80\xd1",     // a base below nothing
            b"\x00\x00\x80",     // the dynamic table
            b"\x00\x00\x40\x00", // its name
            b"\x00\x00\x10",     // behind the base
            b"\x00\x00\x00\x00", // its name
            b"\x00\x00\xff\x24", // row 99
            b"\x00\x00\xff",     // half an integer
            b"\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
            b"\x00\x00\x51\x0b/index",
            b"\x00\x00\x51\x81\x00", // filled with zeros
            b"\x00\x00\x25:pat",
        ] {
            assert_eq!(fields(section, 1_000), Err(Unread::Broken), "{section:02x?}");
        }
    }

    #[test]
    fn a_section_counts_as_large_as_it_becomes() {
        let get = b"\x00\x00\xd1";
        assert_eq!((fields(get, 42).map(|fields| fields.len()), fields(get, 41)), (Ok(1), Err(Unread::TooLarge)));
        let many = [&b"\x00\x00"[..], &[0xd1; 1_000]].concat();
        assert_eq!(fields(&many, 32_768), Err(Unread::TooLarge), "a thousand octets that would become 42,000");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(given: Vec<(String, Vec<u8>)>) {
            let (mut section, mut size) = (Vec::new(), 0);
            begin(&mut section);
            for (name, value) in &given {
                write(name, value, &mut section);
                size += (name.len() + value.len()) as u64 + FIELD_OVERHEAD;
            }
            let given: Fields = given.into_iter().map(|(name, value)| (name.into_bytes(), value)).collect();
            prop_assert_eq!(fields(&section, size), Ok(given));
        }

        #[test]
        fn nothing_that_is_read_breaks_anything(section: Vec<u8>) {
            let _ = fields(&section, 1_000);
        }
    }
}
