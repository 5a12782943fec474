//! One client's connection from the first request to the last: HTTP/1.1 or HTTP/2 by hyper, the limits by us.
//!
//! A request over HTTP/1.1 goes the short way (`direct/`) if it can; if not, hyper takes the connection with the octets as they came.
//! When the connection then waits for its next request, hyper is taken apart, and the bare stream waits without a buffer: that is what
//! makes thousands of idle connections cheap.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::client::{Client, Order};
use super::direct;
use super::inflow::Inflow;
use super::proxy;
use super::stream::{Gathered, Guarded, Stream};
use super::tls::Spoken;
use super::tunnel;
use super::upstream::LocalTasks;
use crate::limits::{APP_BUFFER_SIZE, CLIENT_CONNECTION_WINDOW, CLIENT_STREAM_WINDOW};

/// Streams that a client may have reset while nobody has looked at them yet (CVE-2023-44487).
const UNSEEN_RESETS_MAX: usize = 32;
/// Streams that we may have reset for the client's faults.
const FAULTY_STREAMS_MAX: usize = 64;

/// Serves a connection to its end.
pub(super) async fn serve(stream: Stream, client: Rc<Client>) {
    if client.spoken() == Spoken::Http2 {
        Box::pin(serve_http2(stream, &client)).await;
    } else {
        serve_http1(stream, &client).await;
    }
}

/// Why hyper was left.
enum Left {
    /// The connection is idle.
    Parked,
    /// HTTP is over on it, in whatever way.
    Over,
    /// It is to end at once.
    Cut,
}

async fn serve_http1(stream: Stream, client: &Rc<Client>) {
    let mut guarded = Guarded::new(stream, Rc::clone(client));
    loop {
        if !guarded.has_read() {
            match direct::serve(&mut guarded, client).await {
                direct::Left::Hyper => (),
                direct::Left::Over => return Box::pin(part(guarded, client)).await,
                direct::Left::Cut => return,
            }
        }
        // In a box of its own, so that a parked connection holds none of it.
        let (left, stream, read) = Box::pin(run_http1(guarded, client)).await;
        match left {
            Left::Cut => return drop(client.take_tunnel()),
            Left::Over => return Box::pin(go_on(stream, read, client)).await,
            Left::Parked => guarded = stream.with_read(read),
        }
        if guarded.has_read() {
            client.heard(); // a part of the next request came behind the last
        }
    }
}

/// Has hyper serve a connection until it is idle or over. What is left of it comes back, with octets that hyper has not
/// looked at.
async fn run_http1(guarded: Guarded, client: &Rc<Client>) -> (Left, Guarded, Bytes) {
    let limits = &client.worker.shared.settings.clients;
    let mut builder = http1::Builder::new();
    builder
        .half_close(false)
        .max_headers(limits.headers_max as usize)
        .max_buf_size((limits.head_size_max as usize).max(APP_BUFFER_SIZE))
        .max_header_size(limits.head_size_max as usize);
    let service = service_fn(|request: Request<Incoming>| proxy::handle(request.map(Inflow::Hyper), Rc::clone(client)));
    let mut connection = builder.serve_connection(TokioIo::new(guarded), service);
    let left = poll_fn(|context| {
        let order = client.poll_order(context);
        match order {
            Some(Order::End) => return Poll::Ready(Left::Cut),
            Some(Order::Leave) => Pin::new(&mut connection).graceful_shutdown(),
            Some(Order::Park) | None => (),
        }
        if Pin::new(&mut connection).poll(context).is_ready() {
            return Poll::Ready(Left::Over);
        }
        let parked = order == Some(Order::Park) && client.is_idle();
        if parked { Poll::Ready(Left::Parked) } else { Poll::Pending }
    })
    .await;
    let parts = connection.into_parts();
    (left, parts.io.into_inner(), parts.read_buf)
}

/// The last answer was given.
async fn part(mut guarded: Guarded, client: &Client) {
    if guarded.finish().await && !client.is_leaving() {
        guarded.linger().await;
    }
}

/// HTTP is over: if another protocol was agreed on, it goes on with that.
async fn go_on(guarded: Guarded, read: Bytes, client: &Client) {
    if let Some((far, exchange)) = client.take_tunnel() {
        tunnel::carry(guarded.into_stream(), read, far, &exchange).await;
        exchange.ends(true);
    } else if !client.is_leaving() {
        guarded.linger().await;
    }
}

async fn serve_http2(stream: Stream, client: &Rc<Client>) {
    let limits = &client.worker.shared.settings.clients;
    let mut builder = http2::Builder::new(LocalTasks);
    builder
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(limits.head_size_max)
        .initial_stream_window_size(CLIENT_STREAM_WINDOW)
        .initial_connection_window_size(CLIENT_CONNECTION_WINDOW)
        .max_send_buf_size(APP_BUFFER_SIZE)
        .max_pending_accept_reset_streams(UNSEEN_RESETS_MAX)
        .max_local_error_reset_streams(FAULTY_STREAMS_MAX)
        .enable_connect_protocol();
    let service = service_fn(|request| direct::handle(request, Rc::clone(client)));
    let stream = Gathered::new(Guarded::new(stream, Rc::clone(client)));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream.clone()), service));
    poll_fn(|context| {
        match client.poll_order(context) {
            Some(Order::End) => return Poll::Ready(()),
            Some(Order::Leave) => connection.as_mut().graceful_shutdown(),
            Some(Order::Park) | None => (),
        }
        if connection.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        match stream.poll_give(context) {
            Poll::Ready(Err(_)) => Poll::Ready(()),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    })
    .await;
}
