//! Asks somebody else whether a request may pass: Authelia, Authentik, oauth2-proxy and their like.
//!
//! The question is a GET without a body, with the client's own fields (cookies, `Authorization`) and with what is asked for in
//! `X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri` and `-For`. An answer of 200 to 299 lets the request pass, with the fields that the
//! route copies and any `Set-Cookie`; every other one is the client's answer, redirects to a page to sign in included. Without an
//! answer in time nothing passes.

use std::future::Future;
use std::rc::Rc;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE, SET_COOKIE, TE, TRAILER,
};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Response, Uri};
use tokio::time::timeout;

use super::Ruled;
use crate::edge::answer::Upload;
use crate::edge::exchange::Exchange;
use crate::edge::failure::Failure;
use crate::edge::forward::{address, hand_back};
use crate::edge::forwarded::Origin;
use crate::edge::headers;
use crate::edge::inflow::Inflow;
use crate::edge::upstream::{Home, Pool};
use crate::route::options::{ForwardAuth, Given, GuardUrl};

/// Octets of an answer that lets pass which are read so that its connection can be used again.
const BODY_SIZE_MAX: usize = 64 << 10;

/// Fields that speak of a body, or of a version of the page, that the question does not have.
const OF_THE_PAGE: [HeaderName; 12] = [
    CONTENT_LENGTH,
    CONTENT_TYPE,
    CONTENT_ENCODING,
    TRAILER,
    TE,
    RANGE,
    IF_RANGE,
    IF_MATCH,
    IF_NONE_MATCH,
    IF_MODIFIED_SINCE,
    IF_UNMODIFIED_SINCE,
    ACCEPT_RANGES,
];

/// Asks. Nothing if the request may pass, else the answer that the client gets.
pub(super) async fn ask(
    auth: &ForwardAuth,
    request: &Request<Inflow>,
    origin: Origin,
    ruled: &Ruled,
    exchange: &Rc<Exchange>,
) -> Result<Option<Response<()>>, Failure> {
    let silent = |reason: &str| Failure::GuardSilent(reason.to_owned());
    let Some(url) = auth.url.meaning() else { return Err(silent("its URL cannot be read")) };
    let head = question(request, origin, &ruled.host, url, &exchange.client.worker.shared.mark)?;
    let (answer, home) = in_time(auth, put(url, &head, exchange)).await?;
    if !answer.status().is_success() {
        return hand_back(answer, home, exchange).map(Some);
    }
    copy(auth, answer.headers(), ruled);
    let _ = timeout(auth.seconds.0, finish(answer, home)).await; // what is left of it is of no use to anybody
    Ok(None)
}

/// Keeps what the app and the client are told of an answer that lets pass.
fn copy(auth: &ForwardAuth, answer: &HeaderMap, ruled: &Ruled) {
    let mut copied = ruled.copied.borrow_mut();
    for name in auth.copy.iter().filter_map(Given::meaning) {
        for value in answer.get_all(&name.0) {
            copied.append(&name.0, value.clone());
        }
    }
    let mut told = ruled.told.borrow_mut();
    for cookie in answer.get_all(SET_COOKIE) {
        told.append(SET_COOKIE, cookie.clone());
    }
}

async fn in_time<T>(auth: &ForwardAuth, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let outcome = timeout(auth.seconds.0, work).await;
    outcome.unwrap_or_else(|_| Err(Failure::GuardSilent("it does not answer in time".to_owned())))
}

/// The fields of the question.
fn question(
    request: &Request<Inflow>,
    origin: Origin,
    host: &HeaderValue,
    url: &GuardUrl,
    mark: &str,
) -> Result<HeaderMap, Failure> {
    let mut fields = request.headers().clone();
    headers::strip_request(&mut fields, false, mark)?;
    headers::join_cookies(&mut fields);
    for name in OF_THE_PAGE {
        fields.remove(name);
    }
    let proto = if origin.secure { "https" } else { "http" };
    let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let address = origin.address.to_string();
    for (name, text) in [
        ("x-forwarded-method", request.method().as_str()),
        ("x-forwarded-proto", proto),
        ("x-forwarded-uri", target),
        ("x-forwarded-for", &address),
        ("x-real-ip", &address),
    ] {
        let value = HeaderValue::from_str(text).map_err(|_| Failure::Unsound("The path of the request is none."))?;
        fields.insert(HeaderName::from_static(name), value);
    }
    fields.insert("x-forwarded-host", host.clone());
    fields.insert(HOST, url.host.clone());
    Ok(fields)
}

/// Puts the question, a second time on a new connection if an old one let it down.
async fn put(url: &GuardUrl, head: &HeaderMap, exchange: &Rc<Exchange>) -> Result<(Response<Incoming>, Home), Failure> {
    let pool = exchange.client.worker.apps.pool(&url.app);
    match put_once(&pool, url, head, false, exchange).await {
        Err((_, true)) => put_once(&pool, url, head, true, exchange).await,
        outcome => outcome,
    }
    .map_err(|(reason, _)| Failure::GuardSilent(format!("{}: {reason}", url.app)))
}

async fn put_once(
    pool: &Rc<Pool>,
    url: &GuardUrl,
    head: &HeaderMap,
    fresh: bool,
    exchange: &Rc<Exchange>,
) -> Result<(Response<Incoming>, Home), (String, bool)> {
    let link = pool.link(fresh, false).await;
    let link = link.map_err(|failure| (failure.secret().unwrap_or(failure.what()).to_owned(), false))?;
    let mut request = Request::new(Upload::empty(exchange));
    *request.method_mut() = Method::GET;
    *request.uri_mut() = Uri::from(url.target.clone());
    *request.headers_mut() = head.clone();
    address(&mut request, url.app.protocol, link.is_http2());
    let reused = link.is_reused();
    link.send(request).await.map_err(|unsent| (unsent.error.to_string(), reused))
}

/// Reads what is left of an answer, so that its connection can be used again.
async fn finish(answer: Response<Incoming>, home: Home) {
    if Limited::new(answer.into_body(), BODY_SIZE_MAX).collect().await.is_ok() {
        home.bring();
    }
}
