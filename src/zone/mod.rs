//! Zones as plain values: no I/O, no clock, no tasks.
//!
//! A zone arrives as a [`Draft`] (records in any order, not yet trusted). [`Zone::build`] sorts it, gathers its records into
//! [`Node`]s and checks every rule; what comes out is a [`Zone`], which is sound and never changes. [`Zone::edit`] makes
//! the next version, sharing with the old one whatever it did not touch. [`Zone::lookup`] is what a query asks.

mod build;
mod check;
mod difference;
mod draft;
mod edit;
mod fault;
pub mod lookup;
mod node;
pub mod print;
pub mod serial;
pub mod text;
pub mod tree;

use std::fmt;

use crate::wire::{Hash, Kind, Name, NameRef};

pub use build::Built;
pub use difference::{Count, difference, node_difference, record_difference, without_serial};
pub use draft::{Draft, DraftFull};
pub use edit::{Edit, SetEdit};
pub use fault::{Fault, Place, Severity};
pub use lookup::Found;
pub use node::{Node, NodeBuilder, Record, Set, SetData, SetTooLarge, Sets};
use tree::{Named, Tree};

/// A sound zone. It never changes; a clone shares everything.
#[derive(Clone)]
pub struct Zone {
    names: Tree<Node>,
    /// The node of the apex, kept at hand because every negative answer needs it.
    apex: Node,
    /// How many labels the apex has.
    depth: usize,
    serial: u32,
    counts: Counts,
}

/// How much a zone holds, carried along so that nobody has to count.
#[derive(Clone, Copy, Default)]
struct Counts {
    names: usize,
    records: usize,
}

impl Counts {
    fn add(&mut self, node: &Node) {
        self.names += usize::from(!node.is_empty());
        self.records += node.record_count();
    }

    fn take(&mut self, node: &Node) {
        self.names -= usize::from(!node.is_empty());
        self.records -= node.record_count();
    }

    fn of<'n>(nodes: impl Iterator<Item = &'n Node>) -> Self {
        nodes.fold(Self::default(), |mut counts, node| {
            counts.add(node);
            counts
        })
    }
}

impl Zone {
    fn assemble(names: Tree<Node>, apex: NameRef<'_>, counts: Counts) -> Result<Self, Fault> {
        let node = names.get(apex).cloned();
        let serial = node.as_ref().and_then(|node| node.set(Kind::SOA)).and_then(serial_of);
        let (Some(apex), Some(serial)) = (node, serial) else {
            let message = format!("the zone {apex} has no sound SOA record");
            return Err(Fault::error(None, message, "give it one"));
        };
        Ok(Self { depth: apex.name().label_count(), names, apex, serial, counts })
    }

    /// Takes nodes in canonical order, as a store has kept them.
    pub fn from_nodes(apex: &Name, nodes: Vec<Node>) -> Result<Self, Fault> {
        let sorted = nodes.is_sorted_by(|a, b| a.name().canonical_cmp(b.name()).is_lt());
        if !sorted || !nodes.iter().all(|node| node.name().is_within(apex.borrow())) {
            let message = format!("the names of the zone {apex} are not in order");
            return Err(Fault::error(None, message, "restore the zone from a backup or its zone file"));
        }
        let counts = Counts::of(nodes.iter());
        Self::assemble(Tree::from_sorted(nodes), apex.borrow(), counts)
    }

    /// The name of the zone, in lower case.
    #[inline]
    pub fn apex(&self) -> NameRef<'_> {
        self.apex.name()
    }

    /// What stands at the apex.
    #[inline]
    pub fn apex_node(&self) -> &Node {
        &self.apex
    }

    /// The serial of the SOA record.
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// The same zone with another serial.
    pub fn with_serial(&self, serial: u32) -> Self {
        let mut sets: Vec<_> = self.apex.sets().map(Set::to_data).collect();
        for set in sets.iter_mut().filter(|set| set.kind == Kind::SOA) {
            for data in &mut set.rdatas {
                let at = data.len() - SOA_FIXED_SIZE;
                data[at..at + 4].copy_from_slice(&serial.to_be_bytes());
            }
        }
        let mut zone = self.clone();
        // The sets are those of a node that exists, so their sizes are in bounds.
        if let Ok(apex) = Node::new(self.apex(), &sets) {
            zone.names.insert(apex.clone());
            (zone.apex, zone.serial) = (apex, serial);
        }
        zone
    }

    /// Every error in the zone; none, unless it was put together without looking.
    pub fn errors(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let view = check::View { apex: self.apex(), names: &self.names };
        view.everything(&mut |finding| faults.push(finding.fault(None)));
        faults.retain(|fault| fault.severity == Severity::Error);
        faults
    }

    /// How many names with records.
    pub fn name_count(&self) -> usize {
        self.counts.names
    }

    /// How many records.
    pub fn record_count(&self) -> usize {
        self.counts.records
    }

    /// The way to the node whose name has this hash, to be walked step by step.
    #[inline]
    pub fn way(&self, hash: Hash) -> tree::Way<'_, Node> {
        self.names.way(hash)
    }

    /// What stands at a name in lower case.
    pub fn node(&self, name: NameRef<'_>) -> Option<&Node> {
        self.names.get(name)
    }

    /// All nodes in canonical order, empty non-terminals among them.
    pub fn nodes(&self) -> tree::Iter<'_, Node> {
        self.names.iter()
    }

    /// The nodes from a name on, in canonical order.
    pub fn nodes_from(&self, name: NameRef<'_>) -> tree::Iter<'_, Node> {
        self.names.iter_from(name)
    }
}

impl Named for Zone {
    fn name(&self) -> NameRef<'_> {
        self.apex()
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({} serial {}, {} records)", self.apex(), self.serial, self.counts.records)
    }
}

/// The five numbers at the end of SOA data (RFC 1035, section 3.3.13).
const SOA_FIXED_SIZE: usize = 20;

fn serial_of(soa: Set<'_>) -> Option<u32> {
    let fixed = soa.rdatas().next()?.last_chunk::<SOA_FIXED_SIZE>()?;
    Some(u32::from_be_bytes([fixed[0], fixed[1], fixed[2], fixed[3]]))
}

#[cfg(test)]
mod tests;
