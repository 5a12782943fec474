//! One connection, over TCP or TLS: read what there is, answer all of it, write the answers together.
//!
//! Buffers belong to the thread; a connection keeps octets of its own only while half a query has come or the client does
//! not take its replies, and then nothing more is read. So an idle connection costs a few hundred octets, and a
//! slow one is bounded. One over TLS costs some kilooctets more, for its keys.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::Worker;
use super::octets::Octets;
use crate::dns::answers::Turn;
use crate::dns::seats::Waiting;
use crate::dns::{Moment, Peer};
use crate::limits;

/// Octets that are read at once; some hundred queries, after which other connections have their turn.
const INPUT_SIZE: usize = 16 << 10;
/// Octets of replies after which they are written; the last one may be as long as a message can be.
pub(super) const OUTPUT_SIZE: usize = 16 << 10;
/// Octets of the length in front of each message (RFC 1035, section 4.2.2).
const PREFIX: usize = 2;

/// The buffers of a thread, which each connection uses only within one turn.
pub(super) struct Buffers {
    input: Box<[u8]>,
    output: Box<[u8]>,
}

impl Default for Buffers {
    fn default() -> Self {
        let output = OUTPUT_SIZE + PREFIX + limits::MESSAGE_SIZE_MAX;
        Self { input: vec![0; INPUT_SIZE].into(), output: vec![0; output].into() }
    }
}

/// The place of a connection among those of its thread; left when this is dropped.
pub(super) struct Place {
    worker: Rc<Worker>,
    address: IpAddr,
    seat: u32,
}

impl Place {
    pub(super) fn new(worker: Rc<Worker>, address: IpAddr, seat: u32) -> Self {
        Self { worker, address, seat }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.worker.leave(self.seat, self.address);
    }
}

/// Shakes hands, for no longer than a first query may take, and serves the connection.
pub(super) async fn serve_secure(tls: TlsAcceptor, stream: TcpStream, place: Place) {
    let shaking = tls.accept_with(stream, |session| session.set_buffer_limit(Some(OUTPUT_SIZE)));
    match Box::pin(shaking).await {
        Ok(stream) => Connection::new(stream, place).serve().await,
        Err(_) => place.worker.answers.borrow().stats().handshakes_failed.add(1),
    }
}

/// A connection with its place.
pub(super) struct Connection<S: Octets> {
    stream: S,
    place: Place,
    /// What was read and not yet answered: half a message, or more of them while the client does not read.
    unanswered: Vec<u8>,
    /// What was answered and not yet written.
    unsent: Vec<u8>,
    /// Whether the stream has taken octets that the client did not take yet.
    unflushed: bool,
}

/// How a turn ended.
enum Step {
    /// There is more to do, when the others had their turn.
    Yield,
    /// The connection is over.
    Over,
}

impl<S: Octets> Connection<S> {
    pub(super) fn new(stream: S, place: Place) -> Self {
        Self { stream, place, unanswered: Vec::new(), unsent: Vec::new(), unflushed: false }
    }

    /// Answers until the client or the server has had enough.
    pub(super) async fn serve(mut self) {
        loop {
            match std::future::poll_fn(|context| self.turn(context)).await {
                Ok(Step::Yield) => tokio::task::yield_now().await,
                Ok(Step::Over) | Err(_) => return,
            }
        }
    }

    /// Does what can be done without waiting.
    fn turn(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Step>> {
        let worker = Rc::clone(&self.place.worker);
        loop {
            ready!(self.flush(context))?;
            let Buffers { input, output } = &mut *worker.buffers.borrow_mut();
            let mut input = ReadBuf::new(input);
            if !has_message(&self.unanswered) {
                match Pin::new(&mut self.stream).poll_read(context, &mut input)? {
                    Poll::Ready(()) if input.filled().is_empty() => return Poll::Ready(Ok(Step::Over)),
                    Poll::Ready(()) => (),
                    Poll::Pending if worker.stopping.get() => return Poll::Ready(Ok(Step::Over)),
                    Poll::Pending => return Poll::Pending,
                }
            }
            let Exchange { consumed, written, queries, now } = self.answer(input.filled(), output);
            self.write(context, &output[..written])?;
            worker.answers.borrow().stats().took(now.micros_since(), queries);
            self.sit(now.micros, consumed > 0);
            if input.remaining() == 0 || has_message(&self.unanswered) {
                return Poll::Ready(Ok(Step::Yield));
            }
        }
    }

    /// Answers the messages that are complete, as many as there is room for, and keeps the rest.
    fn answer(&mut self, came: &[u8], output: &mut [u8]) -> Exchange {
        let mut answers = self.place.worker.answers.borrow_mut();
        let peer = Peer { address: self.place.address, transport: self.place.worker.transport() };
        let turn = answers.turn();
        if self.unanswered.is_empty() {
            let exchange = exchange(&turn, peer, came, output);
            self.unanswered.extend_from_slice(&came[exchange.consumed..]);
            return exchange;
        }
        self.unanswered.extend_from_slice(came);
        let exchange = exchange(&turn, peer, &self.unanswered, output);
        self.unanswered.drain(..exchange.consumed);
        if self.unanswered.is_empty() {
            self.unanswered = Vec::new();
        }
        exchange
    }

    /// Writes replies; what the client does not take now is kept.
    fn write(&mut self, context: &mut Context<'_>, replies: &[u8]) -> io::Result<()> {
        let mut written = 0;
        while written < replies.len() {
            match Pin::new(&mut self.stream).poll_write(context, &replies[written..])? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(count) => written += count,
                Poll::Pending => break,
            }
        }
        self.unsent.extend_from_slice(&replies[written..]);
        self.unflushed = written > 0 && Pin::new(&mut self.stream).poll_flush(context)?.is_pending();
        Ok(())
    }

    /// Writes what was kept.
    fn flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unsent.is_empty() && !self.unflushed {
            return Poll::Ready(Ok(()));
        }
        while !self.unsent.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, &self.unsent))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.drain(..count);
        }
        self.unsent = Vec::new();
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.unflushed = false;
        self.sit(Moment::now().micros, true);
        Poll::Ready(Ok(()))
    }

    /// Says what the connection waits for from now on, and how much it keeps meanwhile.
    fn sit(&self, now: u64, anew: bool) {
        let Place { worker, seat, .. } = &self.place;
        let stream_holds = if self.unflushed { self.stream.held_max() } else { 0 };
        let waiting = match (self.unsent.is_empty() && !self.unflushed, self.unanswered.is_empty()) {
            (true, true) => Waiting::Query,
            (true, false) => Waiting::Message,
            (false, _) => Waiting::Reader,
        };
        let mut seats = worker.seats.borrow_mut();
        seats.wait(*seat, waiting, now, anew);
        seats.hold(*seat, self.unanswered.capacity() + self.unsent.capacity() + stream_holds);
        if seats.held() > limits::TCP_HELD_MAX && seats.end_longest(&[Waiting::Message, Waiting::Reader]) {
            worker.answers.borrow().stats().evicted.add(1);
        }
    }
}

impl<S: Octets> Drop for Connection<S> {
    fn drop(&mut self) {
        if self.unsent.is_empty() && !self.unflushed {
            self.stream.say_goodbye();
        } else {
            reset(self.stream.socket());
        }
    }
}

/// Has the connection reset when it is closed: the kernel keeps nothing of it.
pub(super) fn reset(stream: &TcpStream) {
    // Where the kernel refuses it, the connection is closed all the same, only later.
    _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// What became of some octets that were read.
struct Exchange {
    /// Octets of the messages that were answered.
    consumed: usize,
    /// Octets of the replies to them.
    written: usize,
    /// How many there were.
    queries: u64,
    /// When that was.
    now: Moment,
}

/// Answers message by message until the input or the room for replies is used up.
fn exchange(turn: &Turn<'_>, peer: Peer, input: &[u8], output: &mut [u8]) -> Exchange {
    let mut exchange = Exchange { consumed: 0, written: 0, queries: 0, now: turn.now };
    while exchange.written <= OUTPUT_SIZE
        && let Some(message) = message(&input[exchange.consumed..])
    {
        exchange.consumed += PREFIX + message.len();
        exchange.queries += 1;
        let (prefix, reply) = output[exchange.written..][..PREFIX + limits::MESSAGE_SIZE_MAX].split_at_mut(PREFIX);
        if let Some(length) = turn.answer_message(message, peer, reply) {
            prefix.copy_from_slice(&(length as u16).to_be_bytes());
            exchange.written += PREFIX + length.min(limits::MESSAGE_SIZE_MAX);
        }
    }
    turn.stats.queries.add(exchange.queries);
    exchange
}

/// The first message, if all of it is there.
fn message(input: &[u8]) -> Option<&[u8]> {
    let (length, rest) = input.split_first_chunk()?;
    rest.get(..u16::from_be_bytes(*length).into())
}

fn has_message(input: &[u8]) -> bool {
    message(input).is_some()
}
