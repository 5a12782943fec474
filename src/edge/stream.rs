//! A client's connection as octets: plain or TLS, watched by the strict gate and by the clock.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::client::Client;
use super::either::either;
use super::strict::{Gate, Offence};
use super::tls::TlsStream;

/// What no parser takes for the start of anything: hyper answers it with 400.
const NONSENSE: &[u8] = b"\0";

/// Octets that are heard of a client after the last answer, and for how long.
const LINGER_SIZE_MAX: u64 = 1 << 20;
const LINGER_TIME_MAX: Duration = Duration::from_secs(2);

/// Plain or TLS.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream>),
}

either!(Stream: Plain | Tls);

/// A stream whose every octet is seen before hyper has it.
pub(super) struct Guarded {
    stream: Stream,
    client: Rc<Client>,
    /// Only HTTP/1 has one.
    gate: Option<Gate>,
    /// What was read before and has been looked at already.
    read: Bytes,
    /// Whether what comes behind it is framed in a way that nobody is to follow.
    broken: bool,
    /// Whether the client has said that it is done.
    ended: bool,
}

impl Guarded {
    pub(super) fn new(stream: Stream, client: Rc<Client>) -> Self {
        let gate = client.speaks_http1().then(Gate::default);
        Self { stream, client, gate, read: Bytes::new(), broken: false, ended: false }
    }

    /// The same with octets in front that have been looked at already.
    pub(super) fn with_read(self, read: Bytes) -> Self {
        // Even when there are none, what hyper hands over keeps its whole buffer.
        let read = if read.is_empty() { Bytes::new() } else { read };
        Self { read, ..self }
    }

    /// The stream, for those who look at its octets themselves.
    pub(super) fn bare(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Puts octets in front that nobody has looked at yet.
    pub(super) fn put_back(&mut self, mut octets: BytesMut) {
        if let Some(gate) = &mut self.gate
            && let Err(Offence { passed, in_head }) = gate.look(&octets)
        {
            self.client.misbehaved();
            octets.truncate(passed);
            if in_head {
                octets.extend_from_slice(NONSENSE);
                self.gate = None;
            } else {
                self.broken = true;
            }
        }
        self.read = octets.freeze();
    }

    /// Whether there are octets that hyper has not had.
    pub(super) fn has_read(&self) -> bool {
        !self.read.is_empty()
    }

    /// Says that nothing more will come; false if that is not heard.
    pub(super) async fn finish(&mut self) -> bool {
        matches!(timeout(LINGER_TIME_MAX, self.stream.shutdown()).await, Ok(Ok(())))
    }

    /// Hears the client out for a moment after the last answer: a close with octets unread would be a reset, and a
    /// reset can take the answer with it (RFC 9112, section 9.6).
    pub(super) async fn linger(mut self) {
        if self.ended {
            return;
        }
        let mut rest = (&mut self.stream).take(LINGER_SIZE_MAX);
        let _ = timeout(LINGER_TIME_MAX, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
    }

    /// The bare stream.
    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }

    fn look(&mut self, buffer: &mut ReadBuf<'_>, before: usize) -> io::Result<()> {
        let Some(gate) = &mut self.gate else { return Ok(()) };
        let Err(Offence { passed, in_head }) = gate.look(&buffer.filled()[before..]) else { return Ok(()) };
        self.client.misbehaved();
        if !in_head {
            return Err(unsound());
        }
        buffer.set_filled(before + passed);
        buffer.put_slice(NONSENSE); // there is room: the line that offends was longer
        self.gate = None;
        Ok(())
    }
}

fn unsound() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the body of the request is not framed soundly")
}

impl AsyncRead for Guarded {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.read.is_empty() {
            let part = this.read.split_to(this.read.len().min(buffer.remaining()));
            buffer.put_slice(&part);
            return Poll::Ready(Ok(()));
        }
        if this.broken {
            return Poll::Ready(Err(unsound()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            this.client.heard();
            match this.gate {
                Some(_) => this.look(buffer, before)?,
                None if !this.client.speaks_http1() => this.client.chats(buffer.filled().len() - before),
                None => (),
            }
        } else {
            this.ended = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, octets)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
