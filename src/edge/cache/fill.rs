//! The body of an answer that comes to be kept: read at the app's pace and not at the client's, so that nobody who waits for it
//! waits for a slow reader. The client gets it part by part meanwhile. What turns out to be too large is handed over as it is.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Bytes, Frame};
use tokio::time::timeout;

use super::shelf::{Cache, Held};
use crate::edge::answer::{Answer, Broken};
use crate::edge::watch::Bell;

/// How long an answer may take to arrive that others wait for.
const TIME_MAX: Duration = Duration::from_secs(60);

/// What has come so far.
struct Basin {
    parts: RefCell<Vec<Frame<Bytes>>>,
    end: RefCell<Option<End>>,
    bell: Bell,
    /// Whether the client is still there.
    read: Cell<bool>,
    /// What the parts take, until the last reader is done with them.
    held: RefCell<Held>,
}

/// What comes behind the parts.
enum End {
    Whole,
    Broken,
    /// The rest as the app sends it.
    Rest(Answer),
}

/// The client's side of it.
pub(in crate::edge) struct Filling {
    basin: Rc<Basin>,
    next: usize,
    over: bool,
}

/// The cache's side of it.
pub(super) struct Fill {
    basin: Rc<Basin>,
    content: Answer,
    size_max: usize,
}

/// How it ended.
pub(super) enum Filled {
    Whole(Bytes),
    /// It is larger than what is kept, or there is no room for it at present.
    TooLarge,
    Broken,
}

/// Two sides of one body.
pub(super) fn fill(content: Answer, size_max: usize, cache: &Cache) -> (Fill, Filling) {
    let basin = Rc::new(Basin {
        parts: RefCell::default(),
        end: RefCell::default(),
        bell: Bell::default(),
        read: Cell::new(true),
        held: RefCell::new(cache.held()),
    });
    let filling = Filling { basin: Rc::clone(&basin), next: 0, over: false };
    (Fill { basin, content, size_max }, filling)
}

impl Fill {
    /// Reads it to its end.
    pub(super) async fn run(mut self, cache: &Cache) -> Filled {
        let mut size = 0;
        let outcome = timeout(TIME_MAX, async {
            loop {
                match poll_fn(|context| self.content.poll(context)).await {
                    Some(Ok(frame)) => {
                        self.content.is_over();
                        let octets = frame.data_ref().map_or(0, Bytes::len);
                        self.basin.put(frame);
                        size += octets;
                        if size > self.size_max || !cache.has_room() {
                            return Filled::TooLarge;
                        }
                    }
                    Some(Err(_)) => return Filled::Broken,
                    None => return Filled::Whole(cache.own(self.basin.gathered(size))),
                }
            }
        })
        .await;
        let outcome = outcome.unwrap_or(Filled::TooLarge); // the client may wait on
        self.basin.ends(match &outcome {
            Filled::Whole(_) => End::Whole,
            Filled::Broken => End::Broken,
            Filled::TooLarge => End::Rest(std::mem::replace(&mut self.content, Answer::Nothing)),
        });
        outcome
    }
}

impl Drop for Fill {
    fn drop(&mut self) {
        if self.basin.end.borrow().is_none() {
            self.basin.ends(End::Broken);
        }
    }
}

impl Basin {
    fn put(&self, frame: Frame<Bytes>) {
        self.held.borrow_mut().add(frame.data_ref().map_or(0, Bytes::len));
        self.parts.borrow_mut().push(frame);
        self.bell.ring();
    }

    fn ends(&self, end: End) {
        if self.read.get() {
            *self.end.borrow_mut() = Some(end);
        }
        self.bell.ring();
    }

    /// All of it in one piece, which holds no more memory than it has octets.
    fn gathered(&self, size: usize) -> Vec<u8> {
        let mut whole = Vec::with_capacity(size);
        let parts = self.parts.borrow();
        parts.iter().filter_map(Frame::data_ref).for_each(|part| whole.extend_from_slice(part));
        whole
    }
}

impl Filling {
    /// The next part.
    pub(in crate::edge) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(frame) = self.basin.parts.borrow().get(self.next) {
            self.next += 1;
            return Poll::Ready(Some(Ok(copy(frame))));
        }
        match &mut *self.basin.end.borrow_mut() {
            None => {
                self.basin.bell.wait(context);
                Poll::Pending
            }
            Some(End::Whole) => {
                self.over = true;
                Poll::Ready(None)
            }
            Some(End::Broken) => Poll::Ready(Some(Err(Broken::APP))),
            Some(End::Rest(rest)) => {
                let polled = rest.poll(context);
                self.over = rest.is_over() || matches!(polled, Poll::Ready(None));
                polled
            }
        }
    }

    /// Whether there is no more to come.
    pub(in crate::edge) fn is_over(&self) -> bool {
        let all_read = self.next >= self.basin.parts.borrow().len();
        self.over || (all_read && matches!(&*self.basin.end.borrow(), Some(End::Whole)))
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        self.basin.read.set(false);
        self.basin.end.take(); // with it goes the connection to the app, if there is one
    }
}

fn copy(frame: &Frame<Bytes>) -> Frame<Bytes> {
    match (frame.data_ref(), frame.trailers_ref()) {
        (Some(octets), _) => Frame::data(octets.clone()),
        (None, Some(trailers)) => Frame::trailers(trailers.clone()),
        (None, None) => Frame::data(Bytes::new()),
    }
}
