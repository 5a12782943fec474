//! What every transport does to get an answer: one thread's hold on the snapshot, the policy and its counters.

use std::net::IpAddr;
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
    all_stats: Arc<[Stats]>,
    thread: usize,
}

impl Answers {
    /// For the thread with this number; there is a set of counters for each.
    pub(super) fn new(
        respond: Respond,
        snapshots: Arc<ArcSwap<Snapshot>>,
        policy: Arc<Policy>,
        all_stats: Arc<[Stats]>,
        thread: usize,
    ) -> Self {
        Self { respond, snapshots: Cache::new(snapshots), policy, all_stats, thread }
    }

    pub(super) fn stats(&self) -> &Stats {
        &self.all_stats[self.thread]
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
            stats: &self.all_stats[self.thread],
        }
    }
}

/// The answers to some packets: one moment, one snapshot.
pub(super) struct Turn<'a> {
    pub(super) now: Moment,
    snapshot: &'a Snapshot,
    respond: Respond,
    policy: &'a Policy,
    pub(super) stats: &'a Stats,
}

impl Turn<'_> {
    /// Fetches what the answers to these packets will read.
    #[inline]
    pub(super) fn look_ahead<'p>(&self, count: usize, packets: impl Iterator<Item = &'p [u8]>) {
        if ahead::is_worth_it(&self.snapshot.zones, count) {
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
}
