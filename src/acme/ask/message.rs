//! A question as octets, and what a reply says, as far as we want to know it.
//!
//! The reply comes from anywhere: each length is checked, a compression pointer leads only backwards, and the number of records
//! is bounded by the octets there are. What is not understood is passed over, so a strange record spoils nothing.

use std::net::IpAddr;

use crate::limits::NAME_SIZE_MAX;
use crate::wire::{Kind, Name, NameRef};

/// Octets of a UDP reply that we take (RFC 9715, section 3.2).
pub(super) const UDP_SIZE: u16 = 1_232;
const CLASS_IN: u16 = 1;
const CLASS_CHAOS: u16 = 3;
const KIND_OPT: u16 = 41;

/// What a server said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    /// 0 is "no error", 3 "no such name", 5 "refused".
    pub(crate) rcode: u8,
    /// Whether it spoke for the zone.
    pub(crate) authoritative: bool,
    /// Whether there was more to say than fits.
    pub(super) truncated: bool,
    pub(crate) answer: Vec<Record>,
    pub(crate) authority: Vec<Record>,
    pub(crate) additional: Vec<Record>,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// In lower case.
    pub(crate) owner: Name,
    pub(crate) data: Data,
}

/// What a record says, of the types that are asked for here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    Address(IpAddr),
    NameServer(Name),
    Alias(Name),
    /// Where a zone starts: the name of its primary (MNAME).
    Start(Name),
    /// All strings, one behind the other.
    Text(Vec<u8>),
    /// Flags, tag in lower case, value (RFC 8659, section 4.1).
    Caa(u8, String, Vec<u8>),
}

impl Data {
    /// The address, if it is one.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        if let Self::Address(address) = self { Some(*address) } else { None }
    }
}

/// Writes a question.
pub(super) fn question(id: u16, name: NameRef<'_>, kind: Kind, recursive: bool) -> Vec<u8> {
    let mut octets = Vec::with_capacity(name.as_bytes().len() + 32);
    octets.extend(id.to_be_bytes());
    octets.extend([u8::from(recursive), 0, 0, 1, 0, 0, 0, 0, 0, 1]); // one question, one additional record
    octets.extend_from_slice(name.as_bytes());
    octets.extend(kind.0.to_be_bytes());
    octets.extend(CLASS_IN.to_be_bytes());
    octets.push(0); // OPT: the root, its size, no flags, no options (RFC 6891, section 6.1.2)
    octets.extend(KIND_OPT.to_be_bytes());
    octets.extend(UDP_SIZE.to_be_bytes());
    octets.extend([0; 6]);
    octets
}

/// Reads a reply to that question; none if it is not one, or makes no sense.
pub(super) fn read(octets: &[u8], id: u16, name: NameRef<'_>, kind: Kind) -> Option<Reply> {
    let header = octets.first_chunk::<12>()?;
    let [id_high, id_low, high, low, counts @ ..] = *header;
    let is_reply = high & 0xf8 == 0x80; // QR set, opcode QUERY
    if u16::from_be_bytes([id_high, id_low]) != id || !is_reply || counts[..2] != [0, 1] {
        return None;
    }
    let mut reader = Reader { octets, at: 12 };
    let asked = reader.name()?;
    if !asked.borrow().same(name) || reader.u16()? != kind.0 || ![CLASS_IN, CLASS_CHAOS].contains(&reader.u16()?) {
        return None;
    }
    let mut reply =
        Reply { rcode: low & 0x0f, authoritative: high & 0x04 != 0, truncated: high & 0x02 != 0, ..Reply::default() };
    let count = |at: usize| u16::from_be_bytes([counts[at], counts[at + 1]]);
    // What is truncated may be cut anywhere, and is asked for again.
    match reader.sections(&mut reply, [count(2), count(4), count(6)]) {
        None if !reply.truncated => None,
        Some(()) | None => Some(reply),
    }
}

struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        let taken = self.octets.get(self.at..self.at.checked_add(size)?)?;
        self.at += size;
        Some(taken)
    }

    fn sections(&mut self, reply: &mut Reply, counts: [u16; 3]) -> Option<()> {
        let sections = [&mut reply.answer, &mut reply.authority, &mut reply.additional];
        for (section, count) in sections.into_iter().zip(counts) {
            for _ in 0..count {
                section.extend(self.record()?);
            }
        }
        Some(())
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    /// A name, perhaps compressed (RFC 1035, section 4.1.4), in lower case.
    fn name(&mut self) -> Option<Name> {
        let mut name = Vec::new();
        let mut at = self.at;
        let mut behind = None; // where reading goes on after a pointer
        loop {
            let size = usize::from(*self.octets.get(at)?);
            match size {
                0 => break,
                1..=63 => {
                    name.extend_from_slice(self.octets.get(at..at + size + 1)?);
                    at += size + 1;
                }
                0xc0.. => {
                    let target = (size & 0x3f) << 8 | usize::from(*self.octets.get(at + 1)?);
                    behind.get_or_insert(at + 2);
                    if target >= at {
                        return None;
                    }
                    at = target;
                }
                _ => return None,
            }
            if name.len() >= NAME_SIZE_MAX {
                return None;
            }
        }
        self.at = behind.unwrap_or(at + 1);
        name.push(0);
        let (name, _) = NameRef::read(&name).ok()?;
        Some(name.to_lower())
    }

    /// A record; `Some(None)` is one that is of no interest.
    fn record(&mut self) -> Option<Option<Record>> {
        let owner = self.name()?;
        let (kind, class) = (self.u16()?, self.u16()?);
        self.take(4)?; // the TTL
        let size = usize::from(self.u16()?);
        let start = self.at;
        self.take(size)?;
        let end = self.at;
        let mut inside = Reader { octets: self.octets.get(..end)?, at: start };
        let data = if class == CLASS_IN { inside.data(Kind(kind)) } else { None };
        Some(data.map(|data| Record { owner, data }))
    }

    fn data(&mut self, kind: Kind) -> Option<Data> {
        let data = match kind {
            Kind::A => Data::Address(<[u8; 4]>::try_from(self.take(4)?).ok()?.into()),
            Kind::AAAA => Data::Address(<[u8; 16]>::try_from(self.take(16)?).ok()?.into()),
            Kind::NS => Data::NameServer(self.name()?),
            Kind::CNAME => Data::Alias(self.name()?),
            Kind::SOA => Data::Start(self.name()?),
            Kind::TXT => Data::Text(self.text()?),
            Kind::CAA => {
                let ([flags, size], rest) = self.octets.get(self.at..)?.split_first_chunk()?;
                let (tag, value) = rest.split_at_checked(usize::from(*size))?;
                Data::Caa(*flags, String::from_utf8_lossy(tag).to_ascii_lowercase(), value.to_vec())
            }
            _ => return None,
        };
        Some(data)
    }

    fn text(&mut self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        while self.at < self.octets.len() {
            let size = usize::from(*self.take(1)?.first()?);
            text.extend_from_slice(self.take(size)?);
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    /// A reply to `www.example A` with these octets behind the question, which ends at 30.
    fn reply(counts: [u8; 3], octets: &[u8]) -> Option<Reply> {
        let asked = name("www.example");
        let mut message = question(7, asked.borrow(), Kind::A, true);
        message.truncate(29);
        (message[2], message[7], message[9], message[11]) = (0x84, counts[0], counts[1], counts[2]);
        message.extend_from_slice(octets);
        read(&message, 7, asked.borrow(), Kind::A)
    }

    #[test]
    fn records_are_read_and_strange_ones_passed_over() {
        let alias = [0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 4, 1, b'A', 0xc0, 16];
        let address = [1, b'a', 0xc0, 16, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 1];
        let strange = [0, 0, 99, 0, 1, 0, 0, 0, 0, 0, 2, 1, 2];
        let wrong = [0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 2, 1, 2];
        let caa = [0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 8, 128, 5, b'I', b's', b's', b'u', b'e', b';'];
        let told = reply([4, 0, 1], &[&alias[..], &address, &strange, &wrong, &caa].concat()).unwrap();
        assert!(told.authoritative && told.rcode == 0);
        let wanted = [
            Record { owner: name("www.example"), data: Data::Alias(name("a.example")) },
            Record { owner: name("a.example"), data: Data::Address("192.0.2.1".parse().unwrap()) },
        ];
        assert_eq!(told.answer, wanted);
        assert_eq!(told.additional[0].data, Data::Caa(128, "issue".to_owned(), b";".to_vec()));
    }

    #[test]
    fn what_makes_no_sense_is_no_reply() {
        assert!(reply([0, 0, 0], &[]).is_some());
        assert!(reply([1, 0, 0], &[]).is_none(), "a record is missing");
        assert!(reply([1, 0, 0], &[0xc0, 29]).is_none(), "a pointer to itself");
        assert!(reply([1, 0, 0], &[0xc0, 200]).is_none(), "a pointer ahead");
        assert!(reply([1, 0, 0], &[0x40]).is_none(), "an unknown label type");
        assert!(reply([1, 0, 0], &[1, b'a', 0xc0, 29, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]).is_none(), "a circle");
        let asked = name("www.example");
        let mut other = question(7, name("xxx.example").borrow(), Kind::A, true);
        (other[2], other[11]) = (0x80, 0);
        assert!(read(&other, 7, asked.borrow(), Kind::A).is_none(), "another question");
        assert!(read(&other, 8, name("xxx.example").borrow(), Kind::A).is_none(), "another id");
        assert!(read(&other, 7, name("xxx.example").borrow(), Kind::A).is_some());
        assert!(read(&[], 7, asked.borrow(), Kind::A).is_none());
    }

    #[test]
    fn no_octets_whatever_stop_the_reader() {
        let mut state = 1_u64;
        let asked = name("www.example");
        let mut message = question(7, asked.borrow(), Kind::A, true);
        (message[2], message[7]) = (0x84, 3);
        message.extend([
            0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 9, 0, 4, 3, b'a', b'b', b'c', 0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 9, 0, 4,
        ]);
        for _ in 0..100_000 {
            let mut octets = message.clone();
            for _ in 0..3 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = (state >> 33) as usize % octets.len();
                octets[at] = (state >> 20) as u8;
            }
            octets.truncate((state >> 40) as usize % (octets.len() + 1));
            let _ = read(&octets, 7, asked.borrow(), Kind::A);
        }
    }
}
