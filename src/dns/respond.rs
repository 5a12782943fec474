//! One packet in; one reply, or silence, out.
//!
//! Every transport, test, bench and the fuzzer call this one function, so they cannot disagree. It never waits, takes
//! no lock and never grows the heap: whatever would need that was done when the zone changed (see [`crate::zone::Node`]).
//! Rejected: a handler per opcode; the order of the checks is the point.

use crate::store::Snapshot;
use crate::wire::edns::{Edns, Opt};
use crate::wire::query::{HEADER_SIZE, Header, Query, Unreadable};
use crate::wire::{Key, Kind, Rcode, Reply};

use super::cookie::CookieState;
use super::gate::Admission;
use super::stats::Stats;
use super::{Moment, Peer, Policy, Transport, Verdict, chaos, sections};
use crate::limits::{UDP_QUERY_SIZE_MAX, UDP_REPLY_SIZE_PLAIN};

/// The Internet.
const IN: u16 = 1;
/// Questions about the server itself.
const CHAOS: u16 = 3;

/// Extended DNS errors that we tell (RFC 8914, section 4).
mod extended {
    pub(super) const PROHIBITED: u16 = 18;
    pub(super) const NOT_AUTHORITATIVE: u16 = 20;
}

/// Answers a packet. `reply` is the caller's buffer, of at least 1,232 octets for UDP and 65,535 for all else.
pub fn respond(
    packet: &[u8],
    peer: Peer,
    now: Moment,
    snapshot: &Snapshot,
    policy: &Policy,
    stats: &Stats,
    reply: &mut [u8],
) -> Verdict {
    let mut key = Key::root();
    let (query, header) = match Query::read(packet, &mut key) {
        Ok(query) => {
            stats.kind(query.kind);
            (Some(query), None)
        }
        Err(Unreadable::Silence) => {
            stats.malformed.add(1);
            return Verdict::Silence;
        }
        Err(Unreadable::Tell(header, rcode)) => (None, Some((header, rcode))),
    };
    let cookie = query.as_ref().map_or(CookieState::Absent, |query| cookie_of(query, peer, now, policy, stats));
    let admission = policy.gate.admit(peer, now, cookie);
    let size = match (admission, query, header) {
        (Admission::Drop, ..) => {
            stats.dropped.add(1);
            return Verdict::Silence;
        }
        (Admission::Slip, Some(query), _) => {
            stats.slipped.add(1);
            slip(&query, reply)
        }
        (_, None, Some((header, rcode))) => tell(header, rcode, stats, reply),
        (_, None, None) => return Verdict::Silence,
        (Admission::Pass, Some(query), _) => {
            Exchange { query, peer, now, policy, stats }.answer(cookie, snapshot, reply)
        }
    };
    Verdict::Reply(size)
}

fn cookie_of(query: &Query<'_>, peer: Peer, now: Moment, policy: &Policy, stats: &Stats) -> CookieState {
    match (query.edns.and_then(|edns| edns.cookie), &policy.cookies) {
        (Some(option), Some(cookies)) => {
            let state = cookies.check(option, peer.address, now.unix_seconds);
            stats.cookie(state);
            state
        }
        (Some(_), None) | (None, _) => CookieState::Absent,
    }
}

/// The header alone says what is wrong with a packet.
fn tell(header: Header, rcode: Rcode, stats: &Stats, buffer: &mut [u8]) -> usize {
    stats.malformed.add(1);
    stats.reply(rcode.0);
    Reply::new(buffer, &[], UDP_REPLY_SIZE_PLAIN, 0).finish(header, rcode, None, None)
}

/// No longer than the question: an honest client asks again over TCP.
fn slip(query: &Query<'_>, buffer: &mut [u8]) -> usize {
    let mut reply = Reply::new(buffer, query.question, UDP_REPLY_SIZE_PLAIN, 0);
    reply.set_truncated();
    reply.finish(query.header, Rcode::NOERROR, None, None)
}

/// A query that was read and admitted.
struct Exchange<'a> {
    query: Query<'a>,
    peer: Peer,
    now: Moment,
    policy: &'a Policy,
    stats: &'a Stats,
}

impl Exchange<'_> {
    fn answer(&self, cookie: CookieState, snapshot: &Snapshot, buffer: &mut [u8]) -> usize {
        let room = self.size_max().saturating_sub(HEADER_SIZE + self.query.question.len());
        let mut opt = self.query.edns.map(|edns| self.opt(&edns, cookie).within(room));
        let reserved = opt.map_or(0, |opt| opt.size());
        let mut reply = Reply::new(buffer, self.query.question, self.size_max(), reserved);
        let rcode = match self.fault(cookie) {
            Some((rcode, error)) => {
                opt = opt.map(|opt| Opt { error, ..opt });
                rcode
            }
            None if self.query.question.is_empty() => Rcode::NOERROR, // a query for a cookie alone
            None if self.query.class == CHAOS => chaos::answer(&mut reply, &self.query, self.policy),
            None => match snapshot.zones.closest(self.query.key, self.query.kind) {
                Some((zone, hash)) => sections::fill(&mut reply, &self.query, &snapshot.zones, zone, hash),
                None => {
                    opt = opt.map(|opt| Opt { error: Some(extended::NOT_AUTHORITATIVE), ..opt });
                    Rcode::REFUSED
                }
            },
        };
        if reply.is_truncated() {
            self.stats.truncated.add(1);
        }
        self.stats.reply(rcode.0);
        reply.finish(self.query.header, rcode, opt, self.query.tsig.as_ref().filter(|_| rcode == Rcode::NOTAUTH))
    }

    /// What keeps a query that was read from being answered, with the extended error that explains it.
    fn fault(&self, cookie: CookieState) -> Option<(Rcode, Option<u16>)> {
        let query = &self.query;
        if cookie == CookieState::Malformed {
            return Some((Rcode::FORMERR, None)); // RFC 7873, section 5.2.2
        }
        if query.edns.is_some_and(|edns| edns.version > 0) {
            return Some((Rcode::BADVERS, None)); // RFC 6891, section 6.1.3
        }
        if query.tsig.is_some() {
            return Some((Rcode::NOTAUTH, None)); // no key is known here (RFC 8945, section 5.2.1)
        }
        if query.question.is_empty() {
            return None;
        }
        if query.class != IN && query.class != CHAOS {
            return Some((Rcode::REFUSED, None));
        }
        match query.kind {
            Kind::AXFR | Kind::IXFR => Some((Rcode::REFUSED, Some(extended::PROHIBITED))),
            Kind::MAILA | Kind::MAILB => Some((Rcode::NOTIMP, None)), // obsolete (RFC 1035, section 3.2.3)
            Kind::ANY => None,
            kind if kind.is_meta() => Some((Rcode::FORMERR, None)),
            _ => None,
        }
    }

    fn size_max(&self) -> usize {
        match (self.peer.transport, self.query.edns) {
            (Transport::Tcp | Transport::Tls | Transport::Https | Transport::Quic, _) => usize::MAX,
            (Transport::Udp, None) => UDP_REPLY_SIZE_PLAIN,
            (Transport::Udp, Some(edns)) => edns.reply_size.min(self.policy.udp_reply_size_max).into(),
        }
    }

    fn opt(&self, edns: &Edns<'_>, cookie: CookieState) -> Opt<'_> {
        let client = edns.cookie.and_then(|option| option.first_chunk::<8>());
        let cookies = self.policy.cookies.as_ref().filter(|_| cookie != CookieState::Malformed);
        let transport = self.peer.transport;
        Opt {
            query_size: UDP_QUERY_SIZE_ADVERTISED,
            dnssec_ok: edns.dnssec_ok,
            nsid: self.policy.identity.as_deref().filter(|_| edns.nsid),
            cookie: client
                .zip(cookies)
                .map(|(client, ours)| (*client, ours.make(client, self.peer.address, self.now.unix_seconds))),
            keepalive: (edns.keepalive && transport.is_ours_to_keep())
                .then(|| (self.policy.idle(transport).as_millis() / 100) as u16),
            padding: (edns.padded && transport.is_encrypted()).then_some(0),
            ..Opt::default()
        }
    }
}

/// What we say we take over UDP (RFC 9715, section 3.2); we do take more, up to [`UDP_QUERY_SIZE_MAX`].
const UDP_QUERY_SIZE_ADVERTISED: u16 = 1_232;
const _: () = assert!(UDP_QUERY_SIZE_ADVERTISED as usize <= UDP_QUERY_SIZE_MAX);
