//! Warnings about an edit: what it touched, and what it made worse elsewhere.
//!
//! They cost what the edit touches. What only a walk through the zone could find, as an alias whose target has gone, is
//! told by the next check of the whole.

use std::collections::HashSet;

use crate::wire::{Kind, Name, NameRef};

use super::{Finding, View, targets};
use crate::zone::{Fault, Node, Zone};

/// Warnings about one edit, at most.
const WARNINGS_MAX: usize = 100;
/// Names that are looked at below a new cut, and for a delegation that an address may be glue for.
const NAMES_MAX: usize = 1_000;

impl Zone {
    /// What somebody should look at after an edit of these sets, at most 100 warnings: all about the sets themselves; about
    /// their names, the apex and the delegations they lie below only what was not so `before`.
    pub fn advice_at(&self, before: Option<&Zone>, sets: &[(Name, Kind)]) -> Vec<Fault> {
        let view = View { apex: self.apex(), names: &self.names };
        let old = before.map(|zone| View { apex: zone.apex(), names: &zone.names });
        let touched: HashSet<(Name, Kind)> =
            sets.iter().map(|(name, kind)| (name.borrow().to_lower(), *kind)).collect();
        let mut names = vec![self.apex().to_name()];
        for (name, _) in &touched {
            names.extend(view.cut_above(name.borrow()).map(NameRef::to_name));
            names.push(name.clone());
        }
        names.sort_by(|a, b| a.borrow().canonical_cmp(b.borrow()));
        names.dedup();
        let mut advice = Vec::new();
        for name in names {
            let known: Vec<_> = old.iter().flat_map(|old| old.advice_about(name.borrow())).collect();
            let touches = |kind| touched.contains(&(name.clone(), kind));
            advice.extend(view.advice_about(name.borrow()).into_iter().filter(|finding| {
                finding.kind.is_some_and(touches) || !known.iter().any(|known| known.message == finding.message)
            }));
            let was_cut = old.is_some_and(|old| old.names.get(name.borrow()).is_some_and(Node::has_ns));
            if !was_cut && touches(Kind::NS) {
                advice.extend(view.advice_below(name.borrow()));
            }
            if advice.len() >= WARNINGS_MAX {
                break;
            }
        }
        advice.truncate(WARNINGS_MAX);
        advice.into_iter().map(|finding| finding.fault(None)).collect()
    }
}

impl View<'_> {
    fn advice_about(&self, name: NameRef<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(node) = self.names.get(name) {
            let cut = self.cut_above(node.name());
            self.advice(node, cut, &|node| cut.is_none_or(|cut| self.may_serve(node, cut)), &mut |finding| {
                findings.push(finding);
            });
        }
        findings
    }

    /// What a new cut hides.
    fn advice_below(&self, cut: NameRef<'_>) -> Vec<Finding> {
        let Some(node) = self.names.get(cut).filter(|node| node.has_ns() && cut != self.apex) else {
            return Vec::new();
        };
        let below = self.names.iter_from(node.name()).skip(1).take(NAMES_MAX);
        let below = below.take_while(|below| below.name().is_within(cut));
        below.take(WARNINGS_MAX).flat_map(|below| self.advice_about(below.name())).collect()
    }

    /// Whether an address below a cut may be that of a name server: of the cut, of the zone, or of any other delegation
    /// among the first names of the zone. A larger zone gets the benefit of the doubt.
    fn may_serve(&self, node: &Node, cut: NameRef<'_>) -> bool {
        let names = |delegation: &Node| {
            delegation.set(Kind::NS).is_some_and(|set| targets(set).any(|server| server.same(node.name())))
        };
        [cut, self.apex].iter().any(|owner| self.names.get(*owner).is_some_and(names))
            || self.names.iter().take(NAMES_MAX).any(names)
            || self.names.iter().nth(NAMES_MAX).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::text;

    fn zone(text: &str) -> Zone {
        let origin = "home.example".parse().unwrap();
        let head = "$TTL 300\n@ SOA ns h 1 3600 600 86400 300\n@ NS ns\nns A 192.0.2.53\n";
        let text: std::sync::Arc<[u8]> = format!("{head}{text}").into_bytes().into();
        let never = &mut |_: &str, _: &str| Err(std::io::ErrorKind::NotFound.into());
        Zone::build(text::read(text, "test", Some(origin), never, &mut |_| ()).draft).zone.unwrap()
    }

    /// The warnings about an edit of sets that leads from one zone to another.
    fn advice(before: &str, after: &str, sets: &[(&str, Kind)]) -> Vec<String> {
        let apex: Name = "home.example".parse().unwrap();
        let set = |(name, kind): &(&str, Kind)| (text::name(name, apex.borrow()).unwrap(), *kind);
        let sets: Vec<_> = sets.iter().map(set).collect();
        zone(after).advice_at(Some(&zone(before)), &sets).into_iter().map(|fault| fault.message).collect()
    }

    const DANGLING: &str = "blog CNAME wwww\n";

    #[test]
    fn the_touched_set_is_always_told_and_others_only_when_it_made_them_worse() {
        let told = ["the CNAME target wwww.home.example. of blog.home.example. does not exist in this zone"];
        assert_eq!(advice("", DANGLING, &[("blog", Kind::CNAME)]), told);
        assert_eq!(advice(DANGLING, DANGLING, &[("BLOG", Kind::CNAME)]), told, "again, for it is still so");
        assert_eq!(advice(DANGLING, DANGLING, &[("www", Kind::A)]), [""; 0], "nobody touched it");
        let policies = "@ TXT \"v=spf1 a\" \n@ TXT \"v=spf1 b\"\n";
        assert_eq!(advice(policies, policies, &[("@", Kind::A)]), [""; 0], "it was so before");
        assert_eq!(advice("", policies, &[("@", Kind::TXT)]), ["home.example. has more than one SPF policy"]);
    }

    #[test]
    fn the_address_of_a_name_server_is_missed_when_it_goes() {
        let delegated = "sub NS ns.sub\n";
        let told = ["the name server ns.sub.home.example. of sub.home.example. has no glue: nobody can reach it"];
        let glue = format!("{delegated}ns.sub A 192.0.2.7\n");
        assert_eq!(advice(&glue, delegated, &[("ns.sub", Kind::A)]), told);
        let other = "@ NS ns2\n";
        assert_eq!(advice("@ NS ns2\nns2 A 192.0.2.2\n", other, &[("ns2", Kind::A)]).len(), 1);
    }

    #[test]
    fn what_a_cut_hides_is_told_and_glue_is_none_of_it() {
        let below = "a.sub A 192.0.2.1\nns.sub A 192.0.2.2\nb.sub TXT x\n";
        let cut = format!("{below}sub NS ns.sub\n");
        let told = advice(below, &cut, &[("sub", Kind::NS)]);
        assert_eq!(
            told,
            [
                "a.sub.home.example. A lies below the zone cut sub.home.example. and is never answered",
                "b.sub.home.example. TXT lies below the zone cut sub.home.example. and is never answered",
            ]
        );
        let more = format!("{cut}c.sub A 192.0.2.9\n");
        assert_eq!(advice(&cut, &more, &[("c.sub", Kind::A)]).len(), 1);
        let sibling = format!("{more}other NS c.sub\n");
        assert_eq!(advice(&cut, &sibling, &[("c.sub", Kind::A)]), [""; 0], "it is glue of another delegation");
    }
}
