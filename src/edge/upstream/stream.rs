//! A connection to an app as octets.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::edge::tls::AppStream;

/// TCP, TLS or a Unix socket.
pub(in crate::edge) enum Stream {
    Tcp(TcpStream),
    Tls(Box<AppStream>),
    Unix(UnixStream),
}

/// Calls the same method of whichever stream it is.
macro_rules! either {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Tcp($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
            Stream::Tls($stream) => {
                let $stream = Pin::new(&mut **$stream);
                $call
            }
            Stream::Unix($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
        }
    };
}

impl Stream {
    /// Whether there is nothing to read and no end; whoever asks is woken when there is. Of TLS that is not known.
    pub(in crate::edge) fn poll_quiet(&self, context: &mut Context<'_>) -> bool {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(context).is_pending(),
            Self::Unix(stream) => stream.poll_read_ready(context).is_pending(),
            Self::Tls(_) => false,
        }
    }

    /// Whether there is nothing to read and no end. Of TLS that is not known.
    pub(super) fn is_silent(&self) -> bool {
        let mut octet = [0];
        let read = match self {
            Self::Tcp(stream) => stream.try_read(&mut octet),
            Self::Unix(stream) => stream.try_read(&mut octet),
            Self::Tls(_) => return true,
        };
        read.is_err_and(|fault| fault.kind() == io::ErrorKind::WouldBlock)
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write(context, octets))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_shutdown(context))
    }
}
