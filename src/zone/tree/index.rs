//! Items by the hash of their name: a trie over the hash, four bits a level, with pages of up to 32 items as leaves.
//!
//! The forks of a million items fill about one megabyte and stay in the cache, so a look-up costs a page and the item.
//! Pages and forks never change; an insertion makes new ones along one path and shares all others.
//!
//! Hashes are spread evenly, so where one stands in its page is nearly known before it is read: the search begins there
//! and touches one or two cache lines instead of all.

use std::sync::Arc;

use triomphe::ThinArc;

use super::Named;
use crate::wire::{Hash, NameRef};

/// Items of a page at most; one more splits it.
const PAGE_MAX: usize = 32;
const FAN_OUT: usize = 16;
/// Levels of a 64-bit hash; names that share all of it lie together in one page of any size.
const LEVELS: u32 = 16;
/// Slots of so many levels, some 70 KiB, are in the cache anyhow.
const HOT_LEVELS: u32 = 3;

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
        let same = items.slice[first(&items.slice, hash, level)..].iter().take_while(|(h, _)| *h == hash);
        same.map(|(_, item)| item).find(|item| is_it(item.name()))
    }

    /// The beginning of the way to the item with this hash.
    #[inline]
    pub(super) fn way(&self, hash: Hash) -> Way<'_, T> {
        Way { hash, level: 0, at: At::Slot(&self.0) }
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

/// Where a hash would stand among so many, the hashes of a page at this level being spread evenly.
#[inline]
fn guess(size: usize, hash: Hash, level: u32) -> usize {
    let below = hash.0.checked_shl(4 * level).unwrap_or(0);
    ((u128::from(below) * size as u128) >> 64) as usize
}

/// Where the first item of a page at this level stands whose hash is not below this one.
#[inline]
fn first<T>(items: &[(Hash, T)], hash: Hash, level: u32) -> usize {
    let mut at = guess(items.len(), hash, level);
    while at > 0 && items[at - 1].0 >= hash {
        at -= 1;
    }
    while at < items.len() && items[at].0 < hash {
        at += 1;
    }
    at
}

/// A look-up that is under way. Each step reads what the step before has named and names what the next will read, so that
/// whoever has many look-ups to do can have the processor fetch for all of them at once.
pub struct Way<'t, T> {
    hash: Hash,
    level: u32,
    at: At<'t, T>,
}

enum At<'t, T> {
    Slot(&'t Slot<T>),
    /// Its first octets are read next.
    Page(&'t Page<T>),
    /// The octets are read next where the hash should be.
    Within(&'t Page<T>),
    End(Option<&'t T>),
}

impl<'t, T: Named> Way<'t, T> {
    /// Goes on by one read of memory, and gives the addresses of what will be read next; false at the end.
    #[inline]
    pub fn step(&mut self, touch: &mut impl FnMut(*const u8)) -> bool {
        self.at = match self.at {
            At::Slot(mut slot) => {
                while self.level < HOT_LEVELS
                    && let Slot::Fork(slots) = slot
                {
                    (slot, self.level) = (&slots[digit(self.hash, self.level)], self.level + 1);
                }
                match slot {
                    Slot::Fork(slots) => {
                        let next = &slots[digit(self.hash, self.level)];
                        self.level += 1;
                        touch((&raw const *next).cast());
                        At::Slot(next)
                    }
                    Slot::Page(page) => {
                        touch(page.as_ptr().cast());
                        At::Page(page)
                    }
                }
            }
            At::Page(page) => {
                let at = guess(page.slice.len(), self.hash, self.level);
                touch(page.slice.as_ptr().wrapping_add(at).cast());
                At::Within(page)
            }
            At::Within(page) => {
                let found = page.slice.get(first(&page.slice, self.hash, self.level));
                let item = found.filter(|(hash, _)| *hash == self.hash).map(|(_, item)| item);
                if let Some(item) = item {
                    touch(item.address());
                    touch(item.address().wrapping_add(64));
                }
                At::End(item)
            }
            At::End(_) => return false,
        };
        true
    }

    /// The item that was found, at the end.
    #[inline]
    pub fn item(&self) -> Option<&'t T> {
        match self.at {
            At::End(item) => item,
            At::Slot(_) | At::Page(_) | At::Within(_) => None,
        }
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
