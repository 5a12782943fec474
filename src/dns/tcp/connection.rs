//! One connection over TCP: what was read of it and not answered, and what was answered and not taken.
//!
//! It keeps octets of its own only while half a query has come or the client does not take its replies, and then nothing
//! more is read. So an idle connection costs a hundred octets, and a slow one is bounded.

use std::io::{self, ErrorKind, Read, Write};
use std::net::IpAddr;
use std::time::Duration;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::SockRef;

use crate::dns::answers::Turn;
use crate::dns::framing::{self, Exchange};
use crate::dns::seats::Waiting;
use crate::dns::{Peer, Transport};

/// A connection of a client.
pub(super) struct Connection {
    stream: TcpStream,
    address: IpAddr,
    /// What was read and not yet answered: half a message, or more of them while the client does not read.
    unanswered: Vec<u8>,
    /// What was answered and not yet written.
    unsent: Vec<u8>,
    /// What the kernel tells of it.
    watched: Option<Interest>,
    /// Whether the client will send nothing more.
    ended: bool,
    /// Whether it stands among those that have something to do.
    pub(super) is_queued: bool,
}

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// This many octets, or none but there are messages left over; and whether there may be more.
    Octets { count: usize, more: bool },
    /// Nothing, and whether old replies were written meanwhile.
    Nothing { flushed: bool },
    /// The end.
    End,
}

impl Came {
    /// Octets that came.
    pub(super) fn count(self) -> usize {
        match self {
            Self::Octets { count, .. } => count,
            Self::Nothing { .. } | Self::End => 0,
        }
    }
}

impl Connection {
    /// The kernel tells nothing of it yet.
    pub(super) fn new(stream: TcpStream, address: IpAddr) -> Self {
        let (unanswered, unsent) = (Vec::new(), Vec::new());
        Self { stream, address, unanswered, unsent, watched: None, ended: false, is_queued: false }
    }

    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    /// Something has happened to it.
    pub(super) fn notice(&mut self, event: &Event) {
        self.ended |= event.is_read_closed();
    }

    /// Writes what was kept, and then reads, unless the client does not take its replies or there are queries left over.
    pub(super) fn read(&mut self, input: &mut [u8]) -> Came {
        let waits = !self.unsent.is_empty();
        match self.flush() {
            Ok(()) if !self.unsent.is_empty() => return Came::Nothing { flushed: false },
            Ok(()) => (),
            Err(_) => return Came::End,
        }
        if framing::message(&self.unanswered).is_some() {
            return Came::Octets { count: 0, more: true };
        }
        loop {
            return match self.stream.read(input) {
                Ok(0) => Came::End,
                // Less than there is room for was all there was: the kernel tells of what comes later. But of an end
                // that it has told it will not tell again.
                Ok(count) => Came::Octets { count, more: count == input.len() || self.ended },
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => Came::Nothing { flushed: waits },
                Err(fault) if fault.kind() == ErrorKind::Interrupted => continue,
                Err(_) => Came::End,
            };
        }
    }

    /// Answers the messages that are complete, as many as there is room for.
    pub(super) fn answer(&mut self, turn: &Turn<'_>, came: &[u8], output: &mut [u8]) -> io::Result<Exchange> {
        let peer = Peer { address: self.address, transport: Transport::Tcp };
        let exchange = framing::answer(turn, peer, &mut self.unanswered, came, output);
        let replies = &output[..exchange.written];
        let written = self.write(replies)?;
        self.unsent.extend_from_slice(&replies[written..]);
        Ok(exchange)
    }

    /// Whether there is something to do of which nobody will tell: if there was `more` to read, or queries are left over. Not
    /// before the client has taken its replies, of which the kernel does tell.
    pub(super) fn goes_on(&self, more: bool) -> bool {
        self.unsent.is_empty() && (more || framing::message(&self.unanswered).is_some())
    }

    /// Has the kernel tell what happens to it, if it does not yet. It tells of what has happened already, too.
    pub(super) fn watch(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        match self.watched {
            None if self.unsent.is_empty() => self.register(registry, token, Interest::READABLE),
            None => self.register(registry, token, both),
            Some(Interest::READABLE) if !self.unsent.is_empty() => {
                self.watched = Some(both);
                registry.reregister(&mut self.stream, token, both)
            }
            Some(_) => Ok(()),
        }
    }

    fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.watched = Some(interest);
        registry.register(&mut self.stream, token, interest)
    }

    /// What it waits for.
    pub(super) fn waiting(&self) -> Waiting {
        match (self.unsent.is_empty(), self.unanswered.is_empty()) {
            (true, true) => Waiting::Query,
            (true, false) => Waiting::Message,
            (false, _) => Waiting::Reader,
        }
    }

    /// Octets that it keeps.
    pub(super) fn held(&self) -> usize {
        self.unanswered.capacity() + self.unsent.capacity()
    }

    /// Writes what was kept, as much of it as the client takes.
    fn flush(&mut self) -> io::Result<()> {
        if !self.unsent.is_empty() {
            let unsent = std::mem::take(&mut self.unsent);
            let written = self.write(&unsent)?;
            if written < unsent.len() {
                self.unsent = unsent;
                self.unsent.drain(..written);
            }
        }
        Ok(())
    }

    /// Writes as much as the client takes.
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < octets.len() {
            match self.stream.write(&octets[written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => break,
                Err(fault) if fault.kind() == ErrorKind::Interrupted => (),
                Err(fault) => return Err(fault),
            }
        }
        Ok(written)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.unsent.is_empty() {
            reset(&self.stream);
        }
    }
}

/// Has the connection reset when it is closed: the kernel keeps nothing of it.
pub(super) fn reset(stream: &TcpStream) {
    // Where the kernel refuses it, the connection is closed all the same, only later.
    _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
