//! Floods end the attacker's connection, forged packets take nobody's place, and each client has its share.

use std::net::UdpSocket;
use std::time::Duration;

use quinn::{ConnectionError, Endpoint, VarInt};

use super::client::{Client, End, GET, config, dial, number, place, say};
use super::{settings, start};
use crate::app::App;
use crate::client::run;
use crate::kit::{Edge, route};

const EXCESSIVE_LOAD: u64 = 0x107;

#[test]
fn floods_end_the_attackers_connection_and_no_other() {
    let app = App::hello();
    let edge = start(&[("a.test", &app.url())]);
    run(async {
        let mut other = Client::new(&edge, "a.test").await;
        for (name, octets) in [("requests", GET), ("half heads", &GET[..5]), ("nothing", b"")] {
            let (_endpoint, connection) = dial(&edge, "a.test").await.unwrap();
            let flood = async {
                while let Ok((mut send, mut receive)) = connection.open_bi().await {
                    let _ = send.write_all(octets).await;
                    let _ = send.reset(VarInt::from_u32(0x10c));
                    let _ = receive.stop(VarInt::from_u32(0x10c));
                    tokio::task::yield_now().await;
                }
                number(&connection.closed().await)
            };
            assert_eq!(flood.await, EXCESSIVE_LOAD, "{name}");
            assert_eq!(other.get("https://a.test/").await.text(), "hello", "{name}");
        }
        // Octets that nothing comes of: frames that nobody knows, without end.
        let (_endpoint, connection) = dial(&edge, "a.test").await.unwrap();
        let (mut send, _receive) = connection.open_bi().await.unwrap();
        let flood = async {
            let _ = send.write_all(b"\x21\xff\xff\xff\xff\xff\xff\xff\xff").await;
            while send.write_all(&[7; 65_536]).await.is_ok() {}
            number(&connection.closed().await)
        };
        assert_eq!(flood.await, EXCESSIVE_LOAD);
        assert_eq!(other.get("https://a.test/").await.text(), "hello");
    });
    assert!(edge.running().stats().misbehaved >= 4);
}

#[test]
fn each_client_has_its_share_of_connections_and_requests() {
    let app = App::heads(|_, wire, _| {
        wire.is_left();
        false
    });
    let mut settings = settings();
    settings.clients.connections_per_client_max = 2;
    settings.clients.streams_max = 3;
    let edge = Edge::with([route("a.test", &app.url())], settings);
    run(async {
        let (_one, connection) = dial(&edge, "a.test").await.unwrap();
        let _two = dial(&edge, "a.test").await.unwrap();
        assert!(matches!(dial(&edge, "a.test").await, Err(ConnectionError::ConnectionClosed(_))));
        let mut kept = Vec::new();
        for _ in 0..3 {
            kept.push(connection.open_bi().await.unwrap());
        }
        let more = tokio::time::timeout(Duration::from_millis(300), connection.open_bi()).await;
        assert!(more.is_err(), "a fourth has to wait");
    });
    assert_eq!(edge.running().stats().refused, 1);
}

/// Handshakes whose clients never answer, as with forged addresses: from some number on, a newcomer has to come back with a token,
/// and who does is served.
#[test]
fn forged_handshakes_have_to_prove_their_address() {
    let app = App::hello();
    let edge = start(&[("a.test", &app.url())]);
    let trap = UdpSocket::bind("127.0.0.1:0").unwrap();
    trap.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let forged: Vec<UdpSocket> = (0..40).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    run(async {
        let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut dialled = Vec::new();
        for socket in &forged {
            // The first packets of a real client, which it believes to have sent elsewhere.
            let connecting = endpoint.connect_with(config(&edge), trap.local_addr().unwrap(), "a.test").unwrap();
            dialled.push(connecting);
            tokio::time::sleep(Duration::from_millis(5)).await;
            trap.set_nonblocking(true).unwrap();
            let mut packet = [0; 2_048];
            while let Ok(size) = trap.recv(&mut packet) {
                socket.send_to(&packet[..size], place(&edge)).unwrap();
            }
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let retried = forged.iter().filter(|socket| {
            socket.set_nonblocking(true).unwrap();
            let mut packet = [0; 2_048];
            // A packet with a long header and type 3 (RFC 9000, section 17.2.5).
            socket.recv(&mut packet).is_ok_and(|_| packet[0] & 0xf0 == 0xf0)
        });
        let retried = retried.count();
        assert!((5..=12).contains(&retried), "{retried} had to prove their address");
        let (_endpoint, connection) = dial(&edge, "a.test").await.unwrap();
        assert!(matches!(say(&connection, GET, true).await, End::Whole(_)));
    });
}
