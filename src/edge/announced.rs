//! The PROXY protocol, versions 1 and 2: what a proxy that only passes octets on writes in front of them, so that the next one
//! knows whose they are (haproxy.org, doc/proxy-protocol.txt).
//!
//! It is read from the networks in `edge.proxy_protocol_from` and from nobody else: there every connection has to begin with it,
//! and anywhere else nothing is taken for it. Apps are told by it where a route says so.

use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::route::options::ProxyProtocol;

/// How version 2 begins: no line of any other protocol.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// How version 1 begins.
const LINE_START: &[u8] = b"PROXY ";
/// Octets of a line of version 1, with its end.
const LINE_SIZE_MAX: usize = 107;
/// Octets behind the head of version 2: addresses, and what else a proxy has to say, which is skipped.
const REST_SIZE_MAX: usize = 2_048;
/// Octets of the addresses of two TCP ports over IPv4 and IPv6.
const IPV4_SIZE: usize = 12;
const IPV6_SIZE: usize = 36;

/// Reads what a proxy announces, and not an octet more: whose connection it is; none if it is the proxy's own.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut start = [0; SIGNATURE.len()];
    stream.read_exact(&mut start).await?;
    if start == SIGNATURE {
        let mut head = [0; 4];
        stream.read_exact(&mut head).await?;
        let [command, kind, high, low] = head;
        let size = usize::from(u16::from_be_bytes([high, low]));
        if size > REST_SIZE_MAX {
            return Err(unsound());
        }
        let mut rest = vec![0; size];
        stream.read_exact(&mut rest).await?;
        return binary(command, kind, &rest).ok_or_else(unsound);
    }
    if !start.starts_with(LINE_START) {
        return Err(unsound());
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\n") {
        if line.len() >= LINE_SIZE_MAX {
            return Err(unsound());
        }
        line.push(stream.read_u8().await?);
    }
    text(&line).ok_or_else(unsound)
}

fn unsound() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the connection does not begin with the PROXY protocol")
}

/// Whom a line of version 1 tells of; the outer none if it is no such line.
fn text(line: &[u8]) -> Option<Option<SocketAddr>> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?.strip_prefix("PROXY ")?;
    let mut words = line.split(' ');
    let is_ipv4 = match words.next()? {
        "UNKNOWN" => return Some(None),
        "TCP4" => true,
        "TCP6" => false,
        _ => return None,
    };
    let mut address = || words.next()?.parse().ok().filter(|address: &IpAddr| address.is_ipv4() == is_ipv4);
    let (source, _) = (address()?, address()?);
    let mut port = || words.next().filter(|word| word.bytes().all(|octet| octet.is_ascii_digit()))?.parse::<u16>().ok();
    let (source_port, _) = (port()?, port()?);
    words.next().is_none().then_some(Some(SocketAddr::new(source, source_port)))
}

/// The same of version 2.
fn binary(command: u8, kind: u8, rest: &[u8]) -> Option<Option<SocketAddr>> {
    match command {
        0x20 => return Some(None), // its own: it looks whether we are there
        0x21 => (),
        _ => return None,
    }
    let (address, port) = match kind {
        0x11 => {
            let rest: &[u8; IPV4_SIZE] = rest.first_chunk()?;
            let [a, b, c, d, _, _, _, _, high, low, _, _] = *rest;
            (IpAddr::from(Ipv4Addr::new(a, b, c, d)), [high, low])
        }
        0x21 => {
            let rest: &[u8; IPV6_SIZE] = rest.first_chunk()?;
            let source: [u8; 16] = *rest.first_chunk()?;
            (IpAddr::from(Ipv6Addr::from(source)), [rest[32], rest[33]])
        }
        0x12 | 0x22 => return None, // UDP never comes this way
        _ => return Some(None),     // a Unix socket, or a proxy that does not know
    };
    Some(Some(SocketAddr::new(address, u16::from_be_bytes(port))))
}

/// What an app is told about a connection.
pub(super) fn written(version: ProxyProtocol, source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let (from, to) = match (source.ip(), destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => (IpAddr::V4(from), IpAddr::V4(to)),
        (from, to) => (IpAddr::V6(mapped(from)), IpAddr::V6(mapped(to))), // both have to be of one kind
    };
    match version {
        ProxyProtocol::V1 => {
            let kind = if from.is_ipv4() { "TCP4" } else { "TCP6" };
            let mut line = String::with_capacity(LINE_SIZE_MAX);
            let _ = write!(line, "PROXY {kind} {from} {to} {} {}\r\n", source.port(), destination.port());
            line.into_bytes()
        }
        ProxyProtocol::V2 => {
            let (kind, size) = if from.is_ipv4() { (0x11, IPV4_SIZE) } else { (0x21, IPV6_SIZE) };
            let mut octets = SIGNATURE.to_vec();
            octets.extend([0x21, kind, 0, size as u8]);
            for address in [from, to] {
                match address {
                    IpAddr::V4(address) => octets.extend(address.octets()),
                    IpAddr::V6(address) => octets.extend(address.octets()),
                }
            }
            octets.extend(source.port().to_be_bytes());
            octets.extend(destination.port().to_be_bytes());
            octets
        }
    }
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn heard(octets: &[u8]) -> Result<(Option<String>, Vec<u8>), io::ErrorKind> {
        let mut rest = octets;
        let told = read(&mut rest).await.map_err(|fault| fault.kind())?;
        Ok((told.map(|address| address.to_string()), rest.to_vec()))
    }

    #[tokio::test]
    async fn lines_of_version_1_are_read_to_their_end_and_no_further() {
        for (line, told) in [
            ("PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n", Some("192.0.2.1:4711")),
            ("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", Some("[2001:db8::1]:1")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
        ] {
            let (heard, rest) = heard(format!("{line}GET /").as_bytes()).await.unwrap();
            assert_eq!((heard.as_deref(), rest.as_slice()), (told, &b"GET /"[..]), "{line}");
        }
        let long = format!("PROXY UNKNOWN {}\r\n", "a".repeat(100));
        for line in [
            "GET / HTTP/1.1\r\n\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 4711\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 4711 443 x\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\n",
            "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
            "PROXY TCP4  192.0.2.1 192.0.2.2 4711 443\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 +711 443\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 99999 443\r\n",
            "PROXY UDP4 192.0.2.1 192.0.2.2 4711 443\r\n",
            &long,
        ] {
            assert_eq!(heard(line.as_bytes()).await, Err(io::ErrorKind::InvalidData), "{line}");
        }
        assert_eq!(heard(b"PROXY TCP4 192").await, Err(io::ErrorKind::UnexpectedEof));
    }

    #[tokio::test]
    async fn what_is_written_is_read_again() {
        for (source, destination, told) in [
            ("192.0.2.1:4711", "192.0.2.2:443", "192.0.2.1:4711"),
            ("[2001:db8::1]:4711", "[2001:db8::2]:443", "[2001:db8::1]:4711"),
            ("192.0.2.1:4711", "[2001:db8::2]:443", "[::ffff:192.0.2.1]:4711"),
        ] {
            for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
                let octets = written(version, source.parse().unwrap(), destination.parse().unwrap());
                assert_eq!(heard(&octets).await.unwrap(), (Some(told.to_owned()), vec![]), "{version:?}");
            }
        }
    }

    #[tokio::test]
    async fn version_2_is_bounded_and_what_else_it_says_is_skipped() {
        let head = |command: u8, kind: u8, size: u16| {
            let [high, low] = size.to_be_bytes();
            [&SIGNATURE[..], &[command, kind, high, low]].concat()
        };
        let addresses = [192, 0, 2, 1, 192, 0, 2, 2, 0, 80, 1, 187];
        let with_more = [head(0x21, 0x11, 15), addresses.to_vec(), b"tlvGET".to_vec()].concat();
        assert_eq!(heard(&with_more).await.unwrap(), (Some("192.0.2.1:80".to_owned()), b"GET".to_vec()));
        assert_eq!(heard(&head(0x20, 0, 0)).await.unwrap().0, None);
        assert_eq!(heard(&head(0x21, 0, 0)).await.unwrap().0, None);
        for (command, kind, size) in [
            (0x11, 0x11, 12),
            (0x22, 0x11, 12),
            (0x21, 0x11, 11),
            (0x21, 0x21, 12),
            (0x21, 0x12, 12),
            (0x21, 0x11, 2_049),
        ] {
            let octets = [head(command, kind, size), vec![0; usize::from(size)]].concat();
            assert_eq!(heard(&octets).await, Err(io::ErrorKind::InvalidData), "{command:x} {kind:x} {size}");
        }
    }
}
