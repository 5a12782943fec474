//! New connections to an app: its name resolved, TLS agreed on, HTTP begun.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::{Link, LocalTasks, Pool, Stream};
use crate::edge::answer::Upload;
use crate::edge::failure::Failure;
use crate::edge::tls::speaks_http2;
use crate::limits::{APP_BUFFER_SIZE, APP_STREAM_WINDOW};
use crate::route::{Address, Protocol, Server};

/// An HTTP/1.1 connection that somebody else has to drive.
pub(in crate::edge) type Undriven = (http1::SendRequest<Upload>, http1::Connection<TokioIo<Stream>, Upload>);

impl Pool {
    /// Opens a connection and speaks on it what the app speaks.
    pub(super) async fn open(self: &Rc<Self>) -> Result<Link, Failure> {
        let stream = self.reach(false).await?;
        let http2 = match &stream {
            Stream::Tls(stream) => speaks_http2(stream),
            Stream::Tcp(_) | Stream::Unix(_) => self.app.protocol == Protocol::H2c,
        };
        if http2 {
            let (sender, connection) =
                http2_builder().handshake(TokioIo::new(stream)).await.map_err(|_| Failure::AppGarbled)?;
            spawn_local(connection);
            return Ok(Link::http2(sender, &Rc::default(), false));
        }
        let (sender, connection) = begin(stream).await?;
        spawn_local(connection);
        Ok(Link::Http1 { sender, pool: Rc::clone(self), moves: self.moves.get(), reused: false })
    }

    /// Opens a connection for one request after which HTTP may no longer be spoken on it.
    pub(in crate::edge) async fn open_undriven(self: &Rc<Self>) -> Result<Undriven, Failure> {
        begin(self.reach(true).await?).await
    }

    /// Opens a connection, with its greeting said and TLS agreed on where the app wants it.
    pub(in crate::edge) async fn reach(self: &Rc<Self>, http1_only: bool) -> Result<Stream, Failure> {
        let reached = timeout(self.settings.connect, self.reach_patiently(http1_only)).await;
        let reached = reached.unwrap_or(Err(Failure::AppConnectSlow));
        match &reached {
            Ok(_) => self.down_until.set(0),
            Err(_) => self.is_down_for_now(),
        }
        reached
    }

    async fn reach_patiently(self: &Rc<Self>, http1_only: bool) -> Result<Stream, Failure> {
        let (server, port) = match &self.app.address {
            Address::Unix(path) => {
                let mut stream = UnixStream::connect(path).await.map_err(|fault| unreached(&fault))?;
                stream.write_all(&self.greeting).await.map_err(|fault| unreached(&fault))?;
                return Ok(Stream::Unix(stream));
            }
            Address::Tcp { server, port } => (server, *port),
        };
        let stream = match server {
            Server::Ip(address) => connect(SocketAddr::new(*address, port)).await,
            Server::Name(name) => self.connect_by_name(name, port).await?,
        };
        let mut stream = stream.map_err(|fault| unreached(&fault))?;
        stream.write_all(&self.greeting).await.map_err(|fault| unreached(&fault))?;
        let check = match self.app.protocol {
            Protocol::Http | Protocol::H2c | Protocol::Tls => return Ok(Stream::Tcp(stream)),
            Protocol::Https => true,
            Protocol::HttpsUnchecked => false,
        };
        let stream = self.tls.connect(stream, server, check, http1_only).await;
        stream.map(|stream| Stream::Tls(Box::new(stream))).map_err(|fault| Failure::AppTls(fault.to_string()))
    }

    /// Tries the addresses of the name, each time another first.
    async fn connect_by_name(self: &Rc<Self>, name: &str, port: u16) -> Result<io::Result<TcpStream>, Failure> {
        let mut outcome = Err(io::ErrorKind::NotFound.into());
        for address in self.resolve(name, port).await? {
            outcome = connect(address).await;
            if outcome.is_ok() {
                return Ok(outcome);
            }
        }
        self.names.doubt(); // perhaps it has moved
        Ok(outcome)
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    let _ = stream.set_nodelay(true); // without it is only slower
    Ok(stream)
}

async fn begin(stream: Stream) -> Result<Undriven, Failure> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(APP_BUFFER_SIZE);
    builder.handshake(TokioIo::new(stream)).await.map_err(|_| Failure::AppGarbled)
}

/// So much for each stream that those whose clients are slow never hold up the others.
fn http2_builder() -> http2::Builder<LocalTasks> {
    let mut builder = http2::Builder::new(LocalTasks);
    builder
        .initial_stream_window_size(APP_STREAM_WINDOW)
        .initial_connection_window_size(APP_STREAM_WINDOW * super::STREAMS_MAX as u32)
        .max_send_buf_size(APP_BUFFER_SIZE);
    builder
}

/// What the kernel said, as whoever asked for the app's page should hear it.
fn unreached(fault: &io::Error) -> Failure {
    let kind = fault.kind();
    if [io::ErrorKind::ConnectionRefused, io::ErrorKind::NotFound].contains(&kind) {
        Failure::AppRefused
    } else if kind == io::ErrorKind::TimedOut {
        Failure::AppConnectSlow
    } else {
        Failure::AppUnreachable(fault.to_string())
    }
}
