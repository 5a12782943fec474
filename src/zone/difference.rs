//! What differs between two versions of a zone, set by set, in canonical order.

use std::cmp::Ordering;

use crate::wire::NameRef;

use super::{Node, Set, Zone};

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
