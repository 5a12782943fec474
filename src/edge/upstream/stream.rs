//! A connection to an app as octets.

use std::io;
use std::task::Context;

use tokio::net::{TcpStream, UnixStream};

use crate::edge::either::either;
use crate::edge::tls::AppStream;

/// TCP, TLS or a Unix socket.
pub(in crate::edge) enum Stream {
    Tcp(TcpStream),
    Tls(Box<AppStream>),
    Unix(UnixStream),
}

either!(Stream: Tcp | Tls | Unix);

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
