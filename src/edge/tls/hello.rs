//! The hello of a client that may be passed on: what rustls reads of it is kept, octet by octet, so that an app can be told the very
//! same. Used only while some route passes connections on; else nothing is kept.
//!
//! rustls says when the hello is whole, in however many records and segments it comes, and refuses what is none: there is
//! no other parser. Rejected: peeking into the kernel's buffer, which wakes at once as long as there is anything to be read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

use crate::limits::CLIENT_HELLO_SIZE_MAX;
use crate::route::Route;

/// A connection to be passed on.
pub(in crate::edge) struct Passed {
    pub(in crate::edge) stream: TcpStream,
    /// What the client has said so far.
    pub(in crate::edge) said: Vec<u8>,
    /// The name the client asked for, in lower case.
    pub(in crate::edge) server_name: Box<str>,
    pub(in crate::edge) route: Arc<Route>,
}

/// Reads a hello, and all that came with it.
pub(super) async fn hear(stream: TcpStream) -> io::Result<(StartHandshake<TcpStream>, Vec<u8>)> {
    let heard = Heard { stream, said: Vec::new() };
    let start = LazyConfigAcceptor::new(Acceptor::default(), heard).await?;
    let Heard { stream, said } = start.io;
    Ok((StartHandshake::from_parts(start.accepted, stream), said))
}

/// A stream of which is kept what was read.
struct Heard {
    stream: TcpStream,
    said: Vec<u8>,
}

impl AsyncRead for Heard {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        this.said.extend_from_slice(&buffer.filled()[before..]);
        if this.said.len() > CLIENT_HELLO_SIZE_MAX {
            return Poll::Ready(Err(io::Error::other(rustls::Error::General("the hello has no end".into()))));
        }
        Poll::Ready(Ok(()))
    }
}

/// Only alerts are written.
impl AsyncWrite for Heard {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, octets)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
