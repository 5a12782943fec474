//! What a request wants of record sets: read from its body, and later, when its turn comes, made an edit of the zone.
//!
//! Reading finds every wrong value at once. The edit is made on the writer's thread, of the zone as it is then, so that
//! adding and removing lose nothing of what others do at the same time.

use std::collections::{BTreeSet, HashMap};

use crate::api::Problem;
use crate::api::extract;
use crate::api::problem::ZoneFault;
use crate::api::types::{Action, Patch, PatchStep};
use crate::store::Refused;
use crate::wire::{Kind, Name, NameRef, rdata};
use crate::zone::{Edit, Fault, Set, SetData, SetEdit, Zone, text};

/// One step of a change, its values read.
#[derive(Clone, Debug)]
pub(super) struct Step {
    action: Action,
    name: Name,
    kind: Kind,
    ttl: Option<u32>,
    rdatas: Vec<Box<[u8]>>,
}

/// The sets that steps are about, each once.
pub(super) fn sets(steps: &[Step]) -> Vec<(Name, Kind)> {
    let mut sets: Vec<_> = steps.iter().map(|step| (step.name.clone(), step.kind)).collect();
    sets.sort_by(|a, b| a.0.borrow().canonical_cmp(b.0.borrow()).then(a.1.cmp(&b.1)));
    sets.dedup();
    sets
}

/// About how many records they change.
pub(super) fn weight(steps: &[Step]) -> usize {
    steps.iter().map(|step| step.rdatas.len().max(1)).sum()
}

// ----- Reading --------------------------------------------------------------------------------------------

/// Reads the body of a change of many sets.
pub(super) fn read_patch(patch: &Patch, apex: NameRef<'_>) -> Result<Vec<Step>, Problem> {
    if patch.changes.is_empty() {
        let detail = "the list of changes is empty".to_owned();
        return Err(Problem::bad_request(detail, "give at least one change, or send nothing"));
    }
    let mut faults = Vec::new();
    let mut steps = Vec::with_capacity(patch.changes.len());
    for (number, step) in patch.changes.iter().enumerate() {
        let field = format!("/changes/{number}");
        let name = noted(extract::owner(&step.name, apex), || format!("{field}/name"), &mut faults);
        let kind = noted(extract::kind(&step.kind), || format!("{field}/type"), &mut faults);
        if let (Some(name), Some(kind)) = (name, kind) {
            steps.push(read_step(step, (name, kind), &field, apex, &mut faults));
        }
    }
    if faults.is_empty() { Ok(steps) } else { Err(Problem::bad_values(faults)) }
}

/// Reads the change of one set.
pub(super) fn read_one(step: &PatchStep, set: (Name, Kind), apex: NameRef<'_>) -> Result<Step, Problem> {
    let mut faults = Vec::new();
    let step = read_step(step, set, "", apex, &mut faults);
    if faults.is_empty() { Ok(step) } else { Err(Problem::bad_values(faults)) }
}

fn read_step(
    step: &PatchStep,
    (name, kind): (Name, Kind),
    field: &str,
    apex: NameRef<'_>,
    faults: &mut Vec<ZoneFault>,
) -> Step {
    let ttl = step.ttl.and_then(|ttl| noted(read_ttl(ttl), || format!("{field}/ttl"), faults));
    let out_of_place = match step.action {
        Action::Put | Action::Add | Action::Remove if step.values.is_empty() => {
            Some(("values", "there are no values", "give at least one; to take a set away, delete it"))
        }
        Action::Delete if !step.values.is_empty() => {
            Some(("values", "values are given, but the whole set would go", "leave them out, or use remove"))
        }
        Action::Remove | Action::Delete if step.ttl.is_some() => {
            Some(("ttl", "what goes has no TTL", "leave the TTL out"))
        }
        Action::Put | Action::Add | Action::Remove | Action::Delete => None,
    };
    if let Some((at, message, cure)) = out_of_place {
        faults.push(ZoneFault::in_field(format!("{field}/{at}"), &Fault::error(None, message, cure)));
    }
    let mut rdatas = Vec::with_capacity(step.values.len());
    for (number, value) in step.values.iter().enumerate() {
        let read = text::value(kind, value, apex);
        rdatas.extend(noted(read, || format!("{field}/values/{number}"), faults));
    }
    Step { action: step.action, name, kind, ttl, rdatas }
}

fn noted<T>(read: Result<T, Fault>, field: impl Fn() -> String, faults: &mut Vec<ZoneFault>) -> Option<T> {
    read.map_err(|fault| faults.push(ZoneFault::in_field(field(), &fault))).ok()
}

/// Seconds as a TTL.
pub(in crate::api) fn read_ttl(seconds: u64) -> Result<u32, Fault> {
    u32::try_from(seconds).ok().filter(|ttl| *ttl <= text::TTL_MAX).ok_or_else(|| {
        let message = format!("the TTL {seconds} is larger than {} seconds", text::TTL_MAX);
        Fault::error(None, message, "write a smaller one: 86400 is a day, 604800 a week")
    })
}

// ----- Deciding -------------------------------------------------------------------------------------------

/// A set while steps are made: each costs what it brings, not what the set holds, for others wait meanwhile.
struct Draft {
    ttl: u32,
    rdatas: BTreeSet<Box<[u8]>>,
}

impl Draft {
    fn of(set: Set<'_>) -> Self {
        Self { ttl: set.ttl(), rdatas: set.rdatas().map(Into::into).collect() }
    }

    fn finish(self, kind: Kind) -> SetData {
        SetData { kind, ttl: self.ttl, rdatas: self.rdatas.into_iter().collect() }
    }
}

/// What the steps, one after the other, make of the zone's sets.
pub(super) fn edit(zone: &Zone, steps: &[Step]) -> Result<Edit, Refused> {
    let mut drafts: Vec<(&Name, Kind, Option<Draft>)> = Vec::with_capacity(steps.len());
    let mut places = HashMap::new();
    for step in steps {
        let place = *places.entry((&step.name, step.kind)).or_insert_with(|| {
            drafts.push((&step.name, step.kind, find(zone, &step.name, step.kind).map(Draft::of)));
            drafts.len() - 1
        });
        let draft = &mut drafts[place].2;
        *draft = after(zone, step, draft.take())?;
    }
    let edit = |(name, kind, draft): (&Name, Kind, Option<Draft>)| SetEdit {
        name: name.clone(),
        kind,
        after: draft.map(|draft| draft.finish(kind)),
    };
    Ok(Edit { sets: drafts.into_iter().map(edit).collect() })
}

/// A set of a zone.
pub(super) fn find<'z>(zone: &'z Zone, name: &Name, kind: Kind) -> Option<Set<'z>> {
    zone.node(name.borrow())?.set(kind)
}

fn after(zone: &Zone, step: &Step, now: Option<Draft>) -> Result<Option<Draft>, Refused> {
    let ttl = step.ttl.or(now.as_ref().map(|draft| draft.ttl)).unwrap_or_else(|| default_ttl(zone));
    match (step.action, now) {
        (Action::Put, _) | (Action::Add, None) => {
            Ok(Some(Draft { ttl, rdatas: step.rdatas.iter().cloned().collect() }))
        }
        (Action::Add, Some(mut draft)) => {
            draft.rdatas.extend(step.rdatas.iter().cloned());
            Ok(Some(Draft { ttl, ..draft }))
        }
        (Action::Remove, Some(mut draft)) => {
            if let Some(missing) = step.rdatas.iter().find(|data| !draft.rdatas.remove(*data)) {
                return Err(no_value(step, missing));
            }
            Ok((!draft.rdatas.is_empty()).then_some(draft))
        }
        (Action::Delete, Some(_)) => Ok(None),
        (Action::Remove | Action::Delete, None) => Err(no_set(zone, &step.name, step.kind)),
    }
}

/// The TTL of a new set: that of the zone's SOA record, which in a zone file is what `$TTL` says.
fn default_ttl(zone: &Zone) -> u32 {
    zone.apex_node().set(Kind::SOA).map_or(0, Set::ttl)
}

/// There is no such set; says which there are.
pub(super) fn no_set(zone: &Zone, name: &Name, kind: Kind) -> Refused {
    let kinds: Vec<_> =
        zone.node(name.borrow()).into_iter().flat_map(|node| node.sets()).map(|set| set.kind().to_string()).collect();
    Refused::Absent(match kinds.is_empty() {
        true => format!("there are no records at {name}"),
        false => format!("there are no {kind} records at {name}, only {}", kinds.join(", ")),
    })
}

fn no_value(step: &Step, data: &[u8]) -> Refused {
    let mut value = String::new();
    rdata::print(step.kind, data, &mut value);
    Refused::Absent(format!("there is no record {} {} {value}", step.name, step.kind))
}
