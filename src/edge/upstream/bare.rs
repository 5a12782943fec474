//! Connections to an app that speaks HTTP/1.1 in the clear, as octets: for requests that go the short way. They are kept
//! apart from those that hyper drives.

use std::rc::Rc;

use super::{Pool, Stream};
use crate::edge::failure::Failure;
use crate::edge::watch::Tick;

/// A connection for one request.
pub(in crate::edge) struct Bare {
    pub(in crate::edge) stream: Stream,
    pool: Rc<Pool>,
    moves: u32,
    reused: bool,
}

/// A connection that waits for its next request.
pub(super) struct Resting {
    pub(super) stream: Stream,
    pub(super) since: Tick,
}

impl Bare {
    /// Whether it was there before the request.
    pub(in crate::edge) fn is_reused(&self) -> bool {
        self.reused
    }

    /// The answer has been read to its end: the connection waits for another request.
    pub(in crate::edge) fn go_home(self) {
        let Self { stream, pool, moves, .. } = self;
        let mut resting = pool.resting.borrow_mut();
        if moves == pool.moves.get() && resting.len() < pool.settings.kept_max as usize {
            resting.push(Resting { stream, since: pool.now.get() });
        }
    }
}

impl Resting {
    /// Whether it can still be used: the app has neither closed it nor said anything unasked.
    pub(super) fn is_sound(&self) -> bool {
        self.stream.is_silent()
    }
}

impl Pool {
    /// A connection for one request. `fresh`: a new one. `once`: the request must not be sent twice.
    pub(in crate::edge) async fn bare(self: &Rc<Self>, fresh: bool, once: bool) -> Result<Bare, Failure> {
        self.used.set(self.now.get());
        if !fresh && let Some(stream) = self.rested(once).await {
            return Ok(Bare { stream, pool: Rc::clone(self), moves: self.moves.get(), reused: true });
        }
        // In a box of its own: few requests need it.
        let stream = Box::pin(self.reach(true)).await?;
        Ok(Bare { stream, pool: Rc::clone(self), moves: self.moves.get(), reused: false })
    }

    async fn rested(&self, once: bool) -> Option<Stream> {
        loop {
            let resting = self.resting.borrow_mut().pop()?;
            if once && !self.is_safe_since(resting.since) {
                self.resting.borrow_mut().push(resting);
                return None;
            }
            if once {
                tokio::task::yield_now().await; // the thread looks at the network meanwhile
            }
            if resting.is_sound() {
                return Some(resting.stream);
            }
            self.observe(resting.since, false);
        }
    }
}
