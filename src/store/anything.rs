//! The decoders of stored values over any octets: what the fuzzer calls, since the decoders themselves are nobody's
//! business outside.

use std::io;

use super::entry::{self, Part};
use super::snapshot::Shelf;
use super::{backup, codec};
use crate::wire::NameRef;
use crate::zone::NodeBuilder;

/// Decodes octets as each kind of stored value, with a right checksum where it would only hide the decoder behind it.
/// Whatever they are, no decoder panics, and none takes more memory than they warrant. Returns how many took them.
pub fn decode_anything(octets: &[u8]) -> usize {
    let sealed = [octets, &crc32c::crc32c(octets).to_le_bytes()].concat();
    let mut nodes = 0;
    let block = codec::read_block(NameRef::root(), &sealed, &mut NodeBuilder::default(), &mut |_| nodes += 1);
    let backup = backup::read(octets);
    let items = Shelf::ALL.iter().filter(|shelf| shelf.decode(octets).is_ok());
    usize::from(block.is_ok()) + usize::from(entry(octets).is_ok()) + usize::from(backup.is_ok()) + items.count()
}

fn entry(mut octets: &[u8]) -> io::Result<()> {
    let mut entry = entry::read(&mut octets)?;
    while let Some(part) = entry.next_part(&mut octets)? {
        match part {
            Part::Item(_) => (),
            Part::Zone { apex, .. } => while entry::read_set_change(&mut octets, apex.borrow())?.is_some() {},
        }
    }
    Ok(())
}
