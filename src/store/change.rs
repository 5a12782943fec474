//! Every lasting change there is, who makes it, and what became of it.

use std::fmt;
use std::sync::Arc;

use super::undo::Undo;
use crate::wire::Name;
use crate::zone::{Edit, Zone};

/// A lasting change. It happens as a whole or not at all.
#[derive(Clone, Debug)]
pub enum Change {
    /// The zone is from now on this one. If it is there already, the serial only ever moves forward: that of the new
    /// content counts if it is newer (RFC 1982), otherwise the old one plus one.
    PutZone {
        /// The whole zone.
        zone: Arc<Zone>,
    },
    /// Some sets of a zone change. The serial moves by one unless the edit sets a newer one.
    EditZone {
        /// The zone.
        apex: Name,
        /// The sets as they shall be.
        edit: Edit,
    },
    /// The zone goes.
    DeleteZone {
        /// The zone.
        apex: Name,
    },
    /// An earlier change is taken back; see [`super::History::undo`].
    Undo(Undo),
}

/// Who made a change, such as `cli:root`; kept in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor(pub String);

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A change that is on disk and served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// The revision of the store with this change.
    pub revision: u64,
    /// The serial of the zone afterwards; `None` if the zone is gone.
    pub serial: Option<u32>,
    /// Whether anything has changed. If not, nothing was written, and `revision` is what it was before.
    pub changed: bool,
}
