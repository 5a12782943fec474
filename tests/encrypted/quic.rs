//! DNS over QUIC (RFC 9250): asked by hickory's client, and by quinn for what an honest client does not do.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Instant;

use hickory_net::quic::QuicClientStream;
use hickory_net::xfer::{DnsRequestSender, FirstAnswer};
use hickory_proto::op::{DnsRequest, DnsRequestOptions, Message};
use hickory_proto::rr::RecordType;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, VarInt};
use tokio::time::timeout;

use crate::kit::{NAME, PATIENCE, QUESTIONS, Server, framed, query, rewritten, unpadded};

impl Server {
    fn quic_client(&self) -> Endpoint {
        let crypto = QuicClientConfig::try_from(self.client(b"doq")).unwrap();
        let mut endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        endpoint.set_default_client_config(ClientConfig::new(Arc::new(crypto)));
        endpoint
    }

    async fn connect_quic(&self) -> Result<Connection, ConnectionError> {
        timeout(PATIENCE, self.quic_client().connect(self.quic(), NAME).unwrap()).await.unwrap()
    }
}

/// Asks on a stream of its own.
async fn ask(connection: &Connection, message: &[u8]) -> Vec<u8> {
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    send.write_all(&framed(message)).await.unwrap();
    send.finish().unwrap();
    let reply = timeout(PATIENCE, receive.read_to_end(70_000)).await.unwrap().unwrap();
    assert_eq!(usize::from(u16::from_be_bytes([reply[0], reply[1]])), reply.len() - 2);
    reply[2..].to_vec()
}

/// Sends octets on a stream and tells with which code the connection is ended.
async fn offend(connection: &Connection, octets: &[u8], finish: bool) -> VarInt {
    let (mut send, _receive) = connection.open_bi().await.unwrap();
    send.write_all(octets).await.unwrap();
    if finish {
        let _ = send.finish(); // the connection may be over by now
    }
    let closed = timeout(PATIENCE, connection.closed()).await.unwrap();
    let ConnectionError::ApplicationClosed(closed) = closed else { panic!("{closed}") };
    closed.error_code
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_client_of_hickory_s_gets_what_tcp_says() {
    let server = Server::start();
    let builder = QuicClientStream::builder().crypto_config(server.client(b"doq"));
    let mut client = builder.build(server.quic(), NAME.into()).await.unwrap();
    for (name, kind) in QUESTIONS {
        let query = query(0, name, kind, false);
        let request = DnsRequest::new(Message::from_vec(&query).unwrap(), DnsRequestOptions::default());
        let reply = timeout(PATIENCE, client.send_message(request).first_answer()).await.unwrap().unwrap();
        assert_eq!(reply.to_vec().unwrap(), rewritten(&server.over_tcp(&query)), "{name} {kind}");
    }
    assert_eq!(server.handle.stats().quic.queries, QUESTIONS.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn replies_are_those_of_tcp_and_padded_for_whoever_pads() {
    let server = Server::start();
    let connection = server.connect_quic().await.unwrap();
    for (name, kind) in QUESTIONS {
        let plain = query(0, name, kind, false);
        assert_eq!(ask(&connection, &plain).await, server.over_tcp(&plain), "{name} {kind}");
        let padded = query(0, name, kind, true);
        assert_eq!(unpadded(&ask(&connection, &padded).await), rewritten(&server.over_tcp(&padded)), "{name} {kind}");
    }
}

/// hickory-server's listener closes a connection after 100 queries, and has each wait for the one before.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_query_waits_for_another_and_there_is_no_last_one() {
    let server = Server::start();
    let connection = server.connect_quic().await.unwrap();
    let asked = query(0, "www.home.example.", RecordType::A, false);
    let whole = framed(&asked);
    let (half, rest) = whole.split_at(20);
    let (mut slow, mut answer) = connection.open_bi().await.unwrap();
    slow.write_all(half).await.unwrap();
    let expected = server.over_tcp(&asked);
    for _ in 0..10 {
        let all: Vec<_> = (0..50)
            .map(|_| {
                let (connection, asked) = (connection.clone(), asked.clone());
                tokio::spawn(async move { ask(&connection, &asked).await })
            })
            .collect();
        for one in all {
            assert_eq!(one.await.unwrap(), expected);
        }
    }
    slow.write_all(rest).await.unwrap(); // and it is answered before the stream is said to be over
    let mut reply = vec![0; expected.len() + 2];
    timeout(PATIENCE, answer.read_exact(&mut reply)).await.unwrap().unwrap();
    assert_eq!(reply, framed(&expected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_client_may_not_do_ends_its_connection_and_no_other() {
    const KEEPALIVE: [u8; 4] = [0, 11, 0, 0];
    let server = Server::start();
    let other = server.connect_quic().await.unwrap();
    let asked = query(0, "www.home.example.", RecordType::A, false);
    let mut keepalive = asked.clone();
    let size_at = keepalive.len() - 1;
    keepalive[size_at] = 4;
    keepalive.extend(KEEPALIVE);
    let numbered = query(1, "www.home.example.", RecordType::A, false);
    for (octets, finish) in [
        (framed(&numbered), true),
        (framed(&keepalive), true),
        ([framed(&asked), framed(&asked)].concat(), true),
        (framed(&asked)[..20].to_vec(), true),
        (vec![0, 0], false),
        (framed(&[0xff; 40]), true),
    ] {
        let connection = server.connect_quic().await.unwrap();
        assert_eq!(offend(&connection, &octets, finish).await, VarInt::from_u32(2), "{octets:?}"); // DOQ_PROTOCOL_ERROR
    }
    assert_eq!(ask(&other, &asked).await, server.over_tcp(&asked));
    assert_eq!(server.handle.stats().quic.panics, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn slow_idle_and_too_many_clients_are_sent_away() {
    let server = Server::with("tcp = { message_seconds = 3, idle_seconds = 6, connections_per_client_max = 2 }");
    let (slow, idle) = (server.connect_quic().await.unwrap(), server.connect_quic().await.unwrap());
    assert!(matches!(server.connect_quic().await, Err(ConnectionError::ConnectionClosed(_))));
    assert_eq!(server.handle.stats().quic.refused, 1);
    assert_eq!(offend(&slow, &[0, 30, 0, 0], false).await, VarInt::from_u32(4)); // DOQ_EXCESSIVE_LOAD
    timeout(PATIENCE, idle.closed()).await.unwrap();
    server.until("over", |stats| stats.quic.open() == 0);
    assert!(server.connect_quic().await.is_ok(), "there is room again");
}

/// The one that has waited longest makes room for a newcomer.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_full_server_takes_newcomers() {
    let server = Server::with("tcp = { connections_max = 2, message_seconds = 60, idle_seconds = 3600 }");
    let asked = query(0, "www.home.example.", RecordType::A, false);
    let (one, two) = (server.connect_quic().await.unwrap(), server.connect_quic().await.unwrap());
    ask(&one, &asked).await;
    let three = server.connect_quic().await.unwrap();
    timeout(PATIENCE, two.closed()).await.unwrap();
    for open in [&one, &three] {
        ask(open, &asked).await;
    }
    assert_eq!(server.handle.stats().quic.evicted, 1);
}

/// A forged packet begins a handshake that nobody goes on with. One of them is enough to keep everybody away from
/// hickory-server's listener for five seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn forged_handshakes_keep_nobody_out() {
    let server = Server::with("tcp = { connections_per_client_max = 100, message_seconds = 60, idle_seconds = 60 }");
    let forger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (mut packet, mut begun) = ([0; 2_000], Vec::new());
    for _ in 0..100 {
        let nobody = UdpSocket::bind("127.0.0.1:0").unwrap();
        nobody.set_read_timeout(Some(PATIENCE)).unwrap();
        let endpoint = server.quic_client();
        let connecting = endpoint.connect(nobody.local_addr().unwrap(), NAME).unwrap();
        let size = nobody.recv(&mut packet).unwrap();
        forger.send_to(&packet[..size], server.quic()).unwrap();
        begun.push((endpoint, connecting)); // what is dropped says goodbye
    }
    let begin = Instant::now();
    let connection = server.connect_quic().await.unwrap();
    assert!(begin.elapsed() < PATIENCE / 2, "none of them was waited for: {:?}", begin.elapsed());
    let asked = query(0, "www.home.example.", RecordType::A, false);
    assert_eq!(ask(&connection, &asked).await, server.over_tcp(&asked));
    let stats = server.handle.stats().quic;
    // Those that came while a place among the unproven ones was just given back are believed too.
    assert!((33..=50).contains(&stats.accepted), "only so many forged ones were believed: {stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_renewed_certificate_is_shown_to_the_next_and_nobody_is_disturbed() {
    let server = Server::start();
    let shown = |connection: &Connection| {
        let identity = connection.peer_identity().unwrap();
        identity.downcast::<Vec<rustls::pki_types::CertificateDer<'static>>>().unwrap()[0].clone()
    };
    let before = server.connect_quic().await.unwrap();
    server.certify(NAME);
    let after = server.connect_quic().await.unwrap();
    assert_ne!(shown(&before), shown(&after));
    ask(&before, &query(0, "www.home.example.", RecordType::A, false)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn garbage_harms_nobody_and_a_stop_says_goodbye() {
    let server = Server::start();
    let connection = server.connect_quic().await.unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for first in 0..=255 {
        for size in [1, 20, 1_200] {
            socket.send_to(&vec![first; size], server.quic()).unwrap();
        }
    }
    let asked = query(0, "www.home.example.", RecordType::A, false);
    assert_eq!(ask(&connection, &asked).await, server.over_tcp(&asked));
    let stats = tokio::task::spawn_blocking(move || server.handle.stop()).await.unwrap().quic;
    assert_eq!((stats.panics, stats.queries), (0, 1));
    let closed = timeout(PATIENCE, connection.closed()).await.unwrap();
    assert!(matches!(closed, ConnectionError::ApplicationClosed(closed) if closed.error_code == VarInt::from_u32(0)));
}
