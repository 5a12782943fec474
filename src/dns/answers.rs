//! What every transport does to get an answer: one thread's hold on the snapshot, the policy and its counters.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

use super::stats::Stats;
use super::{Moment, Peer, Policy, Transport, Verdict, ahead, batch};
use crate::store::Snapshot;

/// The signature of [`super::respond::respond`]; a value of it is what a transport is given, so that its own tests
/// can give it something else.
pub(super) type Respond = fn(&[u8], Peer, Moment, &Snapshot, &Policy, &Stats, &mut [u8]) -> Verdict;

/// One thread's way to an answer.
#[derive(Clone)]
pub(super) struct Answers {
    respond: Respond,
    snapshots: Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>,
    policy: Arc<Policy>,
    stats: Arc<Stats>,
}

impl Answers {
    /// For a thread with these counters, which are nobody else's.
    pub(super) fn new(
        respond: Respond,
        snapshots: Arc<ArcSwap<Snapshot>>,
        policy: Arc<Policy>,
        stats: Arc<Stats>,
    ) -> Self {
        Self { respond, snapshots: Cache::new(snapshots), policy, stats }
    }

    pub(super) fn stats(&self) -> &Stats {
        &self.stats
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Lets go of an old snapshot. An idle thread calls this now and then, or it would keep a deleted zone in memory.
    pub(super) fn refresh(&mut self) {
        self.snapshots.load();
    }

    /// Looks at the clock and at the newest snapshot, for all the packets that were read together.
    #[inline]
    pub(super) fn turn(&mut self) -> Turn<'_> {
        Turn {
            now: Moment::now(),
            snapshot: self.snapshots.load(),
            respond: self.respond,
            policy: &self.policy,
            stats: &self.stats,
        }
    }
}

impl Answers {
    /// The length of the reply to a message that came alone, if there is one; all that is counted of a message is.
    pub(super) fn one(&mut self, message: &[u8], peer: Peer, reply: &mut [u8]) -> Option<usize> {
        let turn = self.turn();
        let length = turn.answer_message(message, peer, reply);
        turn.stats.queries.add(1);
        turn.stats.took(turn.now.micros_since(), 1);
        length
    }
}

/// The answers to some packets: one moment, one snapshot.
pub(super) struct Turn<'a> {
    pub(super) now: Moment,
    snapshot: &'a Snapshot,
    respond: Respond,
    pub(super) policy: &'a Policy,
    pub(super) stats: &'a Stats,
}

impl Turn<'_> {
    /// Whether so many packets are looked ahead at.
    #[inline]
    pub(super) fn is_ahead_of(&self, count: usize) -> bool {
        ahead::is_worth_it(&self.snapshot.zones, count)
    }

    /// Fetches what the answers to these packets will read.
    #[inline]
    pub(super) fn look_ahead<'p>(&self, count: usize, packets: impl Iterator<Item = &'p [u8]>) {
        if self.is_ahead_of(count) {
            ahead::look(&self.snapshot.zones, packets, &mut |address| batch::prefetch(address));
        }
    }

    /// The length of the reply that was written, if there is one.
    #[inline]
    pub(super) fn answer(
        &self,
        packet: &[u8],
        address: IpAddr,
        transport: Transport,
        reply: &mut [u8],
    ) -> Option<usize> {
        let peer = Peer { address, transport };
        match (self.respond)(packet, peer, self.now, self.snapshot, self.policy, self.stats, reply) {
            Verdict::Reply(length) => Some(length),
            Verdict::Silence => None,
        }
    }

    /// As [`Turn::answer`], where a panic ends one query and not the connection with all the others.
    pub(super) fn answer_message(&self, message: &[u8], peer: Peer, reply: &mut [u8]) -> Option<usize> {
        let Peer { address, transport } = peer;
        let length = catch_unwind(AssertUnwindSafe(|| self.answer(message, address, transport, reply)));
        length.unwrap_or_else(|_| {
            self.stats.panics.add(1);
            tracing::error!(
                "answering a query over {transport} panicked; the others go on. This is a bug: please report it"
            );
            None
        })
    }
}
