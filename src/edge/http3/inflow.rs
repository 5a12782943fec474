//! What a client sends on the stream of a request: a head, a body, fields behind it.
//!
//! The body is handed on in the very parts that QUIC delivers, and the client may send more as these are taken: what an app does not
//! take, nobody keeps. A body that is not as long as its head says, or a stream that ends in the middle of a frame, is no whole
//! request and never looks like one to the app.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Frame as Part, SizeHint};
use quinn::RecvStream;

use super::code::{Code, Fault};
use super::connection::Link;
use super::frame::{Frame, Frames};
use super::head::{self, Head};
use crate::edge::answer::Broken;
use crate::limits::APP_BUFFER_SIZE;

/// Why the request of a stream is refused, once that is known; its answer is not sent then, or not to its end.
pub(super) type Verdict = Rc<Cell<Option<Code>>>;

/// The stream of a request, which ends with the answer although the app may still hold the body.
pub(super) type Source = Rc<RefCell<RecvStream>>;

/// Reads no more. QUIC would say so by itself, but with a number that means nothing in HTTP/3.
pub(super) fn hang_up(source: &Source, code: Code) {
    let _ = source.borrow_mut().stop(code.into()); // one that is over needs no word
}

/// Where in a request the stream is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Body,
    /// Behind the fields that are behind the body.
    Trailers,
    Over,
}

/// The receiving side of a request's stream.
pub(in crate::edge) struct Inflow {
    source: Source,
    frames: Frames,
    /// What has come and was not looked at.
    input: Bytes,
    /// A frame that was looked at early.
    ahead: Option<Frame>,
    /// Whether nothing more will come.
    ended: bool,
    place: Place,
    /// Octets that are missing of what the head has announced.
    missing: Option<u64>,
    link: Rc<Link>,
    verdict: Verdict,
}

impl Inflow {
    pub(super) fn new(source: &Source, link: &Rc<Link>, verdict: &Verdict) -> Self {
        Self {
            source: Rc::clone(source),
            frames: Frames::new(link.head_size_max()),
            input: Bytes::new(),
            ahead: None,
            ended: false,
            place: Place::Body,
            missing: None,
            link: Rc::clone(link),
            verdict: Rc::clone(verdict),
        }
    }

    /// The head of the request.
    pub(super) async fn head(&mut self) -> Result<Head, Fault> {
        let section = match poll_fn(|context| self.poll_next(context)).await? {
            Some(Frame::Headers(section)) => section,
            Some(_) => return Err(Fault::Connection(Code::FrameUnexpected)),
            None => return Err(Fault::Request(Code::RequestIncomplete)),
        };
        let head = head::read(&section, self.link.head_size_max(), self.link.headers_max())?;
        self.missing = head.length;
        // Most requests end with their head; then nobody has to wait for a body, or to send one.
        poll_fn(|context| {
            let look = self.input.is_empty() && !self.ended;
            Poll::Ready(if look && let Poll::Ready(Err(fault)) = self.poll_input(context) {
                Err(fault)
            } else {
                Ok(())
            })
        })
        .await?;
        Ok(head)
    }

    /// Waits for more; false if there is none.
    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        // The future keeps nothing, so it can be made anew for each look.
        let read = ready!(pin!(self.source.borrow_mut().read_chunk(APP_BUFFER_SIZE, true)).poll(context));
        Poll::Ready(match read {
            Ok(Some(chunk)) => {
                self.input = chunk.bytes;
                Ok(true)
            }
            Ok(None) => {
                self.ended = true;
                Ok(false)
            }
            Err(_) => {
                self.ended = true;
                Err(Fault::Gone)
            }
        })
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Frame>, Fault>> {
        if let Some(frame) = self.ahead.take() {
            return Poll::Ready(Ok(Some(frame)));
        }
        loop {
            if let Some(frame) = self.frames.next(&mut self.input)? {
                return Poll::Ready(Ok(Some(frame)));
            }
            if self.ended || !ready!(self.poll_input(context))? {
                let whole = self.frames.is_between();
                return Poll::Ready(if whole { Ok(None) } else { Err(Fault::Connection(Code::Frame)) });
            }
        }
    }

    /// The next part of the body.
    pub(in crate::edge) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Part<Bytes>, Broken>>> {
        if self.place == Place::Over {
            return Poll::Ready(None);
        }
        let part = ready!(self.poll_next(context)).and_then(|frame| self.take(frame));
        Poll::Ready(part.transpose().map(|part| {
            part.map_err(|fault| {
                self.place = Place::Over;
                self.fail(fault);
                Broken::UPLOAD
            })
        }))
    }

    fn take(&mut self, frame: Option<Frame>) -> Result<Option<Part<Bytes>>, Fault> {
        match frame {
            Some(Frame::Data(part)) if self.place == Place::Body => {
                if let Some(missing) = self.missing {
                    let left = missing.checked_sub(part.len() as u64).ok_or(Fault::Request(Code::Message))?;
                    self.missing = Some(left);
                    if left == 0 {
                        self.look_behind()?;
                    }
                }
                Ok(Some(Part::data(part)))
            }
            Some(Frame::Headers(section)) if self.place == Place::Body => {
                self.is_complete()?;
                self.place = Place::Trailers;
                head::read_trailers(&section, self.link.head_size_max()).map(|fields| Some(Part::trailers(fields)))
            }
            Some(_) => Err(Fault::Connection(Code::FrameUnexpected)),
            None => {
                self.place = Place::Over;
                self.is_complete().map(|()| None)
            }
        }
    }

    /// Who knows the length of a body does not wait for its end; what lies behind it already must not be more of it.
    fn look_behind(&mut self) -> Result<(), Fault> {
        self.ahead = self.frames.next(&mut self.input)?;
        if matches!(self.ahead, Some(Frame::Data(_))) { Err(Fault::Request(Code::Message)) } else { Ok(()) }
    }

    fn is_complete(&self) -> Result<(), Fault> {
        if self.missing.unwrap_or(0) == 0 { Ok(()) } else { Err(Fault::Request(Code::Message)) }
    }

    fn fail(&self, fault: Fault) {
        match fault {
            Fault::Connection(code) => self.link.end(code),
            Fault::Request(code) => self.verdict.set(Some(code)),
            Fault::HeadTooLarge => self.verdict.set(Some(Code::ExcessiveLoad)),
            Fault::Gone => (),
        }
    }

    pub(in crate::edge) fn is_end_stream(&self) -> bool {
        let heard_out = self.ended && self.input.is_empty() && self.ahead.is_none() && self.frames.is_between();
        match self.missing {
            Some(missing) => missing == 0 && self.ahead.is_none(),
            None => self.place == Place::Over || heard_out,
        }
    }

    pub(in crate::edge) fn size_hint(&self) -> SizeHint {
        match self.missing {
            Some(missing) => SizeHint::with_exact(missing),
            None if self.is_end_stream() => SizeHint::with_exact(0),
            None => SizeHint::default(),
        }
    }
}

impl Drop for Inflow {
    fn drop(&mut self) {
        if !self.ended {
            hang_up(&self.source, self.verdict.get().unwrap_or(Code::NoError));
        }
    }
}
