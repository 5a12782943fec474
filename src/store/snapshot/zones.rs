//! The zones by name; versions share what did not change.

use std::sync::Arc;

use crate::wire::{Hash, Key, Kind, NameRef};
use crate::zone::Zone;
use crate::zone::tree::{Depths, Iter, Tree, Way};

/// Zones by name; versions share what did not change.
#[derive(Clone, Default)]
pub struct Zones {
    tree: Tree<Arc<Zone>>,
    /// How many labels apexes have, or have had.
    depths: Depths,
    /// Names and records of all zones together.
    names: usize,
    records: usize,
}

impl Zones {
    /// The zone with this apex, given in lower case.
    pub fn get(&self, apex: NameRef<'_>) -> Option<&Arc<Zone>> {
        self.tree.get(apex)
    }

    /// The zone that answers for a name and a type, and the hash of its apex: the closest one above. DS is
    /// answered by the parent's side of a cut where both zones are ours (RFC 4035, section 3.1.4.1).
    #[inline]
    pub fn closest(&self, key: &Key, kind: Kind) -> Option<(&Zone, Hash)> {
        let (zone, depth, hash) = self.tree.closest(key, self.depths)?;
        if kind == Kind::DS
            && depth == key.label_count()
            && let Some((parent, _, hash)) = self.tree.closest(key, self.depths.below(depth))
        {
            return Some((parent, hash));
        }
        Some((zone, hash))
    }

    /// The closest zone above the name whose ancestors have these hashes, the root's first, with how many labels it has.
    #[inline]
    pub fn closest_hashed(&self, hashes: &[Hash]) -> Option<(&Arc<Zone>, usize)> {
        self.tree.closest_hashed(hashes, self.depths)
    }

    /// The ways to the zones that may be the closest one above such a name, to be walked step by step.
    #[inline]
    pub fn ways(&self, hashes: &[Hash]) -> impl Iterator<Item = Way<'_, Arc<Zone>>> {
        let wanted = hashes.iter().enumerate().filter(|(depth, _)| self.depths.has(*depth));
        wanted.map(|(_, hash)| self.tree.way(*hash))
    }

    /// All zones, in canonical order of their names.
    pub fn iter(&self) -> Iter<'_, Arc<Zone>> {
        self.tree.iter()
    }

    /// The zones from this name on.
    pub fn iter_from(&self, name: NameRef<'_>) -> Iter<'_, Arc<Zone>> {
        self.tree.iter_from(name)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// How many names all zones have together.
    pub fn name_count(&self) -> usize {
        self.names
    }

    /// How many records all zones have together.
    pub fn record_count(&self) -> usize {
        self.records
    }

    /// Puts a zone in, in place of the one of the same name.
    pub fn insert(&mut self, zone: Arc<Zone>) {
        self.forget(zone.apex());
        self.names += zone.name_count();
        self.records += zone.record_count();
        self.depths = self.depths.with(zone.apex().label_count());
        self.tree.insert(zone);
    }

    /// Takes a zone out; false if there was none.
    pub fn remove(&mut self, apex: NameRef<'_>) -> bool {
        self.forget(apex);
        self.tree.remove(apex)
    }

    /// Takes a zone out of the counts.
    fn forget(&mut self, apex: NameRef<'_>) {
        if let Some(zone) = self.tree.get(apex) {
            self.names -= zone.name_count();
            self.records -= zone.record_count();
        }
    }
}

impl FromIterator<Arc<Zone>> for Zones {
    fn from_iter<I: IntoIterator<Item = Arc<Zone>>>(zones: I) -> Self {
        let mut zones: Vec<_> = zones.into_iter().collect();
        zones.sort_by(|a, b| a.apex().canonical_cmp(b.apex()));
        zones.dedup_by(|a, b| a.apex() == b.apex());
        let depths = zones.iter().map(|zone| zone.apex().label_count()).fold(Depths::default(), Depths::with);
        let names = zones.iter().map(|zone| zone.name_count()).sum();
        let records = zones.iter().map(|zone| zone.record_count()).sum();
        Self { tree: Tree::from_sorted(zones), depths, names, records }
    }
}
