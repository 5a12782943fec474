//! A whole zone as somebody gave it (file, transfer), not yet trusted.
//!
//! Records come in any order, a million of them, so they lie in one arena: no allocation a record, and half the
//! memory of the zone they become. [`super::Zone::build`] sorts, checks and turns them into nodes.

use crate::wire::{Kind, Name, NameRef};

use super::Place;

/// A zone that is not yet trusted.
pub struct Draft {
    origin: Name,
    records: Vec<Record>,
    /// Owner names in lower case and record data, one behind the other.
    arena: Vec<u8>,
    /// Where the last owner stands: records of one name usually come together and share it.
    last_owner: (u32, u8),
    is_whole: bool,
}

/// One record of a draft: where its owner and its data lie in the arena.
#[derive(Clone, Copy)]
pub(super) struct Record {
    pub(super) place: Place,
    pub(super) ttl: u32,
    owner_at: u32,
    rdata_at: u32,
    rdata_size: u16,
    pub(super) kind: Kind,
    owner_size: u8,
}

impl Record {
    /// Whether both came with the very same owner; distinct records may still have equal owners.
    pub(super) fn same_owner(&self, other: &Self) -> bool {
        self.owner_at == other.owner_at
    }
}

/// The arena is addressed with 32 bits; a draft of 4 GiB is refused by its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DraftFull;

impl Draft {
    /// An empty draft of the zone whose apex is `origin`.
    pub fn new(origin: Name) -> Self {
        Self {
            origin: origin.borrow().to_lower(),
            records: Vec::new(),
            arena: Vec::new(),
            last_owner: (0, 0),
            is_whole: true,
        }
    }

    /// Says that records are missing or stand in for some that could not be read. Such a draft shows more faults, but
    /// never becomes a zone.
    pub fn mark_incomplete(&mut self) {
        self.is_whole = false;
    }

    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Makes room for what a zone file of `text_size` octets holds: growing by moving would need half as much memory
    /// again. Room that is not used is never touched and so costs none.
    pub fn reserve(&mut self, text_size: usize) {
        self.records.reserve(text_size / size_of::<Record>());
        self.arena.reserve(text_size);
    }

    /// The apex, in lower case.
    pub fn origin(&self) -> NameRef<'_> {
        self.origin.borrow()
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Adds a record, in any order. `rdata` is sound wire format of at most 65,535 octets.
    pub fn push(
        &mut self,
        owner: NameRef<'_>,
        kind: Kind,
        ttl: u32,
        rdata: &[u8],
        place: Place,
    ) -> Result<(), DraftFull> {
        let rdata_size = u16::try_from(rdata.len()).map_err(|_| DraftFull)?;
        let (owner_at, owner_size) = self.intern(owner)?;
        let rdata_at = self.end()?;
        self.arena.extend_from_slice(rdata);
        self.records.push(Record { place, ttl, owner_at, rdata_at, rdata_size, kind, owner_size });
        Ok(())
    }

    fn intern(&mut self, owner: NameRef<'_>) -> Result<(u32, u8), DraftFull> {
        let (at, size) = self.last_owner;
        let last = &self.arena[at as usize..at as usize + size as usize];
        if !last.eq_ignore_ascii_case(owner.as_bytes()) {
            self.last_owner = (self.end()?, owner.as_bytes().len() as u8);
            self.arena.extend(owner.as_bytes().iter().map(u8::to_ascii_lowercase));
        }
        Ok(self.last_owner)
    }

    fn end(&self) -> Result<u32, DraftFull> {
        u32::try_from(self.arena.len()).map_err(|_| DraftFull)
    }

    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(super) fn owner(&self, record: &Record) -> NameRef<'_> {
        NameRef::trusted(&self.arena[record.owner_at as usize..][..record.owner_size as usize])
    }

    pub(super) fn rdata(&self, record: &Record) -> &[u8] {
        &self.arena[record.rdata_at as usize..][..record.rdata_size as usize]
    }
}
