//! Messages on a connection: each behind two octets that tell its length (RFC 1035, section 4.2.2).

use super::answers::Turn;
use super::{Moment, Peer};
use crate::limits::MESSAGE_SIZE_MAX;

/// Octets of the length in front of each message.
const PREFIX: usize = 2;
/// Octets of replies after which they are written; the last one may be as long as a message can be.
pub(super) const OUTPUT_SIZE: usize = 16 << 10;
/// Octets of a buffer in which there is room for the replies of one turn.
pub(super) const OUTPUT_ROOM: usize = OUTPUT_SIZE + PREFIX + MESSAGE_SIZE_MAX;

/// The first message, if all of it is there.
#[inline]
pub(super) fn message(input: &[u8]) -> Option<&[u8]> {
    let (length, rest) = input.split_first_chunk()?;
    rest.get(..u16::from_be_bytes(*length).into())
}

/// What became of some octets that were read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    /// Octets of the messages that were answered.
    pub(super) consumed: usize,
    /// Octets of the replies to them.
    pub(super) written: usize,
    /// How many there were.
    pub(super) queries: u64,
    /// When that was.
    pub(super) now: Moment,
}

/// Answers what came after what was left over before, as many messages as there is room for, and keeps the rest there.
pub(super) fn answer(
    turn: &Turn<'_>,
    peer: Peer,
    unanswered: &mut Vec<u8>,
    came: &[u8],
    output: &mut [u8],
) -> Exchange {
    if unanswered.is_empty() {
        let exchange = exchange(turn, peer, came, output);
        unanswered.extend_from_slice(&came[exchange.consumed..]);
        return exchange;
    }
    unanswered.extend_from_slice(came);
    let exchange = exchange(turn, peer, unanswered, output);
    unanswered.drain(..exchange.consumed);
    if unanswered.is_empty() {
        *unanswered = Vec::new(); // an idle connection keeps nothing
    }
    exchange
}

/// Answers message by message until the input or the room for replies is used up.
fn exchange(turn: &Turn<'_>, peer: Peer, input: &[u8], output: &mut [u8]) -> Exchange {
    let mut exchange = Exchange { consumed: 0, written: 0, queries: 0, now: turn.now };
    while exchange.written <= OUTPUT_SIZE
        && let Some(message) = message(&input[exchange.consumed..])
    {
        exchange.consumed += PREFIX + message.len();
        exchange.queries += 1;
        let (prefix, reply) = output[exchange.written..][..PREFIX + MESSAGE_SIZE_MAX].split_at_mut(PREFIX);
        if let Some(length) = turn.answer_message(message, peer, reply) {
            prefix.copy_from_slice(&(length as u16).to_be_bytes());
            exchange.written += PREFIX + length.min(MESSAGE_SIZE_MAX);
        }
    }
    turn.stats.queries.add(exchange.queries);
    exchange
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_there_when_all_of_it_is() {
        for part in [&b""[..], b"\0", b"\0\x03", b"\0\x03ab", b"\xff\xff"] {
            assert_eq!(message(part), None, "{part:?}");
        }
        assert_eq!(message(b"\0\x03abc"), Some(&b"abc"[..]));
        assert_eq!(message(b"\0\x03abc\0\x01"), Some(&b"abc"[..]));
        assert_eq!(message(b"\0\0"), Some(&b""[..]));
    }
}
