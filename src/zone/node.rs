//! What stands ready at one name: its record sets, encoded once when the zone changes, copied at every query.
//!
//! A node is one allocation and one pointer. Behind the owner name lie the sets, each as
//!
//! ```text
//! type, class IN, TTL     8 octets, in the form and order of the message, ready to be copied
//! count                   2 octets: records in the set
//! size                    2 octets: of what follows
//! per record              hints (see below), length of the data (2 octets), the data uncompressed
//! ```
//!
//! A **hint** is one octet for each name that may be compressed (RFC 3597, section 4): how many octets at the end of that
//! name also end the owner. The answer then needs no search to compress it. For a wildcard only what stands behind
//! the `*` counts, so that the hint holds for every name it makes up.
//!
//! Records in a set are sorted by their octets, sets by type: equal content means equal octets.

use triomphe::ThinArc;

use crate::limits::SET_SIZE_MAX;
use crate::wire::{Kind, NameRef};

/// All record sets of one name. A clone is another pointer to the same.
#[derive(Clone)]
pub struct Node(ThinArc<Head, u8>);

#[derive(Clone, Copy, PartialEq, Eq)]
struct Head {
    name_size: u8,
    marks: u8,
}

const CUT: u8 = 1;
const ALIAS: u8 = 2;
const REDIRECT: u8 = 4;

/// A record set as a value of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetData {
    /// The type.
    pub kind: Kind,
    /// The TTL in seconds, the same for the whole set (RFC 2181, section 5.2).
    pub ttl: u32,
    /// The data of each record, uncompressed, sorted, each once.
    pub rdatas: Vec<Box<[u8]>>,
}

/// A record set inside a node.
#[derive(Clone, Copy)]
pub struct Set<'a> {
    head: &'a [u8; SET_HEAD_SIZE],
    body: &'a [u8],
}

const SET_HEAD_SIZE: usize = 12;

/// The records of a set would not fit into one message, so the set could never be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetTooLarge(pub Kind);

/// Which names of the type are compressed: how many, and where the first stands. The target of SRV is not, but
/// others may point to it.
fn compressed_names(kind: Kind) -> (usize, usize) {
    match kind {
        Kind::SRV => (0, 6),
        Kind::NS | Kind::CNAME | Kind::PTR => (1, 0),
        Kind::MX => (1, 2),
        Kind::SOA => (2, 0),
        _ => (0, 0),
    }
}

impl Node {
    /// A node with these sets, sorted by type; none makes an empty non-terminal. `name` is in lower case.
    pub fn new(name: NameRef<'_>, sets: &[SetData]) -> Result<Self, SetTooLarge> {
        let mut builder = NodeBuilder::default();
        builder.start(name);
        for set in sets {
            builder.set(set.kind, set.ttl);
            for rdata in &set.rdatas {
                builder.record(rdata)?;
            }
        }
        Ok(builder.finish())
    }

    /// An empty non-terminal (RFC 4592, section 2.2.2): a name that exists only because one below it does.
    pub fn empty(name: NameRef<'_>) -> Self {
        let head = Head { name_size: name.as_bytes().len() as u8, marks: 0 };
        Self(ThinArc::from_header_and_slice(head, name.as_bytes()))
    }

    #[inline]
    fn octets(&self) -> &[u8] {
        &self.0.slice
    }

    #[inline]
    fn head(&self) -> Head {
        self.0.header.header
    }

    /// The owner name, in lower case.
    #[inline]
    pub fn name(&self) -> NameRef<'_> {
        NameRef::trusted(&self.octets()[..self.head().name_size as usize])
    }

    /// The sets, in ascending order of their types.
    #[inline]
    pub fn sets(&self) -> Sets<'_> {
        Sets(&self.octets()[self.head().name_size as usize..])
    }

    /// The set of one type.
    #[inline]
    pub fn set(&self, kind: Kind) -> Option<Set<'_>> {
        self.sets().find(|set| set.kind() == kind)
    }

    /// The names that an answer from here would go on to: of aliases, name servers, mail exchanges and services.
    pub fn targets(&self) -> impl Iterator<Item = NameRef<'_>> {
        let leading = self.sets().filter(|set| matches!(set.kind(), Kind::CNAME | Kind::NS | Kind::MX | Kind::SRV));
        leading
            .flat_map(Set::records)
            .filter_map(|record| Some(NameRef::read(record.rdata.get(record.name_at..)?).ok()?.0))
    }

    /// Whether this is an empty non-terminal.
    pub fn is_empty(&self) -> bool {
        self.octets().len() == self.head().name_size as usize
    }

    /// Whether there is an NS set here: below the apex, a zone cut.
    #[inline]
    pub fn has_ns(&self) -> bool {
        self.head().marks & CUT != 0
    }

    /// Whether there is a CNAME here.
    #[inline]
    pub fn is_alias(&self) -> bool {
        self.head().marks & ALIAS != 0
    }

    /// Whether there is a DNAME here.
    #[inline]
    pub fn has_dname(&self) -> bool {
        self.head().marks & REDIRECT != 0
    }

    /// How many records.
    pub fn record_count(&self) -> usize {
        self.sets().map(|set| set.count()).sum()
    }

    /// Whether both are the very same allocation.
    pub fn is(&self, other: &Self) -> bool {
        self.0.as_ptr() == other.0.as_ptr()
    }

    /// Whether both hold the same name and the same records.
    pub fn same(&self, other: &Self) -> bool {
        self.is(other) || self.octets() == other.octets()
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("name", &self.name()).field("sets", &self.sets().collect::<Vec<_>>()).finish()
    }
}

/// Builds nodes one after the other in the same buffer.
#[derive(Default)]
pub struct NodeBuilder {
    octets: Vec<u8>,
    name_size: usize,
    marks: u8,
    set: Option<OpenSet>,
}

struct OpenSet {
    kind: Kind,
    at: usize,
    count: u16,
    /// Octets of the whole set in a message with compressed owners.
    wire_size: usize,
}

impl NodeBuilder {
    /// Begins a node; whatever was begun before is forgotten. `name` is in lower case.
    pub fn start(&mut self, name: NameRef<'_>) {
        self.octets.clear();
        self.octets.extend_from_slice(name.as_bytes());
        (self.name_size, self.marks, self.set) = (name.as_bytes().len(), 0, None);
    }

    /// Begins a set; sets come in ascending order of their types.
    pub fn set(&mut self, kind: Kind, ttl: u32) {
        self.close_set();
        self.marks |= match kind {
            Kind::NS => CUT,
            Kind::CNAME => ALIAS,
            Kind::DNAME => REDIRECT,
            _ => 0,
        };
        self.set = Some(OpenSet { kind, at: self.octets.len(), count: 0, wire_size: 0 });
        self.octets.extend(kind.0.to_be_bytes());
        self.octets.extend([0, 1]);
        self.octets.extend(ttl.to_be_bytes());
        self.octets.extend([0; 4]);
    }

    /// Adds a record to the set that was begun last; records come sorted by their octets.
    pub fn record(&mut self, rdata: &[u8]) -> Result<(), SetTooLarge> {
        let Some(set) = &mut self.set else { return Ok(()) };
        set.count += 1;
        set.wire_size += 12 + rdata.len();
        if set.wire_size > SET_SIZE_MAX {
            return Err(SetTooLarge(set.kind));
        }
        let (names, mut at) = compressed_names(set.kind);
        for _ in 0..names {
            let (hint, next) = self.hint(rdata, at);
            self.octets.push(hint);
            at = next;
        }
        self.octets.extend((rdata.len() as u16).to_be_bytes());
        self.octets.extend_from_slice(rdata);
        Ok(())
    }

    fn hint(&self, rdata: &[u8], at: usize) -> (u8, usize) {
        let owner = NameRef::trusted(&self.octets[..self.name_size]);
        let owner = if owner.is_wildcard() { owner.parent().unwrap_or(owner) } else { owner };
        match NameRef::read(&rdata[at..]) {
            Ok((name, rest)) => (name.shared_suffix_size(owner) as u8, rdata.len() - rest.len()),
            Err(_) => (0, at), // unsound data never gets here; a hint of 0 would only mean "do not compress"
        }
    }

    fn close_set(&mut self) {
        if let Some(set) = self.set.take() {
            let size = (self.octets.len() - set.at - SET_HEAD_SIZE) as u16;
            self.octets[set.at + 8..set.at + 10].copy_from_slice(&set.count.to_be_bytes());
            self.octets[set.at + 10..set.at + 12].copy_from_slice(&size.to_be_bytes());
        }
    }

    /// The node.
    pub fn finish(&mut self) -> Node {
        self.close_set();
        let head = Head { name_size: self.name_size as u8, marks: self.marks };
        Node(ThinArc::from_header_and_slice(head, &self.octets))
    }
}

/// The sets of a node.
#[derive(Clone)]
pub struct Sets<'a>(&'a [u8]);

impl<'a> Iterator for Sets<'a> {
    type Item = Set<'a>;

    #[inline]
    fn next(&mut self) -> Option<Set<'a>> {
        let (head, rest) = self.0.split_first_chunk::<SET_HEAD_SIZE>()?;
        let size = u16::from_be_bytes([head[10], head[11]]) as usize;
        let (body, rest) = rest.split_at(size);
        self.0 = rest;
        Some(Set { head, body })
    }
}

impl<'a> Set<'a> {
    /// The type.
    #[inline]
    pub fn kind(self) -> Kind {
        Kind(u16::from_be_bytes([self.head[0], self.head[1]]))
    }

    /// The TTL in seconds.
    pub fn ttl(self) -> u32 {
        u32::from_be_bytes([self.head[4], self.head[5], self.head[6], self.head[7]])
    }

    /// How many records.
    #[inline]
    pub fn count(self) -> usize {
        u16::from_be_bytes([self.head[8], self.head[9]]) as usize
    }

    /// Type, class and TTL as they stand in a message.
    #[inline]
    pub fn fixed(self) -> &'a [u8; 8] {
        self.head.first_chunk().unwrap_or(&[0; 8])
    }

    /// The records, with what the answer needs to know of them.
    #[inline]
    pub fn records(self) -> Records<'a> {
        let (hints, name_at) = compressed_names(self.kind());
        Records { body: self.body, hints, name_at }
    }

    /// The data of each record, uncompressed.
    pub fn rdatas(self) -> impl Iterator<Item = &'a [u8]> {
        self.records().map(|record| record.rdata)
    }

    /// A copy that stands alone.
    pub fn to_data(self) -> SetData {
        SetData { kind: self.kind(), ttl: self.ttl(), rdatas: self.rdatas().map(Into::into).collect() }
    }

    /// Whether both have the same type, TTL and records.
    pub fn same(self, other: Set<'_>) -> bool {
        self.head == other.head && self.body == other.body
    }
}

impl std::fmt::Debug for Set<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} x{}", self.ttl(), self.kind(), self.count())
    }
}

/// One record of a set.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// The data, uncompressed.
    pub rdata: &'a [u8],
    /// For each compressible name, how many octets at its end also end the owner.
    pub hints: &'a [u8],
    /// Where the first name stands in the data; 0 also where there is none.
    pub name_at: usize,
}

/// The records of a set.
#[derive(Clone)]
pub struct Records<'a> {
    body: &'a [u8],
    hints: usize,
    name_at: usize,
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        if self.body.is_empty() {
            return None;
        }
        let (hints, rest) = self.body.split_at(self.hints);
        let (size, rest) = rest.split_first_chunk::<2>()?;
        let (rdata, rest) = rest.split_at(u16::from_be_bytes(*size) as usize);
        self.body = rest;
        Some(Record { rdata, hints, name_at: self.name_at })
    }
}

impl SetData {
    /// A set in its one order, each record once.
    pub fn new(kind: Kind, ttl: u32, mut rdatas: Vec<Box<[u8]>>) -> Self {
        rdatas.sort_unstable();
        rdatas.dedup();
        Self { kind, ttl, rdatas }
    }
}

impl super::tree::Named for Node {
    fn name(&self) -> NameRef<'_> {
        Node::name(self)
    }

    #[inline]
    fn address(&self) -> *const u8 {
        self.0.as_ptr().cast()
    }
}
