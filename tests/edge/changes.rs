//! Routes and certificates change under load, and nobody notices but those who should.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use freehold::store::Snapshot;

use super::app::App;
use super::client::{Client, empty, get, http2, request, run, tls, tls_config};
use super::kit::{Edge, has, now, route};

#[test]
fn a_thousand_changes_under_load_fail_no_request_and_cut_no_stream() {
    let app = |name: &'static str| {
        App::new(move |seen, wire| {
            if seen.line().contains("/socket") {
                wire.say("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
                while let said @ [_, ..] = &*wire.more() {
                    wire.say(said);
                }
                return false;
            }
            if seen.line().contains("/events") {
                wire.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                for _ in 0..60 {
                    wire.say("5\r\nevent\r\n");
                    std::thread::sleep(Duration::from_millis(50));
                }
                wire.say("0\r\n\r\n");
                return true;
            }
            wire.answer("200 OK", "", name);
            true
        })
    };
    let apps = [app("even"), app("odd!")];
    let edge = Edge::start(&[("a.test", &apps[0].url())]);
    std::thread::scope(|scope| {
        let stream = scope.spawn(|| get(&edge, "a.test", "/events"));
        let loads: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::https(&edge, "a.test");
                    let mut counts = [0, 0];
                    while edge.running().stats().requests() < 3_000 || counts.contains(&0) {
                        let answer = client.get("a.test", "/");
                        assert_eq!(answer.status, 200);
                        counts[usize::from(answer.text() == "odd!")] += 1;
                    }
                    counts
                })
            })
            .collect();
        let mut socket = Client::https(&edge, "a.test");
        socket.say("GET /socket HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
        assert_eq!(socket.head().status, 101);
        for turn in 1..=1_000 {
            edge.put(route("a.test", &apps[turn % 2].url()));
            edge.put(route(&format!("other{}.test", turn % 20), &apps[0].url()));
            if turn % 50 == 0 {
                assert_eq!(socket.say("still there").take(11), b"still there");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        for load in loads {
            load.join().unwrap();
        }
        let events = stream.join().unwrap();
        assert_eq!((events.whole, events.body.len()), (true, 300));
    });
    let stats = edge.running().stats();
    assert_eq!((stats.answers[4], stats.answers[5], stats.aborted), (0, 0, 0));
    // On the last one, all of the traffic is what it should be.
    assert_eq!(get(&edge, "a.test", "/").text(), "even");
}

#[test]
fn h2load_finds_nothing_failed_while_routes_change() {
    if !has("h2load") {
        return;
    }
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url())]);
    let port = edge.https().port();
    let (url, there) = (format!("https://a.test:{port}/"), format!("--connect-to=127.0.0.1:{port}"));
    for protocol in [&["--h1"][..], &["-m", "10"]] {
        std::thread::scope(|scope| {
            let load = scope.spawn(|| {
                let mut command = Command::new("h2load");
                command.args(protocol).args(["-n", "4000", "-c", "8", &there, &url]).output().unwrap()
            });
            for turn in 1..=20 {
                edge.put(route(&format!("other{turn}.test"), &app.url()));
                edge.put(route("a.test", &app.url()));
                std::thread::sleep(Duration::from_millis(30));
            }
            let output = load.join().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(text.contains("4000 succeeded, 0 failed, 0 errored, 0 timeout"), "{protocol:?}: {text}");
        });
    }
}

#[test]
fn a_route_that_goes_takes_nothing_with_it_that_is_under_way() {
    let app = App::new(|_, wire| {
        wire.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        std::thread::sleep(Duration::from_millis(300));
        wire.say("world");
        true
    });
    let edge = Edge::start(&[("a.test", &app.url())]);
    let mut client = Client::https(&edge, "a.test");
    client.say("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").head();
    let mut next = Snapshot::clone(&edge.snapshots.load());
    assert!(next.routes.remove("a.test/"));
    edge.snapshots.store(Arc::new(next));
    assert_eq!(client.take(10), b"helloworld");
    assert_eq!(client.get("a.test", "/").status, 404);
}

#[test]
fn a_renewed_certificate_is_shown_from_the_next_handshake_on() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url())]);
    let shown = || {
        let stream = tls(&edge, "a.test", tls_config(&edge, &["http/1.1"])).unwrap();
        stream.conn.peer_certificates().unwrap()[0].clone().into_owned()
    };
    let mut kept = Client::https(&edge, "a.test");
    let before = shown();
    let renewed = edge.issue("a.test", now());
    let mut next = Snapshot::clone(&edge.snapshots.load());
    next.certificates.insert(Arc::new(renewed));
    edge.snapshots.store(Arc::new(next));
    assert_ne!(shown(), before);
    assert_eq!(kept.get("a.test", "/").text(), "hello", "a connection that is there stays");
}

#[test]
fn twenty_renewals_under_load_fail_no_handshake_and_no_request() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url())]);
    let over = AtomicBool::new(false);
    let shown = std::thread::scope(|scope| {
        let loads: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let (mut kept, mut shown) = (Client::https(&edge, "a.test"), BTreeSet::new());
                    while !over.load(Ordering::Relaxed) {
                        let stream = tls(&edge, "a.test", tls_config(&edge, &["http/1.1"])).unwrap();
                        shown.insert(stream.conn.peer_certificates().unwrap()[0].to_vec());
                        assert_eq!(Client::over(stream).get("a.test", "/").text(), "hello");
                        assert_eq!(kept.get("a.test", "/").text(), "hello");
                    }
                    shown
                })
            })
            .collect();
        for _ in 0..20 {
            let mut next = Snapshot::clone(&edge.snapshots.load());
            next.certificates.insert(Arc::new(edge.issue("a.test", now())));
            edge.snapshots.store(Arc::new(next));
            std::thread::sleep(Duration::from_millis(40)); // the clients need the processor
        }
        over.store(true, Ordering::Relaxed);
        loads.into_iter().flat_map(|load| load.join().unwrap()).collect::<BTreeSet<_>>()
    });
    assert!(shown.len() > 5, "{} certificates were shown", shown.len());
    let stats = edge.running().stats();
    assert_eq!((stats.answers[4], stats.answers[5], stats.aborted), (0, 0, 0));
}

#[test]
fn many_requests_share_one_connection_to_an_app_that_speaks_http2() {
    // Another edge is the app.
    let app = App::hello();
    let inner = Edge::start(&[("inner.test", &app.url())]);
    let edge = Edge::start(&[("inner.test", &format!("https+insecure://localhost:{}", inner.https().port()))]);
    // The inner edge knows no localhost: it shows that a certificate for another name is told as what it is.
    let answer = get(&edge, "inner.test", "/");
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(answer.text().contains("No secure connection"), "{}", answer.text());

    let inner = Edge::start(&[("localhost", &app.url())]);
    let edge = Edge::start(&[("localhost", &format!("https+insecure://localhost:{}", inner.https().port()))]);
    run(async {
        let mut client = http2(&edge, "localhost").await;
        let asked = (0..50).map(|_| client.send_request(request("GET", "https://localhost/", &[], empty())));
        let asked: Vec<_> = asked.collect();
        for answer in asked {
            assert_eq!(super::client::read(answer.await.unwrap()).await, Some((200, "hello".into())));
        }
    });
    let inner = inner.running().stats();
    assert_eq!((inner.connections, inner.http2, inner.requests()), (1, 1, 50));
    // The same with a look at the certificate, which no authority of this machine vouches for.
    let port = edge.https().port();
    let checked = Edge::start(&[("localhost", &format!("https://localhost:{port}"))]);
    assert_eq!(get(&checked, "localhost", "/").status, 502);
}
