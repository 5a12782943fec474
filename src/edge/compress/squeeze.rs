//! A body that is compressed part by part.
//!
//! Parts that are there already go in together; as soon as the app pauses, everything it has said goes out. So events and chunks arrive
//! when they are said, and a large answer is compressed as one.

use std::task::{Context, Poll};

use hyper::body::{Bytes, Frame};

use super::{Encoder, Place};
use crate::edge::answer::{Answer, Broken};

/// Octets that are worth a frame of their own.
const FRAME_SIZE: usize = 16 << 10;
/// Octets of content that are compressed before others on the thread have their turn.
const TURN_SIZE: usize = 128 << 10;
/// Octets that go in at once.
const STEP_SIZE: usize = 32 << 10;

/// A body on its way through an encoder.
pub(in crate::edge) struct Squeeze {
    content: Answer,
    /// Of the last part, what has not gone in.
    rest: Bytes,
    encoder: Option<Encoder>,
    /// Whether something went in that may not have come out.
    held: bool,
    /// What comes behind the compressed content.
    trailers: Option<Frame<Bytes>>,
    _place: Place,
}

impl Squeeze {
    /// The content through the encoder.
    pub(super) fn new(content: Answer, encoder: Encoder, place: Place) -> Self {
        Self { content, rest: Bytes::new(), encoder: Some(encoder), held: false, trailers: None, _place: place }
    }

    /// The next part.
    pub(in crate::edge) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let polled = self.advance(context);
        polled.map_err(|fault| {
            self.encoder = None;
            fault.unwrap_or(Broken::ENCODER)
        })
    }

    /// Whether there is no more to come.
    pub(in crate::edge) fn is_over(&self) -> bool {
        self.encoder.is_none() && self.trailers.is_none()
    }

    fn advance(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Option<Broken>>>> {
        let broken = |_| Poll::Ready(Some(Err(None)));
        let mut turn = 0;
        loop {
            let Some(encoder) = &mut self.encoder else { return Poll::Ready(self.trailers.take().map(Ok)) };
            if encoder.ready() >= FRAME_SIZE || (turn >= TURN_SIZE && encoder.ready() > 0) {
                return Poll::Ready(Some(Ok(Frame::data(encoder.take()))));
            }
            if turn >= TURN_SIZE {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !self.rest.is_empty() {
                let step = self.rest.split_to(self.rest.len().min(STEP_SIZE));
                if let Err(fault) = encoder.write(&step) {
                    return broken(fault);
                }
                turn += step.len();
                self.held = true;
                continue;
            }
            match self.content.poll(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(octets) => {
                        self.content.is_over();
                        self.rest = octets;
                    }
                    Err(trailers) => return self.finish(Some(trailers)),
                },
                Poll::Ready(Some(Err(fault))) => return Poll::Ready(Some(Err(Some(fault)))),
                Poll::Ready(None) => return self.finish(None),
                Poll::Pending => {
                    if self.held
                        && let Err(fault) = encoder.flush()
                    {
                        return broken(fault);
                    }
                    self.held = false;
                    let said = encoder.take();
                    return if said.is_empty() { Poll::Pending } else { Poll::Ready(Some(Ok(Frame::data(said)))) };
                }
            }
        }
    }

    fn finish(&mut self, trailers: Option<Frame<Bytes>>) -> Poll<Option<Result<Frame<Bytes>, Option<Broken>>>> {
        self.content.is_over();
        self.trailers = trailers;
        match self.encoder.take().map(Encoder::finish) {
            Some(Ok(rest)) if !rest.is_empty() => Poll::Ready(Some(Ok(Frame::data(rest)))),
            Some(Ok(_)) | None => Poll::Ready(self.trailers.take().map(Ok)),
            Some(Err(_)) => Poll::Ready(Some(Err(None))),
        }
    }
}
