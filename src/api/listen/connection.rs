//! One connection, whatever carries it: HTTP/1.1 or HTTP/2, with a limit on everything.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Version, header};
use axum::response::{IntoResponse, Response};
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tower::ServiceExt;

use super::super::caller::Caller;
use super::super::problem::{Busy, Problem};
use super::body::{Paced, Told};
use super::guard;
use super::pulse::{End, Felt, Pulse, Times};
use crate::limits;

/// Octets of a request that may be on their way over HTTP/2, on a stream and on all together.
const WINDOW_SIZE: u32 = 256 << 10;
/// Octets of header fields over HTTP/2, decoded.
const HTTP2_HEAD_SIZE_MAX: u32 = 16 << 10;
/// Streams that a client opened and took back before they were looked at (CVE-2023-44487).
const HTTP2_RESETS_MAX: usize = 20;
/// Streams that a client gets wrong, until the connection is ended: those above the limit count.
const HTTP2_FAULTS_MAX: usize = 2 * limits::ADMIN_STREAMS_MAX as usize;
/// How often a client over HTTP/2 is asked whether it is there, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(20);

/// What answers requests.
#[derive(Clone)]
pub(super) enum Desk {
    /// The API.
    Open(Router),
    /// There are too many connections already: whoever comes is told so, once.
    Full,
}

/// How connections are served.
pub(super) fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None) // the pulse has it, without the idle time
        .max_headers(limits::ADMIN_HEADERS_MAX)
        .max_buf_size(limits::ADMIN_HEAD_SIZE_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits::ADMIN_STREAMS_MAX)
        .max_pending_accept_reset_streams(HTTP2_RESETS_MAX)
        .max_local_error_reset_streams(HTTP2_FAULTS_MAX)
        .max_header_list_size(HTTP2_HEAD_SIZE_MAX)
        .initial_stream_window_size(WINDOW_SIZE)
        .initial_connection_window_size(WINDOW_SIZE)
        .max_send_buf_size(WINDOW_SIZE as usize)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_EVERY);
    builder
}

/// Serves a connection until it ends, by itself, for its client lets it hang, or because the server stops.
pub(super) async fn serve<S>(stream: S, caller: Caller, desk: Desk, times: Times, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pulse = Pulse::new(times);
    let io = TokioIo::new(Felt { stream, pulse: Arc::clone(&pulse) });
    let service = service_fn(|request| answer(request, caller.clone(), desk.clone(), Arc::clone(&pulse)));
    let builder = builder();
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut sleep = pin!(tokio::time::sleep(times.head));
    let mut leaving = false;
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(fault) = ended {
                    tracing::debug!(%fault, "a connection to the admin API broke off");
                }
                return;
            }
            _ = stop.changed(), if !leaving => (),
            end = pulse.over(sleep.as_mut()) => match end {
                End::Leave => (),
                End::Cut => {
                    tracing::debug!("a connection to the admin API was cut: its client let it hang");
                    return;
                }
            }
        }
        leaving = true;
        pulse.leave();
        connection.as_mut().graceful_shutdown();
    }
}

async fn answer(
    request: Request<Incoming>,
    caller: Caller,
    desk: Desk,
    pulse: Arc<Pulse>,
) -> Result<Response<Told>, Infallible> {
    let working = pulse.work(request.version() == Version::HTTP_2);
    let response = match desk {
        Desk::Open(router) => {
            let stall = pulse.times().stall;
            let mut request = request.map(|body| Body::new(Paced::new(body, stall, Arc::clone(&pulse))));
            request.extensions_mut().insert(ConnectInfo(caller));
            let Ok(response) = router.oneshot(request).await;
            response
        }
        Desk::Full => {
            pulse.dismiss();
            guard::dress(full()).await
        }
    };
    Ok(response.map(|body| Told::new(body, working.answered())))
}

/// The answer to whoever comes when all places are taken.
fn full() -> Response {
    let detail = "too many connections to the admin API".to_owned();
    let hint = "close those that are not used, and try again in a moment";
    let problem = Problem::new(Busy, detail, hint);
    let mut response = problem.into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
    response
}
