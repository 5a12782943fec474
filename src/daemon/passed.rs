//! Sockets that systemd opened and hands over (`sd_listen_fds(3)`): then this process needs no rights to have them, and
//! they outlive it.
//!
//! Each is taken for what it is: a Unix socket is the admin API's, an Internet socket is for DNS, or, of TCP, for HTTP or HTTPS
//! or DNS over TLS, or, of UDP, for HTTP/3 or DNS over QUIC, if systemd calls it that (`FileDescriptorName=`). Names have to agree. A socket that
//! nobody here serves is a fault and not passed over, for whoever asks at it would wait for ever.

use std::env;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;

use super::Failure;
use crate::dns;
use crate::edge;

/// What systemd calls the sockets, and what they are for.
const DNS: &str = "dns";
const ADMIN: &str = "admin";
const HTTP: &str = "http";
const HTTPS: &str = "https";
const HTTP3: &str = "http3";
const DNS_TLS: &str = "dns-tls";
const DNS_QUIC: &str = "dns-quic";
/// What an unnamed socket is called.
const UNNAMED: &str = "unknown";

/// The sockets that were handed over.
#[derive(Default)]
pub(super) struct Passed {
    /// For DNS, if there are any: then they are all that is answered on.
    pub(super) dns: Option<dns::Sockets>,
    /// For the admin API.
    pub(super) admin: Option<UnixListener>,
    /// For HTTP and HTTPS, if there are any.
    pub(super) edge: Option<edge::Sockets>,
    /// For DNS over TLS.
    pub(super) tls: Vec<TcpListener>,
    /// For DNS over QUIC.
    pub(super) quic: Vec<UdpSocket>,
}

/// One of them.
enum Socket {
    Udp(UdpSocket),
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Takes what was handed over. Has to be called before any thread is started, and once: it takes the words for it out of
/// the environment.
pub(super) fn take() -> Result<Passed, Failure> {
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':').filter(|name| !name.is_empty());
    let mut descriptors = ListenFd::from_env();
    let sockets = (0..descriptors.len()).map(|at| {
        let name = names.next().unwrap_or(UNNAMED).to_owned();
        socket(&mut descriptors, at).map(|socket| (name, socket))
    });
    sort(sockets.collect::<Result<_, _>>()?)
}

fn socket(descriptors: &mut ListenFd, at: usize) -> Result<Socket, Failure> {
    // A kind that it is not leaves it in its place for the next one.
    if let Ok(Some(socket)) = descriptors.take_unix_listener(at) {
        return Ok(Socket::Unix(socket));
    }
    if let Ok(Some(socket)) = descriptors.take_udp_socket(at) {
        return Ok(Socket::Udp(socket));
    }
    if let Ok(Some(socket)) = descriptors.take_tcp_listener(at) {
        return Ok(Socket::Tcp(socket));
    }
    let message = format!("descriptor {} of those that systemd hands over is no socket of a kind to serve", at + 3);
    Err(Failure::new(
        message,
        "the units may name ListenDatagram= and ListenStream= for DNS, and a path for the admin API",
    ))
}

fn sort(sockets: Vec<(String, Socket)>) -> Result<Passed, Failure> {
    let (mut udp, mut tcp, mut http, mut https, mut admin) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), None);
    let (mut tls, mut quic, mut http3) = (Vec::new(), Vec::new(), Vec::new());
    for (name, socket) in sockets {
        let purpose = match (&socket, name.as_str()) {
            (Socket::Unix(_), _) => ADMIN,
            (Socket::Tcp(_), HTTP) => HTTP,
            (Socket::Tcp(_), HTTPS) => HTTPS,
            (Socket::Tcp(_), DNS_TLS) => DNS_TLS,
            (Socket::Udp(_), DNS_QUIC) => DNS_QUIC,
            (Socket::Udp(_), HTTP3) => HTTP3,
            (Socket::Udp(_) | Socket::Tcp(_), _) => DNS,
        };
        if name != purpose && name != UNNAMED {
            let message = format!("systemd hands over a socket called \"{name}\" which can only be for \"{purpose}\"");
            return Err(Failure::new(message, format!("say FileDescriptorName={purpose} in its unit")));
        }
        match socket {
            Socket::Udp(socket) if purpose == DNS_QUIC => quic.push(socket),
            Socket::Udp(socket) if purpose == HTTP3 => http3.push(socket),
            Socket::Udp(socket) => udp.push(socket),
            Socket::Tcp(socket) if purpose == DNS_TLS => tls.push(socket),
            Socket::Tcp(socket) if purpose == HTTP => http.push(socket),
            Socket::Tcp(socket) if purpose == HTTPS => https.push(socket),
            Socket::Tcp(socket) => tcp.push(socket),
            Socket::Unix(_) if admin.is_some() => {
                return Err(Failure::new("systemd hands over two admin sockets", "name one path in the unit"));
            }
            Socket::Unix(socket) => admin = Some(socket),
        }
    }
    if https.is_empty() && !http3.is_empty() {
        let message =
            "systemd hands over sockets for HTTP/3 and none for HTTPS; browsers find the one by way of the other";
        return Err(Failure::new(message, "start freehold-https.socket as well"));
    }
    let edge = (!http.is_empty() || !https.is_empty()).then(|| edge::Sockets::adopt(http, https, http3));
    let edge = edge.transpose().map_err(|fault| unusable(&fault))?;
    Ok(Passed { dns: for_dns(udp, tcp)?, admin, edge, tls, quic })
}

/// The sockets of DNS, if there are any.
fn for_dns(udp: Vec<UdpSocket>, tcp: Vec<TcpListener>) -> Result<Option<dns::Sockets>, Failure> {
    if udp.is_empty() && tcp.is_empty() {
        return Ok(None);
    }
    if udp.is_empty() || tcp.is_empty() {
        let (has, lacks) = if tcp.is_empty() { ("UDP", "ListenStream=") } else { ("TCP", "ListenDatagram=") };
        let message = format!("systemd hands over DNS sockets for {has} only; clients need both UDP and TCP");
        return Err(Failure::new(message, format!("add {lacks} with the same addresses to freehold-dns.socket")));
    }
    dns::Sockets::adopt(udp, tcp).map(Some).map_err(|fault| unusable(&fault))
}

fn unusable(fault: &dyn std::fmt::Display) -> Failure {
    Failure::new(format!("the sockets from systemd cannot be used: {fault}"), "look at their units")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn udp() -> Socket {
        Socket::Udp(UdpSocket::bind("127.0.0.1:0").unwrap())
    }

    fn tcp() -> Socket {
        Socket::Tcp(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn unix() -> Socket {
        let directory = tempfile::tempdir().unwrap();
        Socket::Unix(UnixListener::bind(directory.path().join("socket")).unwrap())
    }

    fn sorted(sockets: Vec<(&str, Socket)>) -> Result<Passed, String> {
        let sockets = sockets.into_iter().map(|(name, socket)| (name.to_owned(), socket)).collect();
        sort(sockets).map_err(|failure| failure.to_string())
    }

    #[test]
    fn sockets_are_taken_for_what_they_are() {
        let passed = sorted(vec![("dns", udp()), ("admin", unix()), ("dns", tcp()), ("dns", udp())]).unwrap();
        assert_eq!(passed.dns.unwrap().addresses().len(), 3);
        assert!(passed.admin.is_some());
        let passed = sorted(vec![(UNNAMED, udp()), (UNNAMED, tcp())]).unwrap();
        assert!(passed.dns.is_some() && passed.admin.is_none());
        assert!(sorted(Vec::new()).unwrap().dns.is_none());
        let edge = sorted(vec![("http", tcp()), ("https", tcp()), ("https", tcp())]).unwrap().edge.unwrap();
        assert_eq!((edge.http_addresses().len(), edge.https_addresses().len()), (1, 2));
        let edge = sorted(vec![("https", tcp()), ("http3", udp())]).unwrap().edge.unwrap();
        assert_eq!((edge.https_addresses().len(), edge.http3_addresses().len()), (1, 1));
        let passed = sorted(vec![("dns-tls", tcp()), ("dns-quic", udp()), ("dns", udp()), ("dns", tcp())]).unwrap();
        assert_eq!((passed.tls.len(), passed.quic.len(), passed.dns.unwrap().addresses().len()), (1, 1, 2));
    }

    #[test]
    fn a_socket_that_would_not_be_served_is_a_fault() {
        for (sockets, told) in [
            (vec![("https", udp())], "FileDescriptorName=dns"),
            (vec![("dns-tls", udp())], "FileDescriptorName=dns"),
            (vec![("dns-quic", tcp())], "FileDescriptorName=dns"),
            (vec![("http3", tcp())], "FileDescriptorName=dns"),
            (vec![("http3", udp())], "start freehold-https.socket"),
            (vec![("web", tcp())], "FileDescriptorName=dns"),
            (vec![("dns", unix())], "FileDescriptorName=admin"),
            (vec![("admin", unix()), ("admin", unix())], "two admin sockets"),
            (vec![("dns", udp())], "add ListenStream="),
            (vec![("dns", tcp())], "add ListenDatagram="),
        ] {
            let fault = sorted(sockets).err().unwrap();
            assert!(fault.contains(told), "{fault}");
        }
    }
}
