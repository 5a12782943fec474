//! One connection over QUIC: each query has a stream of its own and is answered as soon as it is whole, so that none waits
//! for another.
//!
//! What a client may not do ends its connection with DOQ_PROTOCOL_ERROR, as RFC 9250 (section 4.3.3) wants: a message with an
//! identifier, a stream that ends before its query does or goes on behind it, the keepalive option of TCP.

use std::cell::Cell;
use std::rc::Rc;

use quinn::{Connection, Incoming, ReadError, RecvStream, SendStream, VarInt};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Place, Worker};
use crate::dns::seats::Waiting;
use crate::dns::{Moment, Peer, Transport};
use crate::limits::{MESSAGE_SIZE_MAX, TCP_HELD_MAX};
use crate::wire::query::HEADER_SIZE;
use crate::wire::{Key, Query};

/// Octets of the length in front of each message (RFC 9250, section 4.2).
const PREFIX: usize = 2;

/// Why a connection or a stream is ended (RFC 9250, section 8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    NoError = 0,
    Internal = 1,
    Protocol = 2,
    ExcessiveLoad = 4,
}

impl From<Code> for VarInt {
    fn from(code: Code) -> Self {
        Self::from_u32(code as u32)
    }
}

/// Shakes hands and serves the connection to its end.
pub(super) async fn serve(incoming: Incoming, place: Place, proven: bool) {
    let worker = Rc::clone(&place.worker);
    let unproven = (!proven).then(|| Unproven::count(&worker));
    let shaken = match incoming.accept() {
        Ok(connecting) => timeout(worker.limits.message, connecting).await,
        Err(fault) => Ok(Err(fault)),
    };
    drop(unproven);
    let Ok(Ok(connection)) = shaken else {
        let answers = worker.answers.borrow();
        answers.stats().timed_out.add(shaken.is_err().into());
        answers.stats().handshakes_failed.add(1);
        return;
    };
    let load = Rc::new(Load { place, queries: Cell::new(0), held: Cell::new(0) });
    load.sits(Waiting::Query);
    let mut queries = JoinSet::new(); // ends with the connection
    while let Ok((send, receive)) = connection.accept_bi().await {
        while queries.try_join_next().is_some() {}
        queries.spawn_local(answer(connection.clone(), send, receive, Under::way(&load)));
    }
}

/// One handshake with an address that may be forged.
struct Unproven(Rc<Worker>);

impl Unproven {
    fn count(worker: &Rc<Worker>) -> Self {
        worker.unproven.set(worker.unproven.get() + 1);
        Self(Rc::clone(worker))
    }
}

impl Drop for Unproven {
    fn drop(&mut self) {
        self.0.unproven.set(self.0.unproven.get() - 1);
    }
}

/// What a connection has under way. Its place is its own until the last query is over.
struct Load {
    place: Place,
    queries: Cell<u32>,
    /// Octets that its queries keep in memory.
    held: Cell<usize>,
}

impl Load {
    fn sits(&self, waiting: Waiting) {
        let Place { worker, seat, .. } = &self.place;
        worker.seats.borrow_mut().wait(*seat, waiting, Moment::now().micros, true);
    }
}

/// A query under way.
struct Under {
    load: Rc<Load>,
    held: usize,
}

impl Under {
    fn way(load: &Rc<Load>) -> Self {
        load.queries.set(load.queries.get() + 1);
        load.sits(Waiting::Message);
        Self { load: Rc::clone(load), held: 0 }
    }

    /// It keeps so many octets from now on. Where all together keep too many, whoever has waited longest has to go.
    fn holds(&mut self, octets: usize) {
        let Load { place: Place { worker, seat, .. }, held, .. } = &*self.load;
        held.set(held.get() - std::mem::replace(&mut self.held, octets) + octets);
        let mut seats = worker.seats.borrow_mut();
        seats.hold(*seat, held.get());
        if seats.held() > TCP_HELD_MAX && seats.end_longest(&[Waiting::Message]) {
            worker.answers.borrow().stats().evicted.add(1);
        }
    }
}

impl Drop for Under {
    fn drop(&mut self) {
        self.holds(0);
        self.load.queries.set(self.load.queries.get() - 1);
        if self.load.queries.get() == 0 {
            self.load.sits(Waiting::Query);
        }
    }
}

/// Why there is no query.
#[derive(Debug, PartialEq, Eq)]
enum Unread {
    /// The client did what it may not.
    Wrong(&'static str),
    /// It has changed its mind, or is gone.
    Gone,
}

/// Answers the query of one stream.
async fn answer(connection: Connection, mut send: SendStream, mut receive: RecvStream, mut under: Under) {
    let (worker, address) = (Rc::clone(&under.load.place.worker), under.load.place.address);
    let slow = || {
        worker.answers.borrow().stats().timed_out.add(1);
        connection.close(Code::ExcessiveLoad.into(), b"too slow");
    };
    let query = match timeout(worker.limits.message, read(&mut receive, &mut under)).await {
        Ok(Ok(query)) => query,
        Ok(Err(Unread::Gone)) => return,
        Ok(Err(Unread::Wrong(why))) => return connection.close(Code::Protocol.into(), why.as_bytes()),
        Err(_) => return slow(),
    };
    let peer = Peer { address, transport: Transport::Quic };
    let Some(reply) = worker.reply(&query[PREFIX..], peer) else {
        let _ = send.reset(Code::Internal.into()); // a client that has gone wants no reply either
        return;
    };
    drop(query);
    under.holds(reply.len());
    match timeout(worker.limits.write, send.write_all(&reply)).await {
        Ok(Ok(())) => _ = send.finish(),
        Ok(Err(_)) => (),
        Err(_) => slow(),
    }
}

/// Reads a query with its length, as soon as it is whole.
async fn read(receive: &mut RecvStream, under: &mut Under) -> Result<Vec<u8>, Unread> {
    let mut query = Vec::new();
    loop {
        match receive.read_chunk(PREFIX + MESSAGE_SIZE_MAX, true).await {
            Ok(Some(chunk)) => query.extend_from_slice(&chunk.bytes),
            Ok(None) => return Err(Unread::Wrong("the stream ended before the query did")),
            Err(ReadError::Reset(_) | ReadError::ConnectionLost(_)) => return Err(Unread::Gone),
            Err(ReadError::ClosedStream | ReadError::IllegalOrderedRead | ReadError::ZeroRttRejected) => {
                return Err(Unread::Gone);
            }
        }
        under.holds(query.capacity());
        if is_whole(&query)? {
            return Ok(query);
        }
    }
}

/// Whether this is a query with its length; told as soon as it cannot become one.
fn is_whole(octets: &[u8]) -> Result<bool, Unread> {
    let Some((length, message)) = octets.split_first_chunk::<PREFIX>() else { return Ok(false) };
    let length = usize::from(u16::from_be_bytes(*length));
    if length < HEADER_SIZE {
        return Err(Unread::Wrong("a query has at least 12 octets"));
    }
    if message.len() > length {
        return Err(Unread::Wrong("the stream goes on behind its query"));
    }
    if message.get(..2).is_some_and(|id| id != [0, 0]) {
        return Err(Unread::Wrong("the identifier has to be 0"));
    }
    if message.get(2).is_some_and(|flags| flags & 0x80 != 0) {
        return Err(Unread::Wrong("a reply is no query"));
    }
    if message.len() == length
        && Query::read(message, &mut Key::root()).is_ok_and(|query| query.edns.is_some_and(|edns| edns.keepalive))
    {
        return Err(Unread::Wrong("the keepalive option is for TCP"));
    }
    Ok(message.len() == length)
}

impl Worker {
    /// The reply with its length, if there is one.
    fn reply(&self, query: &[u8], peer: Peer) -> Option<Vec<u8>> {
        let mut buffer = self.reply.borrow_mut();
        let length = self.answers.borrow_mut().one(query, peer, &mut buffer)?;
        let reply = buffer.get(..length)?;
        Some([&(length as u16).to_be_bytes(), reply].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &[u8] = b"\0\x15\0\0\x01\0\0\x01\0\0\0\0\0\0\x03www\0\0\x01\0\x01";
    const KEEPALIVE: &[u8] =
        b"\0\x24\0\0\x01\0\0\x01\0\0\0\0\0\x01\x03www\0\0\x01\0\x01\0\0\x29\x04\xd0\0\0\0\0\0\x04\0\x0b\0\0";

    #[test]
    fn a_query_is_told_from_what_cannot_become_one() {
        for size in 0..QUERY.len() {
            assert_eq!(is_whole(&QUERY[..size]), Ok(false), "{size}");
        }
        assert_eq!(is_whole(QUERY), Ok(true));
        let changed = |at: usize, octet: u8| {
            let mut octets = QUERY.to_vec();
            octets[at] = octet;
            octets
        };
        for (octets, told) in [
            (changed(1, 11), "at least 12"),
            ([QUERY, b"x"].concat(), "goes on behind"),
            (changed(2, 1), "identifier"),
            (changed(3, 1), "identifier"),
            (changed(4, 0x80), "a reply is no query"),
            (KEEPALIVE.to_vec(), "keepalive"),
        ] {
            let Err(Unread::Wrong(why)) = is_whole(&octets) else { panic!("{octets:?}") };
            assert!(why.contains(told), "{why}");
        }
    }
}
