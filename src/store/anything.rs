//! The decoders of stored values over any octets: what the fuzzer calls, since the decoders themselves are nobody's
//! business outside.

use super::{backup, codec, entry};
use crate::wire::NameRef;
use crate::zone::NodeBuilder;

/// Decodes octets as each kind of stored value, with a right checksum where it would only hide the decoder behind it.
/// Whatever they are, no decoder panics, and none takes more memory than they warrant. Returns how many took them.
pub fn decode_anything(octets: &[u8]) -> usize {
    let sealed = [octets, &crc32c::crc32c(octets).to_le_bytes()].concat();
    let mut nodes = 0;
    let block = codec::read_block(NameRef::root(), &sealed, &mut NodeBuilder::default(), &mut |_| nodes += 1);
    let entry = entry::read(&mut &octets[..]);
    let backup = backup::read(octets);
    usize::from(block.is_ok()) + usize::from(entry.is_ok()) + usize::from(backup.is_ok())
}
