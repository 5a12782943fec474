//! The short way from a client to an app: a request over HTTP/1.1 that is there whole, for an app that speaks HTTP/1.1, and
//! asks for nothing out of the ordinary. Its head is read where it lies, checked, and written for the app in one pass;
//! the answer goes back the same way. No map of fields, no task, no channel lies in between.
//!
//! It is a way for the common case and never decides about an uncommon one: whatever it does not recognize at once as
//! sound and simple (`request.rs` says what that is) it has not touched, and hyper takes the connection from there, with
//! the octets as they came. So every refusal has one place, behind hyper, and what goes this way obeys the same rules: the
//! strict gate has seen it, and what is stripped is decided by `headers.rs` for both.
//!
//! Over HTTP/2 hyper serves the client, and what lies behind it is the same (`streams.rs`).
//!
//! It is here because a profile showed that of a small request's cost in this process three quarters were the map of
//! fields made twice, the tasks and the channels of a general library.

mod answer;
mod ask;
mod chunks;
mod date;
mod page;
mod relay;
mod request;
mod rest;
mod stamp;
mod streams;

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::{Buf, BytesMut};
use tokio::io::AsyncReadExt;

use super::client::{Client, Order};
use super::exchange::Exchange;
use super::stream::Guarded;
use ask::Miss;
use request::Request;

pub(super) use date::Date;
pub(super) use rest::Rest;
pub(super) use stamp::Stamp;
pub(super) use streams::handle;

/// Octets of a request that go this way: its head, and its body if it has one.
const REQUEST_SIZE_MAX: usize = 8 << 10;

/// The client's side of a connection.
struct Peer<'g> {
    guarded: &'g mut Guarded,
    /// What came that has not been answered.
    more: BytesMut,
}

/// How the short way is left.
pub(super) enum Left {
    /// With octets that hyper is to look at.
    Hyper,
    /// HTTP is over on the connection: the client may be heard out.
    Over,
    /// It is to end at once.
    Cut,
}

/// What follows a request.
enum Next {
    /// Another one.
    Request,
    /// No other one.
    Over,
    /// Nothing: the connection is of no use any more.
    Cut,
}

/// Serves what comes, for as long as it can go this way.
pub(super) async fn serve(guarded: &mut Guarded, client: &Rc<Client>) -> Left {
    loop {
        client.parked();
        let octets = match fetch(guarded, client).await {
            Ok(octets) => octets,
            Err(left) => return left,
        };
        // In a box of its own, so that a connection that waits holds none of it.
        if let Some(left) = Box::pin(serve_all(octets, guarded, client)).await {
            return left;
        }
    }
}

/// Waits for what comes next. Until then there is no buffer for it.
async fn fetch(guarded: &mut Guarded, client: &Client) -> Result<BytesMut, Left> {
    poll_fn(|context| {
        match client.poll_order(context) {
            Some(Order::End) => return Poll::Ready(Err(Left::Cut)),
            Some(Order::Leave) => return Poll::Ready(Err(Left::Over)),
            Some(Order::Park) | None => (),
        }
        let mut octets = BytesMut::with_capacity(REQUEST_SIZE_MAX);
        let polled = pin!(guarded.bare().read_buf(&mut octets)).poll(context);
        polled.map(|read| if read.is_ok_and(|count| count > 0) { Ok(octets) } else { Err(Left::Cut) })
    })
    .await
}

/// Answers the requests that lie in the octets; none is left if the connection is idle again.
async fn serve_all(octets: BytesMut, guarded: &mut Guarded, client: &Rc<Client>) -> Option<Left> {
    client.heard();
    let mut peer = Peer { guarded, more: octets };
    while !peer.more.is_empty() {
        let Some(request) = Request::read(&peer.more, client) else {
            peer.guarded.put_back(peer.more);
            return Some(Left::Hyper);
        };
        peer.more.advance(request.size);
        match serve_one(request, &mut peer, client).await {
            Next::Request if client.is_leaving() => return Some(Left::Over),
            Next::Request => (),
            Next::Over => return Some(Left::Over),
            Next::Cut => return Some(Left::Cut),
        }
    }
    None
}

/// Answers one request.
async fn serve_one(request: Request, peer: &mut Peer<'_>, client: &Rc<Client>) -> Next {
    let exchange = Exchange::begin(client);
    exchange.is_about(&request.host, request.record(client));
    exchange.received(request.body_size);
    exchange.belongs_to(client.worker.route_stats(request.route.id()));
    exchange.record.borrow().set_route(request.route.id());
    match ask::ask(&request, peer, &exchange).await {
        Ok(asked) => relay::relay(asked, &request, peer, &exchange).await,
        Err(Miss::Gone) => {
            exchange.ends(false);
            Next::Cut
        }
        Err(Miss::Failed(failure)) => page::give_page(&failure, &request, peer, &exchange).await,
    }
}
