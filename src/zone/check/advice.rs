//! Warnings: the zone is served as it is, but somebody should look.

use crate::wire::{Kind, NameRef};

use super::{Finding, Sink, View};
use crate::zone::{Node, Set};

impl View<'_> {
    /// Every warning about one name, which lies below `cut`, if below any. `is_server` says whether an NS record of the
    /// zone names it.
    pub(super) fn advice(
        &self,
        node: &Node,
        cut: Option<NameRef<'_>>,
        is_server: &dyn Fn(&Node) -> bool,
        sink: Sink<'_>,
    ) {
        let apex = node.name() == self.apex;
        match cut {
            Some(cut) => occluded(node, cut, is_server, sink),
            None => self.target_advice(node, sink),
        }
        if apex && let Some(soa) = node.set(Kind::SOA) {
            soa_timers(node.name(), soa, sink);
        }
        if !apex && node.set(Kind::DS).is_some() && !node.has_ns() {
            let message = format!("{} has DS records but no NS records: they sign no delegation", node.name());
            sink(Finding::warning(
                node.name(),
                Some(Kind::DS),
                message,
                "add the NS records of the child zone, or remove the DS",
            ));
        }
        if node.set(Kind::TXT).is_some_and(|set| set.rdatas().filter(|data| is_sender_policy(data)).count() > 1) {
            let message = format!("{} has more than one SPF policy", node.name());
            sink(Finding::warning(
                node.name(),
                Some(Kind::TXT),
                message,
                "merge them: receivers treat two as an error (RFC 7208, section 3.2)",
            ));
        }
    }

    /// The topmost zone cut strictly above a name.
    pub(super) fn cut_above<'n>(&self, name: NameRef<'n>) -> Option<NameRef<'n>> {
        let above = std::iter::successors(name.parent(), |name| name.parent());
        let inside = above.take_while(|ancestor| ancestor.as_bytes().len() > self.apex.as_bytes().len());
        inside.filter(|ancestor| self.names.get(*ancestor).is_some_and(Node::has_ns)).last()
    }
}

fn is_sender_policy(data: &[u8]) -> bool {
    matches!(data, [_, rest @ ..] if rest.starts_with(b"v=spf1 ") || rest == b"v=spf1")
}

/// Below a cut only addresses of name servers mean anything (RFC 1034, section 4.2.1).
fn occluded(node: &Node, cut: NameRef<'_>, is_server: &dyn Fn(&Node) -> bool, sink: Sink<'_>) {
    let is_address = |set: &Set<'_>| [Kind::A, Kind::AAAA].contains(&set.kind());
    let hidden = node.sets().find(|set| !is_address(set)).or_else(|| node.sets().next());
    if let Some(set) = hidden.filter(|set| !is_address(set) || !is_server(node)) {
        let message = format!("{} {} lies below the zone cut {cut} and is never answered", node.name(), set.kind());
        sink(Finding::warning(node.name(), Some(set.kind()), message, "move it to the child zone's own file"));
    }
}

fn soa_timers(apex: NameRef<'_>, soa: Set<'_>, sink: Sink<'_>) {
    let Some(timers) = soa.rdatas().next().and_then(|data| data.last_chunk::<20>()) else { return };
    let timer = |at: usize| u32::from_be_bytes([timers[at], timers[at + 1], timers[at + 2], timers[at + 3]]);
    let (refresh, retry, expire, minimum) = (timer(4), timer(8), timer(12), timer(16));
    let mut tell = |message: String, cure: &str| sink(Finding::warning(apex, Some(Kind::SOA), message, cure));
    if retry >= refresh {
        tell(
            format!("SOA retry ({retry} s) is not below refresh ({refresh} s)"),
            "choose a retry well below refresh, as 900 and 3600 (RFC 1912, section 2.2)",
        );
    }
    if expire <= refresh.saturating_add(retry) {
        tell(
            format!(
                "SOA expire ({expire} s) is not above refresh plus retry: a short outage ends the zone on secondaries"
            ),
            "choose an expire of two to four weeks, as 1209600 (RFC 1912, section 2.2)",
        );
    }
    if minimum > 86_400 {
        tell(
            format!("SOA minimum ({minimum} s) keeps \"no such name\" in caches for more than a day"),
            "choose 300 to 10800: it is the TTL of negative answers (RFC 2308, section 5)",
        );
    }
}
