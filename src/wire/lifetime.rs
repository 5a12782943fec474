//! How long a reply may be kept: for whoever hands it on by a protocol that wants to know, as HTTP does.

use super::Kind;
use super::query::HEADER_SIZE;

/// Seconds for which a reply may be kept: the smallest TTL of its answers; for what is not there, the SOA's TTL or its
/// minimum (RFC 2308, section 5). `None`: it says nothing that could be kept, or is no reply.
///
/// For our own replies: the names in them may be compressed, and nothing in them is believed.
pub fn lifetime(reply: &[u8]) -> Option<u32> {
    let (head, mut rest) = reply.split_first_chunk::<HEADER_SIZE>()?;
    let count = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    for _ in 0..count(4) {
        rest = skip_name(rest)?.get(4..)?;
    }
    let (answers, authorities) = (count(6), count(8));
    let mut smallest: Option<u32> = None;
    for at in 0..u32::from(answers) + u32::from(authorities) {
        let (fixed, behind) = skip_name(rest)?.split_first_chunk::<10>()?;
        let (data, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes([fixed[8], fixed[9]])))?;
        let kind = Kind(u16::from_be_bytes([fixed[0], fixed[1]]));
        let ttl = u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
        let counts = match at < u32::from(answers) {
            true => Some(ttl),
            false if kind == Kind::SOA => data.last_chunk().map(|minimum| ttl.min(u32::from_be_bytes(*minimum))),
            false => None,
        };
        smallest = counts.map(|ttl| smallest.map_or(ttl, |smallest| smallest.min(ttl))).or(smallest);
        rest = behind;
    }
    smallest
}

/// What is behind a name, which may be compressed.
fn skip_name(mut octets: &[u8]) -> Option<&[u8]> {
    loop {
        match *octets.first()? {
            0xc0.. => return octets.get(2..),
            size @ 1..=63 => octets = octets.get(1 + usize::from(size)..)?,
            0 => return octets.get(1..),
            64..0xc0 => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: &[u8] = b"\x01a\x02ab\0\0\x01\0\x01";

    fn reply(answers: u8, authorities: u8, records: &[&[u8]]) -> Vec<u8> {
        let head = [0, 0, 0x84, 0, 0, 1, 0, answers, 0, authorities, 0, 0];
        [&head, QUESTION, &records.concat()].concat()
    }

    fn record(kind: u8, ttl: u8, data: &[u8]) -> Vec<u8> {
        [&[0xc0, 12, 0, kind, 0, 1, 0, 0, 0, ttl, 0, data.len() as u8], data].concat()
    }

    #[test]
    fn the_shortest_answer_decides() {
        let (long, short, soa) = (record(5, 90, b"x"), record(1, 60, b"1234"), record(6, 30, b"\0\0\0\0\0\0\0\x14"));
        let ns = record(2, 10, b"x");
        for (expected, reply) in [
            (Some(60), reply(2, 0, &[&long, &short])),
            (Some(60), reply(2, 1, &[&long, &short, &ns])),
            (Some(20), reply(1, 1, &[&long, &soa])),
            (Some(20), reply(0, 1, &[&soa])),
            (None, reply(0, 1, &[&ns])),
            (None, reply(0, 0, &[])),
        ] {
            assert_eq!(lifetime(&reply), expected, "{reply:?}");
        }
    }

    #[test]
    fn what_is_no_reply_is_kept_by_nobody() {
        let whole = reply(1, 1, &[&record(1, 60, b"1234"), &record(6, 30, b"\0\0\0\x14")]);
        assert_eq!(lifetime(&whole), Some(20));
        for size in 0..whole.len() {
            assert_eq!(lifetime(&whole[..size]), None, "{size}");
        }
        assert_eq!(lifetime(&[0xff; 600]), None);
    }
}
