//! One change of a zone: committed, and reported in the same words whichever way it came.

use super::difference;
use super::problem::{Problem, ZoneFault};
use super::types::{Difference, ZoneChange, plain};
use crate::store::{Actor, Change, Done, Refused, Store};
use crate::zone::Zone;

/// A zone before and after.
pub(super) struct Report<'a> {
    /// The zone as it is served.
    pub(super) before: Option<&'a Zone>,
    /// The zone as it is to be.
    pub(super) after: Option<&'a Zone>,
    /// The revision that `before` was read at.
    pub(super) revision: u64,
}

impl Report<'_> {
    /// What lies between. Each record is named only in a dry run: of a million, nobody reads the list otherwise.
    pub(super) fn make(&self, dry_run: bool) -> ZoneChange {
        let mut differences = Vec::new();
        let mut changed = false;
        let count = difference::between(self.before, self.after, &mut |step| {
            changed = true;
            if dry_run {
                differences.push(Difference { sign: step.sign, record: step.line() });
            }
        });
        ZoneChange {
            zone: self.before.or(self.after).map(|zone| plain(zone.apex())).unwrap_or_default(),
            changed,
            dry_run,
            revision: self.revision,
            serial_before: self.before.map(Zone::serial),
            serial_after: self.after.map(Zone::serial),
            added: count.added,
            altered: count.altered,
            removed: count.removed,
            differences,
            warnings: Vec::new(),
        }
    }
}

/// Commits; when it returns, the change is on the disk and served. Blocks: for a blocking thread.
pub(super) fn commit(store: &Store, change: Change, actor: Actor) -> Result<Done, Problem> {
    store.commit(change, actor).map_err(|refused| refusal(&refused))
}

fn refusal(refused: &Refused) -> Problem {
    match refused {
        Refused::NoSuchZone(name) => Problem::no_zone(name),
        Refused::Unsound(faults) => Problem::bad_zone("the zone", ZoneFault::list(faults, &[])),
        Refused::NotSaved(reason) => Problem::unavailable("not-saved", "Not saved", reason),
        Refused::Closed => Problem::unavailable("closing", "Closing", &refused.to_string()),
    }
}
