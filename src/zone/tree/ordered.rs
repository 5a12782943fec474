//! Items in canonical order: a B+ tree whose nodes are shared between versions.
//!
//! A new version copies the nodes along one path, unless it is the only one that holds them (`Arc::make_mut`), so
//! that many changes in a row cost little more than the changes.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Named;
use crate::wire::NameRef;

/// Entries of a level's node at most.
const FULL: usize = 64;
/// A node with fewer entries is merged with its neighbour.
const SPARSE: usize = 16;

/// Items in canonical order of their names.
#[derive(Clone)]
pub struct Ordered<T> {
    root: Arc<Level<T>>,
    len: usize,
}

#[derive(Clone)]
enum Level<T> {
    Leaf(Vec<T>),
    /// Each child with an item whose name is at most the child's first and above all names of the child before.
    Branch(Vec<(T, Arc<Level<T>>)>),
}

impl<T: Named> Default for Ordered<T> {
    fn default() -> Self {
        Self { root: Arc::new(Level::Leaf(Vec::new())), len: 0 }
    }
}

impl<T: Named> Ordered<T> {
    pub(super) fn from_sorted(items: Vec<T>) -> Self {
        debug_assert!(items.is_sorted_by(|a, b| a.name().canonical_cmp(b.name()) == Ordering::Less));
        let len = items.len();
        if len <= FULL {
            return Self { root: Arc::new(Level::Leaf(items)), len };
        }
        let mut items = items.into_iter();
        let leaf = || Some(items.by_ref().take(FULL).collect::<Vec<_>>()).filter(|leaf| !leaf.is_empty());
        let mut level: Vec<_> = std::iter::from_fn(leaf).map(|leaf| Arc::new(Level::Leaf(leaf))).collect();
        while level.len() > 1 {
            let branches = level.chunks(FULL);
            level =
                branches.map(|children| Arc::new(Level::Branch(children.iter().filter_map(keyed).collect()))).collect();
        }
        Self { root: level.pop().unwrap_or_else(|| Arc::new(Level::Leaf(Vec::new()))), len }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn insert(&mut self, item: T) {
        let inserted = Arc::make_mut(&mut self.root).insert(item);
        self.len += usize::from(inserted);
        if let Some(half) = Arc::make_mut(&mut self.root).split() {
            let halves = [self.root.clone(), half];
            self.root = Arc::new(Level::Branch(halves.iter().filter_map(keyed).collect()));
        }
    }

    pub(super) fn remove(&mut self, name: NameRef<'_>) -> bool {
        let found = Arc::make_mut(&mut self.root).remove(name);
        self.len -= usize::from(found);
        while let Level::Branch(children) = &*self.root
            && let [(_, only)] = &children[..]
        {
            self.root = only.clone();
        }
        found
    }

    pub(super) fn iter(&self) -> Iter<'_, T> {
        Iter { path: vec![Part::all(&self.root)] }
    }

    pub(super) fn iter_from(&self, name: NameRef<'_>) -> Iter<'_, T> {
        let (mut path, mut level) = (Vec::new(), &*self.root);
        while let Level::Branch(children) = level {
            let at = child_of(children, name);
            path.push(Part::Children(&children[at + 1..]));
            level = &children[at].1;
        }
        if let Level::Leaf(items) = level {
            path.push(Part::Items(&items[items.partition_point(|item| before(item, name))..]));
        }
        Iter { path }
    }
}

fn keyed<T: Named>(level: &Arc<Level<T>>) -> Option<(T, Arc<Level<T>>)> {
    let first = match &**level {
        Level::Leaf(items) => items.first()?,
        Level::Branch(children) => &children.first()?.0,
    };
    Some((first.clone(), level.clone()))
}

fn before<T: Named>(item: &T, name: NameRef<'_>) -> bool {
    item.name().canonical_cmp(name) == Ordering::Less
}

/// Which child holds `name`, if any does.
fn child_of<T: Named>(children: &[(T, Arc<Level<T>>)], name: NameRef<'_>) -> usize {
    children[1..].partition_point(|(first, _)| first.name().canonical_cmp(name) != Ordering::Greater)
}

impl<T: Named> Level<T> {
    fn len(&self) -> usize {
        match self {
            Self::Leaf(items) => items.len(),
            Self::Branch(children) => children.len(),
        }
    }

    /// Whether the item is new, not in place of another.
    fn insert(&mut self, item: T) -> bool {
        match self {
            Self::Leaf(items) => {
                let at = items.partition_point(|old| before(old, item.name()));
                match items.get_mut(at) {
                    Some(old) if old.name() == item.name() => {
                        *old = item;
                        false
                    }
                    Some(_) | None => {
                        items.insert(at, item);
                        true
                    }
                }
            }
            Self::Branch(children) => {
                let at = child_of(children, item.name());
                let child = Arc::make_mut(&mut children[at].1);
                let inserted = child.insert(item);
                if let Some(half) = child.split() {
                    children.splice(at + 1..at + 1, keyed(&half));
                }
                inserted
            }
        }
    }

    /// Gives its second half away when it is too full.
    fn split(&mut self) -> Option<Arc<Self>> {
        if self.len() <= FULL {
            return None;
        }
        Some(Arc::new(match self {
            Self::Leaf(items) => Self::Leaf(items.split_off(items.len() / 2)),
            Self::Branch(children) => Self::Branch(children.split_off(children.len() / 2)),
        }))
    }

    fn remove(&mut self, name: NameRef<'_>) -> bool {
        match self {
            Self::Leaf(items) => {
                let at = items.partition_point(|item| before(item, name));
                let found = items.get(at).is_some_and(|item| item.name() == name);
                if found {
                    items.remove(at);
                }
                found
            }
            Self::Branch(children) => {
                let at = child_of(children, name);
                let found = Arc::make_mut(&mut children[at].1).remove(name);
                if children[at].1.len() < SPARSE {
                    merge(children, at);
                }
                found
            }
        }
    }

    fn append(&mut self, other: &Self) {
        match (self, other) {
            (Self::Leaf(items), Self::Leaf(more)) => items.extend_from_slice(more),
            (Self::Branch(children), Self::Branch(more)) => children.extend_from_slice(more),
            (Self::Leaf(_), Self::Branch(_)) | (Self::Branch(_), Self::Leaf(_)) => {
                debug_assert!(false, "all leaves of a tree have the same depth");
            }
        }
    }
}

/// Joins a sparse child with a neighbour, and splits the two again where they are too much for one.
fn merge<T: Named>(children: &mut Vec<(T, Arc<Level<T>>)>, at: usize) {
    if children.len() < 2 {
        return;
    }
    let left = at.min(children.len() - 2);
    let (_, right) = children.remove(left + 1);
    let joined = Arc::make_mut(&mut children[left].1);
    joined.append(&right);
    if let Some(half) = joined.split() {
        children.splice(left + 1..left + 1, keyed(&half));
    }
}

/// Items in canonical order.
#[derive(Clone)]
pub struct Iter<'a, T> {
    path: Vec<Part<'a, T>>,
}

#[derive(Clone)]
enum Part<'a, T> {
    Items(&'a [T]),
    Children(&'a [(T, Arc<Level<T>>)]),
}

impl<'a, T> Part<'a, T> {
    fn all(level: &'a Level<T>) -> Self {
        match level {
            Level::Leaf(items) => Self::Items(items),
            Level::Branch(children) => Self::Children(children),
        }
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        loop {
            match self.path.last_mut()? {
                Part::Items([first, rest @ ..]) => {
                    *self.path.last_mut()? = Part::Items(rest);
                    return Some(first);
                }
                Part::Children([(_, first), rest @ ..]) => {
                    *self.path.last_mut()? = Part::Children(rest);
                    self.path.push(Part::all(first));
                }
                Part::Items([]) | Part::Children([]) => {
                    self.path.pop();
                }
            }
        }
    }
}
