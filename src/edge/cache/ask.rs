//! What of a request decides which answer it gets: everything that the app is told and that we do not vary by. Two requests with the same
//! key are one and the same to the app, or it says so itself with `Vary`.
//!
//! The key is made of what the app will be sent, octet by octet as it will be sent: the scheme and the host as the fields for the app
//! say them, path and query. So there is nothing to be normalized, and no two ways of writing one thing meet in one entry.

use std::io::Write as _;

use hyper::body::Body as _;
use hyper::header::{HOST, HeaderMap, HeaderName, IF_MATCH, IF_UNMODIFIED_SINCE, RANGE};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request};

use super::rules::{Directives, is_personal};
use super::shelf::About;
use crate::edge::answer::Upload;
use crate::route::{Cache as Wanted, Route, Target};

/// Fields by which a request says that it is another than it looks. The last five only trusted proxies can send.
const DISGUISES: [&str; 8] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-original-host",
    "x-rewrite-url",
    "x-http-host-override",
    "x-host",
];
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// A request, as the cache sees it.
pub(super) struct Ask {
    pub(super) key: Vec<u8>,
    /// Whether its answer may come from here.
    pub(super) may_use: bool,
    /// Whether an answer to it may be fetched to be kept.
    pub(super) may_keep: bool,
    /// Whether it says who it is from.
    pub(super) personal: bool,
    /// Whether the client wants no other answer than one from here.
    pub(super) only_if_cached: bool,
}

impl Ask {
    /// Looks at a request as the app would get it.
    pub(super) fn of(request: &Request<Upload>, route: &Route, wanted: &Wanted) -> Self {
        let (method, headers) = (request.method(), request.headers());
        let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        let plain = request.body().is_end_stream()
            && ![IF_MATCH, IF_UNMODIFIED_SINCE].iter().any(|name| headers.contains_key(name))
            && !DISGUISES.iter().any(|name| headers.contains_key(*name));
        let wish = Directives::of(headers);
        Self {
            key: key(headers, path, route),
            may_use: plain && (method == Method::GET || method == Method::HEAD),
            may_keep: plain && method == Method::GET && !headers.contains_key(RANGE) && !wish.has("no-store"),
            personal: route.options().asks_who() || is_personal(headers, wanted),
            only_if_cached: wish.has("only-if-cached"),
        }
    }

    /// Which route and path it is about.
    pub(super) fn about(request: &Request<Upload>, route: &Route) -> About {
        let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        About { route: route.id().into(), path: path.into(), compresses: route.options().compress.is_some() }
    }

    /// The key of another address of the same host, such as `Location` names.
    pub(super) fn key_of(headers: &HeaderMap, path: &str, route: &Route) -> Vec<u8> {
        key(headers, path, route)
    }
}

fn key(headers: &HeaderMap, path: &str, route: &Route) -> Vec<u8> {
    let mut key = Vec::with_capacity(128);
    key.extend_from_slice(route.id().as_bytes());
    // An answer of one app is none of another that took its place.
    if let Target::Apps(apps) = route.target() {
        for app in apps {
            let _ = write!(key, " {app}"); // into memory, which takes it
        }
    }
    for name in [X_FORWARDED_PROTO, HOST, X_FORWARDED_HOST, X_FORWARDED_PREFIX] {
        key.push(b'\n'); // stands in no field and no path
        headers.get(name).into_iter().for_each(|value| key.extend_from_slice(value.as_bytes()));
    }
    key.push(b'\n');
    key.extend_from_slice(path.as_bytes());
    key
}

/// The values of the fields that an answer varies by.
pub(super) fn selected(headers: &HeaderMap, names: &[HeaderName]) -> Vec<u8> {
    let mut values = Vec::new();
    for name in names {
        values.push(b'\n');
        for value in headers.get_all(name) {
            values.extend_from_slice(value.as_bytes());
            values.push(0); // stands in no field
        }
    }
    values
}
