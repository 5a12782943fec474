//! Items by the hash of their name: a trie over the hash, four bits a level, with pages of up to 32 items as leaves.
//!
//! The forks of a million items fill about one megabyte and stay in the cache, so a look-up costs a page and the item.
//! Pages and forks never change; an insertion makes new ones along one path and shares all others.

use std::sync::Arc;

use triomphe::ThinArc;

use super::Named;
use crate::wire::{Hash, NameRef};

/// Items of a page at most; one more splits it.
const PAGE_MAX: usize = 32;
const FAN_OUT: usize = 16;
/// Levels of a 64-bit hash; names that share all of it lie together in one page of any size.
const LEVELS: u32 = 16;

/// Items by the hash of their name.
#[derive(Clone)]
pub struct Index<T>(Slot<T>);

#[derive(Clone)]
enum Slot<T> {
    Page(Page<T>),
    Fork(Arc<[Slot<T>; FAN_OUT]>),
}

type Page<T> = ThinArc<(), (Hash, T)>;

fn page<T: Clone>(items: &[(Hash, T)]) -> Slot<T> {
    Slot::Page(ThinArc::from_header_and_iter((), items.iter().cloned()))
}

fn digit(hash: Hash, level: u32) -> usize {
    (hash.0 >> (60 - 4 * level)) as usize & (FAN_OUT - 1)
}

impl<T: Named> Default for Index<T> {
    fn default() -> Self {
        Self(page(&[]))
    }
}

impl<T: Named> Index<T> {
    /// An index of all these items, each name once.
    pub(super) fn from_items(items: &[T]) -> Self {
        let mut hashed: Vec<_> = items.iter().map(|item| (Hash::of(item.name()), item.clone())).collect();
        hashed.sort_unstable_by_key(|(hash, _)| *hash);
        Self(Slot::build(&hashed, 0))
    }

    /// The item of a name in lower case.
    #[inline]
    pub(super) fn get(&self, hash: Hash, name: NameRef<'_>) -> Option<&T> {
        self.find(hash, |found| found == name)
    }

    /// The item with this hash whose name is the one.
    #[inline]
    pub(super) fn find(&self, hash: Hash, is_it: impl Fn(NameRef<'_>) -> bool) -> Option<&T> {
        let (mut slot, mut level) = (&self.0, 0);
        while let Slot::Fork(slots) = slot {
            (slot, level) = (&slots[digit(hash, level)], level + 1);
        }
        let Slot::Page(items) = slot else { return None };
        let found = items.slice.iter().find(|(h, item)| *h == hash && is_it(item.name()));
        found.map(|(_, item)| item)
    }

    /// Puts an item in, in place of the one of the same name.
    pub(super) fn insert(&mut self, hash: Hash, item: T) {
        self.0.insert(0, hash, item);
    }

    /// Takes an item out; false if there was none.
    pub(super) fn remove(&mut self, hash: Hash, name: NameRef<'_>) -> bool {
        self.0.remove(0, hash, name)
    }
}

impl<T: Named> Slot<T> {
    /// `items` are sorted by hash and share the digits above `level`.
    fn build(items: &[(Hash, T)], level: u32) -> Self {
        if items.len() <= PAGE_MAX || level == LEVELS {
            return page(items);
        }
        let mut rest = items;
        Self::Fork(Arc::new(std::array::from_fn(|want| {
            let size = rest.partition_point(|(hash, _)| digit(*hash, level) <= want);
            let (mine, others) = rest.split_at(size);
            rest = others;
            Self::build(mine, level + 1)
        })))
    }

    fn insert(&mut self, level: u32, hash: Hash, item: T) {
        match self {
            Self::Fork(slots) => Arc::make_mut(slots)[digit(hash, level)].insert(level + 1, hash, item),
            Self::Page(items) => {
                let others = items.slice.iter().filter(|(h, old)| *h != hash || old.name() != item.name());
                let mut all: Vec<_> = others.cloned().collect();
                let at = all.partition_point(|(h, _)| *h <= hash);
                all.insert(at, (hash, item));
                *self = Self::build(&all, level);
            }
        }
    }

    fn remove(&mut self, level: u32, hash: Hash, name: NameRef<'_>) -> bool {
        match self {
            Self::Fork(slots) => {
                let slots = Arc::make_mut(slots);
                let found = slots[digit(hash, level)].remove(level + 1, hash, name);
                if let Some(few) = few_items(slots) {
                    *self = page(&few);
                }
                found
            }
            Self::Page(items) => {
                let others: Vec<_> =
                    items.slice.iter().filter(|(h, item)| *h != hash || item.name() != name).cloned().collect();
                let found = others.len() < items.slice.len();
                *self = page(&others);
                found
            }
        }
    }
}

/// All items below a fork, if they would fit into half a page: then the fork is not worth its place.
fn few_items<T: Named>(slots: &[Slot<T>; FAN_OUT]) -> Option<Vec<(Hash, T)>> {
    let mut count = 0;
    for slot in slots {
        let Slot::Page(items) = slot else { return None };
        count += items.slice.len();
    }
    (count <= PAGE_MAX / 2).then(|| {
        let pages = slots.iter().filter_map(|slot| match slot {
            Slot::Page(items) => Some(items),
            Slot::Fork(_) => None,
        });
        pages.flat_map(|items| items.slice.iter().cloned()).collect()
    })
}
