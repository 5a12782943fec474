//! What lies between two versions of a zone, record by record, in the order of the zone.

use crate::wire::{Kind, Name, NameRef, rdata};
use crate::zone::{self, Count, Set, Zone};

/// A record that goes (`-`) or comes (`+`).
pub(super) struct Step<'a> {
    pub(super) sign: char,
    owner: NameRef<'a>,
    kind: Kind,
    ttl: u32,
    rdata: &'a [u8],
}

/// Tells `visit` every record that goes or comes, and counts. `None` is a zone that is not there.
/// A new serial alone is visited but not counted: people read it from the serials.
pub(super) fn between(before: Option<&Zone>, after: Option<&Zone>, visit: &mut dyn FnMut(Step<'_>)) -> Count {
    let mut count = Count::default();
    zone::difference(before, after, &mut |owner, old, new| {
        if let Some(kind) = old.or(new).map(Set::kind) {
            of_set(owner, kind, (old, new), &mut count, visit);
        }
    });
    count
}

/// As [`between`], of these sets only.
pub(super) fn of_sets(
    sets: &[(Name, Kind)],
    before: Option<&Zone>,
    after: Option<&Zone>,
    visit: &mut dyn FnMut(Step<'_>),
) -> Count {
    let mut count = Count::default();
    for (name, kind) in sets {
        of_set(name.borrow(), *kind, (find(before, name, *kind), find(after, name, *kind)), &mut count, visit);
    }
    count
}

fn find<'z>(zone: Option<&'z Zone>, name: &Name, kind: Kind) -> Option<Set<'z>> {
    zone?.node(name.borrow())?.set(kind)
}

fn of_set<'a>(
    owner: NameRef<'a>,
    kind: Kind,
    (old, new): (Option<Set<'a>>, Option<Set<'a>>),
    count: &mut Count,
    visit: &mut dyn FnMut(Step<'_>),
) {
    let records =
        |set: Option<Set<'a>>| set.into_iter().flat_map(|set| set.rdatas().map(move |data| (set.ttl(), data)));
    zone::record_difference(kind, records(old), records(new), count, &mut |sign, ttl, rdata| {
        visit(Step { sign, owner, kind, ttl, rdata });
    });
}

impl Step<'_> {
    /// The record as a line of a zone file.
    pub(super) fn line(&self) -> String {
        line(self.owner, self.ttl, self.kind, self.rdata)
    }
}

/// A record as a line of a zone file.
pub(super) fn line(owner: NameRef<'_>, ttl: u32, kind: Kind, rdata: &[u8]) -> String {
    let mut line = format!("{owner} {ttl} IN {kind} ");
    rdata::print(kind, rdata, &mut line);
    line
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::Checked;

    const HEAD: &str = "@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.1\n";

    fn zone(text: &str) -> Arc<Zone> {
        let checked = Checked::request(text.as_bytes().to_vec(), &"example.org".parse().unwrap());
        checked.zone.unwrap_or_else(|| panic!("{:?}", checked.faults))
    }

    fn lines(before: Option<&Zone>, after: Option<&Zone>) -> (Vec<String>, Count) {
        let mut lines = Vec::new();
        let count = between(before, after, &mut |step| lines.push(format!("{}{}", step.sign, step.line())));
        (lines, count)
    }

    #[test]
    fn each_record_is_told_in_the_order_of_the_zone() {
        let before = zone(&format!("{HEAD}a 60 A 192.0.2.2\na 60 A 192.0.2.3\nz 60 TXT gone\n"));
        let after = zone(&format!("{HEAD}a 60 A 192.0.2.3\na 60 A 192.0.2.4\nb 60 A 192.0.2.5\n"));
        let (lines, count) = lines(Some(&before), Some(&after));
        assert_eq!(
            lines,
            [
                "-a.example.org. 60 IN A 192.0.2.2",
                "+a.example.org. 60 IN A 192.0.2.4",
                "+b.example.org. 60 IN A 192.0.2.5",
                "-z.example.org. 60 IN TXT \"gone\"",
            ]
        );
        assert_eq!(count, Count { added: 1, altered: 1, removed: 1 });
    }

    #[test]
    fn a_new_ttl_is_a_changed_record() {
        let before = zone(&format!("{HEAD}a 60 A 192.0.2.2\n"));
        let after = zone(&format!("{HEAD}a 61 A 192.0.2.2\n"));
        assert_eq!(lines(Some(&before), Some(&after)).1, Count { added: 0, altered: 1, removed: 0 });
    }

    #[test]
    fn a_new_serial_alone_is_shown_but_not_counted() {
        let (before, after) = (zone(HEAD), zone(&HEAD.replace(" 1 2 3", " 9 2 3")));
        let (lines, count) = lines(Some(&before), Some(&after));
        assert_eq!((lines.len(), count), (2, Count::default()));
    }

    #[test]
    fn a_zone_that_is_not_there_has_no_records() {
        let zone = zone(HEAD);
        assert_eq!(lines(None, Some(&zone)).1, Count { added: 3, altered: 0, removed: 0 });
        assert_eq!(lines(Some(&zone), None).1, Count { added: 0, altered: 0, removed: 3 });
        assert_eq!(lines(Some(&zone), Some(&zone)), (vec![], Count::default()));
    }
}
