//! Draft → Zone: sort, gather into sets, check. All faults at once.

use std::cmp::Ordering;

use crate::wire::{Kind, NameRef};

use super::draft::Record;
use super::tree::Tree;
use super::{Counts, Draft, Fault, Node, NodeBuilder, Place, Severity, Zone, check};

/// What became of a draft.
pub struct Built {
    /// The zone; `None` if there was any error.
    pub zone: Option<Zone>,
    /// Errors and warnings, in the order of their places.
    pub faults: Vec<Fault>,
}

/// A record of the draft in its place in the zone. The first octets of the sort key settle most comparisons.
#[derive(Clone, Copy)]
struct Sorted {
    prefix: u64,
    record: u32,
}

impl Zone {
    /// Sorts and checks a draft.
    pub fn build(draft: Draft) -> Built {
        let mut faults = Vec::new();
        if draft.is_empty() && !draft.is_whole() {
            return Built { zone: None, faults }; // why there is nothing has been told already
        }
        let is_whole = draft.is_whole();
        let sorted = sort(&draft, &mut faults);
        let nodes = gather(&draft, &sorted, &mut faults);
        let counts = Counts::of(nodes.iter());
        let names = Tree::from_sorted(nodes);
        let view = check::View { apex: draft.origin(), names: &names };
        view.everything(&mut |finding| {
            let place = finding.name.as_ref().and_then(|name| place_of(&draft, &sorted, name.borrow(), finding.kind));
            faults.push(finding.fault(place));
        });
        faults.sort_by_key(|fault| fault.place);
        let apex = draft.origin().to_name();
        drop((draft, sorted));
        let sound = is_whole && faults.iter().all(|fault| fault.severity == Severity::Warning);
        let zone = sound.then(|| Self::assemble(names, apex.borrow(), counts));
        match zone {
            Some(Ok(zone)) => Built { zone: Some(zone), faults },
            Some(Err(fault)) => {
                faults.push(fault);
                Built { zone: None, faults }
            }
            None => Built { zone: None, faults },
        }
    }
}

fn sort(draft: &Draft, faults: &mut Vec<Fault>) -> Vec<Sorted> {
    let mut apex_key = Vec::new();
    draft.origin().write_sort_key(&mut apex_key);
    let mut sorted = Vec::with_capacity(draft.len());
    let (mut key, mut prefix, mut last) = (Vec::new(), 0, None);
    for (at, record) in draft.records().iter().enumerate() {
        let owner = draft.owner(record);
        if last != Some(owner) {
            key.clear();
            owner.write_sort_key(&mut key);
            last = Some(owner);
            prefix = prefix_of(key.get(apex_key.len()..).unwrap_or_default());
        }
        if key.starts_with(&apex_key) {
            sorted.push(Sorted { prefix, record: at as u32 });
        } else {
            faults.push(outside(draft, record));
        }
    }
    sorted.sort_unstable_by(|a, b| a.prefix.cmp(&b.prefix).then_with(|| compare(draft, *a, *b)));
    sorted
}

fn prefix_of(key: &[u8]) -> u64 {
    let mut octets = [0; 8];
    let size = key.len().min(8);
    octets[..size].copy_from_slice(&key[..size]);
    u64::from_be_bytes(octets)
}

fn compare(draft: &Draft, a: Sorted, b: Sorted) -> Ordering {
    let (a, b) = (record(draft, a), record(draft, b));
    let owners = match a.same_owner(b) {
        true => Ordering::Equal,
        false => draft.owner(a).canonical_cmp(draft.owner(b)),
    };
    owners
        .then_with(|| a.kind.cmp(&b.kind))
        .then_with(|| draft.rdata(a).cmp(draft.rdata(b)))
        .then_with(|| a.place.cmp(&b.place))
}

fn record(draft: &Draft, sorted: Sorted) -> &Record {
    &draft.records()[sorted.record as usize]
}

fn outside(draft: &Draft, record: &Record) -> Fault {
    Fault::error(
        Some(record.place),
        format!("{} does not lie in the zone {}", draft.owner(record), draft.origin()),
        "remove the record, or add the missing final dot or $ORIGIN if the name was meant to be relative or absolute",
    )
}

/// Nodes in canonical order, with an empty one for every name that exists only because names below it do.
fn gather(draft: &Draft, sorted: &[Sorted], faults: &mut Vec<Fault>) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::with_capacity(sorted.len());
    let mut builder = NodeBuilder::default();
    let same_name = |a: &Sorted, b: &Sorted| draft.owner(record(draft, *a)) == draft.owner(record(draft, *b));
    for records in sorted.chunk_by(same_name) {
        let name = draft.owner(record(draft, records[0]));
        fill_gap(&mut nodes, draft.origin(), name);
        builder.start(name);
        let same_kind = |a: &Sorted, b: &Sorted| record(draft, *a).kind == record(draft, *b).kind;
        for set in records.chunk_by(same_kind) {
            gather_set(draft, set, &mut builder, faults);
        }
        nodes.push(builder.finish());
    }
    nodes
}

/// In canonical order an ancestor comes just before its descendants: what `name` does not share with the name before
/// it is missing. The apex itself is never missing silently: [`check`] asks for its SOA.
fn fill_gap(nodes: &mut Vec<Node>, apex: NameRef<'_>, name: NameRef<'_>) {
    let shared = nodes.last().map_or(0, |last| last.name().shared_suffix_size(name));
    let mut missing = Vec::new();
    let mut above = name.parent();
    while let Some(ancestor) = above.filter(|ancestor| ancestor.as_bytes().len() > shared && ancestor.is_within(apex)) {
        missing.push(Node::empty(ancestor));
        above = ancestor.parent();
    }
    nodes.extend(missing.into_iter().rev());
}

fn gather_set(draft: &Draft, set: &[Sorted], builder: &mut NodeBuilder, faults: &mut Vec<Fault>) {
    let records = || set.iter().map(|sorted| record(draft, *sorted));
    let Some(first) = records().min_by_key(|record| record.place) else { return };
    builder.set(first.kind, first.ttl);
    let mut last = None;
    for record in records() {
        let (name, kind, data) = (draft.owner(record), record.kind, draft.rdata(record));
        if record.ttl != first.ttl {
            faults.push(check::ttl_differs(name, kind, first.ttl).fault(Some(record.place)));
        }
        if last == Some(data) {
            faults.push(check::twice(name, kind).fault(Some(record.place)));
        } else if builder.record(data).is_err() {
            faults.push(check::too_large(name, kind).fault(Some(record.place)));
            return;
        }
        last = Some(data);
    }
}

/// The first record of a set, or of a name, in the file.
fn place_of(draft: &Draft, sorted: &[Sorted], name: NameRef<'_>, kind: Option<Kind>) -> Option<Place> {
    let of_name = |sorted: &Sorted| draft.owner(record(draft, *sorted)).canonical_cmp(name);
    let start = sorted.partition_point(|sorted| of_name(sorted) == Ordering::Less);
    let records = sorted[start..].iter().take_while(|sorted| of_name(sorted) == Ordering::Equal);
    let records = records.map(|sorted| record(draft, *sorted));
    let wanted = records.filter(|record| kind.is_none_or(|kind| record.kind == kind));
    wanted.map(|record| record.place).min()
}
