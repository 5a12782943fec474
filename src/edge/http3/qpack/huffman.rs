//! The Huffman code of HPACK and QPACK (RFC 7541, appendix B).
//!
//! The code is canonical: the lengths of the codes say all, for codes of one length go up with their symbols, and longer ones
//! go on where shorter ones end. So the table is one of lengths, and the codes are made of it when the program is compiled.

/// Bits of the code of each octet.
#[rustfmt::skip]
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];
/// Bits of the shortest and of the longest code.
const SHORTEST: usize = 5;
const LONGEST: usize = 30;

/// The codes of one length: the first of them, how many there are, and where their octets begin among all.
#[derive(Clone, Copy)]
struct Row {
    first: u32,
    count: u32,
    start: u32,
}

/// All octets in the order of their codes, the code of each octet, and the codes of each length.
const CODE: ([u8; 256], [u32; 256], [Row; LONGEST + 1]) = {
    let (mut octets, mut codes) = ([0; 256], [0; 256]);
    let mut rows = [Row { first: 0, count: 0, start: 0 }; LONGEST + 1];
    let (mut code, mut placed, mut length) = (0_u32, 0_usize, SHORTEST);
    while length <= LONGEST {
        let start = placed;
        rows[length].first = code;
        let mut octet = 0;
        while octet < 256 {
            if LENGTHS[octet] as usize == length {
                codes[octet] = code;
                octets[placed] = octet as u8;
                code += 1;
                placed += 1;
            }
            octet += 1;
        }
        rows[length].start = start as u32;
        rows[length].count = (placed - start) as u32;
        code <<= 1;
        length += 1;
    }
    (octets, codes, rows)
};

/// Reads what is coded, behind what is there; false if it is not coded soundly.
pub(super) fn read(coded: &[u8], out: &mut Vec<u8>) -> bool {
    let (octets, _, rows) = &CODE;
    let (mut bits, mut count) = (0_u64, 0_usize);
    for octet in coded {
        bits = (bits << 8) | u64::from(*octet);
        count += 8;
        let mut length = SHORTEST;
        while length <= count {
            let Some(row) = rows.get(length) else { return false }; // the end mark, or what no code begins with
            let code = (bits >> (count - length)) as u32 & ((1 << length) - 1);
            let place = code.wrapping_sub(row.first);
            if place < row.count {
                out.push(octets[(row.start + place) as usize]);
                count -= length;
                length = SHORTEST;
            } else {
                length += 1;
            }
        }
    }
    // What fills the last octet is the beginning of the end mark, and less than an octet (RFC 7541, section 5.2).
    let filling = (1 << count) - 1;
    count < 8 && bits & filling == filling
}

/// Octets that a text takes when it is coded.
pub(super) fn size(text: &[u8]) -> usize {
    text.iter().map(|octet| usize::from(LENGTHS[usize::from(*octet)])).sum::<usize>().div_ceil(8)
}

/// Codes a text.
pub(super) fn write(text: &[u8], out: &mut Vec<u8>) {
    let (mut bits, mut count) = (0_u64, 0);
    for octet in text {
        let length = u32::from(LENGTHS[usize::from(*octet)]);
        bits = (bits << length) | u64::from(CODE.1[usize::from(*octet)]);
        count += length;
        while count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    if count > 0 {
        out.push(((bits << (8 - count)) as u8) | (0xff >> count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coded(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write(text, &mut out);
        assert_eq!(out.len(), size(text));
        out
    }

    fn read_back(coded: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        read(coded, &mut out).then_some(out)
    }

    #[test]
    fn the_examples_of_the_standard_come_out() {
        // RFC 7541, appendix C.4 and C.6.
        for (text, octets) in [
            ("www.example.com", &b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"[..]),
            ("no-cache", b"\xa8\xeb\x10\x64\x9c\xbf"),
            ("302", b"\x64\x02"),
            (
                "Mon, 21 Oct 2013 20:13:21 GMT",
                b"\xd0\x7a\xbe\x94\x10\x54\xd4\x44\xa8\x20\x05\x95\x04\x0b\x81\x66\xe0\x82\xa6\x2d\x1b\xff",
            ),
        ] {
            assert_eq!(coded(text.as_bytes()), octets, "{text}");
            assert_eq!(read_back(octets).as_deref(), Some(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn every_octet_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(read_back(&coded(&all)), Some(all));
        for octet in 0..=255 {
            assert_eq!(read_back(&coded(&[octet, octet])), Some(vec![octet, octet]));
        }
    }

    #[test]
    fn what_fills_the_last_octet_is_looked_at() {
        assert_eq!(read_back(b"\x07"), Some(b"0".to_vec()), "filled with ones");
        assert_eq!(read_back(b"\x00"), None, "filled with zeros");
        assert_eq!(read_back(b"\x07\xff"), None, "filled with an octet too many");
        assert_eq!(read_back(b"\xff\xff\xff\xff"), None, "the end mark");
        assert_eq!(read_back(b"\xff"), None);
        assert_eq!(read_back(b""), Some(Vec::new()));
    }
}
