//! A connection to an app as octets.

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
