//! A packet to a server at an address, and what comes back, over UDP or TCP.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// The reply's octets; None when nothing came in time, or the connection was closed.
pub(crate) fn exchange(server: SocketAddr, packet: &[u8], over_tcp: bool, patience: Duration) -> Option<Vec<u8>> {
    let reply = if over_tcp { by_tcp(server, packet, patience) } else { by_udp(server, packet, patience) };
    let silence = [
        ErrorKind::WouldBlock,
        ErrorKind::TimedOut,
        ErrorKind::UnexpectedEof,
        ErrorKind::ConnectionRefused,
        ErrorKind::ConnectionReset,
        ErrorKind::BrokenPipe,
    ];
    match reply {
        Ok(reply) => Some(reply),
        Err(error) if silence.contains(&error.kind()) => None,
        Err(error) => panic!("{server}: {error}"),
    }
}

fn by_udp(server: SocketAddr, packet: &[u8], patience: Duration) -> std::io::Result<Vec<u8>> {
    let socket = UdpSocket::bind((server.ip(), 0))?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(patience))?;
    socket.send(packet)?;
    let mut reply = vec![0; 65_535];
    let length = socket.recv(&mut reply)?;
    reply.truncate(length);
    Ok(reply)
}

fn by_tcp(server: SocketAddr, packet: &[u8], patience: Duration) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, patience)?;
    stream.set_read_timeout(Some(patience))?;
    let length = (packet.len() as u16).to_be_bytes();
    stream.write_all(&[&length, packet].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}
