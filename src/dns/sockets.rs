//! Sockets to answer on: bound before anything else is done, while the process still has the right to.
//!
//! Every thread has a socket of its own on the same port (SO_REUSEPORT), and the kernel spreads the clients over them. The
//! same option lets a second process of the same user join in unnoticed and take half of the queries; so the first
//! socket is bound without it, which fails when anybody else is there, and opened to its siblings only then.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use super::settings::Settings;

/// Connections that wait to be accepted; the kernel takes no more than `net.core.somaxconn`.
const BACKLOG: i32 = 4_096;
/// The settings that name addresses.
const LISTEN: &str = "dns.listen";
const LISTEN_TLS: &str = "dns.encrypted.tls";
const LISTEN_QUIC: &str = "dns.encrypted.quic";
/// How often another free port is tried when port 0 was asked for and TCP does not get the port UDP got.
const FREE_PORT_TRIES: usize = 16;

/// Bound sockets: for each address one UDP and one TCP socket for each thread, or fewer, which are then shared.
pub struct Sockets {
    pub(super) places: Vec<Place>,
    /// Those for DNS over TLS, likewise.
    pub(super) tls: Vec<Place>,
    /// Those for DNS over QUIC: one for each address, since the packets of a connection belong together wherever they come from.
    pub(super) quic: Vec<UdpSocket>,
}

/// One address with its sockets.
pub(super) struct Place {
    pub(super) address: SocketAddr,
    pub(super) udp: Vec<UdpSocket>,
    pub(super) tcp: Vec<TcpListener>,
}

impl Sockets {
    /// Binds all addresses of the settings. Port 0 takes a free port, the same for UDP and TCP.
    pub fn bind(settings: &Settings) -> Result<Self, StartFault> {
        let mut sockets = Self::bind_plain(settings)?;
        sockets.bind_encrypted(settings)?;
        Ok(sockets)
    }

    /// Binds those for UDP and TCP.
    pub fn bind_plain(settings: &Settings) -> Result<Self, StartFault> {
        let places = settings.listen.iter().map(|listen| Place::bind(listen.0, settings)).collect::<Result<_, _>>()?;
        Ok(Self { places, tls: Vec::new(), quic: Vec::new() })
    }

    /// Binds those for DNS over TLS and over QUIC, if the settings want them, unless there are some: all of them or none.
    pub fn bind_encrypted(&mut self, settings: &Settings) -> Result<(), StartFault> {
        let Some(wanted) = &settings.encrypted else { return Ok(()) };
        let (mut tls, mut quic) = (Vec::new(), Vec::new());
        if self.tls.is_empty() {
            let places = wanted.tls.iter().map(|listen| Place::bind_tls(listen.0, settings.worker_count()));
            tls = places.collect::<Result<_, _>>()?;
        }
        if self.quic.is_empty() {
            quic = wanted.quic.iter().map(|listen| bind_quic(listen.0)).collect::<Result<_, _>>()?;
        }
        self.tls.append(&mut tls);
        self.quic.append(&mut quic);
        Ok(())
    }

    /// Takes sockets that somebody else bound, such as systemd: then nothing here needs any rights.
    pub fn adopt(udp: Vec<UdpSocket>, tcp: Vec<TcpListener>) -> io::Result<Self> {
        let mut sockets = Self { places: Vec::new(), tls: Vec::new(), quic: Vec::new() };
        for socket in udp {
            sockets.place(socket.local_addr()?).udp.push(socket);
        }
        for listener in tcp {
            sockets.place(listener.local_addr()?).tcp.push(listener);
        }
        Ok(sockets)
    }

    /// Takes sockets for DNS over TLS and over QUIC that somebody else bound.
    pub fn adopt_encrypted(&mut self, tls: Vec<TcpListener>, quic: Vec<UdpSocket>) -> io::Result<()> {
        for listener in tls {
            self.tls.push(Place { address: listener.local_addr()?, udp: Vec::new(), tcp: vec![listener] });
        }
        self.quic.extend(quic);
        Ok(())
    }

    /// Whether there are some for DNS over TLS or over QUIC.
    pub fn are_encrypted(&self) -> bool {
        !self.tls.is_empty() || !self.quic.is_empty()
    }

    /// The addresses of DNS over TLS.
    pub(super) fn tls_addresses(&self) -> Vec<SocketAddr> {
        self.tls.iter().map(|place| place.address).collect()
    }

    /// The addresses of DNS over QUIC.
    pub(super) fn quic_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.quic.iter().map(UdpSocket::local_addr).collect()
    }

    /// The addresses, with the ports that were really taken.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.places.iter().map(|place| place.address).collect()
    }

    fn place(&mut self, address: SocketAddr) -> &mut Place {
        let known = self.places.iter().position(|place| place.address == address);
        let at = known.unwrap_or_else(|| {
            self.places.push(Place { address, udp: Vec::new(), tcp: Vec::new() });
            self.places.len() - 1
        });
        &mut self.places[at]
    }
}

impl Place {
    fn bind(address: SocketAddr, settings: &Settings) -> Result<Self, StartFault> {
        let mut tries = if address.port() == 0 { FREE_PORT_TRIES } else { 1 };
        loop {
            tries -= 1;
            match Self::bind_both(address, settings) {
                Err(StartFault::Bind { ref fault, .. }) if tries > 0 && fault.kind() == io::ErrorKind::AddrInUse => {}
                outcome => return outcome,
            }
        }
    }

    /// A socket of each kind for each worker: where there are fewer, as from systemd, the workers share them.
    pub(super) fn share(mut self, workers: usize) -> io::Result<Self> {
        deal(&mut self.udp, workers, UdpSocket::try_clone)?;
        deal(&mut self.tcp, workers, TcpListener::try_clone)?;
        Ok(self)
    }

    fn bind_both(address: SocketAddr, settings: &Settings) -> Result<Self, StartFault> {
        let threads = settings.worker_count();
        let fault = |transport| move |fault| StartFault::Bind { address, transport, setting: LISTEN, fault };
        let udp: Vec<UdpSocket> =
            siblings(address, threads, udp_socket).map_err(fault("UDP"))?.into_iter().map(Into::into).collect();
        let address = udp.first().map_or(Ok(address), UdpSocket::local_addr).map_err(fault("UDP"))?;
        let tcp = listeners(address, threads).map_err(fault("TCP"))?;
        Ok(Self { address, udp, tcp })
    }

    fn bind_tls(address: SocketAddr, threads: usize) -> Result<Self, StartFault> {
        let fault = |fault| StartFault::Bind { address, transport: "TCP", setting: LISTEN_TLS, fault };
        let tcp = listeners(address, threads).map_err(fault)?;
        let bound = tcp.first().map_or(Ok(address), TcpListener::local_addr).map_err(fault)?;
        Ok(Self { address: bound, udp: Vec::new(), tcp })
    }
}

fn bind_quic(address: SocketAddr) -> Result<UdpSocket, StartFault> {
    let fault = |fault| StartFault::Bind { address, transport: "UDP", setting: LISTEN_QUIC, fault };
    let bind = |socket: Socket| socket.bind(&address.into()).map(|()| socket.into());
    udp_socket(address).and_then(bind).map_err(fault)
}

fn listeners(address: SocketAddr, threads: usize) -> io::Result<Vec<TcpListener>> {
    let sockets = siblings(address, threads, tcp_socket)?;
    sockets.iter().try_for_each(|socket| socket.listen(BACKLOG))?;
    Ok(sockets.into_iter().map(Into::into).collect())
}

fn deal<T>(sockets: &mut Vec<T>, workers: usize, share: impl Fn(&T) -> io::Result<T>) -> io::Result<()> {
    let own = sockets.len();
    for worker in own..if own == 0 { 0 } else { workers } {
        sockets.push(share(&sockets[worker % own])?);
    }
    Ok(())
}

/// Sockets on one address; the first one makes sure that nobody else has it.
fn siblings(
    mut address: SocketAddr,
    count: usize,
    open: impl Fn(SocketAddr) -> io::Result<Socket>,
) -> io::Result<Vec<Socket>> {
    let mut sockets = Vec::with_capacity(count);
    for i in 0..count {
        let socket = open(address)?;
        socket.set_reuse_port(i > 0)?;
        socket.bind(&address.into())?;
        socket.set_reuse_port(true)?;
        if let Some(bound) = socket.local_addr()?.as_socket() {
            address = bound;
        }
        sockets.push(socket);
    }
    Ok(sockets)
}

fn udp_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

fn tcp_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?; // or a restart would wait for the last connections of the server before
    Ok(socket)
}

/// Why the name server did not start, and what to do about it: one line.
#[derive(Debug)]
pub enum StartFault {
    /// An address could not be bound.
    Bind {
        /// The address.
        address: SocketAddr,
        /// "UDP" or "TCP".
        transport: &'static str,
        /// The setting that names it.
        setting: &'static str,
        /// What the kernel said.
        fault: io::Error,
    },
    /// A socket or a thread could not be prepared.
    Prepare(io::Error),
}

impl StartFault {
    /// Whether the setting `dns.listen` names the address.
    pub fn is_of_listen(&self) -> bool {
        matches!(self, Self::Bind { setting: LISTEN, .. })
    }
}

impl fmt::Display for StartFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Bind { address, transport, setting, fault } = self else {
            let Self::Prepare(fault) = self else { return Ok(()) };
            return write!(
                f,
                "cannot prepare the DNS sockets: {fault}; check the limits of the process (ulimit -n, -u)"
            );
        };
        let (port, kind) = (address.port(), fault.kind());
        if kind == io::ErrorKind::AddrInUse {
            write!(
                f,
                "{address} is in use over {transport}: another name server has it; find it with \"ss -lnp sport = :{port}\" \
                 and stop it, or set {setting} to other addresses"
            )
        } else if kind == io::ErrorKind::PermissionDenied {
            write!(
                f,
                "{address} may not be opened over {transport}: ports under 1024 need CAP_NET_BIND_SERVICE; start by the \
                 systemd unit, or as root, or set {setting} to a higher port"
            )
        } else if kind == io::ErrorKind::AddrNotAvailable {
            write!(
                f,
                "{address} is not an address of this machine; \"ip address\" shows which there are; correct {setting}"
            )
        } else {
            write!(f, "cannot listen on {address} over {transport}: {fault}; correct {setting}")
        }
    }
}

impl std::error::Error for StartFault {}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(listen: &str, workers: u16) -> Settings {
        Settings { listen: vec![listen.parse().unwrap()], workers, ..Settings::default() }
    }

    fn fault(settings: &Settings) -> String {
        Sockets::bind(settings).err().unwrap().to_string()
    }

    #[test]
    fn udp_and_tcp_share_a_free_port_on_all_threads() {
        for listen in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"] {
            let sockets = Sockets::bind(&settings(listen, 3)).unwrap();
            let [place] = &sockets.places[..] else { panic!("one address") };
            assert_eq!((place.udp.len(), place.tcp.len()), (3, 3), "{listen}");
            assert!(place.udp.iter().all(|socket| socket.local_addr().unwrap() == place.address), "{listen}");
            assert!(place.tcp.iter().all(|socket| socket.local_addr().unwrap() == place.address), "{listen}");
            assert_ne!(place.address.port(), 0);
        }
    }

    #[test]
    fn a_second_server_is_noticed_although_the_port_is_shared() {
        let first = Sockets::bind(&settings("127.0.0.1:0", 2)).unwrap();
        let address = first.addresses()[0];
        let told = fault(&settings(&address.to_string(), 2));
        assert!(told.starts_with(&format!("{address} is in use over UDP")), "{told}");
        let tcp_only = TcpListener::bind("127.0.0.1:0").unwrap();
        let told = fault(&settings(&tcp_only.local_addr().unwrap().to_string(), 1));
        assert!(told.contains("is in use over TCP") && !told.contains('\n'), "{told}");
    }

    #[test]
    fn a_strange_address_is_told_with_its_cure() {
        let told = fault(&settings("192.0.2.1:5353", 1));
        assert!(told.starts_with("192.0.2.1:5353 is not an address of this machine"), "{told}");
        let denied = StartFault::Bind {
            address: "127.0.0.1:53".parse().unwrap(),
            transport: "UDP",
            setting: LISTEN,
            fault: io::ErrorKind::PermissionDenied.into(),
        };
        assert!(denied.to_string().contains("CAP_NET_BIND_SERVICE"), "{denied}");
    }

    #[test]
    fn an_address_that_is_taken_is_told_with_the_setting_that_names_it_and_leaves_nothing_behind() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (_tls, _quic) = (TcpListener::bind(taken).unwrap(), UdpSocket::bind(taken).unwrap());
        let mut sockets = Sockets::bind(&settings("127.0.0.1:0", 2)).unwrap();
        for (field, transport) in [("tls", "TCP"), ("quic", "UDP")] {
            let other = if field == "tls" { "quic" } else { "tls" };
            let text = format!("[encrypted]\n{field} = [\"{taken}\"]\n{other} = [\"127.0.0.1:0\"]");
            let told = sockets.bind_encrypted(&toml::from_str(&text).unwrap()).unwrap_err();
            assert!(!told.is_of_listen() && !sockets.are_encrypted());
            let told = told.to_string();
            assert!(told.starts_with(&format!("{taken} is in use over {transport}: ")), "{told}");
            assert!(told.ends_with(&format!("set dns.encrypted.{field} to other addresses")), "{told}");
        }
    }

    #[test]
    fn adopted_sockets_are_grouped_by_address() {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = udp.local_addr().unwrap();
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sockets = Sockets::adopt(vec![udp, other], vec![TcpListener::bind(address).unwrap()]).unwrap();
        assert_eq!((sockets.addresses().len(), sockets.addresses()[0]), (2, address));
        assert_eq!((sockets.places[0].udp.len(), sockets.places[0].tcp.len(), sockets.places[1].tcp.len()), (1, 1, 0));
    }
}
