//! What sled does not have yet: handed from the writer to the one who folds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use crate::wire::Name;

use super::apply::Touched;
use super::snapshot::Snapshot;

/// More names than this, and the zone is written as a whole.
const NAMES_MAX: usize = 50_000;

/// Which names of which zones differ from what sled has.
#[derive(Debug, Default)]
pub(super) struct TouchedZones(HashMap<Name, TouchedNames>);

/// Which names of one zone.
#[derive(Debug)]
pub(super) enum TouchedNames {
    /// These.
    Names(HashSet<Name>),
    /// Any.
    Whole,
}

impl TouchedZones {
    /// Adds what one change touched.
    pub(super) fn add(&mut self, apex: &Name, touched: &Touched) {
        let names = self.0.entry(apex.clone()).or_insert_with(|| TouchedNames::Names(HashSet::new()));
        match (names, touched) {
            (TouchedNames::Names(names), Touched::Names(more)) if names.len() + more.len() <= NAMES_MAX => {
                names.extend(more.iter().cloned());
            }
            (whole, _) => *whole = TouchedNames::Whole,
        }
    }

    /// Takes back what could not be folded.
    pub(super) fn merge(&mut self, other: Self) {
        for (apex, names) in other.0 {
            match names {
                TouchedNames::Names(names) => self.add(&apex, &Touched::Names(names.into_iter().collect())),
                TouchedNames::Whole => self.add(&apex, &Touched::Whole),
            }
        }
    }

    /// Zone by zone.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Name, &TouchedNames)> {
        self.0.iter()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The newest state and how it differs from what sled has.
pub(super) struct Pending {
    /// The newest state.
    pub(super) snapshot: Arc<Snapshot>,
    /// How it differs.
    pub(super) touched: TouchedZones,
    /// Octets of journal since sled was last brought up to date.
    pub(super) unfolded: u64,
    /// When the first of them was written.
    pub(super) since: Option<Instant>,
    /// Octets of journal since the last checkpoint.
    pub(super) unchecked: u64,
    /// Whether the store is being closed.
    pub(super) closing: bool,
}
