//! Answers made smaller on their way to clients that take it: zstd, brotli or gzip (`accept.rs`), where the route says so.
//!
//! What is left as it is: what is compressed already or of a type that does not become smaller, what is short, a part of something
//! (206), what says `no-transform`, what has a checksum of its octets, and gRPC. Nothing is held back: whenever the app
//! pauses, what it has said so far goes out (`squeeze.rs`).
//!
//! A compressed answer has no length until it is made, its tag is weak, and parts of it cannot be asked for. Any answer that would
//! be compressed for another client says `Vary: Accept-Encoding`.

mod accept;
mod encoder;
mod squeeze;

use std::cell::Cell;
use std::rc::Rc;

use hyper::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderMap, HeaderName, HeaderValue, VARY,
};
use hyper::{Method, Request, Response, StatusCode};

use super::answer::Answer;
use super::cache::SQUEEZED_MAX;
use super::exchange::Exchange;
use super::headers::names;
use crate::route::{Compress, Route};
pub(super) use accept::Coding;
use encoder::Encoder;
pub(super) use encoder::whole;
pub(super) use squeeze::Squeeze;

/// Streams that one thread compresses at once. What comes beyond is sent as it is: the tables of each take memory for as long
/// as its client takes to read.
const STREAMS_MAX: usize = 128;

/// Octets that are compressed in one go, so that their length is known.
const AT_ONCE_MAX: usize = 64 << 10;

/// Fields that say what the octets of a body are, or add up to.
const CHECKSUMS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// How many streams a thread compresses.
#[derive(Default)]
pub(super) struct Streams(Rc<Cell<usize>>);

/// One of them, while it is there.
pub(super) struct Place(Rc<Cell<usize>>);

impl Streams {
    fn take(&self) -> Option<Place> {
        let count = self.0.get();
        (count < STREAMS_MAX).then(|| {
            self.0.set(count + 1);
            Place(Rc::clone(&self.0))
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// What a client takes, known before it is answered. There is one only if the route compresses.
pub(super) struct Wish {
    coding: Option<Coding>,
    head_only: bool,
}

impl Wish {
    /// What the client of a request takes; none if its route does not compress.
    pub(super) fn of<B>(request: &Request<B>, route: &Route) -> Option<Self> {
        route.options().compress.as_ref()?;
        Some(Self { coding: Coding::wanted(request.headers()), head_only: request.method() == Method::HEAD })
    }
}

/// The answer as the client gets it.
pub(super) fn fit(mut response: Response<()>, wish: Option<Wish>, route: &Route, exchange: &Exchange) -> Response<()> {
    let (Some(wish), Some(compress)) = (wish, &route.options().compress) else { return response };
    if response.status() == StatusCode::NOT_MODIFIED {
        told_to_others(response.headers_mut());
        weaken(response.headers_mut());
        return response;
    }
    if !is_fit(&response, compress) {
        return response;
    }
    told_to_others(response.headers_mut());
    let Some(coding) = wish.coding else { return response };
    let Some(place) = exchange.client.worker.compressing.take() else { return response };
    if !wish.head_only && !squeezed(coding, place, &mut response, exchange) {
        return response;
    }
    let headers = response.headers_mut();
    if wish.head_only {
        headers.remove(CONTENT_LENGTH);
    }
    headers.remove(ACCEPT_RANGES);
    headers.insert(CONTENT_ENCODING, coding.name());
    weaken(headers);
    response
}

/// Puts the compressed content in the place of the content; false if that is not possible or does not pay.
fn squeezed(coding: Coding, place: Place, response: &mut Response<()>, exchange: &Exchange) -> bool {
    let mut answer = exchange.answer.borrow_mut();
    let size = length(response.headers());
    if let Answer::Octets(octets) = &*answer
        && octets.len() <= AT_ONCE_MAX
    {
        let Some(small) = whole(coding, octets).ok().filter(|small| small.len() < octets.len()) else { return false };
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(small.len()));
        *answer = Answer::Octets(small);
        return true;
    }
    if let Answer::Page(page) = &*answer
        && page.body().len() <= SQUEEZED_MAX
    {
        let Some(small) = page.squeezed(coding) else { return false };
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(small.len()));
        *answer = Answer::Octets(small);
        return true;
    }
    let Ok(encoder) = Encoder::new(coding, size) else { return false };
    let content = std::mem::replace(&mut *answer, Answer::Nothing);
    *answer = Answer::Squeezed(Box::new(Squeeze::new(content, encoder, place)));
    response.headers_mut().remove(CONTENT_LENGTH);
    true
}

/// Whether an answer would be compressed for whoever takes it.
pub(super) fn is_fit(response: &Response<()>, compress: &Compress) -> bool {
    let headers = response.headers();
    let has_content =
        response.status().is_success() || response.status().is_client_error() || response.status().is_server_error();
    let partial = [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::PARTIAL_CONTENT];
    if !has_content || partial.contains(&response.status()) {
        return false;
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let grpc = kind.len() >= 16 && kind.as_bytes()[..16].eq_ignore_ascii_case(b"application/grpc");
    let other = [CONTENT_ENCODING, CONTENT_RANGE].iter().chain(&CHECKSUMS).any(|name| headers.contains_key(name));
    let short = length(headers).is_some_and(|size| size < u64::from(compress.min_size.max(1)));
    !grpc && !other && !short && compress.covers(kind) && !is_untouchable(headers)
}

fn is_untouchable(headers: &HeaderMap) -> bool {
    headers
        .get_all(CACHE_CONTROL)
        .iter()
        .any(|value| names(value).any(|word| word.eq_ignore_ascii_case("no-transform")))
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Says that other clients may get something else (RFC 9110, section 12.5.5).
fn told_to_others(headers: &mut HeaderMap) {
    let known = |name: &str| name == "*" || name.eq_ignore_ascii_case(ACCEPT_ENCODING.as_str());
    if !headers.get_all(VARY).iter().any(|value| names(value).any(known)) {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

/// Two forms of a thing do not have the same octets, which is what a strong tag would say (RFC 9110, section 8.8.1).
fn weaken(headers: &mut HeaderMap) {
    let Some(tag) = headers.get(ETAG).map(HeaderValue::as_bytes).filter(|tag| tag.starts_with(b"\"")) else { return };
    if let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag].concat()) {
        headers.insert(ETAG, weak);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, fields: &[(&'static str, &'static str)]) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in fields {
            response.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        response
    }

    #[test]
    fn only_what_becomes_smaller_is_fit() {
        const HTML: (&str, &str) = ("content-type", "text/html");
        for (status, fields, fit) in [
            (200, &[HTML][..], true),
            (404, &[HTML], true),
            (502, &[HTML], true),
            (200, &[HTML, ("content-length", "512")], true),
            (200, &[HTML, ("content-length", "511")], false),
            (200, &[("content-type", "image/png")], false),
            (200, &[], false),
            (200, &[HTML, ("content-encoding", "gzip")], false),
            (200, &[HTML, ("content-encoding", "identity")], false),
            (200, &[HTML, ("cache-control", "public, No-Transform")], false),
            (200, &[HTML, ("content-range", "bytes 0-1/2")], false),
            (200, &[HTML, ("content-digest", "sha-256=:x:")], false),
            (206, &[HTML], false),
            (204, &[HTML], false),
            (304, &[HTML], false),
            (301, &[HTML], false),
            (200, &[("content-type", "text/event-stream")], false),
        ] {
            assert_eq!(is_fit(&response(status, fields), &Compress::default()), fit, "{status} {fields:?}");
        }
        let all = Compress { types: vec!["application/*".into()], min_size: 0 };
        for (kind, fit) in [("application/grpc", false), ("application/grpc-web+proto", false), ("application/x", true)]
        {
            assert_eq!(is_fit(&response(200, &[("content-type", kind)]), &all), fit, "{kind}");
        }
        assert!(!is_fit(&response(200, &[("content-type", "application/x"), ("content-length", "0")]), &all));
    }

    #[test]
    fn vary_is_merged_and_tags_are_weakened() {
        for (vary, after) in [
            (&[][..], "Accept-Encoding"),
            (&["Cookie"], "Cookie, Accept-Encoding"),
            (&["Cookie, accept-encoding"], "Cookie, accept-encoding"),
            (&["*"], "*"),
        ] {
            let fields: Vec<_> = vary.iter().map(|value| ("vary", *value)).collect();
            let mut response = response(200, &fields);
            told_to_others(response.headers_mut());
            let all: Vec<_> = response.headers().get_all(VARY).iter().map(|value| value.to_str().unwrap()).collect();
            assert_eq!(all.join(", "), after);
        }
        for (tag, weak) in [("\"a\"", "W/\"a\""), ("W/\"a\"", "W/\"a\""), ("odd", "odd")] {
            let mut response = response(200, &[("etag", tag)]);
            weaken(response.headers_mut());
            assert_eq!(response.headers()[ETAG], weak);
        }
    }

    #[test]
    fn a_thread_compresses_so_many_streams_and_no_more() {
        let streams = Streams::default();
        let mut places: Vec<_> = (0..STREAMS_MAX).map(|_| streams.take().unwrap()).collect();
        assert!(streams.take().is_none());
        places.pop();
        assert!(streams.take().is_some());
    }
}
