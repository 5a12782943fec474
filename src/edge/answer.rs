//! Bodies on their way: the answer to the client, the request to the app. Both are handed on part by part as they come; nothing
//! is gathered, so a download of any size takes the memory of one part.

use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};

use super::cache::{Filling, Stored};
use super::compress::Squeeze;
use super::direct;
use super::exchange::{Exchange, Late};
use super::headers;
use super::inflow::Inflow;
use super::stats::AppFailure;
use super::upstream::Home;

/// Where the octets of an answer come from.
pub(super) enum Answer {
    /// There are none, or no more.
    Nothing,
    /// They are ready.
    Octets(Bytes),
    /// They come from an app; its connection goes home when they have come.
    App(Incoming, Option<Home>),
    /// They come from an app by the short way.
    Near(Box<direct::Rest>),
    /// They come from a file.
    File(UnsyncBoxBody<Bytes, std::io::Error>),
    /// They are kept in the cache.
    Page(Arc<Stored>),
    /// They come from an app, and the cache takes them down.
    Filling(Box<Filling>),
    /// They are compressed on their way.
    Squeezed(Box<Squeeze>),
    /// There would be more, and will not.
    Cut,
}

/// Why a body ends before its end: whoever reads it must not take it for whole.
#[derive(Debug)]
pub(super) struct Broken(&'static str);

impl Broken {
    /// An encoder failed, which it has no reason to.
    pub(super) const ENCODER: Self = Self("the answer could not be compressed");
    /// The app did.
    pub(super) const APP: Self = Self("the app broke off its answer");
    /// The client broke off its request, or sent another one than it had announced.
    pub(super) const UPLOAD: Self = Self("the client broke off its request");
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Broken {}

impl From<Late> for Broken {
    fn from(late: Late) -> Self {
        Self(match late {
            Late::Upload => "the client sent too little of its body for too long",
            Late::Answer | Late::Silence => "the app was silent for too long",
            Late::Taking => "the client took nothing for too long",
            Late::Size => "the client sent more than is taken",
        })
    }
}

/// The body of an answer. While it exists, the request is not over.
pub(super) struct Body(Rc<Exchange>);

impl Body {
    pub(super) fn new(exchange: Rc<Exchange>) -> Self {
        Self(exchange)
    }

    /// Whether nobody takes it any more; else whoever asks is woken when nobody does.
    pub(super) fn is_cut(&self, context: &Context<'_>) -> bool {
        self.0.is_cut(context)
    }

    /// The head of the answer was all that was asked for.
    pub(super) fn is_not_wanted(&mut self) {
        self.0.put_answer(Answer::Nothing);
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let exchange = &self.0;
        if let Some(late) = exchange.late() {
            exchange.ends(false);
            return Poll::Ready(Some(Err(late.into())));
        }
        let polled = exchange.answer.borrow_mut().poll(context);
        match &polled {
            Poll::Pending => exchange.waits_for_app(context),
            Poll::Ready(Some(Ok(frame))) => {
                exchange.gives(frame.data_ref().map_or(0, Bytes::len) as u64);
                if exchange.answer.borrow_mut().is_over() {
                    exchange.ends(true);
                }
            }
            Poll::Ready(Some(Err(_))) => {
                exchange.app_failed(AppFailure::BrokenOff);
                exchange.ends(false);
            }
            Poll::Ready(None) => exchange.lets_go(true),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.0.answer.borrow().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &*self.0.answer.borrow() {
            Answer::Nothing => SizeHint::with_exact(0),
            Answer::Octets(octets) => SizeHint::with_exact(octets.len() as u64),
            Answer::App(incoming, _) => incoming.size_hint(),
            Answer::File(body) => body.size_hint(),
            Answer::Page(page) => SizeHint::with_exact(page.body().len() as u64),
            Answer::Near(_) | Answer::Filling(_) | Answer::Squeezed(_) | Answer::Cut => SizeHint::default(),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let whole = self.0.is_answered() && self.0.answer.borrow().is_end_stream();
        self.0.lets_go(whole);
    }
}

impl Answer {
    /// The next part.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self {
            Self::Nothing => Poll::Ready(None),
            Self::Octets(octets) => {
                let octets = std::mem::take(octets);
                *self = Self::Nothing;
                Poll::Ready((!octets.is_empty()).then_some(Ok(Frame::data(octets))))
            }
            Self::App(incoming, home) => match Pin::new(incoming).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    if frame.is_trailers() {
                        // hyper says them and does not ask for more.
                        home.take().into_iter().for_each(Home::bring);
                        *self = Self::Nothing;
                    }
                    Poll::Ready(Some(Ok(headers::clean_trailers(frame))))
                }
                Poll::Ready(Some(Err(_))) => {
                    *self = Self::Cut;
                    Poll::Ready(Some(Err(Broken::APP)))
                }
                Poll::Ready(None) => {
                    self.is_over();
                    *self = Self::Nothing;
                    Poll::Ready(None)
                }
                Poll::Pending => Poll::Pending,
            },
            Self::Near(rest) => {
                let polled = rest.poll(context);
                match &polled {
                    Poll::Ready(Some(Err(_))) => *self = Self::Cut,
                    Poll::Ready(None) => {
                        self.is_over();
                        *self = Self::Nothing;
                    }
                    Poll::Ready(Some(Ok(_))) | Poll::Pending => (),
                }
                polled
            }
            Self::File(body) => match Pin::new(body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
                Poll::Ready(Some(Err(_))) => {
                    *self = Self::Cut;
                    Poll::Ready(Some(Err(Broken("the file could not be read to its end"))))
                }
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            },
            Self::Page(page) => {
                let octets = page.body().clone();
                *self = Self::Nothing;
                Poll::Ready((!octets.is_empty()).then_some(Ok(Frame::data(octets))))
            }
            Self::Filling(filling) => filling.poll(context),
            Self::Squeezed(squeeze) => squeeze.poll(context),
            Self::Cut => Poll::Ready(Some(Err(Broken("the answer was cut")))),
        }
    }

    /// Whether all of it has come; then the connection to the app goes home.
    pub(super) fn is_over(&mut self) -> bool {
        let over = self.is_end_stream();
        if over && let Self::App(_, home) = self {
            home.take().into_iter().for_each(Home::bring);
        }
        if over && let Self::Near(rest) = self {
            rest.go_home();
        }
        over
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Octets(octets) => octets.is_empty(),
            Self::App(incoming, _) => incoming.is_end_stream(),
            Self::Near(rest) => rest.is_over(),
            Self::File(body) => body.is_end_stream(),
            Self::Page(page) => page.body().is_empty(),
            Self::Filling(filling) => filling.is_over(),
            Self::Squeezed(squeeze) => squeeze.is_over(),
            Self::Cut => false,
        }
    }
}

/// The body of a request on its way to an app.
pub(super) struct Upload {
    incoming: Option<Inflow>,
    exchange: Rc<Exchange>,
}

impl Upload {
    /// The body as it comes.
    pub(super) fn new(incoming: Inflow, exchange: &Rc<Exchange>) -> Self {
        Self { incoming: Some(incoming), exchange: Rc::clone(exchange) }
    }

    /// No body.
    pub(super) fn empty(exchange: &Rc<Exchange>) -> Self {
        Self { incoming: None, exchange: Rc::clone(exchange) }
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let Some(incoming) = &mut this.incoming else { return Poll::Ready(None) };
        if let Some(late) = this.exchange.late() {
            return Poll::Ready(Some(Err(Broken::from(late).into())));
        }
        let polled = Pin::new(incoming).poll_frame(context);
        this.exchange.uploads(&polled, context);
        if let Some(Late::Size) = this.exchange.late() {
            return Poll::Ready(Some(Err(Broken::from(Late::Size).into())));
        }
        polled.map(|frame| frame.map(|frame| frame.map(headers::clean_trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}
