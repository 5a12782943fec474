//! Whose turn it is on a connection, and since when: so that one whose client lets it hang is closed.
//!
//! It is the client's turn while no request is there (idle), while the head of one arrives, and while it takes an
//! answer. While the server works nobody is hurried; a body that arrives has its own clock ([`super::body`]), for only
//! there the client can be told. hyper's own limit for heads counts the idle time before them as well, and HTTP/2 has none.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::limits;

/// How long a client may take for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// For a TLS handshake, for the head of a request, and from the connection's begin to the first request.
    pub(super) head: Duration,
    /// Until the next request.
    pub(super) idle: Duration,
    /// For the next part of a body or an answer.
    pub(super) stall: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            head: limits::ADMIN_HEAD_TIME_MAX,
            idle: limits::ADMIN_IDLE_TIME_MAX,
            stall: limits::ADMIN_STALL_TIME_MAX,
        }
    }
}

/// How a connection that hangs is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// In good form: it is idle.
    Leave,
    /// At once: somebody is in the middle of something.
    Cut,
}

/// The state of one connection.
pub(super) struct Pulse {
    times: Times,
    turn: Mutex<Turn>,
}

struct Turn {
    /// Requests the server works on.
    working: usize,
    /// Answers that are being taken.
    sending: usize,
    /// Since when the head of a request arrives, over HTTP/1.1.
    head: Option<Instant>,
    /// Whether there was a request yet, and over HTTP/2, where other things than requests arrive too.
    begun: bool,
    http2: bool,
    /// Octets that came since something last came of them, and since when they are counted.
    chatter: usize,
    chatter_since: Instant,
    /// When something last moved.
    moved: Instant,
    /// No further request is wanted.
    dismissed: bool,
    /// No further request is taken.
    leaving: bool,
}

impl Turn {
    /// Something came of what was read.
    fn counts_anew(&mut self) {
        (self.chatter, self.chatter_since) = (0, Instant::now());
    }
}

impl Pulse {
    pub(super) fn new(times: Times) -> Arc<Self> {
        let moved = Instant::now();
        let (working, sending) = (0, 0);
        let (chatter, chatter_since) = (0, moved);
        let (head, begun, http2, dismissed, leaving) = (None, false, false, false, false);
        let turn = Turn { working, sending, head, begun, http2, chatter, chatter_since, moved, dismissed, leaving };
        Arc::new(Self { times, turn: Mutex::new(turn) })
    }

    pub(super) fn times(&self) -> Times {
        self.times
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many octets of the connection arrived; false if they are too many of which nothing comes (PING, SETTINGS, …).
    fn read(&self, octets: usize) -> bool {
        let mut turn = self.turn();
        if turn.chatter_since.elapsed() > self.times.stall {
            turn.counts_anew();
        }
        turn.chatter = turn.chatter.saturating_add(octets);
        if turn.begun && !turn.http2 && turn.working + turn.sending == 0 {
            turn.head.get_or_insert_with(Instant::now);
        }
        turn.chatter <= limits::ADMIN_CHATTER_MAX
    }

    /// A part of a body was read.
    pub(super) fn came(&self) {
        self.turn().counts_anew();
    }

    /// A request is here whose head is whole.
    pub(super) fn work(self: &Arc<Self>, http2: bool) -> Working {
        let mut turn = self.turn();
        turn.working += 1;
        turn.counts_anew();
        (turn.begun, turn.http2, turn.head) = (true, http2, None);
        Working(Arc::clone(self))
    }

    /// The request that is here is the last.
    pub(super) fn dismiss(&self) {
        self.turn().dismissed = true;
    }

    /// No request is taken any more; what is under way may end.
    pub(super) fn leave(&self) {
        let mut turn = self.turn();
        (turn.leaving, turn.moved) = (true, Instant::now());
    }

    /// When the client's time is over, as things are. `None`: it is not the client's turn.
    fn until(&self) -> Option<(Instant, End)> {
        let (turn, times) = (self.turn(), self.times);
        if turn.working > 0 {
            None
        } else if turn.sending > 0 || turn.leaving {
            Some((turn.moved + times.stall, End::Cut))
        } else if turn.dismissed {
            Some((turn.moved, End::Leave))
        } else if let Some(since) = turn.head {
            Some((since + times.head, End::Cut))
        } else if turn.begun {
            Some((turn.moved + times.idle, End::Leave))
        } else {
            Some((turn.moved + times.head, End::Cut))
        }
    }

    /// Waits until the client's time is over. To be polled whenever the connection was.
    pub(super) async fn over(&self, mut sleep: Pin<&mut Sleep>) -> End {
        poll_fn(|context| {
            let Some((deadline, end)) = self.until() else { return Poll::Pending };
            if sleep.deadline() != deadline {
                sleep.as_mut().reset(deadline);
            }
            sleep.as_mut().poll(context).map(|()| end)
        })
        .await
    }
}

/// The server works on a request as long as this lives.
pub(super) struct Working(Arc<Pulse>);

impl Working {
    /// The answer is there; the client has to take it.
    pub(super) fn answered(self) -> Sending {
        self.0.turn().sending += 1;
        Sending(Arc::clone(&self.0))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let mut turn = self.0.turn();
        turn.working -= 1;
        turn.moved = Instant::now();
    }
}

/// A client takes an answer as long as this lives.
pub(super) struct Sending(Arc<Pulse>);

impl Sending {
    /// The client has room for more.
    pub(super) fn moved(&self) {
        let mut turn = self.0.turn();
        turn.moved = Instant::now();
        turn.counts_anew();
    }

    /// The client has room, and it is the server that has nothing yet.
    pub(super) fn working(&self) -> Working {
        self.0.turn().working += 1;
        Working(Arc::clone(&self.0))
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let mut turn = self.0.turn();
        turn.sending -= 1;
        turn.moved = Instant::now();
    }
}

/// A stream that tells the pulse when something arrives.
pub(super) struct Felt<S> {
    pub(super) stream: S,
    pub(super) pulse: Arc<Pulse>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Felt<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let octets = buffer.filled().len() - before;
        if octets > 0 && !self.pulse.read(octets) {
            let flood = "the client says much of which nothing comes";
            return Poll::Ready(Err(std::io::Error::new(std::io::ErrorKind::InvalidData, flood)));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Felt<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(pulse: &Pulse) -> Option<(u64, End)> {
        let times = pulse.times();
        let (until, end) = pulse.until()?;
        let left = (until - pulse.turn().moved).as_secs();
        assert!([times.head, times.idle, times.stall].map(|time| time.as_secs()).contains(&left));
        Some((left, end))
    }

    #[tokio::test]
    async fn only_the_client_is_hurried() {
        let pulse = Pulse::new(Times::default());
        assert_eq!(left(&pulse), Some((10, End::Cut)), "no request yet");
        assert!(pulse.read(1));
        assert!(pulse.turn().head.is_none(), "the first head has its time already");
        let (first, second) = (pulse.work(true), pulse.work(true));
        assert_eq!(left(&pulse), None, "the server works");
        let sending = first.answered();
        assert_eq!(left(&pulse), None, "on one of two still");
        drop(second);
        assert_eq!(left(&pulse), Some((30, End::Cut)), "an answer is not taken");
        let working = sending.working();
        assert_eq!(left(&pulse), None, "there is nothing to take yet");
        drop(working);
        drop(sending);
        assert_eq!(left(&pulse), Some((60, End::Leave)), "idle");
        assert!(pulse.read(1));
        assert_eq!(left(&pulse), Some((60, End::Leave)), "over HTTP/2 a ping is no request");
        drop(pulse.work(false));
        assert!(pulse.read(1));
        assert_eq!(pulse.until().map(|(until, end)| (Some(until), end)), {
            let head = pulse.turn().head.map(|since| since + Duration::from_secs(10));
            Some((head, End::Cut))
        });
        assert!(!pulse.read(limits::ADMIN_CHATTER_MAX), "too much of which nothing comes");
        pulse.came();
        assert!(pulse.read(limits::ADMIN_CHATTER_MAX), "something came of it");
        pulse.leave();
        assert_eq!(left(&pulse), Some((30, End::Cut)), "the end is not waited for without end either");
    }
}
