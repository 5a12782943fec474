//! One request, phase by phase, on one page.
//!
//! Whatever happens, there is an answer, and the request is counted and noted down once: from its beginning on, the body
//! of the answer stands for it ([`super::answer::Body`]), however it ends.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use hyper::body::Bytes;
use hyper::header::{ACCEPT, ALT_SVC, CONNECTION, CONTENT_TYPE, HOST, HeaderValue, SET_COOKIE, UPGRADE, VIA};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};

use super::admit::{Asked, admit};
use super::answer::{Answer, Body, Upload};
use super::client::Client;
use super::exchange::Exchange;
use super::failure::Failure;
use super::forwarded::{self, Origin};
use super::inflow::Inflow;
use super::log::Record;
use super::pages::{self, Form};
use super::tls::Spoken;
use super::{balance, cache, compress, dns, files, forward, headers, redirect, rules, upgrade};
use crate::route::{Route, Target};

/// Where a CA looks for the answer to its HTTP-01 challenge (RFC 8555, section 8.3).
pub(super) const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// Answers a request.
pub(super) async fn handle(request: Request<Inflow>, client: Rc<Client>) -> Result<Response<Body>, Infallible> {
    let exchange = Exchange::begin(&client);
    let body = Body::new(Rc::clone(&exchange));
    let accept = request.headers().get(ACCEPT).cloned();
    let asked_to_switch = client.speaks_http1() && request.headers().contains_key(UPGRADE);
    let answer = outcome(pin!(serve(request, &exchange))).await.unwrap_or_else(|| {
        client.worker.stats().panics.add(1);
        Err(Failure::Panic)
    });
    let mut response = answer.unwrap_or_else(|failure| {
        exchange.begins_anew(); // whatever was late, the page is not
        pages::show(&failure, Form::of(accept.as_ref()), &exchange)
    });
    if asked_to_switch && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        // The strict gate looks no further on a connection that was to be something else (see `strict.rs`).
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(offer) = client.http3_offer() {
        response.headers_mut().insert(ALT_SVC, offer.clone());
    }
    rules::finish(response.headers_mut(), &exchange);
    exchange.answers(response.status().as_u16());
    Ok(response.map(|()| body))
}

/// What comes of a future; none if it panics. A panic ends one request, and neither its connection nor the thread. The future is
/// best pinned already: whatever an `async fn` is given takes its room twice.
pub(super) async fn outcome<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
    })
    .await
}

async fn serve(request: Request<Inflow>, exchange: &Rc<Exchange>) -> Result<Response<()>, Failure> {
    let client = &exchange.client;
    let asked = admit(&request, client.secure.as_ref().map(|secure| &*secure.server_name))?;
    let origin = Origin::of(client, request.headers());
    take_note(&request, &asked, origin, exchange);
    if client.secure.is_none()
        && let Some(answer) = challenge(&request, asked.host(), exchange)
    {
        return Ok(answer);
    }
    if (origin.secure || client.secure.is_some())
        && let Some(queries) = &client.worker.queries
        && queries.are_at(asked.host(), request.uri().path())
    {
        return dns::answer(request, queries, origin.address, exchange).await;
    }
    let (route, rest) = match find(&request, &asked, origin, exchange)? {
        Found::Route(route, rest) => (route, rest),
        Found::Https(port) => return Ok(redirect::to_https(request.method(), asked.host(), request.uri(), port)),
    };
    if let Some(answer) = rules::admit(&request, &route, (&asked, origin), exchange).await? {
        return Ok(answer);
    }
    if let Some(text) = route.options().maintenance.text() {
        return Err(Failure::Maintenance(text.into()));
    }
    let wish = compress::Wish::of(&request, &route);
    let answer = along(&route, rest, request, (&asked, origin), exchange).await?;
    Ok(compress::fit(answer, wish, &route, exchange))
}

/// Answers a request along its route.
async fn along(
    route: &Arc<Route>,
    rest: usize,
    request: Request<Inflow>,
    (asked, origin): (&Asked, Origin),
    exchange: &Rc<Exchange>,
) -> Result<Response<()>, Failure> {
    match route.target() {
        Target::Redirect(target) => {
            let rest = &request.uri().path()[rest..];
            Ok(redirect::along_route(target, rest, request.uri()))
        }
        Target::Folder(folder) => files::answer(&request, folder, rest, exchange).await,
        Target::Apps(_) => {
            let wanted = upgrade::wanted(&request);
            let (mut head, body) = request.into_parts();
            let client = &exchange.client;
            let secure = origin.secure || client.secure.is_some();
            let stick = balance::stick(
                &route.options().balance,
                &head.headers,
                origin.address,
                secure,
                client.worker.groups.random(),
            );
            let turn = client.worker.turn(route, stick.key);
            prepare(&mut head, asked, origin, client)?;
            rules::prepare(&mut head, rest, exchange)?;
            let mut request = Request::from_parts(head, Upload::new(body, exchange));
            if let Some(wanted) = wanted {
                return upgrade::switch(wanted, request, turn, exchange).await;
            }
            request.extensions_mut().clear();
            let mut answer = match &route.options().cache {
                Some(wanted) => cache::answer(request, (route, wanted), turn, exchange).await?,
                None => forward::forward(request, turn, exchange).await?,
            };
            answer.headers_mut().extend(stick.cookie.map(|cookie| (SET_COOKIE, cookie)));
            Ok(answer)
        }
    }
}

/// Where a request leads.
enum Found {
    /// Along a route; behind so many octets of the path is what the route's own path leaves of it.
    Route(Arc<Route>, usize),
    /// To this port, to be asked again over HTTPS.
    Https(u16),
}

fn find(request: &Request<Inflow>, asked: &Asked, origin: Origin, exchange: &Exchange) -> Result<Found, Failure> {
    let worker = &exchange.client.worker;
    let snapshot = worker.shared.snapshots.load();
    let path = request.uri().path();
    let found = snapshot.routes.find(asked.host(), path);
    let secure = origin.secure || exchange.client.secure.is_some();
    let open = secure || found.is_some_and(|found| found.route.plain_http());
    if !open && let Some(port) = worker.shared.https_port {
        return if snapshot.routes.knows(asked.host()) { Ok(Found::Https(port)) } else { Err(Failure::HostUnknown) };
    }
    let Some(found) = found else {
        let known = snapshot.routes.knows(asked.host());
        return Err(if known { Failure::PathUnknown } else { Failure::HostUnknown });
    };
    if found.route.is_passed() {
        return Err(Failure::Misdirected); // what it would be passed on to is another connection
    }
    exchange.belongs_to(worker.route_stats(found.route.id()));
    exchange.record.borrow().set_route(found.route.id());
    Ok(Found::Route(Arc::clone(found.route), path.len() - found.rest.len()))
}

/// Makes of the client's head what the app gets.
fn prepare(head: &mut Parts, asked: &Asked, origin: Origin, client: &Client) -> Result<(), Failure> {
    let shared = &client.worker.shared;
    headers::strip_request(&mut head.headers, client.is_trusted(), &shared.mark)?;
    forwarded::tell(&mut head.headers, client, origin, &asked.authority);
    head.headers.insert(HOST, asked.authority.clone());
    let [http1, http2, http3] = &shared.via;
    let via = match client.spoken() {
        Spoken::Http1 => http1,
        Spoken::Http2 => http2,
        Spoken::Http3 => http3,
    };
    head.headers.append(VIA, via.clone());
    Ok(())
}

fn take_note(request: &Request<Inflow>, asked: &Asked, origin: Origin, exchange: &Exchange) {
    let log = &exchange.client.worker.shared.log;
    let head = (request.method(), request.uri(), request.version(), request.headers());
    exchange.is_about(&asked.authority, Record::of(log, head, &asked.authority, origin.address));
}

/// The answer to a CA's challenge, if it is one of ours.
fn challenge(request: &Request<Inflow>, host: &str, exchange: &Exchange) -> Option<Response<()>> {
    let token = request.uri().path().strip_prefix(CHALLENGES)?;
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return None;
    }
    let proof = (exchange.client.worker.shared.challenge)(host, token)?;
    exchange.put_answer(Answer::Octets(Bytes::from(proof)));
    let mut response = Response::new(());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    Some(response)
}
