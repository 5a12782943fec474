//! Where the API is reached over TCP.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use super::super::problem::system_reason;
use super::super::settings::{Listen, Settings};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// A bound address.
pub struct Tcp {
    listener: TcpListener,
    address: SocketAddr,
}

/// What came of the addresses in the settings.
#[derive(Default)]
pub struct Bound {
    /// Those that are listened at.
    pub tcp: Vec<Tcp>,
    /// Those of the default that are not, for nobody asked for them: each a line with its cure behind a semicolon.
    pub missing: Vec<BindFault>,
}

impl Tcp {
    /// Binds what the settings say: all of it, or the first fault. Must be called inside a runtime.
    pub fn bind_all(settings: &Settings) -> Result<Bound, BindFault> {
        let mut bound = Bound::default();
        for &Listen(address) in settings.listen.as_deref().unwrap_or(&Listen::DEFAULT) {
            match Self::bind(address) {
                Ok(tcp) => bound.tcp.push(tcp),
                Err(fault) if settings.listen.is_some() => return Err(BindFault { address, fault }),
                // A machine without IPv6 lacks nothing.
                Err(fault) if address.is_ipv6() && fault.kind() != io::ErrorKind::AddrInUse => (),
                Err(fault) => bound.missing.push(BindFault { address, fault }),
            }
        }
        Ok(bound)
    }

    fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?; // or a restart would wait for the last connections of the server before
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from_std(socket.into())?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    /// The address, with the port that was really taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether only HTTPS is spoken here: what leaves the machine can be read on the way.
    pub fn is_secure(&self) -> bool {
        !self.address.ip().is_loopback()
    }

    /// Where it is, as curl wants it.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.is_secure() { "https" } else { "http" }, self.address)
    }

    /// The next connection, and the addresses at both its ends.
    pub(super) async fn accept(&self) -> io::Result<(TcpStream, IpAddr, IpAddr)> {
        let (stream, peer) = self.listener.accept().await?;
        let gone = |_| io::Error::from(io::ErrorKind::NotConnected);
        stream.set_nodelay(true).map_err(gone)?;
        let local = stream.local_addr().map_err(gone)?.ip();
        Ok((stream, peer.ip(), local))
    }
}

/// Why the API is not reached at an address, and what to do about it: one line, the cure behind a semicolon.
#[derive(Debug)]
pub struct BindFault {
    address: SocketAddr,
    fault: io::Error,
}

impl fmt::Display for BindFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, port, kind) = (self.address, self.address.port(), self.fault.kind());
        if kind == io::ErrorKind::AddrInUse {
            write!(
                f,
                "the admin API cannot listen at {address}: another program does; find it with \"ss -lntp sport = :{port}\" \
                 and stop it, or set `listen` below [admin] to another port"
            )
        } else if kind == io::ErrorKind::PermissionDenied {
            write!(
                f,
                "the admin API may not listen at {address}; ports under 1024 need rights: set `listen` below [admin] to a \
                 higher one"
            )
        } else if kind == io::ErrorKind::AddrNotAvailable {
            write!(
                f,
                "the admin API cannot listen at {address}: that is not an address of this machine; \"ip address\" shows \
                 which there are; correct `listen` below [admin]"
            )
        } else {
            let reason = system_reason(&self.fault);
            write!(f, "the admin API cannot listen at {address}: {reason}; correct `listen` below [admin]")
        }
    }
}

impl std::error::Error for BindFault {}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(listen: &[&str]) -> Settings {
        let listen = listen.iter().map(|text| Listen::try_from((*text).to_owned()).unwrap()).collect();
        Settings { listen: Some(listen), ..Settings::default() }
    }

    #[tokio::test]
    async fn what_leaves_the_machine_is_secure() {
        let bound = Tcp::bind_all(&settings(&["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"])).unwrap();
        let secure: Vec<bool> = bound.tcp.iter().map(Tcp::is_secure).collect();
        assert_eq!(secure, [false, false, true, true]);
        assert_eq!(bound.tcp[0].url(), format!("http://{}", bound.tcp[0].address()));
        assert!(bound.tcp[3].url().starts_with("https://[::]:"));
    }

    #[tokio::test]
    async fn what_was_asked_for_is_had_or_is_a_fault() {
        let first = Tcp::bind_all(&settings(&["127.0.0.1:0"])).unwrap();
        let taken = first.tcp[0].address().to_string();
        let fault = Tcp::bind_all(&settings(&[&taken])).err().unwrap().to_string();
        assert!(
            fault.starts_with(&format!("the admin API cannot listen at {taken}: another program does; ")),
            "{fault}"
        );
        assert!(fault.contains("`listen` below [admin]"), "{fault}");
        let fault = Tcp::bind_all(&settings(&["192.0.2.1:0"])).err().unwrap().to_string();
        assert!(fault.contains("not an address of this machine"), "{fault}");
        assert!(Tcp::bind_all(&settings(&[])).unwrap().tcp.is_empty());
    }
}
