//! One change of a zone: tried or made, and reported in the same words whichever way it came.

use std::sync::Arc;

use super::difference::{self, Step};
use super::problem::{
    Closing, Exists, HostPassed, LeadsBack, NameTaken, NoSuchItem, NoSuchRecord, NotSaved, OwnedByRoute, Problem,
    TooLarge, ZoneFault,
};
use super::tag::{self, Conditions};
use super::types::{Difference, ZoneChange, plain};
use crate::store::{Actor, Change, Decision, Done, DoneZone, Refused, Store};
use crate::wire::{Kind, Name};
use crate::zone::{Count, Zone};

/// The zone on both sides of a change, which is on the disk and served, or was only tried.
pub(super) struct Made {
    pub(super) done: Done,
    pub(super) dry_run: bool,
    zone: Option<DoneZone>,
}

/// Makes a change, or only tries it. For changes of single sets, which cost little beside the wait for the disk.
pub(super) async fn make(
    store: &Store,
    apex: &Name,
    change: Change,
    dry_run: bool,
    actor: Actor,
) -> Result<Made, Problem> {
    let made = match dry_run {
        true => attempt(store, apex, &change),
        false => store.commit(change, actor).await.map(|done| Made::new(done, apex, dry_run)),
    };
    made.map_err(|refused| refusal(&refused))
}

/// As [`make`], on a thread that may wait: for changes of whole zones, which are much work on either side of the commit.
pub(super) fn make_blocking(
    store: &Store,
    apex: &Name,
    change: Change,
    dry_run: bool,
    actor: Actor,
) -> Result<Made, Problem> {
    let made = match dry_run {
        true => attempt(store, apex, &change),
        false => store.commit_blocking(change, actor).map(|done| Made::new(done, apex, dry_run)),
    };
    made.map_err(|refused| refusal(&refused))
}

/// A dry run takes the same way as a change, up to the last step.
fn attempt(store: &Store, apex: &Name, change: &Change) -> Result<Made, Refused> {
    Ok(Made::new(store.snapshot().attempt(change)?, apex, true))
}

/// The change, if the conditions hold for the zone when its turn comes.
pub(super) fn on(conditions: Conditions, apex: &Name, weight: usize, change: Change) -> Change {
    let apex = apex.clone();
    Change::Decide(Decision::new(weight, move |now| {
        conditions.hold(now.zones.get(apex.borrow()).map(|zone| tag::of_zone(zone)))?;
        Ok(change.clone())
    }))
}

impl Made {
    fn new(done: Done, apex: &Name, dry_run: bool) -> Self {
        let zone = done.zone(apex).cloned();
        Self { done, dry_run, zone }
    }

    /// What lies between, for a whole zone. Each record is named only in a dry run: of a million, nobody reads the list
    /// otherwise.
    pub(super) fn report(&self, apex: &Name) -> ZoneChange {
        self.told(apex, self.dry_run, &|old, new, visit| difference::between(old, new, visit))
    }

    /// What lies between, in these sets only: so it costs what the change does, whatever the zone holds. Each record is
    /// named, and what the change made worse.
    pub(super) fn report_sets(&self, apex: &Name, sets: &[(Name, Kind)]) -> ZoneChange {
        let told = self.told(apex, true, &|old, new, visit| difference::of_sets(sets, old, new, visit));
        let advice = self.after().map(|zone| zone.advice_at(self.before().map(|zone| &**zone), sets));
        ZoneChange { warnings: ZoneFault::list(&advice.unwrap_or_default(), &[]), ..told }
    }

    fn told(&self, apex: &Name, named: bool, between: Between<'_>) -> ZoneChange {
        let (before, after) = (self.before(), self.after());
        let mut differences = Vec::new();
        let count = between(before.map(Arc::as_ref), after.map(Arc::as_ref), &mut |step| {
            if named {
                differences.push(Difference { sign: step.sign, record: step.line() });
            }
        });
        ZoneChange {
            zone: plain(apex.borrow()),
            changed: self.done.changed,
            dry_run: self.dry_run,
            revision: self.done.revision,
            serial_before: before.map(|zone| zone.serial()),
            serial_after: after.map(|zone| zone.serial()),
            added: count.added,
            altered: count.altered,
            removed: count.removed,
            differences,
            warnings: ZoneFault::list(&self.done.warnings, &[]),
        }
    }

    /// The zone before.
    pub(super) fn before(&self) -> Option<&Arc<Zone>> {
        self.zone.as_ref()?.before.as_ref()
    }

    /// The zone afterwards.
    pub(super) fn after(&self) -> Option<&Arc<Zone>> {
        self.zone.as_ref()?.after.as_ref()
    }
}

/// Each zone that a change was about, told in these sets only.
pub(super) fn reports(done: &Done, dry_run: bool, sets: &[(Name, Kind)]) -> Vec<ZoneChange> {
    let report = |zone: &DoneZone| Made::new(done.clone(), &zone.apex, dry_run).report_sets(&zone.apex, sets);
    done.zones.iter().map(report).collect()
}

type Between<'b> = &'b dyn Fn(Option<&Zone>, Option<&Zone>, &mut dyn FnMut(Step<'_>)) -> Count;

/// Why a change was not made, for whoever asked for it.
pub(super) fn refusal(refused: &Refused) -> Problem {
    let split = |line: &str| match line.rsplit_once(": ") {
        Some((detail, hint)) => (detail.to_owned(), hint.to_owned()),
        None => (line.to_owned(), String::new()),
    };
    match refused {
        Refused::NoSuchZone(name) => Problem::no_zone(name),
        Refused::NoSuchItem(_) => {
            let (detail, hint) = split(&refused.to_string());
            Problem::new(NoSuchItem, detail, &hint)
        }
        Refused::Unfit { .. } | Refused::TooMany(_) => {
            let (detail, hint) = split(&refused.to_string());
            Problem::new(TooLarge, detail, &hint)
        }
        Refused::Unsound(faults) => Problem::zone_rule(faults),
        Refused::Stale { current } => Problem::stale(current.as_deref()),
        Refused::Present(_) => {
            let (detail, hint) = split(&refused.to_string());
            Problem::new(Exists, detail, &hint)
        }
        Refused::Absent(_) => {
            let (detail, hint) = split(&refused.to_string());
            Problem::new(NoSuchRecord, detail, &hint)
        }
        Refused::NotSaved(reason) => Problem::unavailable(NotSaved, reason),
        Refused::ChangedSince { .. } | Refused::ItemChangedSince(_) | Refused::Overtaken => {
            let said = refused.to_string();
            let (detail, hint) = said.rsplit_once(": ").unwrap_or((&said, ""));
            Problem::conflict(detail.to_owned(), hint)
        }
        Refused::Owned { .. } => {
            let (detail, hint) = split(&refused.to_string());
            Problem::new(OwnedByRoute, detail, &hint)
        }
        Refused::Taken { .. } => {
            let (detail, hint) = split(&refused.to_string());
            Problem::new(NameTaken, detail, &hint)
        }
        Refused::NotAlone { .. } => {
            let (detail, hint) = split(&refused.to_string());
            Problem::new(HostPassed, detail, &hint)
        }
        Refused::LeadsBack(fault) => Problem::new(LeadsBack, fault.message.clone(), &fault.cure),
        Refused::Closed => Problem::unavailable(Closing, &refused.to_string()),
    }
}
