//! Keys, and the two small records above the blocks.
//!
//! ```text
//! 0                                    → State
//! 1 · sort key of the apex · 0         → Manifest of the zone
//! 2 · sort key of the apex · 0 · rest of the sort key of the first name → block
//! 3 · shelf u8 · key                   → an item, as its shelf writes it, and CRC32C u32
//! ```
//!
//! In a sort key no label is empty, so a zero where a label would begin ends the apex, and zones never mix.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::wire::{Name, NameRef};

use super::DiskFault;
use crate::store::codec::Undecodable;
use crate::store::entry::read_apex;
use crate::store::snapshot::{Item, ItemKey, Shelf};

/// The version of everything in the tree. The first knew no items.
const SCHEMA: u32 = 2;

pub(super) const STATE_KEY: [u8; 1] = [0];
pub(super) const MANIFESTS: u8 = 1;
pub(super) const BLOCKS: u8 = 2;
pub(super) const ITEMS: u8 = 3;

/// The key of a zone in one of the two ranges.
pub(super) fn zone_key(range: u8, apex: NameRef<'_>) -> Vec<u8> {
    let mut key = vec![range];
    apex.write_sort_key(&mut key);
    key.push(0);
    key
}

/// The key of an item.
pub(super) fn item_key(at: &ItemKey) -> Vec<u8> {
    [&[ITEMS, at.shelf.code()], at.key.as_bytes()].concat()
}

/// The item that lies under a key.
pub(super) fn read_item(key: &[u8], value: &[u8]) -> Result<Item, DiskFault> {
    let octets = unseal(value).ok_or_else(|| damaged("an item"))?;
    let nonsense = |_| DiskFault::Damaged("an item makes no sense, although its checksum is right".to_owned());
    let [_, code, key @ ..] = key else { return Err(damaged("the key of an item")) };
    let shelf = Shelf::from_code(*code).ok_or(DiskFault::Newer(u32::from(*code)))?;
    let at = ItemKey::new(shelf, std::str::from_utf8(key).map_err(|_| damaged("the key of an item"))?);
    match at.item(octets) {
        Err(Undecodable::Newer(version)) => Err(DiskFault::Newer(version.into())),
        item => item.map_err(nonsense),
    }
}

/// The key of a block whose first name is this one.
pub(super) fn block_key(apex: NameRef<'_>, first: NameRef<'_>) -> Vec<u8> {
    let mut key = zone_key(BLOCKS, apex);
    let end = key.len();
    first.write_sort_key(&mut key);
    key.drain(end..end + end - 2); // the apex again, which is all but the range and the zero
    key
}

/// The share of a key and its value in the digest above them. Shares are added up, so that one can be taken out.
pub(super) fn share(key: &[u8], value: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(key);
    hasher.write(value);
    hasher.finish()
}

/// What the tree holds as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// The revision of the last change in it.
    pub(super) revision: u64,
    /// How many zones.
    pub(super) zones: u64,
    /// Octets of all blocks and items.
    pub(super) octets: u64,
    /// The manifests and the items.
    pub(super) digest: u64,
    /// False while more than one batch is under way.
    pub(super) finished: bool,
    /// How many items.
    pub(super) items: u64,
}

impl State {
    /// Counts an item.
    pub(super) fn add_item(&mut self, key: &[u8], value: &[u8]) {
        self.items += 1;
        self.octets += value.len() as u64;
        self.digest = self.digest.wrapping_add(share(key, value));
    }

    /// Counts an item no more.
    pub(super) fn take_item(&mut self, key: &[u8], value: &[u8]) {
        self.items = self.items.wrapping_sub(1);
        self.octets = self.octets.wrapping_sub(value.len() as u64);
        self.digest = self.digest.wrapping_sub(share(key, value));
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut octets = SCHEMA.to_le_bytes().to_vec();
        let finished = u64::from(self.finished);
        for number in [self.revision, self.zones, self.octets, self.digest, finished, self.items] {
            octets.extend(number.to_le_bytes());
        }
        seal(octets)
    }

    pub(super) fn decode(octets: &[u8]) -> Result<Self, DiskFault> {
        let body = unseal(octets).ok_or_else(|| damaged("the state record"))?;
        let (schema, mut rest) = body.split_first_chunk().ok_or_else(|| damaged("the state record"))?;
        let schema = u32::from_le_bytes(*schema);
        if schema > SCHEMA {
            return Err(DiskFault::Newer(schema));
        }
        let mut number = || take(&mut rest).ok_or_else(|| damaged("the state record"));
        let (revision, zones, octets, digest) = (number()?, number()?, number()?, number()?);
        let finished = number()? == 1;
        let items = if schema == 1 { 0 } else { number()? };
        Ok(Self { revision, zones, octets, digest, finished, items })
    }
}

/// What a zone consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) apex: Name,
    /// Names with records.
    pub(super) names: u64,
    pub(super) records: u64,
    pub(super) blocks: u64,
    /// Octets of the blocks.
    pub(super) octets: u64,
    /// The blocks.
    pub(super) digest: u64,
}

impl Manifest {
    /// Of a zone without blocks.
    pub(super) fn empty(apex: Name) -> Self {
        Self { apex, names: 0, records: 0, blocks: 0, octets: 0, digest: 0 }
    }

    /// Counts a block.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.blocks += 1;
        self.octets += value.len() as u64;
        self.digest = self.digest.wrapping_add(share(key, value));
    }

    /// Counts a block no more.
    pub(super) fn take(&mut self, key: &[u8], value: &[u8]) {
        self.blocks = self.blocks.wrapping_sub(1);
        self.octets = self.octets.wrapping_sub(value.len() as u64);
        self.digest = self.digest.wrapping_sub(share(key, value));
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut octets = vec![self.apex.as_bytes().len() as u8];
        octets.extend_from_slice(self.apex.as_bytes());
        for number in [self.names, self.records, self.blocks, self.octets, self.digest] {
            octets.extend(number.to_le_bytes());
        }
        seal(octets)
    }

    pub(super) fn decode(octets: &[u8]) -> Option<Self> {
        let mut rest = unseal(octets)?;
        let apex = read_apex(&mut rest).ok()?;
        let mut number = || take(&mut rest);
        let (names, records, blocks, octets, digest) = (number()?, number()?, number()?, number()?, number()?);
        rest.is_empty().then_some(Self { apex, names, records, blocks, octets, digest })
    }
}

pub(super) fn damaged(what: &str) -> DiskFault {
    DiskFault::Damaged(format!("{what} has a wrong checksum"))
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(rest.split_off(..8)?.try_into().ok()?))
}

pub(super) fn seal(mut octets: Vec<u8>) -> Vec<u8> {
    let checksum = crc32c::crc32c(&octets);
    octets.extend(checksum.to_le_bytes());
    octets
}

fn unseal(octets: &[u8]) -> Option<&[u8]> {
    let (body, checksum) = octets.split_last_chunk()?;
    (crc32c::crc32c(body) == u32::from_le_bytes(*checksum)).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn records_survive(revision: u64, zones: u64, octets: u64, digest: u64, finished: bool, items: u64) {
            let state = State { revision, zones, octets, digest, finished, items };
            prop_assert_eq!(State::decode(&state.encode()).unwrap(), state);
            let apex: Name = "example.org".parse().unwrap();
            let manifest = Manifest { apex, names: revision, records: zones, blocks: 7, octets, digest };
            prop_assert_eq!(Manifest::decode(&manifest.encode()), Some(manifest));
        }

        #[test]
        fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = (State::decode(&octets), Manifest::decode(&octets), read_item(&octets, &seal(octets.clone())));
            let _ = (State::decode(&seal(octets.clone())), Manifest::decode(&seal(octets)));
        }
    }

    #[test]
    fn keys_keep_zones_apart_and_names_in_order() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let (org, root) = (name("example.org"), name("."));
        assert_eq!(zone_key(BLOCKS, root.borrow()), [2, 0]);
        assert_eq!(block_key(root.borrow(), org.borrow()), b"\x02\0org\0example\0");
        assert_eq!(block_key(org.borrow(), org.borrow()), b"\x02org\0example\0\0");
        assert_eq!(block_key(org.borrow(), name("b.a.example.org").borrow()), b"\x02org\0example\0\0a\0b\0");
        let sub = zone_key(BLOCKS, name("sub.example.org").borrow());
        assert!(!sub.starts_with(&zone_key(BLOCKS, org.borrow())));
    }
}
