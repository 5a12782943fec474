//! A client's connection as octets: plain or TLS, watched by the strict gate and by the clock.

use std::cell::RefCell;
use std::io::{self, IoSlice, Write as _};
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

impl Stream {
    /// Takes octets and leaves them to gather until the stream is flushed; of TLS no more than rustls holds at once.
    fn poll_gather(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let Self::Tls(stream) = self else { return Pin::new(self).poll_write_vectored(context, slices) };
        if slices.iter().all(|slice| slice.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        loop {
            let (_, session) = stream.get_mut();
            match session.writer().write_vectored(slices)? {
                0 => ready!(Pin::new(&mut **stream).poll_flush(context))?,
                count => return Poll::Ready(Ok(count)),
            }
        }
    }
}

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

/// A stream for HTTP/2. h2 writes and flushes frame by frame; here that gathers, and goes out as one when h2 has nothing
/// more to say for now ([`Gathered::poll_give`]): a call of the system costs more than a small answer.
#[derive(Clone)]
pub(super) struct Gathered(Rc<RefCell<Guarded>>);

impl Gathered {
    pub(super) fn new(guarded: Guarded) -> Self {
        Self(Rc::new(RefCell::new(guarded)))
    }

    /// Gives the client what has gathered.
    pub(super) fn poll_give(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_flush(context)
    }
}

impl AsyncRead for Gathered {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_read(context, buffer)
    }
}

impl AsyncWrite for Gathered {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().stream.poll_gather(context, &[IoSlice::new(octets)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().stream.poll_gather(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;

    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::net::TcpListener;

    use super::*;
    use crate::edge::tls::{AppStream, AppTls};
    use crate::route::Server;

    /// Both ends of a connection over TLS.
    async fn ends() -> (Stream, AppStream) {
        let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![made.cert.into()], key).unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (tls, server) = (AppTls::new().unwrap(), Server::Name("a.test".into()));
        let (near, far) =
            tokio::join!(async { acceptor.accept(listener.accept().await.unwrap().0).await.unwrap() }, async {
                tls.connect(stream, &server, false, true).await.unwrap()
            });
        (Stream::Tls(Box::new(near)), far)
    }

    fn waits(stream: &Stream) -> bool {
        match stream {
            Stream::Tls(stream) => stream.get_ref().1.wants_write(),
            Stream::Plain(_) => false,
        }
    }

    #[tokio::test]
    async fn what_is_written_gathers_until_it_is_given() {
        let (mut stream, mut far) = ends().await;
        poll_fn(|context| Pin::new(&mut stream).poll_flush(context)).await.unwrap();
        for part in [&b"one "[..], b"two ", b"three"] {
            let count = poll_fn(|context| stream.poll_gather(context, &[IoSlice::new(part)])).await.unwrap();
            assert_eq!(count, part.len());
            assert!(waits(&stream), "nothing goes out on its own");
        }
        poll_fn(|context| Pin::new(&mut stream).poll_flush(context)).await.unwrap();
        assert!(!waits(&stream));
        let mut read = [0; 13];
        far.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"one two three");
    }

    #[tokio::test]
    async fn only_so_much_gathers() {
        let (mut stream, mut far) = ends().await;
        let part = vec![b'x'; 50_000];
        let mut written = 0;
        // A client that takes nothing: sooner or later there is no more room, neither here nor on the way.
        let full = poll_fn(|context| {
            loop {
                match stream.poll_gather(context, &[IoSlice::new(&part)]) {
                    Poll::Ready(count) if written < 64 << 20 => written += count.unwrap(),
                    Poll::Ready(_) | Poll::Pending => return Poll::Ready(written),
                }
            }
        });
        let full = full.await;
        assert!(full < 64 << 20, "{full}");
        let (mut read, mut taken) = (vec![0; 65_536], 0);
        while taken < full {
            let (count, ()) = tokio::join!(async { far.read(&mut read).await.unwrap() }, async {
                let _ = timeout(Duration::from_millis(1), poll_fn(|c| Pin::new(&mut stream).poll_flush(c))).await;
            });
            taken += count;
        }
        assert_eq!(taken, full);
    }
}
