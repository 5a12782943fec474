//! Writes a reply into the caller's buffer: sections, compression, truncation. No heap, no search.
//!
//! **Compression** (RFC 1035, section 4.1.4) without a table of names: the owner of a set is always a name that already
//! stands in the message (the question, the target of an alias, the apex as the end of either), and [`Spot`] says where.
//! The hint beside each stored name says how much of its end it shares with its owner. The two together give the pointer.
//!
//! **Truncation**: a set goes in whole or not at all (RFC 2181, section 9).

mod spot;

use spot::End;
pub use spot::Spot;

use super::edns::Opt;
use super::query::{HEADER_SIZE, Header};
use super::tsig::Tsig;
use super::{NameRef, Rcode};

/// The largest offset a pointer can name.
const POINTER_MAX: usize = 0x3fff;

/// Padded replies are a multiple of so many octets (RFC 8467, section 4.1).
pub const PADDING_BLOCK: usize = 468;

/// The sections of a message that hold records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What was asked for.
    Answer,
    /// Who knows more.
    Authority,
    /// What else will be needed.
    Additional,
}

/// The set does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// The owner of a set that is about to be written.
#[derive(Clone, Copy)]
pub struct Owner<'a> {
    /// The name.
    pub name: NameRef<'a>,
    /// Where a name stands that ends as this one does, if there is one in the message.
    pub spot: Option<Spot>,
    /// How many octets the two share at their ends.
    pub shared: usize,
}

impl<'a> Owner<'a> {
    /// A name that stands in the message, itself or as the end of the name at `spot`.
    pub fn at(name: NameRef<'a>, spot: Spot) -> Self {
        Self { name, spot: Some(spot), shared: name.as_bytes().len() }
    }
}

/// A record that is about to be written.
#[derive(Clone, Copy)]
pub struct Data<'a> {
    /// The data, uncompressed.
    pub rdata: &'a [u8],
    /// For each name that may be compressed, how many octets at its end also end the owner.
    pub hints: &'a [u8],
    /// Where the first name stands in the data, compressible or not; the second follows it at once. 0 without hints:
    /// there is none that others could point to.
    pub name_at: usize,
}

/// A reply under construction.
pub struct Reply<'b> {
    buffer: &'b mut [u8],
    at: usize,
    /// Octets that records may fill: the OPT record has its place behind.
    limit: usize,
    counts: [u16; 3],
    has_question: bool,
    authoritative: bool,
    truncated: bool,
}

impl<'b> Reply<'b> {
    /// Begins with the question; `size_max` octets at most, of which `reserved` are kept for the OPT record.
    /// The buffer holds at least 512 octets.
    pub fn new(buffer: &'b mut [u8], question: &[u8], size_max: usize, reserved: usize) -> Self {
        let limit = size_max.min(buffer.len()).saturating_sub(reserved);
        let at = HEADER_SIZE + question.len();
        buffer[HEADER_SIZE..at].copy_from_slice(question);
        let has_question = !question.is_empty();
        Self { buffer, at, limit, counts: [0; 3], has_question, authoritative: false, truncated: false }
    }

    /// Says that we are the authority for the name that was asked (RFC 1035, section 4.1.1).
    pub fn set_authoritative(&mut self, authoritative: bool) {
        self.authoritative = authoritative;
    }

    /// Says that something is missing that belongs here.
    pub fn set_truncated(&mut self) {
        self.truncated = true;
    }

    /// Whether something is missing.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Writes a record set, whole or not at all.
    /// `told` is told where the name in each record came to stand.
    pub fn put_set<'a>(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        fixed: &[u8; 8],
        records: impl Iterator<Item = Data<'a>>,
        told: &mut dyn FnMut(Spot),
    ) -> Result<(), Full> {
        let start = self.at;
        let written = self.put_records(owner, fixed, records, told);
        match written {
            Some(count) => self.counts[section as usize] += count,
            None => self.at = start,
        }
        written.map_or(Err(Full), |_| Ok(()))
    }

    fn put_records<'a>(
        &mut self,
        owner: Owner<'_>,
        fixed: &[u8; 8],
        records: impl Iterator<Item = Data<'a>>,
        told: &mut dyn FnMut(Spot),
    ) -> Option<u16> {
        let (mut count, mut owner, mut previous) = (0, owner, None);
        for record in records {
            let spot = self.put_name(owner.name, owner.spot, owner.shared)?;
            owner = Owner::at(owner.name, spot);
            self.put(fixed)?;
            let size_at = self.at;
            self.put(&[0, 0])?;
            match record.hints {
                [] => {
                    let at = self.at + record.name_at;
                    self.put(record.rdata)?;
                    if record.name_at > 0 {
                        let (name, _) = NameRef::read(&record.rdata[record.name_at..]).ok()?;
                        told(Spot::whole(at, name.as_bytes().len()));
                    }
                }
                hints => previous = Some(self.put_with_names(&record, hints, spot, previous, told)?),
            }
            let size = (self.at - size_at - 2) as u16;
            self.buffer[size_at..size_at + 2].copy_from_slice(&size.to_be_bytes());
            count += 1;
        }
        Some(count)
    }

    /// Returns the last name and where it stands, so that the next record can share its end where it shares none of
    /// the owner's.
    fn put_with_names<'a>(
        &mut self,
        record: &Data<'a>,
        hints: &[u8],
        owner: Spot,
        mut previous: Option<(NameRef<'a>, Spot)>,
        told: &mut dyn FnMut(Spot),
    ) -> Option<(NameRef<'a>, Spot)> {
        self.put(&record.rdata[..record.name_at])?;
        let mut rest = &record.rdata[record.name_at..];
        for &hint in hints {
            let (name, behind) = NameRef::read(rest).ok()?;
            let spot = self.put_data_name(name, (owner, hint as usize), previous)?;
            told(spot);
            (previous, rest) = (Some((name, spot)), behind);
        }
        self.put(rest)?;
        previous
    }

    /// Writes a name inside record data, with the owner's end or with that of the name before it, in the zone's
    /// own case (RFC 4343, section 4.1): an end that is spelled otherwise in the question is not shared.
    fn put_data_name(
        &mut self,
        name: NameRef<'_>,
        (owner, shared): (Spot, usize),
        previous: Option<(NameRef<'_>, Spot)>,
    ) -> Option<Spot> {
        let octets = name.as_bytes();
        let fits = |end: &End| end.pointer <= POINTER_MAX && end.spot.reads(end, self.buffer, octets);
        let end = owner.find(shared).filter(fits).or_else(|| {
            let (other, spot) = previous?;
            spot.find(name.shared_suffix_size(other)).filter(fits)
        });
        self.put_before(octets, end)
    }

    /// Writes a name whose last `shared` octets also end the name at `spot`; says where it stands then.
    pub fn put_name(&mut self, name: NameRef<'_>, spot: Option<Spot>, shared: usize) -> Option<Spot> {
        let end = spot.and_then(|spot| spot.find(shared)).filter(|end| end.pointer <= POINTER_MAX);
        self.put_before(name.as_bytes(), end)
    }

    fn put_before(&mut self, octets: &[u8], end: Option<End>) -> Option<Spot> {
        let at = self.at;
        let Some(end) = end else {
            self.put(octets)?;
            return Some(Spot::whole(at, octets.len()));
        };
        let own = octets.len() - end.size;
        self.put(&octets[..own])?;
        self.put(&(0xc000 | end.pointer as u16).to_be_bytes())?;
        Some(end.spot.behind(at, own, &end))
    }

    #[inline]
    fn put(&mut self, octets: &[u8]) -> Option<()> {
        let end = self.at + octets.len();
        if end > self.limit {
            return None;
        }
        self.buffer[self.at..end].copy_from_slice(octets);
        self.at = end;
        Some(())
    }

    /// Octets that fill the last block, or the message where that ends first, behind an OPT record of this size.
    fn padding(&self, opt_size: usize) -> u16 {
        let size = self.at + opt_size;
        size.next_multiple_of(PADDING_BLOCK).min(self.buffer.len()).saturating_sub(size) as u16
    }

    /// Writes the OPT record, what answers a signature by an unknown key, and the header; returns how many octets the
    /// reply has. AD and CD stay clear: an authority validates nothing (RFC 4035, section 3.1.6).
    pub fn finish(mut self, header: Header, rcode: Rcode, opt: Option<Opt<'_>>, bad_key: Option<&Tsig<'_>>) -> usize {
        let mut counts = [u16::from(self.has_question), self.counts[0], self.counts[1], self.counts[2]];
        let opt = opt.map(|opt| Opt {
            rcode_high: (rcode.0 >> 4) as u8,
            padding: opt.padding.map(|_| self.padding(opt.size())),
            ..opt
        });
        if let Some(size) = opt.and_then(|opt| opt.write(&mut self.buffer[self.at..])) {
            self.at += size;
            counts[3] += 1;
        }
        if let Some(size) = bad_key.and_then(|tsig| tsig.write_bad_key(&mut self.buffer[self.at..])) {
            self.at += size;
            counts[3] += 1;
        }
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let [head, ..] = self.buffer.as_chunks_mut::<HEADER_SIZE>().0 else { return 0 };
        head[..2].copy_from_slice(&header.id);
        head[2] = 0x80
            | header.opcode << 3
            | flag(self.authoritative, 0x04)
            | flag(self.truncated, 0x02)
            | flag(header.recursion_desired, 0x01);
        head[3] = (rcode.0 & 0xf) as u8;
        for (count, at) in counts.iter().zip([4, 6, 8, 10]) {
            head[at..at + 2].copy_from_slice(&count.to_be_bytes());
        }
        self.at
    }
}

#[cfg(test)]
mod tests;
