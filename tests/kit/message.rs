//! A reply's octets taken apart, into the words a case uses.

use super::name::{class_text, kind_text, label_text};
use super::rdata::{hex, rdata_text};

/// Why octets are no message.
#[derive(Debug)]
pub(crate) struct Unreadable(pub(crate) &'static str);

/// A whole reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) id: u16,
    pub(crate) is_response: bool,
    pub(crate) opcode: u16,
    /// With the upper bits of OPT where there is one.
    pub(crate) rcode: u16,
    /// Of aa, tc, rd, ra, ad, cd: those set, in this order; `z` for the reserved bit.
    pub(crate) flags: Vec<&'static str>,
    /// The question section's octets, with its names uncompressed.
    pub(crate) question: Vec<u8>,
    pub(crate) answer: Vec<Record>,
    pub(crate) authority: Vec<Record>,
    pub(crate) additional: Vec<Record>,
    pub(crate) edns: Option<Edns>,
    /// Octets of the message.
    pub(crate) size: usize,
}

/// A record as text, field by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) owner: String,
    pub(crate) ttl: u32,
    pub(crate) class: u16,
    pub(crate) kind: u16,
    pub(crate) data: String,
}

/// The OPT record (RFC 6891).
#[derive(Debug)]
pub(crate) struct Edns {
    pub(crate) size: u16,
    pub(crate) version: u8,
    upper_rcode: u8,
    pub(crate) dnssec_ok: bool,
    pub(crate) options: Vec<(u16, Vec<u8>)>,
}

impl std::fmt::Display for Record {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = kind_text(self.kind);
        match self.class {
            1 => write!(formatter, "{} {} {kind} {}", self.owner, self.ttl, self.data),
            class => write!(formatter, "{} {} {} {kind} {}", self.owner, self.ttl, class_text(class), self.data),
        }
    }
}

impl Edns {
    /// The options as the words of a case: `ede=20 nsid=ns1 cookie keepalive=300 option=99:0a0b`.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = self.options.iter().map(|(code, data)| option_word(*code, data)).collect();
        words.sort();
        words
    }
}

fn option_word(code: u16, data: &[u8]) -> String {
    match (code, data) {
        (3, data) => format!("nsid={}", String::from_utf8_lossy(data)),
        (10, data) if (16..=40).contains(&data.len()) => "cookie".to_owned(),
        (11, [high, low]) => format!("keepalive={}", u16::from_be_bytes([*high, *low])),
        (15, [high, low, ..]) => format!("ede={}", u16::from_be_bytes([*high, *low])),
        (code, data) => format!("option={code}:{}", hex(data)),
    }
}

impl Reply {
    /// Takes a message apart; every octet must belong to something.
    pub(crate) fn read(octets: &[u8]) -> Result<Reply, Unreadable> {
        let mut reader = Reader { octets, position: 0 };
        let (id, bits) = (reader.u16()?, reader.u16()?);
        let [questions, answers, authorities, additionals] =
            [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
        let mut reply = Reply {
            id,
            is_response: bits & 0x8000 != 0,
            opcode: bits >> 11 & 15,
            rcode: bits & 15,
            flags: flags(bits),
            question: Vec::new(),
            answer: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            edns: None,
            size: octets.len(),
        };
        for _ in 0..questions {
            reply.question.extend(reader.name_octets()?);
            reply.question.extend(reader.array::<4>()?);
        }
        for _ in 0..answers {
            let record = reader.record(&mut None)?;
            reply.answer.extend(record);
        }
        for _ in 0..authorities {
            let record = reader.record(&mut None)?;
            reply.authority.extend(record);
        }
        for _ in 0..additionals {
            let record = reader.record(&mut reply.edns)?;
            reply.additional.extend(record);
        }
        if reader.position != octets.len() {
            return Err(Unreadable("octets after the last record"));
        }
        if let Some(edns) = &reply.edns {
            reply.rcode |= u16::from(edns.upper_rcode) << 4;
        }
        Ok(reply)
    }

    /// Records of all three sections.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.answer.iter().chain(&self.authority).chain(&self.additional)
    }
}

fn flags(bits: u16) -> Vec<&'static str> {
    let all = [(0x400, "aa"), (0x200, "tc"), (0x100, "rd"), (0x80, "ra"), (0x40, "z"), (0x20, "ad"), (0x10, "cd")];
    all.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect()
}

/// Goes through a message's octets.
pub(crate) struct Reader<'a> {
    octets: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    /// Octets read so far.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// The octets up to `end`.
    pub(crate) fn take_to(&mut self, end: usize) -> Result<&'a [u8], Unreadable> {
        let octets = self.octets.get(self.position..end).ok_or(Unreadable("cut short"))?;
        self.position = end;
        Ok(octets)
    }

    /// The next `N` octets.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let mut array = [0; N];
        array.copy_from_slice(self.take_to(self.position + N)?);
        Ok(array)
    }

    /// Two octets, big-endian.
    pub(crate) fn u16(&mut self) -> Result<u16, Unreadable> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// Four octets, big-endian.
    pub(crate) fn u32(&mut self) -> Result<u32, Unreadable> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// A name's uncompressed octets; pointers must lead strictly backwards (RFC 1035 section 4.1.4).
    pub(crate) fn name_octets(&mut self) -> Result<Vec<u8>, Unreadable> {
        let mut octets = Vec::new();
        let (mut place, mut limit, mut after) = (self.position, self.position, None);
        loop {
            let length = *self.octets.get(place).ok_or(Unreadable("name cut short"))?;
            match length {
                0 => break,
                1..=63 => {
                    let end = place + 1 + usize::from(length);
                    octets.extend(self.octets.get(place..end).ok_or(Unreadable("label cut short"))?);
                    place = end;
                }
                0xc0.. => {
                    let low = *self.octets.get(place + 1).ok_or(Unreadable("pointer cut short"))?;
                    let target = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                    after = after.or(Some(place + 2));
                    if target >= limit {
                        return Err(Unreadable("pointer that does not lead backwards"));
                    }
                    (place, limit) = (target, target);
                }
                64..=191 => return Err(Unreadable("label type")),
            }
        }
        self.position = after.unwrap_or(place + 1);
        octets.push(0);
        if octets.len() > 255 { Err(Unreadable("name over 255 octets")) } else { Ok(octets) }
    }

    /// A name's text, without the final dot.
    pub(crate) fn name(&mut self) -> Result<String, Unreadable> {
        let octets = self.name_octets()?;
        let mut text = String::new();
        let mut rest = &octets[..];
        while let [length @ 1..=63, after @ ..] = rest {
            if !text.is_empty() {
                text.push('.');
            }
            label_text(&after[..usize::from(*length)], &mut text);
            rest = &after[usize::from(*length)..];
        }
        Ok(if text.is_empty() { ".".to_owned() } else { text })
    }

    fn record(&mut self, edns: &mut Option<Edns>) -> Result<Option<Record>, Unreadable> {
        let owner = self.name()?;
        let (kind, class, ttl, length) = (self.u16()?, self.u16()?, self.u32()?, usize::from(self.u16()?));
        if kind == 41 {
            if edns.is_some() || owner != "." {
                return Err(Unreadable("a second OPT, or one that is not at the root"));
            }
            let end = self.position + length;
            *edns = Some(self.edns(class, ttl, end)?);
            return Ok(None);
        }
        let data = rdata_text(self, kind, length)?;
        Ok(Some(Record { owner, ttl, class, kind, data }))
    }

    fn edns(&mut self, size: u16, ttl: u32, end: usize) -> Result<Edns, Unreadable> {
        let [upper_rcode, version, flags, _] = ttl.to_be_bytes();
        let mut options = Vec::new();
        while self.position < end {
            let (code, length) = (self.u16()?, usize::from(self.u16()?));
            options.push((code, self.take_to(self.position + length)?.to_vec()));
        }
        Ok(Edns { size, version, upper_rcode, dnssec_ok: flags & 0x80 != 0, options })
    }
}
