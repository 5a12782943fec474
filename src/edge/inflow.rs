//! The body of a request as it comes, over whichever version of HTTP.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};

use super::http3;

/// The body of a request.
pub(super) enum Inflow {
    /// Over HTTP/1.1 or HTTP/2, by hyper.
    Hyper(Incoming),
    /// Over HTTP/3.
    Http3(Box<http3::Inflow>),
}

impl HttpBody for Inflow {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Hyper(incoming) => {
                Pin::new(incoming).poll_frame(context).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
            Self::Http3(inflow) => inflow.poll_frame(context).map(|frame| frame.map(|frame| frame.map_err(Into::into))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Hyper(incoming) => incoming.is_end_stream(),
            Self::Http3(inflow) => inflow.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Hyper(incoming) => incoming.size_hint(),
            Self::Http3(inflow) => inflow.size_hint(),
        }
    }
}
