//! Clients of which every octet is the test's: plain and TLS sockets, and HTTP/2 by hyper.

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::kit::{Edge, PATIENCE};

/// Whatever octets can be said to and heard from.
pub(crate) trait Line: Read + Write + Send {}
impl<T: Read + Write + Send> Line for T {}

/// A connection to the edge.
pub(crate) struct Client {
    line: Box<dyn Line>,
    heard: Vec<u8>,
}

/// An answer over HTTP/1.1.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Whether it came to its end as its head promised.
    pub(crate) whole: bool,
}

impl Answer {
    /// The value of a field; empty if there is none.
    pub(crate) fn field(&self, name: &str) -> &str {
        let mut fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// TLS as a client that trusts the edge's CA. `offer` is what ALPN offers.
pub(crate) fn tls_config(edge: &Edge, offer: &[&str]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(edge.root().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = offer.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A TLS connection for a name, by which config may be.
pub(crate) fn tls(
    edge: &Edge,
    name: &str,
    config: ClientConfig,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, connect(edge.https()));
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

impl Client {
    /// Over TLS, HTTP/1.1.
    pub(crate) fn https(edge: &Edge, name: &str) -> Self {
        Self::over(tls(edge, name, tls_config(edge, &["http/1.1"])).unwrap())
    }

    /// Over a connection that is there.
    pub(crate) fn over(line: impl Line + 'static) -> Self {
        Self { line: Box::new(line), heard: Vec::new() }
    }

    /// Over plain HTTP.
    pub(crate) fn http(edge: &Edge) -> Self {
        Self::over(connect(edge.http()))
    }

    pub(crate) fn say(&mut self, octets: impl AsRef<[u8]>) -> &mut Self {
        // The edge may have hung up already; what it said is still to be heard.
        let _ = self.line.write_all(octets.as_ref()).and_then(|()| self.line.flush());
        self
    }

    /// `GET path` of a host.
    pub(crate) fn get(&mut self, host: &str, path: &str) -> Answer {
        self.say(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        self.answer()
    }

    fn listen(&mut self) -> bool {
        let mut octets = [0; 65_536];
        match self.line.read(&mut octets) {
            Ok(count) => {
                self.heard.extend_from_slice(&octets[..count]);
                count > 0
            }
            Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => panic!("nothing was heard for {PATIENCE:?}"),
            Err(_) => false,
        }
    }

    /// Octets up to and with this end; all there are if it does not come.
    pub(crate) fn until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.heard.windows(end.len()).position(|window| window == end) {
                return self.heard.drain(..at + end.len()).collect();
            }
            if !self.listen() {
                return std::mem::take(&mut self.heard);
            }
        }
    }

    /// So many octets, or fewer if the edge hangs up.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        while self.heard.len() < count && self.listen() {}
        let count = count.min(self.heard.len());
        self.heard.drain(..count).collect()
    }

    /// All octets until the edge hangs up.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.listen() {}
        std::mem::take(&mut self.heard)
    }

    /// The head of an answer.
    pub(crate) fn head(&mut self) -> Answer {
        let head = String::from_utf8_lossy(&self.until(b"\r\n\r\n")).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Answer { status, head, body: Vec::new(), whole: true }
    }

    /// An answer with its body.
    pub(crate) fn answer(&mut self) -> Answer {
        let mut answer = self.head();
        if answer.field("transfer-encoding") == "chunked" {
            loop {
                let line = String::from_utf8_lossy(&self.until(b"\r\n")).into_owned();
                let Ok(size) = usize::from_str_radix(line.trim(), 16) else {
                    answer.whole = false;
                    return answer;
                };
                let chunk = self.take(size + 2);
                answer.whole = chunk.len() == size + 2;
                answer.body.extend_from_slice(&chunk[..size.min(chunk.len())]);
                if size == 0 || !answer.whole {
                    return answer;
                }
            }
        }
        if let Ok(length) = answer.field("content-length").parse() {
            answer.body = self.take(length);
            answer.whole = answer.body.len() == length;
        } else if answer.status >= 200 && ![204, 304].contains(&answer.status) && answer.status != 0 {
            answer.body = self.rest();
        }
        answer
    }
}

/// One request on a new connection over TLS: what came back.
pub(crate) fn ask(edge: &Edge, host: &str, request: &str) -> Answer {
    Client::https(edge, host).say(request).answer()
}

/// `GET path` of a host on a new connection over TLS.
pub(crate) fn get(edge: &Edge, host: &str, path: &str) -> Answer {
    Client::https(edge, host).get(host, path)
}

/// The body of a request over HTTP/2.
pub(crate) type Body = BoxBody<Bytes, Infallible>;

pub(crate) fn empty() -> Body {
    Empty::new().boxed()
}

pub(crate) fn full(octets: impl Into<Bytes>) -> Body {
    Full::new(octets.into()).boxed()
}

/// Runs something on a runtime of its own, in time.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await.expect("done in time") })
}

/// An HTTP/2 connection over TLS.
pub(crate) async fn http2(edge: &Edge, name: &str) -> http2::SendRequest<Body> {
    let config = Arc::new(tls_config(edge, &["h2"]));
    let stream = tokio::net::TcpStream::connect(edge.https()).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = tokio_rustls::TlsConnector::from(config).connect(name, stream).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// A request over HTTP/2.
pub(crate) fn request(method: &str, url: &str, fields: &[(&str, &str)], body: Body) -> Request<Body> {
    let builder = Request::builder().method(method).uri(url);
    fields.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value)).body(body).unwrap()
}

/// Reads an answer over HTTP/2 to its end; none if it breaks off.
pub(crate) async fn read(response: Response<hyper::body::Incoming>) -> Option<(u16, String)> {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.ok()?;
    Some((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
}
