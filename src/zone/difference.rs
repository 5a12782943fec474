//! What differs between two versions of a zone, set by set, in canonical order; and of a set, record by record.

use std::cmp::Ordering;

use crate::wire::{Kind, NameRef};

use super::{Node, SOA_FIXED_SIZE, Set, Zone};

/// Calls `tell(name, before, after)` for every set that differs; at least one of the two is there.
/// Nodes that both versions share cost one comparison of pointers.
pub fn difference<'z>(
    before: Option<&'z Zone>,
    after: Option<&'z Zone>,
    tell: &mut dyn FnMut(NameRef<'z>, Option<Set<'z>>, Option<Set<'z>>),
) {
    let mut old = before.into_iter().flat_map(Zone::nodes).peekable();
    let mut new = after.into_iter().flat_map(Zone::nodes).peekable();
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) if old.is(new) => Ordering::Equal,
            (Some(old), Some(new)) => old.name().canonical_cmp(new.name()),
        };
        let before = if order.is_le() { old.next() } else { None };
        let after = if order.is_ge() { new.next() } else { None };
        if let Some(name) = before.or(after).map(Node::name) {
            node_difference(before, after, &mut |before, after| tell(name, before, after));
        }
    }
}

/// The sets of one name that differ.
pub fn node_difference<'z>(
    before: Option<&'z Node>,
    after: Option<&'z Node>,
    tell: &mut dyn FnMut(Option<Set<'z>>, Option<Set<'z>>),
) {
    if let (Some(before), Some(after)) = (before, after)
        && before.is(after)
    {
        return;
    }
    let mut old = before.into_iter().flat_map(Node::sets).peekable();
    let mut new = after.into_iter().flat_map(Node::sets).peekable();
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.kind().cmp(&new.kind()),
        };
        let before = if order.is_le() { old.next() } else { None };
        let after = if order.is_ge() { new.next() } else { None };
        match (before, after) {
            (Some(before), Some(after)) if before.same(after) => (),
            changed => tell(changed.0, changed.1),
        }
    }
}

/// How many records came, took another's place, and went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Records that came and replaced none.
    pub added: usize,
    /// Records that took another's place: the same name and type with new data or TTL.
    pub altered: usize,
    /// Records that went and were not replaced.
    pub removed: usize,
}

/// Tells `tell(sign, ttl, rdata)` the records of a set that go (`-`), then those that come (`+`), and adds them to `count`.
/// A new serial alone is told but not counted: people read it from the serials.
pub fn record_difference<'r>(
    kind: Kind,
    old: impl Iterator<Item = (u32, &'r [u8])>,
    new: impl Iterator<Item = (u32, &'r [u8])>,
    count: &mut Count,
    tell: &mut dyn FnMut(char, u32, &'r [u8]),
) {
    let sorted = |mut records: Vec<(u32, &'r [u8])>| {
        records.sort_unstable();
        records
    };
    let (old, new) = (sorted(old.collect()), sorted(new.collect()));
    let gone: Vec<_> = old.iter().filter(|record| new.binary_search(record).is_err()).collect();
    let come: Vec<_> = new.iter().filter(|record| old.binary_search(record).is_err()).collect();
    gone.iter().for_each(|(ttl, rdata)| tell('-', *ttl, rdata));
    come.iter().for_each(|(ttl, rdata)| tell('+', *ttl, rdata));
    if let ([(old_ttl, old)], [(new_ttl, new)]) = (&gone[..], &come[..])
        && kind == Kind::SOA
        && old_ttl == new_ttl
        && without_serial(old) == without_serial(new)
    {
        return;
    }
    let pairs = gone.len().min(come.len());
    count.altered += pairs;
    count.removed += gone.len() - pairs;
    count.added += come.len() - pairs;
}

/// The two names and the four times of an SOA; its serial is the first of five numbers at the end (RFC 1035,
/// section 3.3.13).
pub fn without_serial(soa: &[u8]) -> (&[u8], &[u8]) {
    let (names, numbers) = soa.split_at(soa.len().saturating_sub(SOA_FIXED_SIZE));
    (names, numbers.get(4..).unwrap_or_default())
}
