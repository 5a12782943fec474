//! Values ↔ octets: blocks of nodes (in sled, checkpoints and backups) and record sets (in the journal).
//!
//! ```text
//! block    version u8 · nodes · CRC32C u32
//! node     size u8 · owner without the apex · sets u16 · per set: type u16 · set
//! set      TTL u32 · records u16 · per record: size u16 · data                    (all little endian)
//! ```
//!
//! A decoder trusts no length and no order: whatever comes out is what [`crate::zone`] could have held, and octets
//! that claim more than there is cost no memory. Empty non-terminals are not kept; they follow from the names below
//! them ([`Gathered`]). Names lose their common end, which halves the size of a typical large zone.

use std::io::{self, Read, Write};

use crate::limits::NAME_SIZE_MAX;
use crate::wire::{Kind, Name, NameRef, rdata};
use crate::zone::{Fault, Node, NodeBuilder, Set, SetData, Zone};

/// The version of blocks that is written.
const VERSION: u8 = 1;
/// A block is closed when it has grown to this size. Neighbours share it, so a change of one name rewrites about
/// this much; far smaller ones cost sled memory, far larger ones make it copy.
const BLOCK_SIZE: usize = 16 << 10;

/// Why octets are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undecodable {
    /// The checksum is wrong.
    Checksum,
    /// A newer version wrote them.
    Newer(u8),
    /// The checksum is right, but they make no sense.
    Malformed,
}

impl std::fmt::Display for Undecodable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Checksum => f.write_str("wrong checksum"),
            Self::Newer(version) => write!(f, "written in the newer format {version}"),
            Self::Malformed => f.write_str("it makes no sense, although its checksum is right"),
        }
    }
}

impl std::error::Error for Undecodable {}

impl From<Undecodable> for io::Error {
    fn from(fault: Undecodable) -> Self {
        Self::new(io::ErrorKind::InvalidData, fault)
    }
}

impl Undecodable {
    /// What stands behind an error of a decoder that reads a stream, if it is not the stream's own.
    pub(super) fn behind(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

// ----- Blocks -----------------------------------------------------------------------------------------------

/// Encodes nodes of a zone, in canonical order, as blocks of about 16 KiB. Each is told with the name of its first node.
pub(super) fn each_block<'z, E>(
    apex: NameRef<'_>,
    nodes: impl Iterator<Item = &'z Node>,
    mut tell: impl FnMut(NameRef<'z>, Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let mut block = Vec::new();
    let mut first = None;
    for node in nodes.filter(|node| !node.is_empty()) {
        if first.is_none() {
            first = Some(node.name());
            block.reserve(BLOCK_SIZE + BLOCK_SIZE / 4);
            block.push(VERSION);
        }
        write_node(&mut block, apex, node);
        if block.len() >= BLOCK_SIZE
            && let Some(first) = first.take()
        {
            tell(first, close(std::mem::take(&mut block)))?;
        }
    }
    first.map_or(Ok(()), |first| tell(first, close(block)))
}

fn close(mut block: Vec<u8>) -> Vec<u8> {
    let checksum = crc32c::crc32c(&block);
    block.extend(checksum.to_le_bytes());
    block
}

fn write_node(out: &mut Vec<u8>, apex: NameRef<'_>, node: &Node) {
    let owner = inner(node.name(), apex);
    out.push(owner.len() as u8);
    out.extend_from_slice(owner);
    out.extend((node.sets().count() as u16).to_le_bytes());
    for set in node.sets() {
        out.extend(set.kind().0.to_le_bytes());
        // Writing into memory does not fail.
        let _ = write_set(out, set);
    }
}

/// The octets of a name before those of the apex it lies in.
pub(super) fn inner<'n>(name: NameRef<'n>, apex: NameRef<'_>) -> &'n [u8] {
    let octets = name.as_bytes();
    &octets[..octets.len() - apex.as_bytes().len()]
}

/// Decodes a block; tells the nodes in the order in which they come.
pub(super) fn read_block(
    apex: NameRef<'_>,
    block: &[u8],
    builder: &mut NodeBuilder,
    tell: &mut dyn FnMut(Node),
) -> Result<(), Undecodable> {
    let (body, checksum) = block.split_last_chunk::<4>().ok_or(Undecodable::Checksum)?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*checksum) {
        return Err(Undecodable::Checksum);
    }
    let (version, mut rest) = body.split_first().ok_or(Undecodable::Malformed)?;
    match *version {
        VERSION => (),
        0 => return Err(Undecodable::Malformed),
        newer => return Err(Undecodable::Newer(newer)),
    }
    while !rest.is_empty() {
        tell(read_node(apex, &mut rest, builder).ok_or(Undecodable::Malformed)?);
    }
    Ok(())
}

fn read_node(apex: NameRef<'_>, input: &mut &[u8], builder: &mut NodeBuilder) -> Option<Node> {
    let [size] = take(input)?;
    let mut octets = [0; NAME_SIZE_MAX];
    let name = join(input.split_off(..size as usize)?, apex, &mut octets)?;
    builder.start(name);
    let (mut sets, mut last_kind) = (u16::from_le_bytes(take(input)?), None);
    while sets > 0 {
        let kind = Kind(u16::from_le_bytes(take(input)?));
        if last_kind >= Some(kind) || kind.is_meta() {
            return None;
        }
        builder.set(kind, u32::from_le_bytes(take(input)?));
        read_records(input, kind, builder)?;
        (sets, last_kind) = (sets - 1, Some(kind));
    }
    let node = builder.finish();
    (!node.is_empty()).then_some(node)
}

fn read_records(input: &mut &[u8], kind: Kind, builder: &mut NodeBuilder) -> Option<()> {
    let (mut records, mut last) = (u16::from_le_bytes(take(input)?), None);
    while records > 0 {
        let size = u16::from_le_bytes(take(input)?) as usize;
        let data = input.split_off(..size)?;
        if last >= Some(data) || !rdata::verify(kind, data) {
            return None;
        }
        builder.record(data).ok()?;
        (records, last) = (records - 1, Some(data));
    }
    last.map(drop)
}

fn take<const SIZE: usize>(input: &mut &[u8]) -> Option<[u8; SIZE]> {
    input.split_off(..SIZE)?.try_into().ok()
}

/// A name in lower case from its inner octets and the apex.
fn join<'b>(inner: &[u8], apex: NameRef<'_>, buffer: &'b mut [u8; NAME_SIZE_MAX]) -> Option<NameRef<'b>> {
    let size = inner.len() + apex.as_bytes().len();
    let octets = buffer.get_mut(..size)?;
    octets[..inner.len()].copy_from_slice(inner);
    octets[inner.len()..].copy_from_slice(apex.as_bytes());
    if octets.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    match NameRef::read(octets) {
        Ok((name, [])) if name.is_within(apex) => Some(name),
        _ => None,
    }
}

// ----- Sets -------------------------------------------------------------------------------------------------

/// Writes a set without its type.
pub(super) fn write_set(out: &mut (impl Write + ?Sized), set: Set<'_>) -> io::Result<()> {
    out.write_all(&set.ttl().to_le_bytes())?;
    out.write_all(&(set.count() as u16).to_le_bytes())?;
    for data in set.rdatas() {
        out.write_all(&(data.len() as u16).to_le_bytes())?;
        out.write_all(data)?;
    }
    Ok(())
}

/// Reads a set of a type whose octets come as a stream.
pub(super) fn read_set(input: &mut impl Read, kind: Kind) -> io::Result<SetData> {
    let ttl = u32::from_le_bytes(read_array(input)?);
    let count = u16::from_le_bytes(read_array(input)?);
    let mut rdatas: Vec<Box<[u8]>> = Vec::new();
    for _ in 0..count {
        let data = read_octets(input)?;
        if rdatas.last() >= Some(&data) || !rdata::verify(kind, &data) {
            return Err(Undecodable::Malformed.into());
        }
        rdatas.push(data);
    }
    if rdatas.is_empty() || kind.is_meta() {
        return Err(Undecodable::Malformed.into());
    }
    Ok(SetData { kind, ttl, rdatas })
}

/// Reads octets with their size, of 16 bits, before them.
pub(super) fn read_octets(input: &mut impl Read) -> io::Result<Box<[u8]>> {
    let mut octets = vec![0; u16::from_le_bytes(read_array(input)?) as usize];
    input.read_exact(&mut octets)?;
    Ok(octets.into_boxed_slice())
}

/// Reads an array.
pub(super) fn read_array<const SIZE: usize>(input: &mut impl Read) -> io::Result<[u8; SIZE]> {
    let mut octets = [0; SIZE];
    input.read_exact(&mut octets)?;
    Ok(octets)
}

/// Reads a name in lower case that lies in `apex`, as [`inner`] has left it, with a size octet before.
pub(super) fn read_inner(input: &mut impl Read, apex: NameRef<'_>) -> io::Result<Name> {
    let [size] = read_array(input)?;
    let (mut inner, mut buffer) = ([0; NAME_SIZE_MAX], [0; NAME_SIZE_MAX]);
    let inner = inner.get_mut(..size as usize).ok_or(Undecodable::Malformed)?;
    input.read_exact(inner)?;
    Ok(join(inner, apex, &mut buffer).ok_or(Undecodable::Malformed)?.to_name())
}

// ----- Zones ------------------------------------------------------------------------------------------------

/// Gathers the nodes of a zone, in canonical order, and puts back the empty non-terminals between them.
pub(super) struct Gathered {
    apex: Name,
    nodes: Vec<Node>,
}

impl Gathered {
    /// Nothing yet.
    pub(super) fn new(apex: Name) -> Self {
        Self { apex, nodes: Vec::new() }
    }

    /// Adds the next node.
    pub(super) fn push(&mut self, node: Node) {
        let shared = self.nodes.last().map_or(0, |last| last.name().shared_suffix_size(node.name()));
        let start = self.nodes.len();
        let mut above = node.name().parent();
        while let Some(name) = above.filter(|name| name.as_bytes().len() > shared && name.is_within(self.apex.borrow()))
        {
            self.nodes.push(Node::empty(name));
            above = name.parent();
        }
        self.nodes[start..].reverse();
        self.nodes.push(node);
    }

    /// The zone, which checks the order of the names and that there is an SOA.
    pub(super) fn finish(self) -> Result<Zone, Fault> {
        Zone::from_nodes(&self.apex, self.nodes)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::zone::{Draft, Place};
    use proptest::prelude::*;

    const PLACE: Place = Place { file: 0, line: 1, column: 1, width: 0 };

    /// A zone of this apex with an SOA, an NS and these TXT records.
    pub(in crate::store) fn zone(apex: &str, serial: u32, texts: &[(&str, &str)]) -> Zone {
        let apex: Name = apex.parse().unwrap();
        let mut draft = Draft::new(apex.clone());
        let mut add =
            |owner: &Name, kind: Kind, data: &[u8]| draft.push(owner.borrow(), kind, 300, data, PLACE).unwrap();
        let numbers = [serial, 3600, 600, 86400, 300].map(u32::to_be_bytes).concat();
        add(&apex, Kind::SOA, &[b"\x02ns\x00\x02me\x00", &numbers[..]].concat());
        add(&apex, Kind::NS, b"\x02ns\x07example\x00");
        for (owner, text) in texts {
            let owner = Name::parse(owner.as_bytes(), Some(apex.borrow())).unwrap();
            add(&owner, Kind::TXT, &[&[text.len() as u8], text.as_bytes()].concat());
        }
        let built = Zone::build(draft);
        built.zone.unwrap_or_else(|| panic!("{:?}", built.faults))
    }

    fn blocks(zone: &Zone) -> Vec<Vec<u8>> {
        let mut blocks = Vec::new();
        each_block(zone.apex(), zone.nodes(), |_, block| -> Result<(), ()> {
            blocks.push(block);
            Ok(())
        })
        .unwrap();
        blocks
    }

    fn read(apex: &Name, blocks: &[Vec<u8>]) -> Result<Gathered, Undecodable> {
        let (mut gathered, mut builder) = (Gathered::new(apex.clone()), NodeBuilder::default());
        for block in blocks {
            read_block(apex.borrow(), block, &mut builder, &mut |node| gathered.push(node))?;
        }
        Ok(gathered)
    }

    proptest! {
        #[test]
        fn a_zone_survives(names in prop::collection::vec("([a-z*]{1,9}\\.){0,5}[a-z]{1,20}", 0..60), text in "[ -~]{0,255}") {
            let texts: Vec<_> = names.iter().map(|name| (&name[..], &text[..])).collect();
            let zone = zone("Example.org.", 7, &texts);
            let back = read(&zone.apex().to_name(), &blocks(&zone)).unwrap().finish().unwrap();
            prop_assert_eq!(back.nodes().count(), zone.nodes().count());
            prop_assert!(back.nodes().zip(zone.nodes()).all(|(a, b)| a.same(b)));
            prop_assert_eq!((back.name_count(), back.record_count()), (zone.name_count(), zone.record_count()));
        }

        /// Octets with a right checksum are the hard case: they come as far as the parser.
        #[test]
        fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..300), version in 0..3u8) {
            let apex: Name = "example.org".parse().unwrap();
            let _ = read(&apex, std::slice::from_ref(&octets));
            let sealed = close([&[version][..], &octets].concat());
            let _ = read(&apex, &[sealed]);
            let _ = read_set(&mut &octets[..], Kind(u16::from(version)));
            let _ = read_inner(&mut &octets[..], apex.borrow());
        }

        /// Nearly right is harder still.
        #[test]
        fn a_changed_block_is_read_or_refused(at in any::<prop::sample::Index>(), octet in any::<u8>()) {
            let zone = zone("example.org", 1, &[("a.b.c", "one"), ("a.b.c", "two"), ("d", "three")]);
            let mut block = blocks(&zone).remove(0);
            block.truncate(block.len() - 4);
            let at = at.index(block.len());
            block[at] = octet;
            if let Ok(gathered) = read(&zone.apex().to_name(), &[close(block)]) {
                let _ = gathered.finish();
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let zone = zone("example.org", 1, &[("www", "text")]);
        let block = blocks(&zone).remove(0);
        for bit in 0..block.len() * 8 {
            let mut damaged = block.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&zone.apex().to_name(), &[damaged]).err(), Some(Undecodable::Checksum), "bit {bit}");
        }
    }

    #[test]
    fn a_large_zone_becomes_many_blocks() {
        let texts: Vec<_> = (0..2000).map(|i| (format!("host{i}"), "x".repeat(100))).collect();
        let texts: Vec<_> = texts.iter().map(|(name, text)| (&name[..], &text[..])).collect();
        let zone = zone("example.org", 1, &texts);
        let blocks = blocks(&zone);
        assert!(blocks.len() > 10 && blocks.iter().all(|block| block.len() < BLOCK_SIZE + 1000));
        let back = read(&zone.apex().to_name(), &blocks).unwrap().finish().unwrap();
        assert_eq!(back.record_count(), 2002);
    }
}
