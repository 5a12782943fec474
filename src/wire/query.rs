//! Packet → query, or why not.
//!
//! Nothing is believed: every length is checked against what is there, a name in the question is never compressed (there is
//! nothing before it to point to), and what follows the counted records is malformed.

use super::edns::Edns;
use super::tsig::Tsig;
use super::{Key, Kind, NameRef, Rcode};

/// Octets of the header (RFC 1035, section 4.1.1).
pub const HEADER_SIZE: usize = 12;

const QR: u8 = 0x80;
const RD: u8 = 0x01;

/// What every message begins with.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// The message's identifier.
    pub id: [u8; 2],
    /// 0 for a query.
    pub opcode: u8,
    /// Recursion desired: copied into the reply.
    pub recursion_desired: bool,
}

/// A query that can be answered.
pub struct Query<'p> {
    /// Its header.
    pub header: Header,
    /// The question as it stood in the packet, to be repeated in the reply with the client's case.
    /// Empty if there was none, which only a query for a cookie may do (RFC 7873, section 5.4).
    pub question: &'p [u8],
    /// The name, ready to be looked up; the root if there was no question.
    pub key: &'p Key,
    /// The type.
    pub kind: Kind,
    /// The class: 1 is IN.
    pub class: u16,
    /// The OPT record, if there was one.
    pub edns: Option<Edns<'p>>,
    /// The signature, if there was one.
    pub tsig: Option<Tsig<'p>>,
}

/// Why a packet is no query that can be answered.
#[derive(Clone, Copy, Debug)]
pub enum Unreadable {
    /// Too short for a header, or a reply: answering would make a loop.
    Silence,
    /// The sender is told: with the header alone.
    Tell(Header, Rcode),
}

impl<'p> Query<'p> {
    /// Reads a packet. The name goes into `key`, the caller's, because it is large and would be moved about here.
    pub fn read(packet: &'p [u8], key: &'p mut Key) -> Result<Self, Unreadable> {
        let (head, body) = packet.split_first_chunk::<HEADER_SIZE>().ok_or(Unreadable::Silence)?;
        if head[2] & QR != 0 {
            return Err(Unreadable::Silence);
        }
        let header =
            Header { id: [head[0], head[1]], opcode: head[2] >> 3 & 0xf, recursion_desired: head[2] & RD != 0 };
        if header.opcode != 0 {
            return Err(Unreadable::Tell(header, Rcode::NOTIMP));
        }
        let count = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let counts = [count(4), count(6), count(8), count(10)];
        Self::read_body(header, counts, body, key).ok_or(Unreadable::Tell(header, Rcode::FORMERR))
    }

    fn read_body(header: Header, counts: [u16; 4], body: &'p [u8], key: &'p mut Key) -> Option<Self> {
        let [questions, answers, authorities, additionals] = counts;
        if questions > 1 || answers > 0 {
            return None;
        }
        let (mut kind, mut class, mut rest) = (Kind(0), 1, body);
        if questions == 1 {
            let (name, behind) = NameRef::read(body).ok()?;
            let (fixed, behind) = behind.split_first_chunk::<4>()?;
            key.set(name);
            kind = Kind(u16::from_be_bytes([fixed[0], fixed[1]]));
            class = u16::from_be_bytes([fixed[2], fixed[3]]);
            rest = behind;
        }
        let question = &body[..body.len() - rest.len()];
        let mut query = Query { header, question, key, kind, class, edns: None, tsig: None };
        if authorities > 0 {
            if authorities > 1 || kind != Kind::IXFR {
                return None; // the SOA of an incremental transfer is the one record a query carries (RFC 1995, section 3)
            }
            (_, rest) = Foreign::read(rest)?;
        }
        for left in (0..additionals).rev() {
            let (record, behind) = Foreign::read(rest)?;
            query.take_additional(&record, left == 0)?;
            rest = behind;
        }
        let asks_something = questions == 1 || query.edns.is_some_and(|edns| edns.cookie.is_some());
        (rest.is_empty() && asks_something).then_some(query)
    }

    fn take_additional(&mut self, record: &Foreign<'p>, last: bool) -> Option<()> {
        match record.kind {
            Kind::OPT if record.owner != [0] || self.edns.is_some() => return None, // RFC 6891, section 6.1.1
            Kind::OPT => self.edns = Some(Edns::read(record.class, record.ttl, record.data).ok()?),
            Kind::TSIG if !last => return None, // RFC 8945, section 5.1
            Kind::TSIG => self.tsig = Some(Tsig::read(record.owner, record.data)?),
            _ => (), // means nothing in a query
        }
        Some(())
    }
}

/// A record in somebody else's message, where names may be compressed.
struct Foreign<'p> {
    /// As it stands in the message, maybe compressed.
    owner: &'p [u8],
    kind: Kind,
    class: u16,
    ttl: [u8; 4],
    data: &'p [u8],
}

impl<'p> Foreign<'p> {
    fn read(bytes: &'p [u8]) -> Option<(Self, &'p [u8])> {
        let (owner, rest) = split_name(bytes)?;
        let (fixed, rest) = rest.split_first_chunk::<10>()?;
        let size = u16::from_be_bytes([fixed[8], fixed[9]]) as usize;
        let (data, rest) = rest.split_at_checked(size)?;
        let record = Self {
            owner,
            kind: Kind(u16::from_be_bytes([fixed[0], fixed[1]])),
            class: u16::from_be_bytes([fixed[2], fixed[3]]),
            ttl: [fixed[4], fixed[5], fixed[6], fixed[7]],
            data,
        };
        Some((record, rest))
    }
}

/// Takes a name off without following its pointer.
fn split_name(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    loop {
        match *bytes.get(at)? {
            0 => return bytes.split_at_checked(at + 1),
            0xc0.. => return bytes.split_at_checked(at + 2),
            size @ 1..=63 => at += 1 + size as usize,
            64..0xc0 => return None,
        }
        if at >= crate::limits::NAME_SIZE_MAX {
            return None;
        }
    }
}
