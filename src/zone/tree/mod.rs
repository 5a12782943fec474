//! Names in order and by hash: a persistent map whose versions share what did not change.
//!
//! Two structures hold the same items. [`Index`] finds an item by the hash of its name in about two cache misses, which is
//! all a query needs. [`Ordered`] keeps canonical order (RFC 4034, section 6.1) for export, transfer, listing, denial of
//! existence and for telling whether a name has others below it. A change copies one path in each, a few
//! microseconds at any size, and readers of the old version never notice.
//!
//! The same map holds the nodes of a zone and the zones of a server.
//!
//! Rejected: one qp-trie for both jobs (a descent costs four times the hash at a million names, measured), and
//! `imbl` (twice the memory a name).

mod index;
mod ordered;

pub use index::{Index, Way};
pub use ordered::{Iter, Ordered};

use crate::wire::{Hash, Key, NameRef};

/// What can be kept by name: cheap to clone, its name in lower case and never changing.
pub trait Named: Clone {
    /// The name.
    fn name(&self) -> NameRef<'_>;

    /// Where its octets lie in memory.
    fn address(&self) -> *const u8 {
        std::ptr::from_ref(self).cast()
    }
}

/// Numbers of labels; no name has more than 127.
#[derive(Clone, Copy, Default)]
pub struct Depths(u128);

impl Depths {
    /// These and one more.
    #[must_use]
    pub fn with(self, depth: usize) -> Self {
        Self(self.0 | 1 << depth.min(127))
    }

    /// Those of them that are less than this.
    #[must_use]
    pub fn below(self, depth: usize) -> Self {
        Self(self.0 & !(u128::MAX << depth.min(127)))
    }

    /// Whether this is one of them.
    #[inline]
    pub fn has(self, depth: usize) -> bool {
        self.0 >> depth.min(127) & 1 == 1
    }

    /// The greatest of them, or 0.
    #[inline]
    fn deepest(self) -> usize {
        self.0.checked_ilog2().unwrap_or(0) as usize
    }
}

/// Items by name, in canonical order and by hash.
#[derive(Clone)]
pub struct Tree<T> {
    ordered: Ordered<T>,
    index: Index<T>,
}

impl<T: Named> Default for Tree<T> {
    fn default() -> Self {
        Self { ordered: Ordered::default(), index: Index::default() }
    }
}

impl<T: Named> Tree<T> {
    /// Takes items that are already in canonical order, each name once.
    pub fn from_sorted(items: Vec<T>) -> Self {
        let index = Index::from_items(&items);
        Self { ordered: Ordered::from_sorted(items), index }
    }

    /// How many items.
    pub fn len(&self) -> usize {
        self.ordered.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The item of a name in lower case.
    pub fn get(&self, name: NameRef<'_>) -> Option<&T> {
        self.index.get(Hash::of(name), name)
    }

    /// The item of a name whose hash is known.
    #[inline]
    pub fn get_hashed(&self, hash: Hash, name: NameRef<'_>) -> Option<&T> {
        self.index.get(hash, name)
    }

    /// The item of `*.encloser`, by the hash of `encloser`.
    #[inline]
    pub fn wildcard(&self, encloser_hash: Hash, encloser: NameRef<'_>) -> Option<&T> {
        self.index
            .find(encloser_hash.child(b"*"), |name| name.as_bytes().strip_prefix(b"\x01*") == Some(encloser.as_bytes()))
    }

    /// The item of the longest ancestor of a name (itself included) that is here, with how many labels that has and
    /// the hash of its name. Only ancestors with these numbers of labels are looked for.
    #[inline]
    pub fn closest(&self, key: &Key, depths: Depths) -> Option<(&T, usize, Hash)> {
        let (mut hash, mut found) = (Hash::root(), None);
        for depth in 0..=key.label_count().min(depths.deepest()) {
            if depth > 0 {
                hash = hash.child(key.label(depth));
            }
            if depths.has(depth)
                && let Some(item) = self.index.get(hash, key.ancestor(depth))
            {
                found = Some((item, depth, hash));
            }
        }
        found
    }

    /// As [`Tree::closest`] for the name whose ancestors have these hashes, the root's first.
    #[inline]
    pub fn closest_hashed(&self, hashes: &[Hash], depths: Depths) -> Option<(&T, usize)> {
        let mut wanted = hashes.iter().enumerate().rev().filter(|(depth, _)| depths.has(*depth));
        wanted.find_map(|(depth, hash)| Some((self.index.find(*hash, |_| true)?, depth)))
    }

    /// The way to the item with this hash, to be walked step by step.
    #[inline]
    pub fn way(&self, hash: Hash) -> Way<'_, T> {
        self.index.way(hash)
    }

    /// Puts an item in, in place of the one of the same name.
    pub fn insert(&mut self, item: T) {
        self.index.insert(Hash::of(item.name()), item.clone());
        self.ordered.insert(item);
    }

    /// Takes an item out; false if there was none.
    pub fn remove(&mut self, name: NameRef<'_>) -> bool {
        self.index.remove(Hash::of(name), name) && self.ordered.remove(name)
    }

    /// All items in canonical order.
    pub fn iter(&self) -> Iter<'_, T> {
        self.ordered.iter()
    }

    /// The items from a name on (itself included, if it is here), in canonical order.
    pub fn iter_from(&self, name: NameRef<'_>) -> Iter<'_, T> {
        self.ordered.iter_from(name)
    }
}

impl<T: Named> Named for std::sync::Arc<T> {
    fn name(&self) -> NameRef<'_> {
        T::name(self)
    }

    fn address(&self) -> *const u8 {
        std::sync::Arc::as_ptr(self).cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Name;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug, PartialEq)]
    struct Item(Name, u32);

    impl Named for Item {
        fn name(&self) -> NameRef<'_> {
            self.0.borrow()
        }
    }

    fn sort_key(name: NameRef<'_>) -> Vec<u8> {
        let mut key = Vec::new();
        name.write_sort_key(&mut key);
        key
    }

    fn names() -> impl Strategy<Value = Name> {
        "[a-e]{1,2}(\\.[a-e]{1,2}){0,2}".prop_map(|text| text.parse().unwrap())
    }

    proptest! {
        /// Whatever is put in and taken out, the tree holds what a BTreeMap holds, in the same order, and old
        /// versions stay as they were.
        #[test]
        fn behaves_like_a_sorted_map(start in prop::collection::vec(names(), 0..300), steps in prop::collection::vec((names(), any::<bool>()), 0..400)) {
            let mut model: BTreeMap<Vec<u8>, Item> = start.iter().map(|n| (sort_key(n.borrow()), Item(n.clone(), 0))).collect();
            let mut tree = Tree::from_sorted(model.values().cloned().collect());
            let (first, first_model) = (tree.clone(), model.clone());
            for (count, (name, put)) in steps.into_iter().enumerate() {
                let key = sort_key(name.borrow());
                if put {
                    tree.insert(Item(name.clone(), count as u32));
                    model.insert(key, Item(name, count as u32));
                } else {
                    prop_assert_eq!(tree.remove(name.borrow()), model.remove(&key).is_some());
                }
            }
            for (tree, model) in [(&tree, &model), (&first, &first_model)] {
                prop_assert_eq!(tree.len(), model.len());
                prop_assert!(tree.iter().eq(model.values()));
                for (key, item) in model {
                    prop_assert_eq!(tree.get(item.name()), Some(item));
                    prop_assert!(tree.iter_from(item.name()).eq(model.range(key.clone()..).map(|(_, item)| item)));
                }
            }
            let absent: Name = "zz.zz".parse().unwrap();
            prop_assert_eq!(tree.get(absent.borrow()), None);
            prop_assert!(tree.iter_from(absent.borrow()).eq(model.range(sort_key(absent.borrow())..).map(|(_, item)| item)));
        }
    }

    #[test]
    fn ten_thousand_one_by_one() {
        let name = |i: u32| format!("n{}.example", u64::from(i) * 2_654_435_761 % 10_007).parse::<Name>().unwrap();
        let mut tree = Tree::default();
        (0..10_007).for_each(|i| tree.insert(Item(name(i), i)));
        assert_eq!(tree.len(), 10_007);
        assert!(tree.iter().is_sorted_by(|a, b| a.name().canonical_cmp(b.name()).is_lt()));
        assert!((0..10_007).all(|i| tree.get(name(i).borrow()) == Some(&Item(name(i), i))));
        for i in 0..10_007 {
            assert_eq!(
                touched(&tree, &name(i)).last(),
                tree.get(name(i).borrow()).map(|item| item.address() as usize + 64).as_ref()
            );
        }
        assert_eq!(touched(&tree, &"absent".parse().unwrap()).len(), 2, "a page and a place in it");
        assert!((0..10_007).all(|i| tree.remove(name(i).borrow())));
        assert!(tree.is_empty() && tree.iter().next().is_none());
    }

    /// What the way to a name touches.
    fn touched(tree: &Tree<Item>, name: &Name) -> Vec<usize> {
        let (mut touched, mut way) = (Vec::new(), tree.way(Hash::of(name.borrow())));
        while way.step(&mut |address| touched.push(address as usize)) {}
        touched
    }

    #[test]
    fn closest_is_the_longest() {
        let item = |text: &str| Item(text.parse().unwrap(), 0);
        let mut tree = Tree::default();
        for text in ["org", "example.org", "a.b.example.org"] {
            tree.insert(item(text));
        }
        let all = (0..5).fold(Depths::default(), Depths::with);
        let closest = |text: &str, depths| {
            let key = Key::new(text.parse::<Name>().unwrap().borrow());
            tree.closest(&key, depths).map(|(found, depth, _)| (found.name().to_string(), depth))
        };
        assert_eq!(closest("x.b.example.org", all), Some(("example.org.".into(), 2)));
        assert_eq!(closest("x.a.b.example.org", all), Some(("a.b.example.org.".into(), 4)));
        assert_eq!(closest("a.b.example.org", all.below(3)), Some(("example.org.".into(), 2)));
        assert_eq!(closest("example.com", all), None);
        let hashes = |text: &str| {
            let key = Key::new(text.parse::<Name>().unwrap().borrow());
            (0..=key.label_count()).map(|depth| Hash::of(key.ancestor(depth))).collect::<Vec<_>>()
        };
        for text in ["x.b.example.org", "x.a.b.example.org", "a.b.example.org", "example.com"] {
            for depths in [all, all.below(3), all.below(0), Depths::default().with(1)] {
                let by_hash = tree.closest_hashed(&hashes(text), depths);
                assert_eq!(
                    by_hash.map(|(item, depth)| (item.name().to_string(), depth)),
                    closest(text, depths),
                    "{text}"
                );
            }
        }
        assert_eq!(closest("a.b.example.org", Depths::default().with(1)), Some(("org.".into(), 1)));
    }
}
