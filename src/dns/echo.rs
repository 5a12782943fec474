//! A stand-in for `respond` and `Snapshot` until they are there: the query comes back with QR set.

use super::{Moment, Peer, Policy, Verdict};
use crate::dns::stats::Stats;

/// Stand-in for [`crate::store::Snapshot`].
#[derive(Default)]
pub struct Snapshot;

/// Stand-in for the answer.
pub fn respond(
    packet: &[u8],
    _: Peer,
    _: Moment,
    _: &Snapshot,
    _: &Policy,
    stats: &Stats,
    reply: &mut [u8],
) -> Verdict {
    if packet.len() < 12 || packet[2] & 0x80 != 0 || packet.len() > reply.len() {
        stats.malformed.add(1);
        return Verdict::Silence;
    }
    reply[..packet.len()].copy_from_slice(packet);
    reply[2] |= 0x84;
    stats.reply(0);
    Verdict::Reply(packet.len())
}
