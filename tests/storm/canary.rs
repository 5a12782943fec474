//! The canary: a query whose answer is known, asked again and again while the storm goes on.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::mutate::query;

/// What the canary asks, and the address that the zone has for it.
const NAME: &str = "canary.storm.test";
const ADDRESS: [u8; 4] = [192, 0, 2, 42];
/// How long one attempt waits, and how long all may take: a busy machine may hold a process up, not more.
const ATTEMPT: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(1);

/// A socket for storm and canary.
pub(crate) fn socket(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(ATTEMPT)).unwrap();
    socket
}

/// Asks until the answer comes, behind whatever else comes through this socket; how long it took.
pub(crate) fn ask(socket: &UdpSocket, identifier: u16) -> Duration {
    let start = Instant::now();
    let query = query(identifier, NAME, 1, 1);
    let mut room = [0; 4_096];
    while start.elapsed() < LONGEST {
        socket.send(&query).expect("room in the kernel");
        let attempt = Instant::now();
        while attempt.elapsed() < ATTEMPT {
            match socket.recv(&mut room) {
                Ok(size) if is_answer(&room[..size], &query) => return start.elapsed(),
                Ok(_) => (),
                Err(_) => break,
            }
        }
    }
    panic!("the canary was not answered within {LONGEST:?}");
}

/// The same over a connection of its own.
pub(crate) fn ask_over_tcp(server: SocketAddr) -> Duration {
    let start = Instant::now();
    let query = query(0x7c9, NAME, 1, 1);
    let mut stream = TcpStream::connect(server).expect("the server listens");
    stream.set_read_timeout(Some(LONGEST)).unwrap();
    stream.write_all(&[&(query.len() as u16).to_be_bytes()[..], &query].concat()).unwrap();
    let mut size = [0; 2];
    stream.read_exact(&mut size).expect("the canary's answer over TCP");
    let mut reply = vec![0; u16::from_be_bytes(size).into()];
    stream.read_exact(&mut reply).expect("the canary's answer over TCP");
    assert!(is_answer(&reply, &query), "a wrong answer: {reply:02x?}");
    start.elapsed()
}

/// The question as it was asked, NOERROR, and the address at the end.
fn is_answer(reply: &[u8], query: &[u8]) -> bool {
    reply.len() > query.len()
        && reply[..2] == query[..2]
        && reply[2..4] == [0x85, 0]
        && reply[4..8] == [0, 1, 0, 1]
        && reply[12..query.len()] == query[12..]
        && reply.ends_with(&ADDRESS)
}
