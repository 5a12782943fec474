//! What a connection is made of: octets in the clear, or over TLS.

use std::io::{self, Write};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// The octets of a connection.
pub(super) trait Octets: AsyncRead + AsyncWrite + Unpin {
    /// Where they come from.
    fn socket(&self) -> &TcpStream;

    /// Octets that it keeps at most while the client does not read.
    fn held_max(&self) -> usize;

    /// Tells the client that nothing more will come, if that can be done without waiting.
    fn say_goodbye(&mut self);
}

impl Octets for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }

    fn held_max(&self) -> usize {
        0
    }

    fn say_goodbye(&mut self) {
        // Closing the socket says it.
    }
}

impl Octets for TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }

    fn held_max(&self) -> usize {
        super::connection::OUTPUT_SIZE
    }

    /// Without it the client could not tell our end from somebody's on the way (RFC 8446, section 6.1).
    fn say_goodbye(&mut self) {
        let (socket, session) = self.get_mut();
        session.send_close_notify();
        let _ = session.write_tls(&mut Now(socket)); // a client that takes nothing more does not want to know
    }
}

/// Writes what the kernel takes at once.
struct Now<'s>(&'s TcpStream);

impl Write for Now<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.try_write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
