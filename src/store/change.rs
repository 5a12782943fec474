//! Every lasting change there is, who makes it, and what became of it.

use std::fmt;
use std::sync::Arc;

use super::undo::Undo;
use crate::wire::Name;
use crate::zone::{Edit, Zone};

use super::fault::Refused;

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
    /// What happens depends on the zone as it is when the change's turn comes.
    Decide(Decision),
}

/// A change that is only made out when its turn comes, by a function of the zone as it is then. So a condition (`If-Match`)
/// holds at the very moment of the change, and of two who add to the same set neither loses what the other did.
///
/// Rejected: an expected version beside each change, for then whoever adds must read, try and try again, and of
/// many at once nearly all are turned away. The journal holds what became of a decision, so a replay decides nothing.
#[derive(Clone)]
pub struct Decision {
    apex: Name,
    weight: usize,
    decide: Arc<Decide>,
}

/// From the zone, if there is one, to the change of that zone, or why not. It runs on the writer's thread: it does no I/O,
/// does not wait and always ends. It may be called more than once, the last time counts.
type Decide = dyn Fn(Option<&Arc<Zone>>) -> Result<Change, Refused> + Send + Sync;

impl Decision {
    /// A decision about the zone `apex`. `weight` is about how many records it changes.
    pub fn new(
        apex: &Name,
        weight: usize,
        decide: impl Fn(Option<&Arc<Zone>>) -> Result<Change, Refused> + Send + Sync + 'static,
    ) -> Self {
        Self { apex: apex.borrow().to_lower(), weight, decide: Arc::new(decide) }
    }

    /// The zone it is about, in lower case.
    pub(super) fn apex(&self) -> &Name {
        &self.apex
    }

    /// About how many records change.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// The change.
    pub(super) fn make(&self, zone: Option<&Arc<Zone>>) -> Result<Change, Refused> {
        (self.decide)(zone)
    }
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decision({}, weight {})", self.apex, self.weight)
    }
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
#[derive(Clone, Debug)]
pub struct Done {
    /// The revision of the store with this change.
    pub revision: u64,
    /// The serial of the zone afterwards; `None` if the zone is gone.
    pub serial: Option<u32>,
    /// The zone just before, whatever else has happened since; `None` if it is new.
    pub before: Option<Arc<Zone>>,
    /// The zone just after; `None` if it is gone.
    pub after: Option<Arc<Zone>>,
    /// Whether anything has changed. If not, nothing was written, and `revision` is what it was before.
    pub changed: bool,
}
