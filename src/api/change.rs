//! One change of a zone: tried or made, and reported in the same words whichever way it came.

use std::sync::Arc;

use super::difference;
use super::problem::{Problem, ZoneFault};
use super::types::{Difference, ZoneChange, plain};
use crate::store::{Actor, Change, Refused, Snapshot, Store};
use crate::wire::Name;

/// Makes a change of the zone `apex`, or only tries it: a dry run takes the same way up to the last step. When a real
/// one returns, the change is on the disk and served. Blocks: for a blocking thread.
pub(super) fn make(
    store: &Store,
    apex: &Name,
    change: Change,
    dry_run: bool,
    actor: Actor,
) -> Result<ZoneChange, Problem> {
    let before = store.snapshot();
    let after = before.after(&change).map_err(|refused| refusal(&refused))?;
    let mut report = report(apex, &before, &after, dry_run);
    if !dry_run {
        // Somebody else's change may come in between; revision and serial are then those that were really given.
        let done = store.commit(change, actor).map_err(|refused| refusal(&refused))?;
        (report.changed, report.revision, report.serial_after) = (done.changed, done.revision, done.serial);
    }
    Ok(report)
}

/// What lies between. Each record is named only in a dry run: of a million, nobody reads the list otherwise.
fn report(apex: &Name, before: &Snapshot, after: &Snapshot, dry_run: bool) -> ZoneChange {
    let zone = |snapshot: &Snapshot| snapshot.zones.get(apex.borrow()).map(Arc::clone);
    let (old, new) = (zone(before), zone(after));
    let (mut changed, mut differences) = (false, Vec::new());
    let count = difference::between(old.as_deref(), new.as_deref(), &mut |step| {
        changed = true;
        if dry_run {
            differences.push(Difference { sign: step.sign, record: step.line() });
        }
    });
    ZoneChange {
        zone: plain(apex.borrow()),
        changed,
        dry_run,
        revision: before.revision,
        serial_before: old.map(|zone| zone.serial()),
        serial_after: new.map(|zone| zone.serial()),
        added: count.added,
        altered: count.altered,
        removed: count.removed,
        differences,
        warnings: Vec::new(),
    }
}

fn refusal(refused: &Refused) -> Problem {
    match refused {
        Refused::NoSuchZone(name) => Problem::no_zone(name),
        Refused::Unsound(faults) => Problem::bad_zone("the zone", ZoneFault::list(faults, &[])),
        Refused::NotSaved(reason) => Problem::unavailable("not-saved", "Not saved", reason),
        Refused::ChangedSince { .. } | Refused::Overtaken => {
            let said = refused.to_string();
            let (detail, hint) = said.rsplit_once(": ").unwrap_or((&said, ""));
            Problem::conflict(detail.to_owned(), hint)
        }
        Refused::Closed => Problem::unavailable("closing", "Closing", &refused.to_string()),
    }
}
