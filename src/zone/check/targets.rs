//! Warnings about names that records lead to.

use crate::wire::{Kind, NameRef};

use super::{Finding, Sink, View, targets};
use crate::zone::{Node, Set};

/// What stands where a record leads to.
enum Target {
    /// Not in this zone, or below one of its cuts.
    Elsewhere,
    Missing,
    Alias,
    NoAddress,
    Good,
}

impl View<'_> {
    /// Whether the targets of a name's records exist and are what they should be.
    pub(super) fn target_advice(&self, node: &Node, sink: Sink<'_>) {
        for set in node.sets() {
            let kind = set.kind();
            match kind {
                Kind::NS => self.name_server_advice(node, set, sink),
                Kind::CNAME | Kind::MX | Kind::SRV | Kind::SVCB | Kind::HTTPS => {
                    targets(set).for_each(|target| self.one_target(node, kind, target, sink));
                }
                _ => (),
            }
        }
    }

    fn one_target(&self, node: &Node, kind: Kind, target: NameRef<'_>, sink: Sink<'_>) {
        if target.is_root() {
            return; // "no service" of MX, SRV (RFC 7505, RFC 2782) and "this name itself" of SVCB (RFC 9460)
        }
        let owner = node.name();
        let address_wanted = matches!(kind, Kind::MX | Kind::SRV);
        let (what, cure) = match self.target(target) {
            Target::Missing => {
                ("does not exist in this zone", "add the target, or correct its name (a final dot missing?)")
            }
            Target::Alias if address_wanted => ("is an alias (CNAME)", "name the host itself (RFC 2181, section 10.3)"),
            Target::NoAddress if address_wanted => ("has no address", "add an A or AAAA record to it"),
            Target::Alias | Target::NoAddress | Target::Elsewhere | Target::Good => return,
        };
        sink(Finding::warning(owner, Some(kind), format!("the {kind} target {target} of {owner} {what}"), cure));
    }

    fn name_server_advice(&self, node: &Node, set: Set<'_>, sink: Sink<'_>) {
        let owner = node.name();
        let cut = owner != self.apex;
        for server in targets(set) {
            let lower = server.to_lower();
            let below_this_cut = cut && lower.borrow().is_within(owner);
            let address = self.names.get(lower.borrow()).is_some_and(has_address);
            let finding = match self.target(server) {
                Target::Elsewhere if below_this_cut && !address => "has no glue: nobody can reach it",
                Target::Missing if below_this_cut => "has no glue: nobody can reach it",
                Target::Missing => "does not exist in this zone",
                Target::NoAddress => "has no address",
                Target::Elsewhere | Target::Alias | Target::Good => continue,
            };
            let cure = "add an A or AAAA record for the server";
            sink(Finding::warning(
                owner,
                Some(Kind::NS),
                format!("the name server {server} of {owner} {finding}"),
                cure,
            ));
        }
    }

    fn target(&self, name: NameRef<'_>) -> Target {
        let lower = name.to_lower();
        let name = lower.borrow();
        let in_child =
            || self.cut_above(name).is_some() || name != self.apex && self.names.get(name).is_some_and(Node::has_ns);
        if !name.is_within(self.apex) || in_child() {
            return Target::Elsewhere;
        }
        match self.names.get(name).filter(|node| !node.is_empty()).or_else(|| self.wildcard_for(name)) {
            None if self.below_dname(name) => Target::Elsewhere,
            None => Target::Missing,
            Some(node) if node.is_alias() => Target::Alias,
            Some(node) if !has_address(node) => Target::NoAddress,
            Some(_) => Target::Good,
        }
    }

    fn wildcard_for(&self, name: NameRef<'_>) -> Option<&Node> {
        let mut above = std::iter::successors(name.parent(), |name| name.parent());
        let encloser = above.find(|ancestor| self.names.get(*ancestor).is_some())?;
        self.names.wildcard(crate::wire::Hash::of(encloser), encloser)
    }

    fn below_dname(&self, name: NameRef<'_>) -> bool {
        let above = std::iter::successors(name.parent(), |name| name.parent());
        above.take_while(|name| name.is_within(self.apex)).any(|name| self.names.get(name).is_some_and(Node::has_dname))
    }
}

fn has_address(node: &Node) -> bool {
    node.set(Kind::A).is_some() || node.set(Kind::AAAA).is_some()
}
