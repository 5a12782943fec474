//! One connection over TLS: read what there is, answer all of it, write the answers together.
//!
//! Buffers belong to the thread; a connection keeps octets of its own only while half a query has come or the client does
//! not take its replies, and then nothing more is read. So an idle connection costs its keys, some kilooctets, and a
//! slow one is bounded.

use std::io::{self, Write};
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Worker;
use crate::dns::framing::{self, Exchange, OUTPUT_ROOM, OUTPUT_SIZE};
use crate::dns::seats::Waiting;
use crate::dns::{Moment, Peer, Transport};
use crate::limits;

/// Octets that are read at once; some hundred queries, after which other connections have their turn.
const INPUT_SIZE: usize = 16 << 10;

/// The buffers of a thread, which each connection uses only within one turn.
pub(super) struct Buffers {
    input: Box<[u8]>,
    output: Box<[u8]>,
}

impl Default for Buffers {
    fn default() -> Self {
        Self { input: vec![0; INPUT_SIZE].into(), output: vec![0; OUTPUT_ROOM].into() }
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
pub(super) async fn serve(tls: TlsAcceptor, stream: TcpStream, place: Place) {
    let shaking = tls.accept_with(stream, |session| session.set_buffer_limit(Some(OUTPUT_SIZE)));
    match Box::pin(shaking).await {
        Ok(stream) => Connection::new(stream, place).serve().await,
        Err(_) => place.worker.answers.borrow().stats().handshakes_failed.add(1),
    }
}

/// A connection with its place.
struct Connection {
    stream: TlsStream<TcpStream>,
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

impl Connection {
    fn new(stream: TlsStream<TcpStream>, place: Place) -> Self {
        Self { stream, place, unanswered: Vec::new(), unsent: Vec::new(), unflushed: false }
    }

    /// Answers until the client or the server has had enough.
    async fn serve(mut self) {
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
            if framing::message(&self.unanswered).is_none() {
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
            if input.remaining() == 0 || framing::message(&self.unanswered).is_some() {
                return Poll::Ready(Ok(Step::Yield));
            }
        }
    }

    /// Answers the messages that are complete, as many as there is room for, and keeps the rest.
    fn answer(&mut self, came: &[u8], output: &mut [u8]) -> Exchange {
        let mut answers = self.place.worker.answers.borrow_mut();
        let peer = Peer { address: self.place.address, transport: Transport::Tls };
        framing::answer(&answers.turn(), peer, &mut self.unanswered, came, output)
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
        let stream_holds = if self.unflushed { OUTPUT_SIZE } else { 0 };
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

    /// Tells the client that nothing more will come, if that can be done without waiting. Without it the client could not
    /// tell our end from somebody's on the way (RFC 8446, section 6.1).
    fn say_goodbye(&mut self) {
        let (socket, session) = self.stream.get_mut();
        session.send_close_notify();
        let _ = session.write_tls(&mut Now(socket)); // a client that takes nothing more does not want to know
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.unsent.is_empty() && !self.unflushed {
            self.say_goodbye();
        } else {
            reset(self.stream.get_ref().0);
        }
    }
}

/// Has the connection reset when it is closed: the kernel keeps nothing of it.
pub(super) fn reset(stream: &TcpStream) {
    // Where the kernel refuses it, the connection is closed all the same, only later.
    _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// Writes what the kernel takes at once.
struct Now<'s>(&'s TcpStream);

impl Write for Now<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.try_write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
