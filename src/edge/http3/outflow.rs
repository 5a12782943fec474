//! The sending side of a request's stream: an answer that comes to its end, or is seen to have none.
//!
//! QUIC ends a stream soundly when nobody needs it any more, which would make half an answer a whole one. So whatever has not been
//! finished here is reset.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use quinn::SendStream;
use tokio::time::timeout;

use super::code::Code;
use super::inflow::Verdict;
use crate::edge::answer::Body;

/// How long the last octets of an answer may be on their way: those are [`super::SEND_WINDOW`] at most, so a line of 28 kbit/s is
/// fast enough.
const DELIVERY_MAX: Duration = Duration::from_secs(300);

/// The sending side of a request's stream.
pub(super) struct Outflow {
    stream: SendStream,
    /// Comes when the client has all of the answer, or wants no more of it, or is gone.
    parted: Pin<Box<dyn Future<Output = ()>>>,
    finished: bool,
    verdict: Verdict,
}

impl Outflow {
    pub(super) fn new(stream: SendStream, verdict: &Verdict) -> Self {
        let stopped = stream.stopped();
        let parted = Box::pin(async move { drop(stopped.await) });
        Self { stream, parted, finished: false, verdict: verdict.clone() }
    }

    /// What comes of `work`, unless the client goes first.
    pub(super) async fn unless_parted<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending => self.parted.as_mut().poll(context).map(|()| None),
        })
        .await
    }

    /// Sends; false if the client wants no more of it, or takes nothing for too long.
    pub(super) async fn give(&mut self, mut parts: [Bytes; 2], body: &Body) -> bool {
        let mut writing = pin!(self.stream.write_all_chunks(&mut parts));
        poll_fn(|context| match body.is_cut(context) {
            true => Poll::Ready(false),
            false => writing.as_mut().poll(context).map(|wrote| wrote.is_ok()),
        })
        .await
    }

    /// Sends something short, for which nobody has to wait.
    pub(super) async fn give_all(&mut self, part: Bytes, patience: Duration) -> bool {
        matches!(timeout(patience, self.stream.write_chunk(part)).await, Ok(Ok(())))
    }

    /// Says that this was all, and waits until the client has it.
    pub(super) async fn finish(mut self) {
        if self.verdict.get().is_none() && self.stream.finish().is_ok() {
            self.finished = true;
            if timeout(DELIVERY_MAX, &mut self.parted).await.is_err() {
                let _ = self.stream.reset(Code::ExcessiveLoad.into());
            }
        }
    }

    /// Ends it with this reason.
    pub(super) fn refuse(self, code: Code) {
        self.verdict.set(Some(code));
    }
}

impl Drop for Outflow {
    fn drop(&mut self) {
        if !self.finished {
            let _ = self.stream.reset(self.verdict.get().unwrap_or(Code::Internal).into());
        }
    }
}
