//! Things with an id of their own, found by it; versions share what did not change.

use std::sync::Arc;

use imbl::OrdMap;

/// What has an id, the only one among its kind.
pub trait Identified {
    /// The id.
    fn id(&self) -> &str;
}

/// All things of a kind, in the order of their ids.
pub struct ById<V>(OrdMap<Arc<str>, Arc<V>>);

impl<V: Identified> ById<V> {
    /// The one with this id.
    pub fn get(&self, id: &str) -> Option<&Arc<V>> {
        self.0.get(id)
    }

    /// Puts one in, in place of the one with its id.
    pub fn insert(&mut self, value: Arc<V>) {
        self.0.insert(value.id().into(), value);
    }

    /// Takes one out and hands it over, if it was there.
    pub fn remove(&mut self, id: &str) -> Option<Arc<V>> {
        self.0.remove(id)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<V>> {
        self.0.values()
    }

    /// Whether the two hold the same, as far as that can be told at a glance: no change was made to either.
    pub fn is_untouched(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<V> Clone for ById<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V> Default for ById<V> {
    fn default() -> Self {
        Self(OrdMap::new())
    }
}
