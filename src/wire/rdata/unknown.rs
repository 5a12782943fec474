//! Record data of any type as `\# n hex` (RFC 3597, section 5).

use std::fmt::Write;

use super::words::{Fault, What, Words};
use super::{SIZE_MAX, encoded, number};

const LENGTH: &str = "the length behind \\#";
const OCTETS: &str = "hexadecimal digits behind \\# and the length";
const UNTOLD: What = What::Expected("\\# and a length, because this type is not known here (RFC 3597, section 5)");
const MISMATCH: What = What::Rule("the length behind \\# is not that of the octets (RFC 3597, section 5)");
/// What is wrong with octets that do not fit a type we know.
pub(super) const UNSOUND: What = What::Rule("the octets behind \\# are not sound data of this record type");

/// Whether the words start with `\#`.
pub(super) fn is_next(words: &Words<'_>) -> bool {
    words.peek().is_some_and(|word| word.raw == b"\\#" && !word.quoted)
}

/// Reads `\# n hex`.
pub(super) fn parse(words: &mut Words<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    let sign = words.take("\\# and a length")?;
    if sign.raw != b"\\#" || sign.quoted {
        return Err(sign.fault(UNTOLD));
    }
    let Some(length) = words.peek() else { return words.take(LENGTH).map(|_| ()) };
    let size = number::parse(words, SIZE_MAX as u32, LENGTH)? as usize;
    let start = wire.len();
    encoded::parse_hex(words, wire, 0, OCTETS)?;
    if wire.len() - start == size { Ok(()) } else { Err(length.fault(MISMATCH)) }
}

/// Writes `\# n hex`.
pub(super) fn print(rdata: &[u8], text: &mut String) {
    let _ = write!(text, "\\# {}", rdata.len()); // a String takes everything
    if !rdata.is_empty() {
        text.push(' ');
        encoded::print_hex(rdata, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Kind;
    use crate::wire::rdata::proof::{fault, sound};

    /// RFC 3597, section 5.
    #[test]
    fn unknown_types() {
        sound(Kind(731), r"\# 6 abcdef ( 01 23 45 )", "abcdef012345", r"\# 6 ABCDEF012345");
        sound(Kind(62347), r"\# 0", "", r"\# 0");
        sound(Kind::A, r"\# 4 0A0 00 001", "0a000001", "10.0.0.1");
        sound(Kind::MX, r"\# 4 0001 0161 00 ".replace("4", "5").as_str(), "0001016100", "1 a.");
    }

    #[test]
    fn faults() {
        assert_eq!(fault(Kind(731), "abc"), (0, 3, UNTOLD));
        assert_eq!(fault(Kind(731), r#""\#" 0"#), (0, 4, UNTOLD));
        assert_eq!(fault(Kind(731), r"\#"), (2, 0, What::Missing(LENGTH)));
        assert_eq!(fault(Kind(731), r"\# 3 abcd"), (3, 1, MISMATCH));
        assert_eq!(fault(Kind(731), r"\# 2 ab cg"), (9, 1, What::Expected("hexadecimal digits")));
        assert_eq!(fault(Kind(731), r"\# 65536 ab").2, What::Range { field: LENGTH, max: 65_535 });
        assert_eq!(fault(Kind::A, r"\# 3 0A0000"), (0, 2, UNSOUND));
        assert_eq!(fault(Kind::NS, r"\# 2 C00C"), (0, 2, UNSOUND));
    }
}
