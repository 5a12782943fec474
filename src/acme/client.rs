//! The way to a CA: HTTPS with bounds on time and size.
//!
//! One for each attempt, over one connection, so that what the CA says beside its problem documents (`Retry-After`) is known
//! to belong to this attempt. An answer that is no JSON becomes an error with its first words, for a proxy or a login page in
//! between is easier to recognise by what it says. Rejected: instant-acme's own client, which has neither bound and tells nothing
//! of headers.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::http::response::Parts;
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient, Problem};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::plan::WAIT_MAX;
use super::settings::Ca;
use super::tls::Trust;
use super::trouble::{Trouble, plain, words};

/// Octets of an answer that are read. A chain is the longest, with some 10 KiB.
const ANSWER_SIZE_MAX: usize = 1 << 20;
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// From the request to the last octet of the answer. Some CAs sign while one waits.
const ANSWER_TIME: Duration = Duration::from_secs(60);
/// Characters of an answer that is no JSON which are told.
const EXCERPT: usize = 200;
/// How we call ourselves.
const AGENT: &str = concat!("freehold/", env!("CARGO_PKG_VERSION"), " instant-acme");

type Connection = SendRequest<BodyWrapper<Bytes>>;
type Answer = Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>>;

/// A client for one attempt. A clone shares its connection and what it noted.
#[derive(Clone)]
pub(super) struct Client(Arc<Inner>);

struct Inner {
    trust: Trust,
    /// Idle, ready for the next request.
    connection: Mutex<Option<(String, Connection)>>,
    /// What the CA's last refusal said about when to come back, in seconds since 1970.
    retry_after: Mutex<Option<u64>>,
}

impl Client {
    /// For this CA: with its root, or the system's.
    pub(super) fn new(ca: &Ca) -> Result<Self, Trouble> {
        let inner = Inner { trust: Trust::of(ca)?, connection: Mutex::default(), retry_after: Mutex::default() };
        Ok(Self(Arc::new(inner)))
    }

    /// What the CA's last refusal said about when to come back; and that is forgotten.
    pub(super) fn take_retry_after(&self) -> Option<u64> {
        self.0.retry_after.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Reads a document that is no secret; with the moment of its `Retry-After`, if it has one.
    pub(super) async fn read(&self, url: &str) -> Result<(Bytes, Option<u64>), Trouble> {
        let request = Request::builder().uri(url).body(BodyWrapper::default()).map_err(Error::from);
        let answer = async { self.0.send(request?).await }.await;
        let (parts, body) = answer.map_err(|error| Trouble::of(error, self.take_retry_after()))?;
        Ok((body, retry_after(&parts.headers)))
    }
}

impl HttpClient for Client {
    fn request(&self, request: Request<BodyWrapper<Bytes>>) -> Answer {
        let inner = self.0.clone();
        Box::pin(async move {
            let (parts, body) = inner.send(request).await?;
            Ok(BytesResponse::from(Response::from_parts(parts, Full::new(body))))
        })
    }
}

impl Inner {
    /// Sends a request, over the idle connection if it leads there. A connection that has died in the meantime costs
    /// another, not the attempt.
    async fn send(&self, request: Request<BodyWrapper<Bytes>>) -> Result<(Parts, Bytes), Error> {
        let is_read = request.method() == Method::GET;
        let told = timeout(ANSWER_TIME, self.exchange(request)).await;
        let (parts, body) = told.map_err(|_| other("the CA gave no answer within a minute"))??;
        if parts.status.is_client_error() || parts.status.is_server_error() {
            let after = retry_after(&parts.headers);
            *self.retry_after.lock().unwrap_or_else(PoisonError::into_inner) = after;
            check_refusal(&parts, &body, is_read)?;
        }
        Ok((parts, body))
    }

    async fn exchange(&self, mut request: Request<BodyWrapper<Bytes>>) -> Result<(Parts, Bytes), Error> {
        let place = Place::of(request.uri())?;
        *request.uri_mut() = place.path.parse()?;
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_str(&place.authority).map_err(other)?);
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let idle = self.connection.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut connection = match idle {
            Some((authority, connection)) if authority == place.authority && !connection.is_closed() => connection,
            _ => self.connect(&place).await?,
        };
        if connection.ready().await.is_err() {
            connection = self.connect(&place).await?;
        }
        let (parts, body) = connection.send_request(request).await.map_err(broken)?.into_parts();
        let body = Limited::new(body, ANSWER_SIZE_MAX).collect().await.map_err(Error::Other)?.to_bytes();
        let idle = Some((place.authority, connection));
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = idle;
        Ok((parts, body))
    }

    async fn connect(&self, place: &Place) -> Result<Connection, Error> {
        let told = timeout(CONNECT_TIME, self.open(place)).await;
        let opened = told.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        opened.map_err(|error| {
            let is_late = error.kind() == io::ErrorKind::TimedOut;
            let reason = if is_late { "no answer".to_owned() } else { plain(&error) };
            other(format!("the CA at {} cannot be reached: {reason}", place.authority))
        })
    }

    async fn open(&self, place: &Place) -> io::Result<Connection> {
        let stream = TcpStream::connect((place.host.as_str(), place.port)).await?;
        stream.set_nodelay(true)?;
        let stream = self.trust.connect(&place.host, stream).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        // It ends with the sender, or when the CA closes.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}

/// Where a request goes.
struct Place {
    host: String,
    port: u16,
    /// Host and port as the URL has them.
    authority: String,
    path: String,
}

impl Place {
    fn of(uri: &Uri) -> Result<Self, Error> {
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("https"));
        let authority =
            authority.ok_or_else(|| other(format!("the CA names the address {uri}, which is no https URL")))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { host, port: authority.port_u16().unwrap_or(443), authority: authority.as_str().to_owned(), path })
    }
}

/// A refusal that the ACME client would not understand becomes an error that people do.
fn check_refusal(parts: &Parts, body: &Bytes, is_read: bool) -> Result<(), Error> {
    if let Ok(problem) = serde_json::from_slice::<Problem>(body) {
        // The client reads documents without looking at their status.
        return if is_read { Err(Error::Api(problem)) } else { Ok(()) };
    }
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("no type");
    let text: String = String::from_utf8_lossy(body).split_whitespace().collect::<Vec<_>>().join(" ");
    let excerpt: String = text.chars().take(EXCERPT).collect();
    Err(other(format!("the CA answered {} and no problem document ({kind}: {excerpt})", parts.status)))
}

/// When to come back, in seconds since 1970: in so many seconds, or at a date (RFC 9110, section 10.2.3). No longer than any
/// sensible wait.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    let at = match text.parse::<u64>() {
        Ok(seconds) => now.saturating_add(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs(),
    };
    Some(at.clamp(now, now + WAIT_MAX))
}

/// The connection ended in the middle.
fn broken(error: hyper::Error) -> Error {
    other(format!("the CA broke off: {}", words(&error)))
}

fn other(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Other(reason.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_wait_is_in_seconds_or_a_date_and_never_absurd() {
        let now = SystemTime::now();
        let at = now.duration_since(UNIX_EPOCH).unwrap().as_secs();
        let near = |told: Option<u64>, wanted: u64| assert!(told.unwrap().abs_diff(wanted) <= 1, "{told:?} {wanted}");
        near(retry_after(&headers("120")), at + 120);
        near(retry_after(&headers(&httpdate::fmt_http_date(now + Duration::from_secs(60)))), at + 60);
        near(retry_after(&headers("Fri, 31 Dec 1999 23:59:59 GMT")), at);
        near(retry_after(&headers("99999999999")), at + WAIT_MAX);
        for nonsense in ["soon", "", "-1", "99999999999999999999999"] {
            assert_eq!(retry_after(&headers(nonsense)), None, "{nonsense}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn only_https_is_spoken() {
        let place = |url: &str| Place::of(&url.parse().unwrap()).map(|place| (place.host, place.port, place.path));
        assert_eq!(place("https://ca.example/a?b").unwrap(), ("ca.example".into(), 443, "/a?b".into()));
        assert_eq!(place("https://[::1]:14000").unwrap(), ("::1".into(), 14000, "/".into()));
        assert!(place("http://ca.example/").is_err() && place("/only/a/path").is_err());
    }
}
