//! DNS over HTTPS (RFC 8484): a path of one host, where queries are answered like any others, by whoever answers them.
//!
//! The message comes in the address (GET, HEAD) or as the body (POST). A reply is a success whatever it says, also that
//! there is no such name (RFC 8484, section 4.2.1); what is no query at all is told in plain words. How long a cache may keep
//! a reply follows from its TTLs. HTTP itself, TLS, the limits and the log are those of every other request here.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response};

use super::answer::{Answer, Upload};
use super::exchange::Exchange;
use super::failure::Failure;
use super::inflow::Inflow;
use crate::limits::MESSAGE_SIZE_MAX;
use crate::wire::lifetime::lifetime;

/// The kind of a DNS message (RFC 8484, section 6).
const MESSAGE: &str = "application/dns-message";
/// The methods that are answered.
pub(super) const METHODS: (hyper::header::HeaderName, HeaderValue) =
    (ALLOW, HeaderValue::from_static("GET, HEAD, POST"));

/// Answers a message from an address into a buffer of 65,535 octets: the length of the reply, or none if there is none.
pub type DnsAnswer = dyn FnMut(&[u8], IpAddr, &mut [u8]) -> Option<usize>;

/// DNS over HTTPS: where it is, and who answers.
#[derive(Clone)]
pub struct DnsOverHttps {
    /// The host, in lower case.
    pub host: Box<str>,
    /// The path.
    pub path: Box<str>,
    /// Makes the means to answer for one more thread.
    pub answers: Arc<dyn Fn() -> Box<DnsAnswer> + Send + Sync>,
}

/// DNS over HTTPS on one thread.
pub(super) struct Queries {
    place: DnsOverHttps,
    answer: RefCell<(Box<DnsAnswer>, Box<[u8]>)>,
}

impl Queries {
    pub(super) fn new(place: DnsOverHttps) -> Self {
        let answer = RefCell::new(((place.answers)(), vec![0; MESSAGE_SIZE_MAX].into()));
        Self { place, answer }
    }

    /// Whether a request for this host and path is a query.
    pub(super) fn are_at(&self, host: &str, path: &str) -> bool {
        *self.place.host == *host && *self.place.path == *path
    }

    fn reply(&self, message: &[u8], client: IpAddr) -> Option<Bytes> {
        let (answer, buffer) = &mut *self.answer.borrow_mut();
        let length = answer(message, client, buffer)?;
        buffer.get(..length).map(Bytes::copy_from_slice)
    }
}

/// Answers a query.
pub(super) async fn answer(
    request: Request<Inflow>,
    queries: &Queries,
    client: IpAddr,
    exchange: &Rc<Exchange>,
) -> Result<Response<()>, Failure> {
    let only_head = request.method() == Method::HEAD;
    let message = message(request, exchange).await?;
    let reply = queries.reply(&message, client).ok_or(Failure::DnsUnreadable("The message is not a DNS query."))?;
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MESSAGE));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(reply.len()));
    headers.insert(CACHE_CONTROL, kept_for(&reply));
    exchange.put_answer(if only_head { Answer::Nothing } else { Answer::Octets(reply) });
    Ok(response)
}

/// How long a reply may be kept: what says nothing that lasts, as a refusal, is not (RFC 8484, section 5.1).
fn kept_for(reply: &[u8]) -> HeaderValue {
    let text = lifetime(reply).map_or("no-store".into(), |seconds| format!("max-age={seconds}"));
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("no-store"))
}

async fn message(request: Request<Inflow>, exchange: &Rc<Exchange>) -> Result<Bytes, Failure> {
    match *request.method() {
        Method::GET | Method::HEAD => of_address(request.uri().query()).map(Bytes::from),
        Method::POST => {
            let kind = check_kind(request.headers());
            let message = read_body(request.into_body(), exchange).await?;
            kind.map(|()| message)
        }
        // Some clients see no answer that comes before they have sent all they wanted.
        _ => read_body(request.into_body(), exchange).await.and(Err(Failure::DnsMethod)),
    }
}

/// The message in the part behind the question mark.
fn of_address(query: Option<&str>) -> Result<Vec<u8>, Failure> {
    let mut values = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).filter(|(name, _)| name == "dns");
    let (_, value) = values.next().ok_or(Failure::DnsUnreadable(
        "The address holds no query: it goes behind ?dns=, as base64url, or into the body of a POST.",
    ))?;
    if values.next().is_some() {
        return Err(Failure::DnsUnreadable("The address holds two queries."));
    }
    let octets = BASE64_URL_SAFE_NO_PAD.decode(value.as_bytes());
    let octets =
        octets.map_err(|_| Failure::DnsUnreadable("What is behind ?dns= is not base64url without padding."))?;
    if octets.len() > MESSAGE_SIZE_MAX { Err(Failure::DnsTooLong) } else { Ok(octets) }
}

fn check_kind(headers: &HeaderMap) -> Result<(), Failure> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case(MESSAGE) { Ok(()) } else { Err(Failure::DnsKind) }
}

/// Reads a body, for which the client has as long as for any other.
async fn read_body(body: Inflow, exchange: &Rc<Exchange>) -> Result<Bytes, Failure> {
    exchange.asks(false);
    let read = gather(Upload::new(body, exchange), exchange).await;
    exchange.begins_anew();
    read
}

async fn gather(mut body: Upload, exchange: &Exchange) -> Result<Bytes, Failure> {
    if body.size_hint().lower() > MESSAGE_SIZE_MAX as u64 {
        return Err(Failure::DnsTooLong);
    }
    let mut message = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Err(exchange.late().map_or(Failure::UploadBroken, Failure::from));
        };
        let data = frame.into_data().unwrap_or_default();
        if message.len() + data.len() > MESSAGE_SIZE_MAX {
            return Err(Failure::DnsTooLong);
        }
        message.extend_from_slice(&data);
    }
    Ok(message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_from_the_address_or_it_is_told_why_not() {
        // The example of RFC 8484, section 4.1.1.
        let example = "dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB";
        let message = b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01";
        assert_eq!(of_address(Some(example)).unwrap(), message);
        assert_eq!(of_address(Some(&format!("ct=x&{example}&y"))).unwrap(), message);
        assert_eq!(of_address(Some("dns=%2DA")).unwrap(), [0xf8], "percent signs are read first");
        assert_eq!(of_address(Some("dns=-_8")).unwrap(), [0xfb, 0xff]);
        for (query, told) in [
            (None, "holds no query"),
            (Some(""), "holds no query"),
            (Some("Dns=AAAA"), "holds no query"),
            (Some("dns=AAAA&dns=AAAA"), "two queries"),
            (Some("dns=AA=="), "without padding"),
            (Some("dns=+/8"), "not base64url"),
            (Some("dns=A"), "not base64url"),
            (Some("dns=AA AA"), "not base64url"),
        ] {
            let Failure::DnsUnreadable(why) = of_address(query).unwrap_err() else { panic!("{query:?}") };
            assert!(why.contains(told), "{query:?}: {why}");
        }
        let long = |octets: usize| format!("dns={}", BASE64_URL_SAFE_NO_PAD.encode(vec![0; octets]));
        assert_eq!(of_address(Some(&long(MESSAGE_SIZE_MAX))).unwrap().len(), MESSAGE_SIZE_MAX);
        assert_eq!(of_address(Some(&long(MESSAGE_SIZE_MAX + 1))), Err(Failure::DnsTooLong));
    }

    #[test]
    fn only_a_dns_message_is_a_body() {
        for (kind, is_one) in [
            (Some("application/dns-message"), true),
            (Some("Application/DNS-Message; charset=utf-8"), true),
            (Some("application/dns-json"), false),
            (Some("application/dns-messages"), false),
            (Some(""), false),
            (None, false),
        ] {
            let mut headers = HeaderMap::new();
            kind.map(|kind| headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind)));
            assert_eq!(check_kind(&headers).is_ok(), is_one, "{kind:?}");
        }
    }

    #[test]
    fn a_cache_keeps_a_reply_as_long_as_its_records_last() {
        let head = |answers| [0, 0, 0x84, 0, 0, 0, 0, answers, 0, 0, 0, 0];
        let record = [0, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1];
        assert_eq!(kept_for(&[&head(1)[..], &record].concat()), "max-age=300");
        assert_eq!(kept_for(&head(0)), "no-store");
    }
}
