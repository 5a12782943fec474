//! WebSocket, and whatever else begins as HTTP/1.1 and goes on as something else.
//!
//! A client asks by `Upgrade` (HTTP/1.1) or by an extended CONNECT (RFC 8441, HTTP/2); the app is always asked by `Upgrade`
//! on a connection of its own. If it agrees, octets go both ways as they come ([`super::tunnel`]); if not, its answer is
//! handed back like any other.
//!
//! Never passed on are h2c and TLS: they would let a client speak behind our back with an app that takes it for us.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::ext::Protocol;
use hyper::header::{CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;
use tokio::task::spawn_local;

use super::answer::{Answer, Upload};
use super::balance::Turn;
use super::exchange::Exchange;
use super::failure::Failure;
use super::forward::address;
use super::headers::{self, names};
use super::inflow::Inflow;
use super::tunnel;
use super::upstream::Stream;
use crate::route::Protocol as AppProtocol;

const SEC_WEBSOCKET_ACCEPT: HeaderName = HeaderName::from_static("sec-websocket-accept");

/// What the client wants to speak.
pub(super) enum Wanted {
    /// Asked for by `Upgrade`.
    Upgrade(HeaderValue),
    /// WebSocket on a stream of HTTP/2.
    Stream,
}

/// The other end of a tunnel, with what it already said.
pub(super) type Far = http1::Parts<TokioIo<Stream>>;

/// What the client wants to speak, if it wants to and may.
pub(super) fn wanted(request: &Request<Inflow>) -> Option<Wanted> {
    if request.version() == Version::HTTP_2 {
        return (request.method() == Method::CONNECT && request.extensions().get::<Protocol>().is_some())
            .then_some(Wanted::Stream);
    }
    let asks =
        request.headers().get_all(CONNECTION).iter().flat_map(names).any(|name| name.eq_ignore_ascii_case("upgrade"));
    let mut protocols = request.headers().get_all(UPGRADE).iter();
    let (protocol, None) = (protocols.next()?, protocols.next()) else { return None };
    let word = protocol.to_str().ok()?;
    let plain =
        !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._+/".contains(&octet));
    let lower = word.to_ascii_lowercase();
    let forbidden = lower.starts_with("h2") || lower.starts_with("http/") || lower.starts_with("tls");
    let allowed = request.version() == Version::HTTP_11 && request.body().is_end_stream();
    (asks && plain && !forbidden && allowed).then(|| Wanted::Upgrade(protocol.clone()))
}

/// Asks the apps of a route to switch, one after the other as long as none takes the connection. `client` is the request of
/// the client, whose connection is taken over where HTTP/2 is spoken.
pub(super) async fn switch(
    wanted: Wanted,
    mut client: Request<Upload>,
    mut turn: Turn,
    exchange: &Rc<Exchange>,
) -> Result<Response<()>, Failure> {
    let upgrade = matches!(wanted, Wanted::Stream).then(|| hyper::upgrade::on(&mut client));
    let protocol = match &wanted {
        Wanted::Upgrade(protocol) => protocol.clone(),
        Wanted::Stream => HeaderValue::from_static("websocket"),
    };
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
        if pool.app().protocol == AppProtocol::H2c {
            outcome = Failure::ProtocolRefused;
            continue;
        }
        let (sender, connection) = match exchange.connecting(pool.open_undriven()).await {
            Ok(opened) => opened,
            Err(failure) => {
                turn.failed(&failure);
                outcome = failure;
                continue;
            }
        };
        exchange.client.worker.stats().connected.add(1);
        let request = app_request(&wanted, &client, &protocol, exchange);
        let asked = ask(sender, connection, request, exchange).await;
        let (answer, far) = asked.inspect_err(|failure| turn.failed(failure))?;
        turn.answered(answer.status().as_u16());
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            // On a stream any 2xx would say that the app agreed (RFC 8441, section 5).
            let misread = upgrade.is_some() && answer.status().is_success();
            return if misread { Err(Failure::ProtocolRefused) } else { Ok(declined(answer, exchange)) };
        }
        let agreed = answer.headers().get(UPGRADE).is_some_and(|agreed| same(agreed, &protocol));
        let far = far.await.ok().filter(|_| agreed).ok_or(Failure::AppGarbled)?;
        exchange.tunnels();
        exchange.put_answer(Answer::Nothing);
        return Ok(match upgrade {
            Some(upgrade) => {
                spawn_local(tunnel::on_stream(upgrade, far, Rc::clone(exchange)));
                accepted_stream(answer)
            }
            None => {
                exchange.client.tunnel(far, exchange);
                accepted_upgrade(answer, protocol)
            }
        });
    }
}

fn same(agreed: &HeaderValue, protocol: &HeaderValue) -> bool {
    agreed.as_bytes().eq_ignore_ascii_case(protocol.as_bytes())
}

/// The request as the app gets it.
fn app_request(
    wanted: &Wanted,
    client: &Request<Upload>,
    protocol: &HeaderValue,
    exchange: &Rc<Exchange>,
) -> Request<Upload> {
    let mut request = Request::new(Upload::empty(exchange));
    *request.uri_mut() = client.uri().clone();
    *request.headers_mut() = client.headers().clone();
    *request.method_mut() = client.method().clone();
    if matches!(wanted, Wanted::Stream) {
        *request.method_mut() = Method::GET;
        // RFC 8441 has no key; over HTTP/1.1 the app wants to see one (RFC 6455, section 4.1).
        let random = &exchange.client.worker.random;
        let key = [random.next().to_ne_bytes(), random.next().to_ne_bytes()].concat();
        if let Ok(key) = HeaderValue::from_str(&STANDARD.encode(key)) {
            request.headers_mut().insert(SEC_WEBSOCKET_KEY, key);
        }
    }
    address(&mut request, AppProtocol::Http, false);
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    request.headers_mut().insert(UPGRADE, protocol.clone());
    request
}

/// Sends the request. The connection is driven on its own; when HTTP is over on it, what is left of it comes out at the
/// other end of the channel.
async fn ask(
    mut sender: http1::SendRequest<Upload>,
    mut connection: http1::Connection<TokioIo<Stream>, Upload>,
    request: Request<Upload>,
    exchange: &Rc<Exchange>,
) -> Result<(Response<Incoming>, oneshot::Receiver<Far>), Failure> {
    let (give, take) = oneshot::channel();
    spawn_local(async move {
        if poll_fn(|context| Pin::new(&mut connection).poll(context)).await.is_ok() {
            let _ = give.send(connection.into_parts());
        }
    });
    exchange.asks(false);
    match exchange.in_time(sender.send_request(request)).await {
        Ok(Ok(answer)) => Ok((answer, take)),
        Ok(Err(error)) if error.is_parse() => Err(Failure::AppGarbled),
        Ok(Err(_)) => Err(Failure::AppClosed),
        Err(late) => Err(late.into()),
    }
}

/// The app would rather go on with HTTP.
fn declined(answer: Response<Incoming>, exchange: &Exchange) -> Response<()> {
    let (mut head, body) = answer.into_parts();
    headers::strip_answer(&mut head.headers);
    head.extensions.clear();
    head.version = Version::HTTP_11;
    exchange.put_answer(Answer::App(body, None));
    Response::from_parts(head, ())
}

fn accepted_upgrade(answer: Response<Incoming>, protocol: HeaderValue) -> Response<()> {
    let (mut head, _) = answer.into_parts();
    headers::strip_answer(&mut head.headers);
    head.extensions.clear();
    head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    head.headers.insert(UPGRADE, protocol);
    Response::from_parts(head, ())
}

fn accepted_stream(answer: Response<Incoming>) -> Response<()> {
    let (mut head, _) = answer.into_parts();
    headers::strip_answer(&mut head.headers);
    head.extensions.clear();
    head.headers.remove(SEC_WEBSOCKET_ACCEPT);
    head.status = StatusCode::OK;
    Response::from_parts(head, ())
}

/// Octets that came with the last of HTTP.
pub(super) fn said(far: Far) -> (Stream, Bytes) {
    (far.io.into_inner(), far.read_buf)
}
