//! What answers: everything Freehold knows at one revision. It never changes; the next one replaces it whole.

use std::sync::Arc;

use crate::zone::Zone;
use crate::zone::tree::Tree;

/// The zones of a server by name. A version shares with the one before whatever did not change.
pub type Zones = Tree<Arc<Zone>>;

/// The state after the change of this revision.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// How many changes there have been since the store was empty.
    pub revision: u64,
    /// All zones.
    pub zones: Zones,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Snapshot(revision {}, {} zones)", self.revision, self.zones.len())
    }
}
