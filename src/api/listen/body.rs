//! Bodies with a clock: what a client sends has to get on, and what it takes is told to the [`Pulse`](super::pulse).

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use super::pulse::{Pulse, Sending, Working};
use crate::limits::ADMIN_BODY_PROGRESS_MIN;

/// The body of a request, which ends in [`Stalled`] if less than [`ADMIN_BODY_PROGRESS_MIN`] octets come in a while. The
/// while begins when somebody waits for it.
pub(super) struct Paced<B = Incoming> {
    body: B,
    every: Duration,
    pulse: Arc<Pulse>,
    /// When this many more octets must have come.
    due: Option<(Pin<Box<Sleep>>, usize)>,
}

/// The client sent too little for too long.
#[derive(Debug)]
pub(in crate::api) struct Stalled(Duration);

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the body came to a stop for {} s", self.0.as_secs())
    }
}

impl Error for Stalled {}

impl Stalled {
    /// Whether this is why something failed.
    pub(in crate::api) fn caused(fault: &(dyn Error + 'static)) -> bool {
        let mut fault = Some(fault);
        while let Some(one) = fault {
            if one.is::<Self>() {
                return true;
            }
            fault = one.source();
        }
        false
    }
}

impl<B> Paced<B> {
    pub(super) fn new(body: B, every: Duration, pulse: Arc<Pulse>) -> Self {
        Self { body, every, pulse, due: None }
    }

    /// So many octets came.
    fn came(&mut self, octets: usize) {
        if octets > 0 {
            self.pulse.came();
        }
        if let Some((sleep, missing)) = &mut self.due {
            *missing = missing.saturating_sub(octets);
            if *missing == 0 {
                sleep.as_mut().reset(Instant::now() + self.every);
                *missing = ADMIN_BODY_PROGRESS_MIN;
            }
        }
    }
}

impl<B> Body for Paced<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            if let Some(Ok(frame)) = &frame {
                this.came(frame.data_ref().map_or(0, Bytes::len));
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let every = this.every;
        let (due, _) = this.due.get_or_insert_with(|| (Box::pin(sleep(every)), ADMIN_BODY_PROGRESS_MIN));
        ready!(due.as_mut().poll(cx));
        Poll::Ready(Some(Err(Stalled(every).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Octets that are handed on at once. hyper takes what it is given, however much, and only then is it known that the
/// client has taken what was before.
const PIECE_SIZE: usize = 32 << 10;

/// The body of an answer.
pub(super) struct Told {
    body: axum::body::Body,
    sending: Sending,
    /// What is left of a part that was too large to be handed on at once.
    left: Bytes,
    /// There is while the client waits for the server.
    working: Option<Working>,
}

impl Told {
    pub(super) fn new(body: axum::body::Body, sending: Sending) -> Self {
        Self { body, sending, left: Bytes::new(), working: None }
    }
}

impl Body for Told {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.sending.moved();
        if self.left.is_empty() {
            let frame = Pin::new(&mut self.body).poll_frame(cx);
            match frame.is_pending() {
                true if self.working.is_none() => self.working = Some(self.sending.working()),
                true => (),
                false => self.working = None,
            }
            match ready!(frame).map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.left = data,
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(fault)) => return Poll::Ready(Some(Err(fault))),
                None => return Poll::Ready(None),
            }
        }
        let size = self.left.len().min(PIECE_SIZE);
        Poll::Ready(Some(Ok(Frame::data(self.left.split_to(size)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (left, mut hint) = (self.left.len() as u64, self.body.size_hint());
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + left);
        }
        hint.set_lower(hint.lower() + left);
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use http_body_util::BodyExt;

    use super::*;

    const EVERY: Duration = Duration::from_millis(200);

    /// Gives a chunk of so many octets, each after a quarter of the time; then nothing more, or the end.
    struct Drip {
        chunks: VecDeque<usize>,
        ends: bool,
        wait: Pin<Box<Sleep>>,
    }

    impl Drip {
        fn new(chunks: impl Into<VecDeque<usize>>, ends: bool) -> Self {
            Self { chunks: chunks.into(), ends, wait: Box::pin(sleep(EVERY / 4)) }
        }
    }

    impl Body for Drip {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
            ready!(self.wait.as_mut().poll(cx));
            match self.chunks.pop_front() {
                Some(size) => {
                    self.wait.as_mut().reset(Instant::now() + EVERY / 4);
                    Poll::Ready(Some(Ok(Frame::data(vec![0; size].into()))))
                }
                None if self.ends => Poll::Ready(None),
                None => Poll::Pending,
            }
        }
    }

    async fn collect(drip: Drip) -> Result<usize, bool> {
        let collected = Paced::new(drip, EVERY, Pulse::new(super::super::pulse::Times::default())).collect().await;
        collected.map(|body| body.to_bytes().len()).map_err(|fault| Stalled::caused(&*fault))
    }

    #[tokio::test]
    async fn a_body_has_to_get_on() {
        assert_eq!(collect(Drip::new([ADMIN_BODY_PROGRESS_MIN; 6], true)).await, Ok(6 * ADMIN_BODY_PROGRESS_MIN));
        assert_eq!(collect(Drip::new([1], true)).await, Ok(1), "a small body may end at any time");
        assert_eq!(collect(Drip::new([ADMIN_BODY_PROGRESS_MIN], false)).await, Err(true), "silence");
        assert_eq!(collect(Drip::new([1; 1_000], true)).await, Err(true), "an octet now and then");
    }
}
