//! Listeners: bound before anything else is done, while the process still has the right to.
//!
//! Every thread has a listener of its own on the same port (SO_REUSEPORT), and the kernel spreads the clients over them. The
//! first is bound without that option, so that a second server on the port is noticed and not joined.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use super::Settings;

/// Connections that wait to be accepted; the kernel takes no more than `net.core.somaxconn`.
const BACKLOG: i32 = 4_096;
/// The setting that wants HTTP/3.
const HTTP3: &str = "edge.http3";
/// Octets that wait in the kernel for the one thread that reads them.
const UDP_BUFFER_SIZE: usize = 2 << 20;
/// How often a free port is looked for that both TCP and UDP have.
const PORT_TRIES_MAX: u32 = 16;

/// Bound listeners.
#[derive(Default)]
pub struct Sockets {
    pub(super) http: Vec<Place>,
    pub(super) https: Vec<Place>,
    /// Of HTTP/3, one for each address.
    pub(super) http3: Vec<UdpSocket>,
}

/// One address with its listeners: one for each thread, or fewer, which are then shared.
pub(super) struct Place {
    pub(super) address: SocketAddr,
    pub(super) listeners: Vec<TcpListener>,
}

impl Sockets {
    /// Binds all addresses of the settings. Port 0 takes a free port.
    pub fn bind(settings: &Settings) -> Result<Self, StartFault> {
        let bind = |field, addresses: Vec<SocketAddr>| {
            let place = |address| Place::bind(address, field, settings.worker_count());
            addresses.into_iter().map(place).collect::<Result<Vec<_>, _>>()
        };
        let http = bind("edge.listen_http", settings.http_addresses())?;
        for tries_left in (0..PORT_TRIES_MAX).rev() {
            let https = bind("edge.listen_https", settings.https_addresses())?;
            let places = https.iter().filter(|_| settings.http3);
            match places.map(|place| bind_udp(place.address)).collect::<Result<_, _>>() {
                Ok(http3) => return Ok(Self { http, https, http3 }),
                // A port that was free for TCP need not be free for UDP; another one may be.
                Err(_) if tries_left > 0 && settings.https_addresses().iter().any(|address| address.port() == 0) => (),
                Err(fault) => return Err(fault),
            }
        }
        Ok(Self { http, ..Self::default() })
    }

    /// Takes listeners that somebody else bound, such as systemd: then nothing here needs any rights.
    pub fn adopt(http: Vec<TcpListener>, https: Vec<TcpListener>, http3: Vec<UdpSocket>) -> io::Result<Self> {
        Ok(Self { http: gather(http)?, https: gather(https)?, http3 })
    }

    /// The addresses for plain HTTP, with the ports that were really taken.
    pub fn http_addresses(&self) -> Vec<SocketAddr> {
        self.http.iter().map(|place| place.address).collect()
    }

    /// The addresses for HTTPS.
    pub fn https_addresses(&self) -> Vec<SocketAddr> {
        self.https.iter().map(|place| place.address).collect()
    }
}

impl Sockets {
    /// The addresses for HTTP/3.
    pub fn http3_addresses(&self) -> Vec<SocketAddr> {
        self.http3.iter().filter_map(|socket| socket.local_addr().ok()).collect()
    }
}

fn gather(listeners: Vec<TcpListener>) -> io::Result<Vec<Place>> {
    let mut places: Vec<Place> = Vec::new();
    for listener in listeners {
        let address = listener.local_addr()?;
        match places.iter_mut().find(|place| place.address == address) {
            Some(place) => place.listeners.push(listener),
            None => places.push(Place { address, listeners: vec![listener] }),
        }
    }
    Ok(places)
}

impl Place {
    fn bind(mut address: SocketAddr, field: &'static str, count: usize) -> Result<Self, StartFault> {
        let mut listeners = Vec::with_capacity(count);
        for number in 0..count {
            let fault = |fault| StartFault::Bind { address, field, fault };
            let socket = open(address, number > 0).map_err(fault)?;
            address = socket.local_addr().map_err(fault)?.as_socket().unwrap_or(address);
            listeners.push(socket);
        }
        let fault = |fault| StartFault::Bind { address, field, fault };
        for listener in &listeners {
            listener.listen(BACKLOG).map_err(fault)?;
        }
        Ok(Self { address, listeners: listeners.into_iter().map(Into::into).collect() })
    }

    /// A listener for each thread: where there are fewer, as from systemd, the threads share them.
    pub(super) fn share(mut self, threads: usize) -> io::Result<Self> {
        let own = self.listeners.len();
        for thread in own..if own == 0 { 0 } else { threads } {
            self.listeners.push(self.listeners[thread % own].try_clone()?);
        }
        Ok(self)
    }
}

/// One socket for each address: all packets of a connection have to meet.
fn bind_udp(address: SocketAddr) -> Result<UdpSocket, StartFault> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // The kernel takes no more than it may; less is no reason not to serve.
        let _ = socket.set_recv_buffer_size(UDP_BUFFER_SIZE);
        let _ = socket.set_send_buffer_size(UDP_BUFFER_SIZE);
        socket.bind(&address.into())?;
        Ok(socket.into())
    };
    open().map_err(|fault| StartFault::Bind { address, field: HTTP3, fault })
}

fn open(address: SocketAddr, joins: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?; // or a restart would wait for the last connections of the server before
    socket.set_reuse_port(joins)?;
    socket.bind(&address.into())?;
    socket.set_reuse_port(true)?;
    Ok(socket)
}

/// Why the edge did not start, and what to do about it: one line.
#[derive(Debug)]
pub enum StartFault {
    /// An address could not be bound.
    Bind {
        /// The address.
        address: SocketAddr,
        /// The setting that names it.
        field: &'static str,
        /// What the kernel said.
        fault: io::Error,
    },
    /// The access log could not be opened.
    Log(io::Error),
    /// A thread, a socket or TLS could not be prepared.
    Prepare(String),
}

impl fmt::Display for StartFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, field, fault) = match self {
            Self::Bind { address, field, fault } => (address, field, fault),
            Self::Log(fault) => {
                return write!(
                    f,
                    "cannot write the access log: {fault}; make its folder, let the user that runs freehold write there, \
                     or correct edge.access_log.file"
                );
            }
            Self::Prepare(fault) => {
                return write!(f, "cannot prepare the edge: {fault}; check the limits of the process (ulimit -n, -u)");
            }
        };
        let (port, kind) = (address.port(), fault.kind());
        if kind == io::ErrorKind::AddrInUse && *field == HTTP3 {
            write!(
                f,
                "UDP {address} is in use: another web server has it; find it with \"ss -lnup sport = :{port}\" and stop it, \
                 or take edge.http3 away"
            )
        } else if kind == io::ErrorKind::AddrInUse {
            write!(
                f,
                "{address} is in use: another web server has it; find it with \"ss -lntp sport = :{port}\" and stop it, \
                 or set {field} to other addresses"
            )
        } else if kind == io::ErrorKind::PermissionDenied {
            write!(
                f,
                "{address} may not be opened: ports under 1024 need CAP_NET_BIND_SERVICE; start by the systemd unit, \
                 or as root, or set {field} to a higher port"
            )
        } else if kind == io::ErrorKind::AddrNotAvailable {
            write!(
                f,
                "{address} is not an address of this machine; \"ip address\" shows which there are; correct {field}"
            )
        } else {
            write!(f, "cannot listen on {address}: {fault}; correct {field}")
        }
    }
}

impl std::error::Error for StartFault {}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(listen: &str) -> Settings {
        let listen = vec![listen.parse::<SocketAddr>().unwrap().into()];
        Settings { listen_http: listen, listen_https: Vec::new(), workers: 3, ..Settings::default() }
    }

    #[test]
    fn all_threads_share_a_port_and_a_second_server_is_noticed() {
        let sockets = Sockets::bind(&settings("127.0.0.1:0")).unwrap();
        let [place] = &sockets.http[..] else { panic!("one address") };
        assert!(place.listeners.iter().all(|listener| listener.local_addr().unwrap() == place.address));
        assert_eq!((place.listeners.len(), sockets.https.len()), (3, 0));
        let told = Sockets::bind(&settings(&place.address.to_string())).err().unwrap().to_string();
        assert!(told.contains("is in use: another web server") && told.contains("edge.listen_http"), "{told}");
    }

    #[test]
    fn a_strange_address_is_told_with_its_cure() {
        let told = Sockets::bind(&settings("192.0.2.1:80")).err().unwrap().to_string();
        assert!(told.starts_with("192.0.2.1:80 is not an address of this machine"), "{told}");
    }

    #[test]
    fn adopted_listeners_are_shared_by_all_threads() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let sockets = Sockets::adopt(Vec::new(), vec![listener], Vec::new()).unwrap();
        assert_eq!((sockets.https_addresses(), sockets.http_addresses()), (vec![address], vec![]));
        let place = sockets.https.into_iter().next().unwrap().share(4).unwrap();
        assert_eq!(place.listeners.len(), 4);
    }
}
