//! A reply against what the case expects: what differs, part by part.

use super::expect::{Expect, Expected, Pattern};
use super::message::{Record, Reply};
use super::name::{class_code, kind_text, label_text, rcode_text};
use super::query::{Ask, Packet, Query};

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rigour {
    /// Our server: case of names, EDNS options and sizes too.
    Ours,
    /// A peer, where names are compared without case (RFC 4343) and what EDNS options it sends is its own affair.
    Peer,
}

/// One part of a reply that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// silence, reply, rcode, flags, question, answer, authority, additional, order, edns, size: stands in the table of differences.
    pub(crate) part: &'static str,
    pub(crate) told: String,
}

/// All that differs; empty when the reply is as expected.
pub(crate) fn differences(
    query: &Query,
    expect: &Expect,
    reply: Option<&Reply>,
    id: u16,
    rigour: Rigour,
) -> Vec<Difference> {
    let mut found = Found(Vec::new());
    match (expect, reply) {
        (Expect::Silence, None) => (),
        (Expect::Silence, Some(reply)) => found.add("reply", format!("{} instead of silence", rcode_text(reply.rcode))),
        (Expect::Reply(_), None) => found.add("silence", "no reply".to_owned()),
        (Expect::Reply(expected), Some(reply)) => {
            found.header(expected, reply, id);
            found.section("answer", &expected.answer, &reply.answer, rigour);
            found.section("authority", &expected.authority, &reply.authority, rigour);
            found.section("additional", &expected.additional, &reply.additional, rigour);
            match &query.packet {
                Packet::Ask(ask) => found.ask(query, ask, expected, reply, rigour),
                Packet::Send(_) => found.check_edns(expected.edns.is_some(), expected, reply, rigour),
            }
        }
    }
    found.0
}

struct Found(Vec<Difference>);

impl Found {
    fn add(&mut self, part: &'static str, told: String) {
        self.0.push(Difference { part, told });
    }

    fn header(&mut self, expected: &Expected, reply: &Reply, id: u16) {
        if expected.rcode != reply.rcode {
            self.add("rcode", format!("{} instead of {}", rcode_text(reply.rcode), rcode_text(expected.rcode)));
        }
        if expected.flags != reply.flags {
            self.add("flags", format!("{:?} instead of {:?}", reply.flags, expected.flags));
        }
        if !reply.is_response || reply.id != id {
            self.add("reply", "QR is clear or the identifier another".to_owned());
        }
    }

    fn ask(&mut self, query: &Query, ask: &Ask, expected: &Expected, reply: &Reply, rigour: Rigour) {
        if reply.opcode != ask.opcode {
            self.add("reply", format!("opcode {}", reply.opcode));
        }
        // A message that was not understood need not be repeated.
        let may_lack = matches!(reply.rcode, 1 | 4) && reply.question.is_empty();
        if reply.question != ask.question() && !may_lack {
            self.add("question", "not repeated as it was asked".to_owned());
        }
        self.order(ask, reply);
        self.check_edns(ask.edns.is_some(), expected, reply, rigour);
        if reply.edns.as_ref().is_some_and(|edns| edns.dnssec_ok != ask.dnssec_ok) {
            self.add("edns", "DO not copied (RFC 3225 section 3)".to_owned());
        }
        let limit = match ask.edns {
            _ if query.over_tcp => 65_535,
            None => 512,
            Some(size) => usize::from(size.clamp(512, 1232)),
        };
        if reply.size > limit {
            self.add("size", format!("{} octets, {limit} allowed", reply.size));
        }
    }

    fn check_edns(&mut self, wanted: bool, expected: &Expected, reply: &Reply, rigour: Rigour) {
        let Some(edns) = &reply.edns else {
            if wanted {
                self.add("edns", "no OPT record".to_owned());
            }
            return;
        };
        if !wanted {
            self.add("edns", "an OPT record nobody asked for".to_owned());
        }
        let words = expected.edns.clone().unwrap_or_default();
        if rigour == Rigour::Ours && edns.words() != words {
            self.add("edns", format!("options {:?} instead of {words:?}", edns.words()));
        }
        if rigour == Rigour::Ours && (edns.version, edns.size) != (0, 1232) {
            self.add("edns", format!("version {}, size {}", edns.version, edns.size));
        }
    }

    fn section(&mut self, part: &'static str, patterns: &[Pattern], records: &[Record], rigour: Rigour) {
        let mut left: Vec<Record> = records.to_vec();
        let mut missing = Vec::new();
        // The exact ones first, so that a short form never takes another's record.
        let (exact, short): (Vec<_>, Vec<_>) =
            patterns.iter().partition(|pattern| matches!(pattern, Pattern::Record(_)));
        for pattern in exact.into_iter().chain(short) {
            if !pattern.take_from(&mut left, rigour) {
                missing.push(format!("{pattern:?}"));
            }
        }
        if !missing.is_empty() || !left.is_empty() {
            let extra: Vec<String> = left.iter().map(Record::to_string).collect();
            self.add(part, format!("missing {missing:?}, too much {extra:?}"));
        }
    }

    /// Aliases come in the order they are followed: resolvers read the section from the top.
    fn order(&mut self, ask: &Ask, reply: &Reply) {
        let mut name = Vec::new();
        let mut rest = &ask.name[..];
        while let [length @ 1..=63, after @ ..] = rest {
            name.push(label(&after[..usize::from(*length)]));
            rest = &after[usize::from(*length)..];
        }
        let mut name = if name.is_empty() { ".".to_owned() } else { name.join(".") };
        let mut before = name.clone();
        for record in &reply.answer {
            let owner = record.owner.to_ascii_lowercase();
            let is_above = record.kind == 39 && name.ends_with(&owner);
            if owner != name && owner != before && !is_above {
                self.add("order", format!("{record} where {name} should come next"));
                return;
            }
            if record.kind == 5 {
                before = std::mem::replace(&mut name, record.data.to_ascii_lowercase());
            }
        }
    }
}

fn label(octets: &[u8]) -> String {
    let mut text = String::new();
    label_text(&octets.to_ascii_lowercase(), &mut text);
    text
}

impl Pattern {
    /// Takes the records it stands for out of `left`; false if they are not there.
    fn take_from(&self, left: &mut Vec<Record>, rigour: Rigour) -> bool {
        let before = left.len();
        match self {
            Pattern::Record(text) => take(left, 1, |record| stands_for(text, record, rigour)),
            Pattern::Kind(kind) => take(left, 1, |record| kind_text(record.kind) == *kind),
            Pattern::Many(count, text) => {
                take(left, *count, |record| stands_for(text, record, rigour));
                return before - left.len() == *count;
            }
            Pattern::OneSet(owner) => {
                let kinds: std::collections::BTreeSet<u16> = left.iter().map(|record| record.kind).collect();
                let all_there = left.iter().all(|record| record.owner.eq_ignore_ascii_case(owner));
                left.retain(|_| kinds.len() != 1 || !all_there);
            }
        }
        left.len() < before
    }
}

fn take(left: &mut Vec<Record>, mut count: usize, is_it: impl Fn(&Record) -> bool) {
    left.retain(|record| {
        let is_taken = count > 0 && is_it(record);
        count -= usize::from(is_taken);
        !is_taken
    });
}

fn stands_for(text: &str, record: &Record, rigour: Rigour) -> bool {
    let whole = record.to_string();
    let (text, whole) = match rigour {
        Rigour::Ours => (text.to_owned(), whole),
        Rigour::Peer => (text.to_ascii_lowercase(), whole.to_ascii_lowercase()),
    };
    whole == text || whole.strip_prefix(&text).is_some_and(|data| data.starts_with(' ') && lacks_data(&text))
}

/// `OWNER TTL TYPE` and no more, or `OWNER TTL CLASS TYPE`.
fn lacks_data(text: &str) -> bool {
    let words: Vec<String> = text.split(' ').map(str::to_ascii_uppercase).collect();
    words.len() == 3 || words.len() == 4 && class_code(&words[2]).is_some()
}
