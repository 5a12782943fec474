//! The short way for requests over HTTP/2. hyper serves the connection, so that a request comes as a map of fields; but from there
//! on it is as over HTTP/1.1: the head is written for the app in one pass, and the answer read where it lies. Between the
//! two there is no second map, no task and no channel.
//!
//! What goes this way is what would over HTTP/1.1 (`request.rs`), without a body. All else goes to `proxy.rs`, untouched.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;

use hyper::body::{Body as _, Incoming};
use hyper::header::{ACCEPT, ALT_SVC, COOKIE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::answer::{self, Sheet, Terms};
use super::ask::{Asked, Miss, Near, ask};
use super::request::{Line, Request, find, write_field};
use super::rest::Rest;
use crate::edge::answer::Body;
use crate::edge::balance::stick;
use crate::edge::client::Client;
use crate::edge::exchange::Exchange;
use crate::edge::failure::Failure;
use crate::edge::headers::is_unwanted;
use crate::edge::inflow::Inflow;
use crate::edge::log::Record;
use crate::edge::pages::{self, Form};
use crate::edge::proxy;

/// Answers a request.
///
/// The future is copied on its way into a task, so it is kept small: an `async fn` would have room for its arguments twice, and
/// what is seldom needed is in boxes of its own.
#[allow(clippy::manual_async_fn, reason = "an `async fn` would be larger")]
pub(in crate::edge) fn handle(
    asked: hyper::Request<Incoming>,
    client: Rc<Client>,
) -> impl Future<Output = Result<Response<Body>, Infallible>> {
    async move {
        match read(&asked, &client).map(Box::new) {
            None => Box::pin(proxy::handle(asked.map(Inflow::Hyper), client)).await,
            Some(request) => {
                let exchange = begin(&asked, &request, &client);
                drop(asked);
                let answer = proxy::outcome(pin!(answer(&request, &exchange))).await;
                Ok(give(answer, &request, exchange))
            }
        }
    }
}

fn begin(asked: &hyper::Request<Incoming>, request: &Request, client: &Rc<Client>) -> Rc<Exchange> {
    let exchange = Exchange::begin(client);
    let head = (asked.method(), asked.uri(), asked.version(), asked.headers());
    let record = Record::of(&client.worker.shared.log, head, &request.host, client.address().ip());
    exchange.is_about(&request.host, record);
    exchange.belongs_to(client.worker.route_stats(request.route.id()));
    exchange.record.borrow().set_route(request.route.id());
    exchange
}

fn give(answer: Option<Result<Response<()>, Failure>>, request: &Request, exchange: Rc<Exchange>) -> Response<Body> {
    let answer = answer.unwrap_or_else(|| {
        exchange.client.worker.stats().panics.add(1);
        Err(Failure::Panic)
    });
    let response = answer.unwrap_or_else(|failure| {
        exchange.begins_anew(); // whatever was late, the page is not
        let mut page = pages::show(&failure, request.form, &exchange);
        if let Some(offer) = exchange.client.http3_offer() {
            page.headers_mut().insert(ALT_SVC, offer.clone());
        }
        page
    });
    exchange.answers(response.status().as_u16());
    response.map(|()| Body::new(exchange))
}

/// A request as its app gets it, if it can go this way.
fn read(asked: &hyper::Request<Incoming>, client: &Client) -> Option<Request> {
    if client.is_trusted() || !asked.body().is_end_stream() {
        return None;
    }
    let (uri, headers) = (asked.uri(), asked.headers());
    let host = uri.authority().filter(|_| matches!(uri.scheme_str(), Some("https" | "http")))?.as_str();
    let line = Line::new(asked.method().as_str(), uri.path_and_query()?.as_str())?;
    let route = find(&line, host, client)?;
    let mut outgoing = Vec::with_capacity(1 << 10);
    line.write(host, &mut outgoing);
    write_fields(headers, &mut outgoing)?;
    client.stamp().write(host.as_bytes(), &mut outgoing);
    outgoing.extend_from_slice(b"\r\n");
    let random = client.worker.groups.random();
    Some(Request {
        size: 0,
        body_size: 0,
        outgoing,
        key: stick(&route.options().balance, headers, client.address().ip(), true, random).key,
        route,
        host: HeaderValue::from_str(host).ok()?,
        head_only: line.is_head(),
        harmless: line.is_harmless(),
        last: false,
        form: Form::of(headers.get(ACCEPT)),
        noted: None,
    })
}

/// Writes the fields that the app may see; none if there is one among them that has to be thought about. Cookies that came
/// one by one are one field again (RFC 9113, section 8.2.3).
fn write_fields(headers: &HeaderMap, out: &mut Vec<u8>) -> Option<()> {
    let (mut cookies, mut lengths) = (0, 0);
    for (name, value) in headers {
        match name.as_str() {
            "keep-alive" | "proxy-connection" => continue,
            "te" if value == "trailers" => (), // Firefox always says so; the app's are handed on
            "host" | "connection" | "upgrade" | "expect" | "te" | "trailer" | "transfer-encoding" | "via"
            | "http2-settings" => return None,
            "content-length" if value == "0" && lengths == 0 => lengths += 1,
            "content-length" => return None,
            "cookie" if cookies > 0 => continue,
            "cookie" => {
                cookies += 1;
                let all: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
                write_field("cookie", &all.join(&b"; "[..]), out);
                continue;
            }
            name if is_unwanted(name, false) => continue,
            _ => (),
        }
        write_field(name.as_str(), value.as_bytes(), out);
    }
    Some(())
}

async fn answer(request: &Request, exchange: &Rc<Exchange>) -> Result<Response<()>, Failure> {
    let Asked { app, head, front, octets, .. } = match ask(request, &mut Stream, exchange).await {
        Ok(asked) => asked,
        Err(Miss::Failed(failure)) => return Err(failure),
        Err(Miss::Gone) => return Err(Failure::AppClosed), // nobody will see it
    };
    let rest = Rest::new(app, head, octets).map_err(|_| Failure::AppGarbled)?;
    exchange.put_answer(rest.into_answer());
    let mut response = Response::new(());
    *response.status_mut() = front.status;
    *response.headers_mut() = front.headers;
    Ok(response)
}

/// The client's side: when it goes, hyper drops all that is done for it, so nobody has to look.
struct Stream;

impl Near for Stream {
    type Front = Front;

    async fn unless_gone<T>(&mut self, work: impl Future<Output = T>, _: &Client) -> Option<T> {
        Some(work.await)
    }

    /// h2 sends one head for each request: hints end here, as they do on the long way.
    async fn hint(&mut self, _: &Front, _: &Exchange) -> bool {
        true
    }
}

/// The head of an answer as hyper wants it. The date, where there is none, it writes itself.
#[derive(Default)]
struct Front {
    status: StatusCode,
    headers: HeaderMap,
}

impl Sheet for Front {
    fn begin(&mut self, status: u16, _: &str) {
        self.status = StatusCode::from_u16(status).unwrap_or_default();
        self.headers.clear();
    }

    fn field(&mut self, name: &str, value: &[u8]) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
            self.headers.append(name, value);
        }
    }

    fn end_interim(&mut self) {}

    fn end(&mut self, _: &answer::Body, _: bool, _: &Terms<'_>) {}
}
