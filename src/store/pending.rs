//! What sled does not have yet: handed from the writer to the one who folds.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use crate::wire::Name;

use super::apply::{Applied, Touched};
use super::snapshot::{ItemKey, Snapshot};

/// More names than this, and the zone is written as a whole.
const NAMES_MAX: usize = 50_000;

/// Which names of which zones, and which items, differ from what sled has.
#[derive(Debug, Default)]
pub(super) struct TouchedParts {
    zones: HashMap<Name, TouchedNames>,
    items: HashSet<ItemKey>,
}

/// Which names of one zone.
#[derive(Debug)]
pub(super) enum TouchedNames {
    /// These.
    Names(HashSet<Name>),
    /// Any.
    Whole,
}

impl TouchedNames {
    fn merge(&mut self, more: Self) {
        match (&mut *self, more) {
            (Self::Names(names), Self::Names(more)) if names.len() + more.len() <= NAMES_MAX => names.extend(more),
            (Self::Names(_) | Self::Whole, _) => *self = Self::Whole,
        }
    }
}

impl TouchedParts {
    /// Adds what one change touched.
    pub(super) fn add(&mut self, applied: &Applied) {
        for part in applied.zones.iter().filter(|part| part.changed()) {
            self.add_zone(&part.apex, &part.touched);
        }
        self.items.extend(applied.items.iter().filter(|part| part.changed()).map(|part| part.key.clone()));
    }

    /// Adds what was touched of a zone.
    pub(super) fn add_zone(&mut self, apex: &Name, touched: &Touched) {
        let more = match touched {
            Touched::Names(names) => TouchedNames::Names(names.iter().cloned().collect()),
            Touched::Whole => TouchedNames::Whole,
        };
        match self.zones.get_mut(apex) {
            Some(names) => names.merge(more),
            None => drop(self.zones.insert(apex.clone(), more)),
        }
    }

    /// Adds an item.
    pub(super) fn add_item(&mut self, key: ItemKey) {
        self.items.insert(key);
    }

    /// Adds all of this.
    pub(super) fn merge(&mut self, other: Self) {
        for (apex, more) in other.zones {
            match (self.zones.entry(apex), more) {
                (Entry::Vacant(place), more) => drop(place.insert(more)),
                (Entry::Occupied(mut place), more) => place.get_mut().merge(more),
            }
        }
        self.items.extend(other.items);
    }

    /// Zone by zone.
    pub(super) fn zones(&self) -> impl Iterator<Item = (&Name, &TouchedNames)> {
        self.zones.iter()
    }

    /// Item by item.
    pub(super) fn items(&self) -> impl Iterator<Item = &ItemKey> {
        self.items.iter()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.zones.is_empty() && self.items.is_empty()
    }
}

/// The newest state and how it differs from what sled has.
pub(super) struct Pending {
    /// The newest state.
    pub(super) snapshot: Arc<Snapshot>,
    /// How it differs.
    pub(super) touched: TouchedParts,
    /// Octets of journal since sled was last brought up to date.
    pub(super) unfolded: u64,
    /// When the first of them was written.
    pub(super) since: Option<Instant>,
    /// Octets of journal since the last checkpoint.
    pub(super) unchecked: u64,
    /// Whether the store is being closed.
    pub(super) closing: bool,
}
