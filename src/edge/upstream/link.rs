//! A connection to an app as one request has it, and the way home for it afterwards.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::rt::Executor;
use hyper::{Request, Response};
use tokio::task::spawn_local;

use super::Pool;
use crate::edge::answer::Upload;

/// A connection for one request.
pub(in crate::edge) enum Link {
    /// HTTP/1.1: the request has it alone.
    Http1 { sender: http1::SendRequest<Upload>, pool: Rc<Pool>, moves: u32, reused: bool },
    /// HTTP/2: shared with others.
    Http2 { sender: http2::SendRequest<Upload>, live: Live, reused: bool },
}

/// Where a connection goes when the answer has been read.
pub(in crate::edge) enum Home {
    /// Back to the idle ones.
    Pool(http1::SendRequest<Upload>, Rc<Pool>, u32),
    /// It never left; there is one request less on it as soon as this goes.
    Shared {
        /// Counts by being there.
        _live: Live,
    },
}

/// Counts a request on a shared connection while it is under way.
pub(in crate::edge) struct Live(Rc<Cell<usize>>);

impl Live {
    fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(Rc::clone(count))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// A request that was not answered.
pub(in crate::edge) struct Unsent {
    /// Why.
    pub(in crate::edge) error: hyper::Error,
    /// The request, if nothing of it was sent.
    pub(in crate::edge) request: Option<Request<Upload>>,
}

impl Link {
    pub(super) fn http2(sender: http2::SendRequest<Upload>, live: &Rc<Cell<usize>>, reused: bool) -> Self {
        Self::Http2 { sender, live: Live::new(live), reused }
    }

    /// Whether HTTP/2 is spoken.
    pub(in crate::edge) fn is_http2(&self) -> bool {
        matches!(self, Self::Http2 { .. })
    }

    /// Whether it was there before the request.
    pub(in crate::edge) fn is_reused(&self) -> bool {
        match self {
            Self::Http1 { reused, .. } | Self::Http2 { reused, .. } => *reused,
        }
    }

    /// Sends the request and waits for the head of the answer.
    pub(in crate::edge) async fn send(self, request: Request<Upload>) -> Result<(Response<Incoming>, Home), Unsent> {
        let (answer, home) = match self {
            Self::Http1 { mut sender, pool, moves, .. } => {
                let answer = sender.try_send_request(request).await;
                (answer, Home::Pool(sender, pool, moves))
            }
            Self::Http2 { mut sender, live, .. } => {
                (sender.try_send_request(request).await, Home::Shared { _live: live })
            }
        };
        match answer {
            Ok(response) => Ok((response, home)),
            Err(mut fault) => {
                let request = fault.take_message();
                Err(Unsent { error: fault.into_error(), request })
            }
        }
    }
}

impl Home {
    /// Brings the connection home. If the app still reads the rest of the request, that is waited for.
    pub(in crate::edge) fn bring(self) {
        let Self::Pool(mut sender, pool, moves) = self else { return };
        if sender.is_ready() {
            pool.take_home(sender, moves);
        } else if !sender.is_closed() {
            spawn_local(async move {
                if sender.ready().await.is_ok() {
                    pool.take_home(sender, moves);
                }
            });
        }
    }
}

/// Runs hyper's tasks on this thread.
#[derive(Clone, Copy, Debug)]
pub(in crate::edge) struct LocalTasks;

impl<F: Future + 'static> Executor<F> for LocalTasks {
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}
