//! Zone + name + type → what the zone has to say (RFC 1034, section 4.3.2, as RFC 4592 and RFC 6672 make it exact).
//!
//! One walk from the apex down, a hash look-up a label. Every name above an existing one is a node itself (an empty
//! non-terminal at least), so the walk stops at the closest encloser, and passes a zone cut or a DNAME on its way
//! before anything below it: topmost cut, occlusion and "a wildcard does not apply below a cut" need no rule of their own.

use crate::wire::{Hash, Key, Kind};

use super::{Node, Set, Zone};

/// What a zone says to a name and a type.
#[derive(Clone, Copy, Debug)]
pub enum Found<'z> {
    /// The set that was asked for.
    Answer(Set<'z>),
    /// The name is an alias: its CNAME set.
    Alias(Set<'z>),
    /// The name lies below a DNAME: its set, and how many labels its owner has.
    Redirect(Set<'z>, usize),
    /// The name belongs to another zone: the node with the NS set, and how many labels it has.
    Referral(&'z Node, usize),
    /// The name exists, without this type.
    NoData,
    /// The name does not exist.
    NoName,
}

impl Zone {
    /// What the zone says to a name at or below its apex. `apex_hash` is the hash of the apex.
    #[inline]
    pub fn lookup(&self, key: &Key, kind: Kind, apex_hash: Hash) -> Found<'_> {
        let (mut node, mut hash) = (&self.apex, apex_hash);
        for depth in self.depth + 1..=key.label_count() {
            if node.has_dname()
                && let Some(set) = node.set(Kind::DNAME)
            {
                return Found::Redirect(set, depth - 1);
            }
            let child = hash.child(key.label(depth));
            let Some(next) = self.names.get_hashed(child, key.ancestor(depth)) else {
                return self.wildcard(key, depth - 1, hash, kind);
            };
            let at_parent_side = kind == Kind::DS && depth == key.label_count(); // RFC 4035, section 3.1.4.1
            if next.has_ns() && !at_parent_side {
                return Found::Referral(next, depth);
            }
            (node, hash) = (next, child);
        }
        at(node, kind)
    }

    /// The name does not exist, its closest encloser has `depth` labels: the wildcard there speaks, if there is one.
    fn wildcard(&self, key: &Key, depth: usize, encloser: Hash, kind: Kind) -> Found<'_> {
        match self.names.wildcard(encloser, key.ancestor(depth)) {
            Some(node) => at(node, kind),
            None => Found::NoName,
        }
    }
}

#[inline]
fn at(node: &Node, kind: Kind) -> Found<'_> {
    if kind == Kind::ANY {
        return node.sets().next().map_or(Found::NoData, Found::Answer); // one set is enough (RFC 8482, section 4.1)
    }
    match node.set(kind) {
        Some(set) => Found::Answer(set),
        None if node.is_alias() => node.set(Kind::CNAME).map_or(Found::NoData, Found::Alias),
        None => Found::NoData,
    }
}
