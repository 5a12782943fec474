//! Clients that move, servers that stop, routes and certificates that change: what is under way comes to its end.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use freehold::store::Snapshot;

use super::client::{Client, config, dial, part, place, whole};
use super::start;
use crate::app::App;
use crate::client::run;
use crate::kit::{now, route};

/// An app that says a part of its answer, and later the rest.
fn slow() -> App {
    App::new(|seen, wire| {
        if seen.line().contains("/slow") {
            wire.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
            std::thread::sleep(Duration::from_millis(400));
            wire.say("world");
        } else {
            wire.answer("200 OK", "", seen.field("x-real-ip"));
        }
        true
    })
}

#[test]
fn a_client_that_moves_keeps_what_is_under_way() {
    let app = slow();
    let edge = start(&[("a.test", &app.url())]);
    run(async {
        let mut client = Client::new(&edge, "a.test").await;
        let mut stream = client.begin("GET", "https://a.test/slow", &[]).await;
        stream.finish().await.unwrap();
        let head = stream.recv_response().await.unwrap();
        // Another port of the same address, as behind a router that has forgotten: nothing is different.
        client.endpoint.rebind(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        assert_eq!(whole(head, &mut stream).await.unwrap().text(), "helloworld");
        assert_eq!(client.get("https://a.test/").await.text(), "127.0.0.1");

        let mut stream = client.begin("GET", "https://a.test/slow", &[]).await;
        stream.finish().await.unwrap();
        let head = stream.recv_response().await.unwrap();
        assert_eq!(part(&mut stream).await.unwrap().unwrap(), "hello");
        // Another network: what is under way goes on, and what is new has to prove its address.
        client.endpoint.rebind(UdpSocket::bind("127.0.0.2:0").unwrap()).unwrap();
        assert_eq!(whole(head, &mut stream).await.unwrap().text(), "world");
        let mut refused = client.begin("GET", "https://a.test/", &[]).await;
        refused.finish().await.ok();
        assert!(refused.recv_response().await.is_err(), "its address is not proven");
        let connection = client.endpoint.connect_with(config(&edge), place(&edge), "a.test").unwrap().await.unwrap();
        assert!(connection.close_reason().is_none());
    });
    assert!(app.seen().iter().all(|seen| seen.field("x-real-ip") == "127.0.0.1"));
}

#[test]
fn a_server_that_stops_finishes_what_is_under_way_and_takes_nothing_new() {
    let app = slow();
    let mut edge = start(&[("a.test", &app.url())]);
    run(async {
        let mut idle = Client::new(&edge, "a.test").await;
        assert_eq!(idle.get("https://a.test/").await.status, 200);
        let mut client = Client::new(&edge, "a.test").await;
        let mut stream = client.begin("GET", "https://a.test/slow", &[]).await;
        stream.finish().await.unwrap();
        let head = stream.recv_response().await.unwrap();
        let (handle, begin) = (edge.handle.take().unwrap(), Instant::now());
        let stopping = tokio::task::spawn_blocking(move || handle.stop(Duration::from_secs(10)));
        let closed = idle.connection.closed().await;
        assert!(
            matches!(closed, quinn::ConnectionError::ApplicationClosed(close) if close.error_code == 0x100_u32.into())
        );
        assert_eq!(whole(head, &mut stream).await.unwrap().text(), "helloworld");
        let totals = stopping.await.unwrap();
        assert!(begin.elapsed() < Duration::from_secs(5));
        assert_eq!((totals.connections, totals.closed, totals.aborted), (2, 2, 0));
    });
}

#[test]
fn changes_under_load_fail_no_request() {
    let app = App::hello();
    let edge = start(&[("a.test", &app.url())]);
    std::thread::scope(|scope| {
        let loads: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    run(async {
                        let mut client = Client::new(&edge, "a.test").await;
                        for _ in 0..250 {
                            assert_eq!(client.get("https://a.test/").await.text(), "hello");
                        }
                    });
                })
            })
            .collect();
        let mut turn = 0;
        while !loads.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            turn += 1;
            edge.put(route(&format!("other{turn}.test"), &app.url()));
            edge.put(route("a.test", &app.url()));
            let mut next = Snapshot::clone(&edge.snapshots.load());
            next.certificates.insert(Arc::new(edge.issue("a.test", now())));
            edge.snapshots.store(Arc::new(next));
            std::thread::sleep(Duration::from_millis(20));
        }
        loads.into_iter().for_each(|load| load.join().unwrap());
        assert!(turn > 3);
    });
    let stats = edge.running().stats();
    assert_eq!((stats.http3_answers, stats.aborted), ([0, 0, 500, 0, 0, 0], 0));
}

#[test]
fn a_renewed_certificate_is_shown_from_the_next_handshake_on_and_nothing_can_be_replayed() {
    let app = App::hello();
    let edge = start(&[("a.test", &app.url())]);
    run(async {
        let shown = async || {
            let (_endpoint, connection) = dial(&edge, "a.test").await.unwrap();
            let identity = connection.peer_identity().unwrap();
            identity.downcast::<Vec<rustls::pki_types::CertificateDer<'static>>>().unwrap()[0].clone()
        };
        let mut kept = Client::new(&edge, "a.test").await;
        let before = shown().await;
        let mut next = Snapshot::clone(&edge.snapshots.load());
        next.certificates.insert(Arc::new(edge.issue("a.test", now())));
        edge.snapshots.store(Arc::new(next));
        assert_ne!(shown().await, before);
        assert_eq!(kept.get("https://a.test/").await.text(), "hello", "a connection that is there stays");

        // A client that comes back with a ticket may say nothing before the handshake.
        let (config, address) = (config(&edge), place(&edge));
        for _ in 0..2 {
            let connecting = kept.endpoint.connect_with(config.clone(), address, "a.test").unwrap();
            let connection = match connecting.into_0rtt() {
                Ok(_) => panic!("there is no 0-RTT"),
                Err(connecting) => connecting.await.unwrap(),
            };
            let answer = super::client::say(&connection, super::client::GET, true).await;
            assert!(matches!(answer, super::client::End::Whole(_)));
        }
    });
}
