//! The rules of a sound zone. Every rule is told at once, and what would hurt resolvers is refused at the door.
//!
//! A rule that looks only at one name and its surroundings runs for every edit too ([`View::errors_at`]); a rule that needs
//! the whole zone runs when a zone arrives as a whole ([`View::everything`]). An edit is warned of what it made worse
//! ([`super::Zone::advice_at`]).

mod advice;
mod edited;
mod targets;

use std::collections::HashSet;

use crate::limits::{ALIAS_CHAIN_MAX, GLUELESS_NS_MAX};
use crate::wire::{Kind, Name, NameRef, rdata};

use super::edit::has_descendants;
use super::tree::Tree;
use super::{Fault, Node, Place, Set, Severity};

/// The names of a zone that is not yet known to be sound.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) apex: NameRef<'a>,
    pub(super) names: &'a Tree<Node>,
}

/// A fault of a name or of one of its sets, before its place in a file is known.
pub(super) struct Finding {
    pub(super) name: Option<Name>,
    pub(super) kind: Option<Kind>,
    severity: Severity,
    message: String,
    cure: String,
}

impl Finding {
    fn error(name: NameRef<'_>, kind: Option<Kind>, message: String, cure: &str) -> Self {
        Self { name: Some(name.to_name()), kind, severity: Severity::Error, message, cure: cure.into() }
    }

    fn warning(name: NameRef<'_>, kind: Option<Kind>, message: String, cure: &str) -> Self {
        Self { severity: Severity::Warning, ..Self::error(name, kind, message, cure) }
    }

    pub(super) fn fault(self, place: Option<Place>) -> Fault {
        Fault { severity: self.severity, place, message: self.message, cure: self.cure }
    }
}

type Sink<'s> = &'s mut dyn FnMut(Finding);

// ----- Faults that are found while records are gathered into sets -------------------------------------------

pub(super) fn ttl_differs(name: NameRef<'_>, kind: Kind, ttl: u32) -> Finding {
    let message = format!("this TTL differs from the other records of {name} {kind}: {ttl} is served for all of them");
    Finding::warning(name, Some(kind), message, "give all records of a set the same TTL (RFC 2181, section 5.2)")
}

pub(super) fn twice(name: NameRef<'_>, kind: Kind) -> Finding {
    let message = format!("this {kind} record of {name} stands here a second time");
    Finding::warning(name, Some(kind), message, "remove one of the two; it is served once")
}

pub(super) fn too_large(name: NameRef<'_>, kind: Kind) -> Finding {
    let message = format!("the {kind} records of {name} do not fit into one DNS message");
    Finding::error(name, Some(kind), message, "keep a record set below about 64,000 octets")
}

// ----- The rules --------------------------------------------------------------------------------------------

impl View<'_> {
    /// Every error and every warning of the zone.
    pub(super) fn everything(&self, sink: Sink<'_>) {
        if self.names.get(self.apex).is_none() {
            self.apex_rules(None, sink);
        }
        let servers = self.servers();
        let is_server = |node: &Node| servers.contains(&node.name().to_name());
        let mut cut: Option<NameRef<'_>> = None;
        for node in self.names.iter() {
            cut = cut.filter(|cut| node.name().is_within(*cut)); // what lies below a name follows it
            self.errors_of(node, sink);
            self.advice(node, cut, &is_server, sink);
            if node.has_ns() && node.name() != self.apex {
                cut = cut.or(Some(node.name()));
            }
        }
    }

    /// The errors an edit of this name can have made.
    pub(super) fn errors_at(&self, name: NameRef<'_>, sink: Sink<'_>) {
        match self.names.get(name) {
            Some(node) => self.errors_of(node, sink),
            None if name == self.apex => self.apex_rules(None, sink),
            None => (),
        }
        let above = std::iter::successors(name.parent(), |name| name.parent());
        for ancestor in above.take_while(|ancestor| ancestor.is_within(self.apex)) {
            if let Some(node) = self.names.get(ancestor) {
                self.nothing_below_dname(node, sink);
            }
        }
    }

    /// The names of all name servers that lie in the zone, in lower case: what an address below a cut may be glue for.
    fn servers(&self) -> HashSet<Name> {
        let sets = self.names.iter().filter_map(|node| node.set(Kind::NS));
        sets.flat_map(targets).filter(|name| name.is_within(self.apex)).map(NameRef::to_lower).collect()
    }

    fn errors_of(&self, node: &Node, sink: Sink<'_>) {
        match node.name() == self.apex {
            true => {
                self.apex_rules(Some(node), sink);
                self.no_signer_at_apex(node, sink);
            }
            false => soa_only_at_apex(node, sink),
        }
        lone_alias(node, sink);
        self.nothing_below_dname(node, sink);
        no_wildcard_cut(node, sink);
        self.name_servers(node, sink);
        self.alias_chain(node, sink);
    }

    fn apex_rules(&self, node: Option<&Node>, sink: Sink<'_>) {
        let count = |kind| node.and_then(|node| node.set(kind)).map_or(0, Set::count);
        let apex = self.apex;
        match count(Kind::SOA) {
            0 => sink(Finding::error(
                apex,
                None,
                format!("the zone {apex} has no SOA record"),
                "begin the zone with one: @ SOA ns1 hostmaster 1 3600 900 1209600 300",
            )),
            1 => (),
            more => sink(Finding::error(
                apex,
                Some(Kind::SOA),
                format!("the zone {apex} has {more} SOA records"),
                "keep exactly one (RFC 1035, section 5.2)",
            )),
        }
        if count(Kind::NS) == 0 {
            sink(Finding::error(
                apex,
                None,
                format!("the zone {apex} has no NS record at its apex"),
                "name its servers, as the parent zone does: @ NS ns1 (RFC 1034, section 4.2.1)",
            ));
        }
    }

    /// The keys a DS vouches for are the child's, so it stands on the parent's side (RFC 4035, section 2.4).
    fn no_signer_at_apex(&self, apex: &Node, sink: Sink<'_>) {
        if apex.set(Kind::DS).is_some() {
            let message = format!("the zone {} has a DS record at its apex", self.apex);
            let cure = "put it into the parent zone, beside the delegation";
            sink(Finding::error(self.apex, Some(Kind::DS), message, cure));
        }
    }

    fn nothing_below_dname(&self, node: &Node, sink: Sink<'_>) {
        if node.has_dname() && has_descendants(self.names, node.name()) {
            let owner = node.name();
            sink(Finding::error(
                owner,
                Some(Kind::DNAME),
                format!("there are names below {owner}, which has a DNAME record"),
                "remove them or the DNAME: it redirects everything below its owner (RFC 6672, section 2.4)",
            ));
        }
    }

    fn name_servers(&self, node: &Node, sink: Sink<'_>) {
        let Some(set) = node.set(Kind::NS) else { return };
        let owner = node.name();
        let mut glueless = 0;
        for name in targets(set) {
            let name = name.to_lower();
            let target = self.names.get(name.borrow());
            if name.borrow().is_within(self.apex) && target.is_some_and(Node::is_alias) {
                sink(Finding::error(
                    owner,
                    Some(Kind::NS),
                    format!("the name server {name} of {owner} is an alias (CNAME)"),
                    "name the server by the name that has its addresses (RFC 2181, section 10.3)",
                ));
            }
            let has_address = |node: &Node| node.set(Kind::A).is_some() || node.set(Kind::AAAA).is_some();
            glueless += usize::from(!target.is_some_and(has_address));
        }
        if glueless > GLUELESS_NS_MAX {
            sink(Finding::error(
                owner,
                Some(Kind::NS),
                format!("{owner} has {glueless} name servers without an address in this zone"),
                "name at most 20: each one makes resolvers ask again (the NXNSAttack)",
            ));
        }
    }

    /// Chains of aliases are short, or resolvers give up on them; one that never ends is the longest of all.
    fn alias_chain(&self, node: &Node, sink: Sink<'_>) {
        if !node.is_alias() {
            return;
        }
        let owner = node.name();
        let mut at = owner.to_name();
        for _ in 0..=ALIAS_CHAIN_MAX {
            let next = self.names.get(at.borrow()).and_then(|node| node.set(Kind::CNAME)).and_then(first_target);
            match next {
                None => return,
                Some(next) if next.same(owner) => {
                    return sink(Finding::error(
                        owner,
                        Some(Kind::CNAME),
                        format!("the alias {owner} leads back to itself"),
                        "let one name of the chain have addresses in place of its CNAME",
                    ));
                }
                Some(next) => at = next.to_lower(),
            }
        }
        sink(Finding::error(
            owner,
            Some(Kind::CNAME),
            format!("the alias {owner} leads through more than {ALIAS_CHAIN_MAX} others, or into a loop"),
            "let it lead to the last name of the chain at once",
        ));
    }
}

fn first_target(set: Set<'_>) -> Option<NameRef<'_>> {
    targets(set).next()
}

/// The names in the data of a set's records.
fn targets(set: Set<'_>) -> impl Iterator<Item = NameRef<'_>> {
    set.rdatas().flat_map(move |data| rdata::names(set.kind(), data)).map(|embedded| embedded.name)
}

fn soa_only_at_apex(node: &Node, sink: Sink<'_>) {
    if node.set(Kind::SOA).is_some() {
        sink(Finding::error(
            node.name(),
            Some(Kind::SOA),
            format!("{} has an SOA record, but the zone has another apex", node.name()),
            "keep one SOA a zone; put the child zone into a file of its own",
        ));
    }
}

/// RFC 1034, section 3.6.2, and RFC 4035, section 2.5 for what may stand beside a CNAME all the same.
fn lone_alias(node: &Node, sink: Sink<'_>) {
    for kind in [Kind::CNAME, Kind::DNAME] {
        if node.set(kind).is_some_and(|set| set.count() > 1) {
            sink(Finding::error(
                node.name(),
                Some(kind),
                format!("{} has more than one {kind} record", node.name()),
                "keep one: a name can lead to one other name only",
            ));
        }
    }
    let allowed = [Kind::CNAME, Kind::RRSIG, Kind::NSEC, Kind::NXT, Kind::SIG, Kind::KEY];
    let other = node.sets().find(|set| !allowed.contains(&set.kind()));
    if let (true, Some(other)) = (node.is_alias(), other) {
        let message = format!("{} has a CNAME record and {} data beside it", node.name(), other.kind());
        let cure = "an alias has no data of its own (RFC 1034, section 3.6.2): remove one of the two";
        sink(Finding::error(node.name(), Some(Kind::CNAME), message, cure));
    }
}

fn no_wildcard_cut(node: &Node, sink: Sink<'_>) {
    let wildcard = node.name().is_wildcard();
    for (kind, there) in [(Kind::NS, node.has_ns()), (Kind::DNAME, node.has_dname())] {
        if wildcard && there {
            sink(Finding::error(
                node.name(),
                Some(kind),
                format!("the wildcard {} has {kind} records", node.name()),
                "name each delegated or redirected name: what a wildcard means there is not defined (RFC 4592, section 4)",
            ));
        }
    }
}
