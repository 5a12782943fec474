//! Hands a request to an app and the answer back, and decides what may be tried again.
//!
//! A request goes out a second time only if nothing of it was sent, or if it is idempotent and has no body; and then on a
//! new connection, because it was an old one that let it down, or once to another app, because the first has died over it.
//! Everything else is told as it is: a POST is never sent twice.

use std::pin::pin;
use std::rc::Rc;

use hyper::body::{Body as _, Incoming};
use hyper::header::{HOST, HeaderMap, HeaderValue};
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{Method, Request, Response, StatusCode, Uri, Version};

use super::answer::{Answer, Upload};
use super::balance::Turn;
use super::exchange::Exchange;
use super::failure::Failure;
use super::headers;
use super::upstream::{Home, Pool, Unsent};
use crate::route::Protocol;

/// How often a request of which nothing was sent goes out.
const TRIES_MAX: u32 = 3;

/// Why an app did not answer.
enum Miss {
    /// It does not take connections, or has let down a request that may go out again: another app may take it.
    NotTaken(Box<Request<Upload>>, Failure),
    /// It had the request, or may have had it.
    Failed(Failure),
}

/// Asks the apps of a route, one after the other as long as none has the request. If none takes it, it is held for a while: an
/// app that restarts is back soon.
pub(super) async fn forward(
    request: Request<Upload>,
    mut turn: Turn,
    exchange: &Rc<Exchange>,
) -> Result<Response<()>, Failure> {
    let mut request = Box::new(request);
    let mut outcome = Failure::Drained;
    loop {
        let Some(place) = turn.next(exchange.client.worker.groups.random()) else {
            if turn.hold(&outcome).await {
                continue;
            }
            return Err(outcome);
        };
        let pool = exchange.announced(place.pool());
        exchange.is_for(place);
        match ask(&pool, *request, &mut turn, exchange).await {
            Ok((answer, home)) => {
                turn.answered(answer.status().as_u16());
                return hand_back(answer, home, exchange);
            }
            Err(Miss::NotTaken(back, failure)) => {
                turn.failed(&failure);
                (request, outcome) = (back, failure);
            }
            Err(Miss::Failed(failure)) => {
                turn.failed(&failure);
                return Err(failure);
            }
        }
    }
}

async fn ask(
    pool: &Rc<Pool>,
    mut request: Request<Upload>,
    turn: &mut Turn,
    exchange: &Rc<Exchange>,
) -> Result<(Response<Incoming>, Home), Miss> {
    let stats = exchange.client.worker.stats();
    let (harmless, mut fresh) = (is_harmless(&request), false);
    for attempt in 1.. {
        let link = match exchange.connecting(pin!(pool.link(fresh, !harmless))).await {
            Ok(link) => link,
            Err(failure) => return Err(Miss::NotTaken(Box::new(request), failure)),
        };
        if link.is_reused() {
            stats.reused.add(1)
        } else {
            stats.connected.add(1)
        }
        address(&mut request, pool.app().protocol, link.is_http2());
        let spare = harmless.then(|| again(&request, exchange));
        let (spoke_http2, reused) = (link.is_http2(), link.is_reused());
        exchange.asks(is_patient(request.headers()));
        match exchange.in_time(pin!(link.send(request))).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(Unsent { request: Some(back), .. })) if attempt < TRIES_MAX => request = back,
            Ok(Err(Unsent { error, .. })) => match (spare, explain(&error, spoke_http2, exchange)) {
                (Some(spare), _) if reused && exchange.late().is_none() => request = spare,
                (Some(spare), Failure::AppClosed) if turn.may_repeat() => {
                    stats.retried.add(1);
                    return Err(Miss::NotTaken(Box::new(spare), Failure::AppClosed));
                }
                (_, failure) => {
                    if reused && !harmless && matches!(failure, Failure::AppClosed) {
                        pool.hung_up();
                    }
                    return Err(Miss::Failed(failure));
                }
            },
            Err(late) => return Err(Miss::Failed(late.into())),
        }
        stats.retried.add(1);
        fresh = true;
    }
    Err(Miss::Failed(Failure::AppClosed))
}

/// Whether a request changes nothing and has no body (RFC 9110, section 9.2.2): to send it twice does no harm.
fn is_harmless(request: &Request<Upload>) -> bool {
    let method = request.method();
    request.body().is_end_stream() && (method.is_idempotent() && *method != Method::CONNECT)
}

/// Whether a body is a stream of messages that takes its time, rather than something to hand in.
fn is_patient(headers: &HeaderMap) -> bool {
    let kind = headers.get(hyper::header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
}

/// The same request once more; it has no body.
fn again(request: &Request<Upload>, exchange: &Rc<Exchange>) -> Request<Upload> {
    let mut again = Request::new(Upload::empty(exchange));
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.version_mut() = request.version();
    *again.headers_mut() = request.headers().clone();
    again
}

/// Writes the target as the connection wants it: HTTP/1.1 the path, with the host in its field; HTTP/2 all of it.
pub(super) fn address(request: &mut Request<Upload>, protocol: Protocol, http2: bool) {
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    if !http2 {
        *request.version_mut() = Version::HTTP_11;
        *request.uri_mut() = Uri::from(path);
        headers::join_cookies(request.headers_mut());
        return;
    }
    *request.version_mut() = Version::HTTP_2;
    let scheme = match protocol {
        Protocol::Http | Protocol::H2c => Scheme::HTTP,
        Protocol::Https | Protocol::HttpsUnchecked | Protocol::Tls => Scheme::HTTPS,
    };
    let host = request.headers().get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let uri = host.and_then(|host| Uri::builder().scheme(scheme).authority(host).path_and_query(path).build().ok());
    if let Some(uri) = uri {
        *request.uri_mut() = uri;
        request.headers_mut().remove(HOST);
    }
}

fn explain(error: &hyper::Error, http2: bool, exchange: &Exchange) -> Failure {
    if let Some(late) = exchange.late() {
        return late.into();
    }
    let from_upload = error.is_user() || error.is_body_write_aborted();
    if from_upload {
        Failure::UploadBroken
    } else if error.is_parse() || (http2 && !error.is_closed() && !error.is_canceled()) {
        Failure::AppGarbled
    } else {
        Failure::AppClosed
    }
}

/// The answer as the client gets it.
pub(super) fn hand_back(answer: Response<Incoming>, home: Home, exchange: &Exchange) -> Result<Response<()>, Failure> {
    let (mut head, body) = answer.into_parts();
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Failure::AppGarbled); // nobody asked for it, and what follows is no answer
    }
    headers::strip_answer(&mut head.headers);
    head.extensions.clear();
    head.version = Version::HTTP_11; // the app's own says nothing about what the client understands
    exchange.put_answer(Answer::App(body, Some(home)));
    Ok(Response::from_parts(head, ()))
}
