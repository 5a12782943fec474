//! Every lasting change there is, who makes it, and what became of it.

use std::fmt;
use std::sync::Arc;

use super::snapshot::{Item, ItemKey, Snapshot};
use super::undo::Undo;
use crate::wire::Name;
use crate::zone::{Edit, Fault, Zone};

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
    /// The item lies on its shelf from now on, in place of the one with its key.
    PutItem(Item),
    /// The item goes; refused if there is none.
    DeleteItem(ItemKey),
    /// All of these, one after the other, as one change: one revision, and the serial of a zone moves once.
    Many(Vec<Change>),
    /// An earlier change is taken back; see [`super::History::undo`].
    Undo(Undo),
    /// What happens depends on what is there when the change's turn comes.
    Decide(Decision),
}

impl Change {
    /// About how many records the writer has to do with.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::PutZone { zone } => zone.record_count(),
            Self::EditZone { edit, .. } => edit.sets.len(),
            Self::DeleteZone { .. } | Self::PutItem(_) | Self::DeleteItem(_) => 1,
            Self::Many(changes) => changes.iter().map(Self::weight).sum(),
            Self::Decide(decision) => decision.weight,
            Self::Undo(undo) => undo.weight(),
        }
    }
}

/// A change that is only made out when its turn comes, by a function of everything as it is then. So a condition (`If-Match`)
/// holds at the very moment of the change, and of two who add to the same set neither loses what the other did.
///
/// Rejected: an expected version beside each change, for then whoever adds must read, try and try again, and of
/// many at once nearly all are turned away. The journal holds what became of a decision, so a replay decides nothing.
#[derive(Clone)]
pub struct Decision {
    weight: usize,
    decide: Arc<Decide>,
}

/// From everything as it is to the change, or why not. It runs on the writer's thread: it does no I/O, does not wait and
/// always ends. It may be called more than once, the last time counts.
type Decide = dyn Fn(&Snapshot) -> Result<Change, Refused> + Send + Sync;

impl Decision {
    /// A decision. `weight` is about how many records it changes.
    pub fn new(weight: usize, decide: impl Fn(&Snapshot) -> Result<Change, Refused> + Send + Sync + 'static) -> Self {
        Self { weight, decide: Arc::new(decide) }
    }

    /// The change.
    pub(super) fn make(&self, now: &Snapshot) -> Result<Change, Refused> {
        (self.decide)(now)
    }
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decision(weight {})", self.weight)
    }
}

/// Who made a change, and from where; kept in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// A user of this machine (`root`), a token (`token ci-deploy`), or a part of Freehold (`acme`).
    pub who: String,
    /// The admin socket (`socket`), an address (`203.0.113.7`), a command that worked on the directory itself (`here`), or
    /// nothing where there is nothing to say.
    pub from: String,
}

impl Actor {
    /// Somebody, from somewhere.
    pub fn new(who: impl Into<String>, from: impl Into<String>) -> Self {
        Self { who: who.into(), from: from.into() }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from.as_str() {
            "" => f.write_str(&self.who),
            from => write!(f, "{} from {from}", self.who),
        }
    }
}

/// A change that is on disk and served.
#[derive(Clone, Debug)]
pub struct Done {
    /// The revision of the store with this change.
    pub revision: u64,
    /// Whether anything has changed. If not, nothing was written, and `revision` is what it was before.
    pub changed: bool,
    /// The zones that it was about, in the order in which it came to them.
    pub zones: Vec<DoneZone>,
    /// The items that it was about, in the order in which it came to them.
    pub items: Vec<DoneItem>,
    /// What whoever made it should know.
    pub warnings: Vec<Fault>,
}

/// A zone just before and just after a change, whatever else has happened since.
#[derive(Clone, Debug)]
pub struct DoneZone {
    /// Its name, in lower case.
    pub apex: Name,
    /// `None` if it is new.
    pub before: Option<Arc<Zone>>,
    /// `None` if it is gone.
    pub after: Option<Arc<Zone>>,
}

/// An item just before and just after a change, whatever else has happened since.
#[derive(Clone, Debug)]
pub struct DoneItem {
    /// Where it lies.
    pub key: ItemKey,
    /// `None` if it is new.
    pub before: Option<Item>,
    /// `None` if it is gone.
    pub after: Option<Item>,
}

impl Done {
    /// What became of a zone, given in lower case; `None` if the change was not about it.
    pub fn zone(&self, apex: &Name) -> Option<&DoneZone> {
        self.zones.iter().find(|zone| zone.apex == *apex)
    }
}
