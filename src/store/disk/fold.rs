//! State → sled: the blocks that changed, or everything.

use std::collections::BTreeSet;
use std::ops::Bound;

use crate::store::codec;
use crate::store::pending::{TouchedNames, TouchedParts};
use crate::store::snapshot::{ItemKey, Snapshot};
use crate::wire::{Name, NameRef};
use crate::zone::{Node, NodeBuilder, Zone};

use super::DiskFault;
use super::load;
use super::record::{
    BLOCKS, MANIFESTS, Manifest, STATE_KEY, State, block_key, damaged, item_key, seal, share, zone_key,
};

/// Octets of a batch. A larger change is written in several, marked as unfinished until the last; one
/// large batch would cost sled four times its size in memory.
const BATCH_SIZE: usize = 4 << 20;
/// Blocks that have shrunk below this are joined with the next one.
const SPARSE: usize = 4 << 10;

/// Brings the tree from revision `from` to a state; returns the octets of all blocks.
pub(super) fn fold(db: &sled::Db, from: u64, touched: &TouchedParts, to: &Snapshot) -> Result<u64, DiskFault> {
    let state = load::state(db)?;
    if state.revision != from {
        return Err(DiskFault::Damaged(format!("it holds revision {}, not {from} as before", state.revision)));
    }
    let mut writer = Writer::new(db, state);
    for (apex, names) in touched.zones() {
        writer.zone(apex, names, to)?;
    }
    for key in touched.items() {
        writer.item(key, to)?;
    }
    writer.finish(to)
}

/// Writes a state into an empty tree; returns the octets of all blocks.
pub(super) fn write(db: &sled::Db, state: &Snapshot) -> Result<u64, DiskFault> {
    let mut writer = Writer::new(db, State::default());
    for zone in state.zones.iter() {
        writer.zone(&zone.apex().to_name(), &TouchedNames::Whole, state)?;
    }
    for item in state.items() {
        writer.item(&item.key(), state)?;
    }
    writer.finish(state)
}

struct Writer<'a> {
    db: &'a sled::Db,
    state: State,
    batch: sled::Batch,
    size: usize,
}

impl<'a> Writer<'a> {
    fn new(db: &'a sled::Db, state: State) -> Self {
        Self { db, state, batch: sled::Batch::default(), size: 0 }
    }

    fn zone(&mut self, apex: &Name, names: &TouchedNames, to: &Snapshot) -> Result<(), DiskFault> {
        let key = zone_key(MANIFESTS, apex.borrow());
        let old = self.db.get(&key)?;
        let manifest = match &old {
            Some(octets) => Manifest::decode(octets).ok_or_else(|| damaged("the manifest of a zone"))?,
            None => Manifest::empty(apex.clone()),
        };
        if let Some(old) = &old {
            self.state.zones -= 1;
            self.state.octets = self.state.octets.wrapping_sub(manifest.octets);
            self.state.digest = self.state.digest.wrapping_sub(share(&key, old));
        }
        let manifest = match (to.zones.get(apex.borrow()), names) {
            (None, _) => {
                self.clear(apex)?;
                return self.remove(&key);
            }
            (Some(zone), TouchedNames::Names(names)) if old.is_some() => self.blocks(zone, names, manifest)?,
            (Some(zone), TouchedNames::Names(_) | TouchedNames::Whole) => {
                self.clear(apex)?;
                let mut manifest = Manifest::empty(apex.clone());
                self.write_blocks(zone, zone.nodes(), &mut manifest)?;
                Manifest { names: zone.name_count() as u64, records: zone.record_count() as u64, ..manifest }
            }
        };
        let value = manifest.encode();
        self.state.zones += 1;
        self.state.octets += manifest.octets;
        self.state.digest = self.state.digest.wrapping_add(share(&key, &value));
        self.insert(&key, value)
    }

    fn item(&mut self, at: &ItemKey, to: &Snapshot) -> Result<(), DiskFault> {
        let key = item_key(at);
        if let Some(old) = self.db.get(&key)? {
            self.state.take_item(&key, &old);
        }
        match to.item(at) {
            Some(item) => {
                let value = seal(item.encode()?);
                self.state.add_item(&key, &value);
                self.insert(&key, value)
            }
            None => self.remove(&key),
        }
    }

    /// Removes all blocks of a zone.
    fn clear(&mut self, apex: &Name) -> Result<(), DiskFault> {
        let keys: Result<Vec<_>, _> = self.db.scan_prefix(zone_key(BLOCKS, apex.borrow())).keys().collect();
        keys?.iter().try_for_each(|key| self.remove(key))
    }

    /// Writes again the blocks in which these names lie.
    fn blocks<'n>(
        &mut self,
        zone: &Zone,
        names: impl IntoIterator<Item = &'n Name>,
        mut manifest: Manifest,
    ) -> Result<Manifest, DiskFault> {
        let mut todo = BTreeSet::new();
        for name in names {
            todo.insert(self.block_of(zone.apex(), name.borrow())?);
        }
        while let Some(start) = todo.pop_first() {
            let first = self.forget(&start, &mut manifest)?;
            let mut end = self.block_after(zone.apex(), &start)?;
            while let Some(next) = &end
                && size_between(zone, first.borrow(), next) < SPARSE
            {
                todo.remove(next);
                self.forget(next, &mut manifest)?;
                end = self.block_after(zone.apex(), next)?;
            }
            let nodes = nodes_between(zone, first.borrow(), end.as_deref());
            self.write_blocks(zone, nodes, &mut manifest)?;
        }
        Ok(Manifest { names: zone.name_count() as u64, records: zone.record_count() as u64, ..manifest })
    }

    /// The key of the block in whose range a name lies. The first block of a zone begins with the apex, so there is one.
    fn block_of(&self, apex: NameRef<'_>, name: NameRef<'_>) -> Result<Vec<u8>, DiskFault> {
        let range = zone_key(BLOCKS, apex)..=block_key(apex, name);
        match self.db.range(range).next_back() {
            Some(entry) => Ok(entry?.0.to_vec()),
            None => Err(DiskFault::Damaged("the first block of a zone is missing".to_owned())),
        }
    }

    fn block_after(&self, apex: NameRef<'_>, key: &[u8]) -> Result<Option<Vec<u8>>, DiskFault> {
        let next = self.db.range::<&[u8], _>((Bound::Excluded(key), Bound::Unbounded)).next().transpose()?;
        let next = next.map(|(key, _)| key.to_vec());
        Ok(next.filter(|next| next.starts_with(&zone_key(BLOCKS, apex))))
    }

    /// Takes a block out; returns the name it begins with.
    fn forget(&mut self, key: &[u8], manifest: &mut Manifest) -> Result<Name, DiskFault> {
        let value = self.db.get(key)?.ok_or_else(|| DiskFault::Damaged("a block is missing".to_owned()))?;
        let (mut first, mut builder) = (None, NodeBuilder::default());
        codec::read_block(manifest.apex.borrow(), &value, &mut builder, &mut |node| {
            first.get_or_insert_with(|| node.name().to_name());
        })
        .map_err(|fault| DiskFault::Damaged(format!("a block: {fault}")))?;
        manifest.take(key, &value);
        self.remove(key)?;
        first.ok_or_else(|| DiskFault::Damaged("a block is empty".to_owned()))
    }

    fn write_blocks<'z>(
        &mut self,
        zone: &Zone,
        nodes: impl Iterator<Item = &'z Node>,
        manifest: &mut Manifest,
    ) -> Result<(), DiskFault> {
        codec::each_block(zone.apex(), nodes, |first, block| {
            let key = block_key(zone.apex(), first);
            manifest.add(&key, &block);
            self.insert(&key, block)
        })
    }

    fn insert(&mut self, key: &[u8], value: Vec<u8>) -> Result<(), DiskFault> {
        self.size += key.len() + value.len();
        self.batch.insert(key, value);
        self.write_if_full()
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), DiskFault> {
        self.size += key.len();
        self.batch.remove(key);
        self.write_if_full()
    }

    fn write_if_full(&mut self) -> Result<(), DiskFault> {
        if self.size < BATCH_SIZE {
            return Ok(());
        }
        self.batch.insert(&STATE_KEY, State { finished: false, ..State::default() }.encode());
        self.size = 0;
        Ok(self.db.apply_batch(std::mem::take(&mut self.batch))?)
    }

    fn finish(mut self, to: &Snapshot) -> Result<u64, DiskFault> {
        self.state.revision = to.revision;
        self.state.finished = true;
        if self.state.zones != to.zones.len() as u64 {
            return Err(DiskFault::Damaged(format!("{} zones instead of {}", self.state.zones, to.zones.len())));
        }
        let items = to.items().count() as u64;
        if self.state.items != items {
            return Err(DiskFault::Damaged(format!("{} items instead of {items}", self.state.items)));
        }
        self.batch.insert(&STATE_KEY, self.state.encode());
        self.db.apply_batch(self.batch)?;
        Ok(self.state.octets)
    }
}

/// The nodes from a name up to the block that begins with `end`.
fn nodes_between<'z>(zone: &'z Zone, first: NameRef<'_>, end: Option<&[u8]>) -> impl Iterator<Item = &'z Node> {
    zone.nodes_from(first).take_while(move |node| end.is_none_or(|end| &block_key(zone.apex(), node.name())[..] < end))
}

/// About how large the nodes up to the block that begins with `end` are, counted as far as it matters.
fn size_between(zone: &Zone, first: NameRef<'_>, end: &[u8]) -> usize {
    let mut size = 0;
    for node in nodes_between(zone, first, Some(end)) {
        size += node.sets().flat_map(|set| set.rdatas()).map(|data| data.len() + 8).sum::<usize>() + 16;
        if size >= SPARSE {
            break;
        }
    }
    size
}
