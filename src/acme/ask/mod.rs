//! Asking name servers: what the world sees, and what each server of a zone says.
//!
//! A question goes out over UDP from a port of its own with a number of its own, and over TCP where the reply was too large.
//! Each has its time. Rejected: the system's resolver (it answers addresses only, and from its cache), and a resolver
//! library (we ask a handful of questions, most of them to one certain server).

mod message;
mod resolver;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::wire::{Kind, NameRef};

pub(super) use message::{Data, Record, Reply};
pub(super) use resolver::{Resolver, name_servers, rcode};

/// "No such name" (RFC 1035, section 4.1.1).
pub(super) const NO_SUCH_NAME: u8 = 3;
/// Questions over UDP before a server is given up.
const TRIES: u32 = 2;
/// How long one question may take.
const TRY_TIME: Duration = Duration::from_millis(1_500);

/// Asks one server. `recursive` asks it to find out what it does not know.
pub(super) async fn ask(server: SocketAddr, name: NameRef<'_>, kind: Kind, recursive: bool) -> Result<Reply, String> {
    let mut fault = String::new();
    for _ in 0..TRIES {
        let told = timeout(TRY_TIME, over_udp(server, name, kind, recursive)).await;
        match told.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(reply) if reply.truncated => {
                let told = timeout(2 * TRY_TIME, over_tcp(server, name, kind, recursive)).await;
                return told.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|error| plain(&error));
            }
            Ok(reply) => return Ok(reply),
            Err(error) => fault = plain(&error),
        }
    }
    Err(fault)
}

/// What happened, in two or three words.
fn plain(error: &io::Error) -> String {
    let known = [
        (io::ErrorKind::TimedOut, "no answer"),
        (io::ErrorKind::ConnectionRefused, "nobody listens there"),
        (io::ErrorKind::InvalidData, "it answers nonsense"),
    ];
    let words = known.iter().find(|(kind, _)| *kind == error.kind());
    words.map_or_else(|| super::trouble::plain(error), |(_, words)| (*words).to_owned())
}

fn random_id() -> io::Result<u16> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    Ok(u16::from_ne_bytes(id))
}

async fn over_udp(server: SocketAddr, name: NameRef<'_>, kind: Kind, recursive: bool) -> io::Result<Reply> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    let id = random_id()?;
    socket.send(&message::question(id, name, kind, recursive)).await?;
    let mut octets = [0; message::UDP_SIZE as usize];
    loop {
        let size = socket.recv(&mut octets).await?;
        // What is no reply to this question was sent by somebody else; the right one may still come.
        if let Some(reply) = message::read(&octets[..size], id, name, kind) {
            return Ok(reply);
        }
    }
}

async fn over_tcp(server: SocketAddr, name: NameRef<'_>, kind: Kind, recursive: bool) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(server).await?;
    let id = random_id()?;
    let question = message::question(id, name, kind, recursive);
    let mut octets = (question.len() as u16).to_be_bytes().to_vec();
    octets.extend(question);
    stream.write_all(&octets).await?;
    let size = stream.read_u16().await?;
    let mut octets = vec![0; size.into()];
    stream.read_exact(&mut octets).await?;
    message::read(&octets, id, name, kind).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
