//! Octets both ways, as they come, until both sides have said what they had to say or nobody says anything for too long.
//!
//! All tunnels of a thread read into one buffer; a tunnel has one of its own only while a side does not take what the
//! other said, and then that other is not read from. So an idle WebSocket costs no buffer at all.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::body::Bytes;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::exchange::Exchange;
use super::upgrade::{Far, said};

/// Octets that are read at once.
const BUFFER_SIZE: usize = 32 << 10;
/// Reads after which others have their turn.
const READS_MAX: usize = 16;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER_SIZE].into());
}

/// A tunnel on a stream of HTTP/2.
pub(super) async fn on_stream(upgrade: OnUpgrade, far: Far, exchange: Rc<Exchange>) {
    if let Ok(near) = upgrade.await {
        carry(TokioIo::new(near), Bytes::new(), far, &exchange).await;
    }
    exchange.ends(true);
}

/// Carries octets until it is over. `read` is what the client said already.
pub(super) async fn carry(mut near: impl AsyncRead + AsyncWrite + Unpin, read: Bytes, far: Far, exchange: &Exchange) {
    let (mut far, said) = said(far);
    let flows = (Flow::new(&read), Flow::new(&said));
    drop((read, said));
    // However it ends, it is over: there is nobody left to tell.
    let _: io::Result<()> = relay(&mut near, &mut far, flows, exchange).await;
}

/// Whoever keeps an eye on octets that go both ways.
pub(super) trait Overseer {
    /// Whether it is to end; else whoever asks is woken when it is.
    fn is_to_end(&self, context: &Context<'_>) -> bool;

    /// So many octets went to the app and to the client.
    fn carries(&self, to_app: u64, to_client: u64);
}

/// Carries octets until both sides are done (then it says nothing), one of them breaks off, or it is to end.
pub(super) async fn relay(
    near: &mut (impl AsyncRead + AsyncWrite + Unpin),
    far: &mut (impl AsyncRead + AsyncWrite + Unpin),
    (mut to_app, mut to_client): (Flow, Flow),
    overseer: &impl Overseer,
) -> io::Result<()> {
    poll_fn(|context| {
        if overseer.is_to_end(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let there = to_app.poll(context, Pin::new(&mut *near), Pin::new(&mut *far))?;
        let back = to_client.poll(context, Pin::new(&mut *far), Pin::new(&mut *near))?;
        let moved = (std::mem::take(&mut to_app.moved), std::mem::take(&mut to_client.moved));
        if moved != (0, 0) {
            overseer.carries(moved.0, moved.1);
        }
        if there.is_ready() && back.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

impl Overseer for Exchange {
    fn is_to_end(&self, context: &Context<'_>) -> bool {
        self.tunnel_is_late(context)
    }

    fn carries(&self, to_app: u64, to_client: u64) {
        self.octets_went(to_app, to_client);
    }
}

/// One direction.
pub(super) struct Flow {
    /// What was read and not yet written.
    unsent: Vec<u8>,
    written: usize,
    state: State,
    moved: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Written, but perhaps not all of it on its way.
    Unflushed,
    /// The source has nothing more to say.
    Ending,
    Over,
}

impl Flow {
    /// From a side that has said so much already.
    pub(super) fn new(said: &[u8]) -> Self {
        Self { unsent: said.to_vec(), written: 0, state: State::Open, moved: 0 }
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
        mut from: Pin<&mut (impl AsyncRead + ?Sized)>,
        mut to: Pin<&mut (impl AsyncWrite + ?Sized)>,
    ) -> Poll<io::Result<()>> {
        for _ in 0..READS_MAX {
            ready!(self.send_rest(context, to.as_mut()))?;
            match self.state {
                State::Over => return Poll::Ready(Ok(())),
                State::Ending => {
                    ready!(to.as_mut().poll_shutdown(context))?;
                    self.state = State::Over;
                    return Poll::Ready(Ok(()));
                }
                State::Open | State::Unflushed => (),
            }
            if self.pass(context, from.as_mut(), to.as_mut())?.is_pending() {
                if self.state == State::Unflushed {
                    ready!(to.as_mut().poll_flush(context))?;
                    self.state = State::Open;
                }
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes what was kept.
    fn send_rest(
        &mut self,
        context: &mut Context<'_>,
        mut to: Pin<&mut (impl AsyncWrite + ?Sized)>,
    ) -> Poll<io::Result<()>> {
        while self.written < self.unsent.len() {
            match ready!(to.as_mut().poll_write(context, &self.unsent[self.written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
            self.state = State::Unflushed;
        }
        if self.written > 0 {
            (self.unsent, self.written) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once and writes as much of it as is taken.
    fn pass(
        &mut self,
        context: &mut Context<'_>,
        from: Pin<&mut (impl AsyncRead + ?Sized)>,
        mut to: Pin<&mut (impl AsyncWrite + ?Sized)>,
    ) -> Poll<io::Result<()>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            ready!(from.poll_read(context, &mut buffer))?;
            let mut rest = buffer.filled();
            if rest.is_empty() {
                self.state = State::Ending;
                return Poll::Ready(Ok(()));
            }
            self.moved += rest.len() as u64;
            self.state = State::Unflushed;
            while !rest.is_empty() {
                match to.as_mut().poll_write(context, rest)? {
                    Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(count) => rest = &rest[count..],
                    Poll::Pending => break,
                }
            }
            self.unsent.extend_from_slice(rest);
            Poll::Ready(Ok(()))
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn all_octets_arrive_in_order_through_a_narrow_pipe() {
        Builder::new_current_thread().build().unwrap().block_on(async {
            let (mut writer, from) = duplex(1_000_000);
            let (to, mut reader) = duplex(7);
            let sent: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
            writer.write_all(&sent).await.unwrap();
            drop(writer);
            let task = async {
                let (mut from, mut to, mut flow) = (from, to, Flow::new(b"early"));
                poll_fn(|context| flow.poll(context, Pin::new(&mut from), Pin::new(&mut to))).await.unwrap();
                assert_eq!(flow.moved, 200_000);
            };
            let mut came = Vec::new();
            let (_, read) = tokio::join!(task, reader.read_to_end(&mut came));
            read.unwrap();
            assert_eq!(came, [b"early", &sent[..]].concat());
        });
    }
}
