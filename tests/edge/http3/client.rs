//! A client by h3, and one of which every octet is the test's.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use h3::client::{RequestStream, SendRequest};
use h3_quinn::{BidiStream, OpenStreams};
use hyper::{HeaderMap, Request, Response};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{
    ClientConfig, Connection, ConnectionError, Endpoint, ReadError, ReadToEndError, RecvStream, TransportConfig, VarInt,
};

use crate::client::tls_config;
use crate::kit::Edge;

/// The head of `GET https://a.test/`, by rows of the static table.
pub(super) const GET: &[u8] = b"\x01\x0d\x00\x00\xd1\xd7\xc1\x50\x06a.test";
/// What a control stream begins with: its kind, and settings that say nothing.
pub(super) const CONTROL: &[u8] = b"\x00\x04\x00";

/// A connection with requests by h3.
pub(super) struct Client {
    pub(super) endpoint: Endpoint,
    pub(super) connection: Connection,
    pub(super) sender: SendRequest<OpenStreams, Bytes>,
}

/// A request under way.
pub(super) type Stream = RequestStream<BidiStream<Bytes>, Bytes>;

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn field(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// TLS that trusts the edge's CA.
pub(super) fn config(edge: &Edge) -> ClientConfig {
    let mut tls = tls_config(edge, &["h3"]);
    tls.enable_early_data = true;
    let mut transport = TransportConfig::default();
    transport.send_window(1 << 20);
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    config.transport_config(Arc::new(transport));
    config
}

/// Where this edge serves HTTP/3.
pub(super) fn place(edge: &Edge) -> SocketAddr {
    edge.running().http3_addresses()[0]
}

/// A connection, and its socket.
pub(super) async fn dial(edge: &Edge, name: &str) -> Result<(Endpoint, Connection), ConnectionError> {
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let connection = endpoint.connect_with(config(edge), place(edge), name).unwrap().await?;
    Ok((endpoint, connection))
}

impl Client {
    pub(super) async fn new(edge: &Edge, name: &str) -> Self {
        let (endpoint, connection) = dial(edge, name).await.unwrap();
        let (mut driver, sender) = h3::client::new(h3_quinn::Connection::new(connection.clone())).await.unwrap();
        tokio::spawn(async move { poll_fn(|context| driver.poll_close(context)).await });
        Self { endpoint, connection, sender }
    }

    /// Begins a request; its body is up to the test.
    pub(super) async fn begin(&mut self, method: &str, url: &str, fields: &[(&str, &str)]) -> Stream {
        let builder = Request::builder().method(method).uri(url);
        let builder = fields.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
        self.sender.send_request(builder.body(()).unwrap()).await.unwrap()
    }

    /// Asks and reads the answer to its end.
    pub(super) async fn ask(&mut self, method: &str, url: &str, fields: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut stream = self.begin(method, url, fields).await;
        if !body.is_empty() {
            stream.send_data(Bytes::copy_from_slice(body)).await.unwrap();
        }
        stream.finish().await.unwrap();
        let head = stream.recv_response().await.unwrap();
        whole(head, &mut stream).await.unwrap()
    }

    pub(super) async fn get(&mut self, url: &str) -> Answer {
        self.ask("GET", url, &[], b"").await
    }
}

/// The rest of an answer; none if it breaks off.
pub(super) async fn whole(head: Response<()>, stream: &mut Stream) -> Option<Answer> {
    let mut body = Vec::new();
    while let Some(part) = part(stream).await? {
        body.extend_from_slice(&part);
    }
    let (head, ()) = head.into_parts();
    Some(Answer { status: head.status.as_u16(), headers: head.headers, body })
}

/// The next part of an answer; the outer none if it breaks off.
pub(super) async fn part(stream: &mut Stream) -> Option<Option<Bytes>> {
    let part = stream.recv_data().await.ok()?;
    Some(part.map(|mut part| part.copy_to_bytes(part.remaining())))
}

/// How a stream ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With these octets.
    Whole(Vec<u8>),
    /// It was reset.
    Reset(u64),
    /// With its connection.
    Closed(u64),
}

/// Reads a stream to its end.
pub(super) async fn end(stream: &mut RecvStream) -> End {
    match stream.read_to_end(1 << 20).await {
        Ok(octets) => End::Whole(octets),
        Err(ReadToEndError::Read(ReadError::Reset(code))) => End::Reset(code.into_inner()),
        Err(ReadToEndError::Read(ReadError::ConnectionLost(fault))) => End::Closed(number(&fault)),
        Err(fault) => panic!("{fault}"),
    }
}

/// The number with which the edge closed a connection.
pub(super) fn number(fault: &ConnectionError) -> u64 {
    let ConnectionError::ApplicationClosed(close) = fault else { panic!("{fault}") };
    close.error_code.into_inner()
}

/// Says these octets on a stream of their own, for a request.
pub(super) async fn say(connection: &Connection, octets: &[u8], finish: bool) -> End {
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    let _ = send.write_all(octets).await;
    if finish {
        let _ = send.finish();
    }
    let end = end(&mut receive).await;
    let _ = send.reset(VarInt::from_u32(0x10c));
    end
}
