//! Hands a request to an app and waits for the head of its answer. What may be tried again is decided as in `forward.rs`:
//! what was never sent, or what changes nothing and has no body; and then on a new connection.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use hyper::header::HeaderValue;
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::answer::{self, Head, Read, Sheet, Terms};
use super::relay::give;
use super::request::Request;
use super::{Peer, REQUEST_SIZE_MAX};
use crate::edge::balance::Turn;
use crate::edge::client::{Client, Order};
use crate::edge::exchange::Exchange;
use crate::edge::failure::Failure;
use crate::edge::upstream::{Bare, Pool, Stream};

/// How often a request of which nothing was sent goes out.
const TRIES_MAX: u32 = 3;
/// Octets of an answer that are read at once.
pub(super) const READ_SIZE: usize = 16 << 10;

/// The client's side of a request while an app is asked.
pub(super) trait Near {
    /// How the client gets the head of an answer.
    type Front: Sheet;
    /// What comes of `work`, unless the client goes first.
    async fn unless_gone<T>(&mut self, work: impl Future<Output = T>, client: &Client) -> Option<T>;
    /// Hands on the head of an answer that another one follows; false if the client is gone.
    async fn hint(&mut self, front: &Self::Front, exchange: &Exchange) -> bool;
}

impl Near for Peer<'_> {
    type Front = Vec<u8>;

    async fn unless_gone<T>(&mut self, work: impl Future<Output = T>, client: &Client) -> Option<T> {
        unless_gone(work, self, client).await
    }

    async fn hint(&mut self, front: &Vec<u8>, exchange: &Exchange) -> bool {
        give(self, [front, &[], &[]], exchange).await
    }
}

/// An app that answers.
pub(super) struct Asked<F> {
    /// Its connection.
    pub(super) app: Bare,
    pub(super) head: Head,
    /// The head as the client gets it.
    pub(super) front: F,
    /// What came behind the head.
    pub(super) octets: BytesMut,
    /// Whether the client's connection ends with the answer.
    pub(super) last: bool,
}

/// Why there is no answer.
pub(super) enum Miss {
    /// The client is gone.
    Gone,
    /// The client is to be told.
    Failed(Failure),
}

/// Why a connection brought no answer.
enum Fault {
    /// It is closed, and the request may go out on another one.
    Unanswered,
    /// It is closed, although it was new; but the request may go out twice.
    Died,
    /// It is closed, and the app may have acted on the request.
    Closed,
    /// What came is no HTTP.
    Garbled,
    /// The client is gone.
    Gone,
}

/// Asks the apps of the route, one after the other as long as none has the request; if none takes it, it is held for a while.
pub(super) async fn ask<N: Near>(
    request: &Request,
    near: &mut N,
    exchange: &Rc<Exchange>,
) -> Result<Asked<N::Front>, Miss> {
    let client = &exchange.client;
    let mut turn = client.worker.turn(&request.route, request.key);
    let mut outcome = Failure::Drained;
    loop {
        let Some(place) = turn.next(client.worker.groups.random()) else {
            match near.unless_gone(Box::pin(turn.hold(&outcome)), client).await {
                None => return Err(Miss::Gone),
                Some(true) => continue,
                Some(false) => return Err(Miss::Failed(outcome)),
            }
        };
        let pool = Rc::clone(place.pool());
        exchange.is_for(place);
        outcome = match ask_one(&pool, request, &mut turn, near, exchange).await {
            Ok(asked) => {
                turn.answered(asked.head.status);
                return Ok(asked);
            }
            Err(Refused::ByApp(failure)) => failure,
            Err(Refused::For(miss)) => {
                if let Miss::Failed(failure) = &miss {
                    turn.failed(failure);
                }
                return Err(miss);
            }
        };
        turn.failed(&outcome);
    }
}

/// Why one app brought no answer.
enum Refused {
    /// Another one may take the request.
    ByApp(Failure),
    /// There will be none.
    For(Miss),
}

async fn ask_one<N: Near>(
    pool: &Rc<Pool>,
    request: &Request,
    turn: &mut Turn,
    near: &mut N,
    exchange: &Rc<Exchange>,
) -> Result<Asked<N::Front>, Refused> {
    let (mut fresh, mut attempt) = (false, 1);
    loop {
        let opening = near.unless_gone(pin!(pool.bare(fresh, !request.harmless)), &exchange.client).await;
        let app = opening.ok_or(Refused::For(Miss::Gone))?.map_err(Refused::ByApp)?;
        let used_again = app.is_reused() && !request.harmless;
        match ask_once(app, request, near, exchange).await {
            Ok(asked) => return Ok(asked),
            Err(Fault::Died) if exchange.late().is_none() && turn.may_repeat() => {
                exchange.client.worker.stats().retried.add(1);
                return Err(Refused::ByApp(Failure::AppClosed));
            }
            Err(fault) => {
                if used_again && matches!(fault, Fault::Closed) && exchange.late().is_none() {
                    pool.hung_up();
                }
                fault.forgive(attempt, exchange).map_err(Refused::For)?;
            }
        }
        exchange.client.worker.stats().retried.add(1);
        (fresh, attempt) = (true, attempt + 1);
    }
}

impl Fault {
    /// Nothing if the request goes out again.
    fn forgive(self, attempt: u32, exchange: &Exchange) -> Result<(), Miss> {
        if let Some(late) = exchange.late() {
            return Err(Miss::Failed(late.into()));
        }
        match self {
            Self::Gone => Err(Miss::Gone),
            Self::Garbled => Err(Miss::Failed(Failure::AppGarbled)),
            Self::Unanswered if attempt < TRIES_MAX => Ok(()),
            Self::Unanswered | Self::Died | Self::Closed => Err(Miss::Failed(Failure::AppClosed)),
        }
    }
}

async fn ask_once<N: Near>(
    mut app: Bare,
    request: &Request,
    near: &mut N,
    exchange: &Rc<Exchange>,
) -> Result<Asked<N::Front>, Fault> {
    let (client, reused) = (&exchange.client, app.is_reused());
    let stats = client.worker.stats();
    if reused {
        stats.reused.add(1)
    } else {
        stats.connected.add(1)
    }
    exchange.asks(false);
    let (mut octets, mut front) = (BytesMut::new(), N::Front::default());
    // What is polled here is no future of its own, so that all of it together stays small.
    let mut sent = 0;
    let sending = poll_fn(|context| {
        exchange.poll_in_time(context, |context| poll_send(&mut app.stream, &request.outgoing, &mut sent, context))
    });
    match near.unless_gone(sending, client).await.ok_or(Fault::Gone)? {
        Ok(Sent::All) => (),
        Ok(Sent::Nothing) => return Err(Fault::Unanswered),
        Ok(Sent::Part) | Err(_) => return Err(Fault::Closed), // the exchange knows what was late
    }
    loop {
        let receiving = poll_fn(|context| {
            exchange.poll_in_time(context, |context| poll_receive(&mut app.stream, &mut octets, READ_SIZE, context))
        });
        match near.unless_gone(receiving, client).await.ok_or(Fault::Gone)? {
            Err(_) => return Err(Fault::Closed),
            // An app may close a connection that nobody uses. One that it has just taken, it should not, unless it dies.
            Ok(0) if octets.is_empty() && request.harmless => {
                return Err(if reused { Fault::Unanswered } else { Fault::Died });
            }
            Ok(0) if octets.is_empty() => return Err(Fault::Closed),
            Ok(0) => return Err(Fault::Garbled),
            Ok(_) => (),
        }
        while !octets.is_empty() {
            let last = request.last || client.is_leaving();
            let date = client.worker.date.at(client.worker.watch.now());
            let http3_offer = client.http3_offer().map(HeaderValue::as_bytes);
            let terms = Terms { head_only: request.head_only, last, date, http3_offer };
            match answer::read(&octets, &terms, &mut front) {
                Read::Part => break,
                Read::Garbled => return Err(Fault::Garbled),
                Read::Continue(size) => octets.advance(size),
                Read::Interim(size) => {
                    octets.advance(size);
                    if !near.hint(&front, exchange).await {
                        return Err(Fault::Gone);
                    }
                }
                Read::Head(head) => {
                    octets.advance(head.size);
                    return Ok(Asked { app, head, front, octets, last });
                }
            }
        }
    }
}

/// How much of a request went out.
enum Sent {
    All,
    Part,
    Nothing,
}

fn poll_send(stream: &mut Stream, octets: &[u8], sent: &mut usize, context: &mut Context<'_>) -> Poll<Sent> {
    while *sent < octets.len() {
        match ready!(Pin::new(&mut *stream).poll_write(context, &octets[*sent..])) {
            Ok(count) if count > 0 => *sent += count,
            Ok(_) | Err(_) if *sent == 0 => return Poll::Ready(Sent::Nothing),
            Ok(_) | Err(_) => return Poll::Ready(Sent::Part),
        }
    }
    Poll::Ready(Sent::All)
}

/// Reads what the app sends, up to a size, behind what is there; 0 if it is done. While it sends nothing, there is no buffer for it.
pub(super) fn poll_receive(
    stream: &mut Stream,
    octets: &mut BytesMut,
    size: usize,
    context: &mut Context<'_>,
) -> Poll<usize> {
    if octets.is_empty() && stream.poll_quiet(context) {
        *octets = BytesMut::new();
        return Poll::Pending;
    }
    octets.reserve(size);
    pin!(stream.read_buf(octets)).poll(context).map(|read| read.unwrap_or(0))
}

/// What comes of `work`, unless the client goes first. What the client sends meanwhile is kept for later, up to a size.
pub(super) async fn unless_gone<T>(work: impl Future<Output = T>, peer: &mut Peer<'_>, client: &Client) -> Option<T> {
    let mut work = pin!(work);
    let mut listens = peer.more.len() < REQUEST_SIZE_MAX;
    poll_fn(|context| {
        if let Poll::Ready(outcome) = work.as_mut().poll(context) {
            return Poll::Ready(Some(outcome));
        }
        if let Some(Order::End) = client.poll_order(context) {
            return Poll::Ready(None);
        }
        if listens && let Poll::Ready(read) = pin!(peer.guarded.bare().read_buf(&mut peer.more)).poll(context) {
            listens = false;
            if !read.is_ok_and(|count| count > 0) {
                return Poll::Ready(None);
            }
        }
        Poll::Pending
    })
    .await
}
