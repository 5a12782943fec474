//! Clients that are slow, too many, or mean harm: they are cut, and nobody else notices.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use freehold::edge::Settings;
use freehold::edge::settings::{Apps, Clients};

use super::app::App;
use super::client::{Client, connect, get, http2, read, request, run, tls, tls_config};
use super::kit::{Edge, route, settings, until};

const SHORT: Duration = Duration::from_millis(300);

fn edge(app: &App, clients: Clients) -> Edge {
    Edge::with([route("a.test", &app.url())], Settings { clients, ..settings() })
}

/// Within the limit and a few looks of the clock, but on a machine that is busy with other things.
fn in_time(begin: Instant) {
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
}

#[test]
fn slow_clients_are_cut() {
    let app = App::hello();
    let clients =
        Clients { handshake: SHORT, head: SHORT, body: SHORT, idle: Duration::from_secs(3_600), ..Clients::default() };
    let edge = edge(&app, clients);
    let begin = Instant::now();
    // A handshake that does not go on.
    assert_eq!(connect(edge.https()).read(&mut [0; 1]).unwrap_or(0), 0);
    // A head that drips, one octet after the other.
    let mut dripping = Client::https(&edge, "a.test");
    for octet in b"GET / HTTP/1.1\r\nHost: a.test\r\nX-Long: ".iter().chain([b'x'; 400].iter()) {
        dripping.say([*octet]);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(dripping.rest(), b"");
    // A body that stops: the client is told, the app sees the end.
    let mut stopping = Client::https(&edge, "a.test");
    stopping.say("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000\r\n\r\nsome");
    let answer = stopping.answer();
    assert_eq!((answer.status, answer.field("connection")), (408, "close"));
    in_time(begin);
    edge.until("counted", |stats| stats.timed_out >= 3);
    assert_eq!(get(&edge, "a.test", "/").text(), "hello");
}

#[test]
fn a_body_that_crawls_is_cut_and_one_that_is_slow_is_not() {
    let app = App::hello();
    let edge = edge(&app, Clients { body: Duration::from_secs(1), ..Clients::default() });
    let slow = std::thread::scope(|scope| {
        let edge = &edge;
        let slow = scope.spawn(move || {
            let mut client = Client::https(edge, "a.test");
            client.say("POST /slow HTTP/1.1\r\nHost: a.test\r\nContent-Length: 20000\r\n\r\n");
            for _ in 0..20 {
                client.say([b'x'; 1_000]);
                std::thread::sleep(Duration::from_millis(150)); // three seconds in all
            }
            client.answer().status
        });
        let mut client = Client::https(edge, "a.test");
        client.say("POST /crawl HTTP/1.1\r\nHost: a.test\r\nContent-Length: 20000\r\n\r\n");
        let begin = Instant::now();
        let mut gone = 0;
        while begin.elapsed() < Duration::from_secs(10) && gone == 0 {
            client.say("x");
            std::thread::sleep(Duration::from_millis(50));
            gone = edge.running().stats().timed_out;
        }
        assert_eq!(client.answer().status, 408);
        slow.join().unwrap()
    });
    assert_eq!(slow, 200);
}

#[test]
fn a_client_that_takes_nothing_is_cut_and_the_app_let_go_of() {
    for http2 in [false, true] {
        let app = App::heads(|seen, wire, keep| {
            wire.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
            let part = vec![0; 1 << 20];
            for _ in 0..1_000 {
                wire.say(&part);
                if wire.failed {
                    keep(seen);
                    return false;
                }
            }
            false
        });
        let edge = edge(&app, Clients { take: SHORT, ..Clients::default() });
        let mut stream = tls(&edge, "a.test", tls_config(&edge, &[if http2 { "h2" } else { "http/1.1" }])).unwrap();
        if http2 {
            let fields: [(&str, &[u8]); 4] =
                [(":method", b"GET"), (":scheme", b"https"), (":authority", b"a.test"), (":path", b"/")];
            stream.write_all(&opening(&fields)).unwrap();
        } else {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").unwrap();
        }
        until("let go", || app.seen().len() == 1);
        edge.until("counted", |stats| (stats.timed_out, stats.aborted) == (1, 1));
    }
}

#[test]
fn idle_connections_are_closed_and_those_in_use_are_not() {
    let app = App::hello();
    let edge = edge(&app, Clients { idle: Duration::from_secs(1), ..Clients::default() });
    let (mut idle, mut used, mut plain) =
        (Client::https(&edge, "a.test"), Client::https(&edge, "a.test"), Client::http(&edge));
    idle.get("a.test", "/");
    for _ in 0..12 {
        assert_eq!(used.get("a.test", "/").text(), "hello");
        std::thread::sleep(Duration::from_millis(250)); // three seconds in all
    }
    assert_eq!((idle.rest(), plain.rest()), (Vec::new(), Vec::new()));
    assert_eq!(used.get("a.test", "/").text(), "hello");
    assert!(run(async {
        let mut client = http2(&edge, "a.test").await;
        let answer = client.send_request(request("GET", "https://a.test/", &[], super::client::empty())).await.unwrap();
        assert_eq!(read(answer).await, Some((200, "hello".into())));
        while !client.is_closed() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        true
    }));
}

#[test]
fn a_parked_connection_serves_on_as_if_nothing_had_been() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url())]);
    let mut client = Client::https(&edge, "a.test");
    for _ in 0..3 {
        assert_eq!(client.get("a.test", "/").text(), "hello");
        std::thread::sleep(Duration::from_millis(900)); // parked meanwhile
        client.say("GET / HT");
        std::thread::sleep(Duration::from_millis(50));
        client.say("TP/1.1\r\nHost: a.test\r\n\r\n");
        assert_eq!(client.answer().text(), "hello");
        // Two at once, on a connection that was parked.
        std::thread::sleep(Duration::from_millis(900));
        client.say("GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\nGET /2 HTTP/1.1\r\nHost: a.test\r\n\r\n");
        assert_eq!((client.answer().text(), client.answer().text()), ("hello".into(), "hello".into()));
    }
}

#[test]
fn one_client_cannot_take_all_connections_and_idle_ones_make_room() {
    let app = App::hello();
    let few = edge(&app, Clients { connections_per_client_max: 3, ..Clients::default() });
    let mut held: Vec<_> = (0..3).map(|_| Client::https(&few, "a.test")).collect();
    assert_eq!(connect(few.http()).read(&mut [0; 1]).unwrap_or(0), 0, "a fourth is refused");
    assert_eq!(held[0].get("a.test", "/").status, 200);
    drop(held);
    few.until("closed", |stats| stats.open() == 0);
    assert_eq!(get(&few, "a.test", "/").status, 200);

    let full = edge(&app, Clients { connections_max: 3, ..Clients::default() });
    let mut held: Vec<_> = (0..3)
        .map(|_| {
            let mut client = Client::https(&full, "a.test");
            client.get("a.test", "/");
            std::thread::sleep(Duration::from_millis(600)); // so that they differ
            client
        })
        .collect();
    assert_eq!(get(&full, "a.test", "/").status, 200);
    assert_eq!(held[0].rest(), b"", "the one that was idle longest made room");
    assert_eq!(held[2].get("a.test", "/").status, 200);
    full.until("counted", |stats| stats.evicted >= 1);
}

#[test]
fn heads_have_a_size_and_a_count() {
    let app = App::hello();
    let edge = edge(&app, Clients { head_size_max: 8_192, headers_max: 20, ..Clients::default() });
    let with = |fields: &str| {
        super::client::ask(&edge, "a.test", &format!("GET / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n")).status
    };
    assert_eq!(with(&format!("X-A: {}\r\n", "x".repeat(7_000))), 200);
    assert_eq!(with(&format!("X-A: {}\r\n", "x".repeat(100_000))), 431);
    assert_eq!(with(&"X-A: 1\r\n".repeat(19)), 200);
    assert_eq!(with(&"X-A: 1\r\n".repeat(20)), 431);
    let long = format!("GET /{} HTTP/1.1\r\nHost: a.test\r\n\r\n", "x".repeat(70_000));
    assert!([414, 431].contains(&super::client::ask(&edge, "a.test", &long).status));
    run(async {
        let mut client = http2(&edge, "a.test").await;
        let large = "x".repeat(30_000);
        let answer =
            client.send_request(request("GET", "https://a.test/", &[("x-a", &large)], super::client::empty())).await;
        assert!(answer.map_or(431, |answer| answer.status().as_u16()) == 431);
    });
    assert_eq!(app.seen().len(), 2);
}

#[test]
fn a_flood_of_resets_ends_its_own_connection_only() {
    let app = App::heads(|_, wire, _| {
        wire.is_left();
        false
    });
    let other = App::hello();
    let edge = Edge::start(&[("a.test", &app.url()), ("b.test", &other.url())]);
    let mut honest = Client::https(&edge, "b.test");
    let mut flood = tls(&edge, "a.test", tls_config(&edge, &["h2"])).unwrap();
    flood.write_all(&preface()).unwrap();
    let fields: [(&str, &[u8]); 4] =
        [(":method", b"GET"), (":scheme", b"https"), (":authority", b"a.test"), (":path", b"/")];
    let block = literal(&fields);
    let mut ended = false;
    for number in 0..20_000_u32 {
        let stream = number * 2 + 1;
        let request = [frame(1, 0x05, stream, &block), frame(3, 0, stream, &8_u32.to_be_bytes())].concat();
        if flood.write_all(&request).and_then(|()| flood.flush()).is_err() {
            ended = true;
            break;
        }
        if number % 100 == 0 {
            assert_eq!(honest.get("b.test", "/").text(), "hello");
        }
    }
    assert!(ended || flood.read_to_end(&mut Vec::new()).is_ok() || edge.running().stats().misbehaved > 0);
    edge.until("ended", |stats| stats.open() == 1);
    assert_eq!(honest.get("b.test", "/").text(), "hello");
}

#[test]
fn a_flood_of_continuations_ends_its_own_connection_only() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url())]);
    let mut honest = Client::https(&edge, "a.test");
    let mut flood = tls(&edge, "a.test", tls_config(&edge, &["h2"])).unwrap();
    let fields: [(&str, &[u8]); 4] =
        [(":method", b"GET"), (":scheme", b"https"), (":authority", b"a.test"), (":path", b"/")];
    flood.write_all(&[preface(), frame(1, 0x01, 1, &literal(&fields))].concat()).unwrap();
    let more = literal(&[("x-more", &[b'x'; 4_000][..])]);
    let mut sent = 0;
    while sent < 100_000 && flood.write_all(&frame(9, 0, 1, &more)).and_then(|()| flood.flush()).is_ok() {
        sent += 1;
    }
    assert!(sent < 100_000, "the flood went on for ever");
    assert_eq!(honest.get("a.test", "/").text(), "hello");
}

/// PING and SETTINGS, which are answered, and PRIORITY, WINDOW_UPDATE and empty DATA, of which nothing comes at all.
#[test]
fn floods_of_frames_that_ask_for_nothing_end_their_own_connection_only() {
    let app = App::new(|seen, wire| {
        if seen.line().contains("/wait") {
            return !wire.is_left();
        }
        wire.answer("200 OK", "", "hello");
        true
    });
    let edge = Edge::start(&[("a.test", &app.url())]);
    let mut honest = Client::https(&edge, "a.test");
    let fields: [(&str, &[u8]); 4] =
        [(":method", b"POST"), (":scheme", b"https"), (":authority", b"a.test"), (":path", b"/wait")];
    let upload = frame(1, 0x04, 1, &literal(&fields));
    for (name, flood, answered) in [
        ("PING", frame(6, 0, 0, &[7; 8]), true),
        ("SETTINGS", frame(4, 0, 0, &[]), true),
        ("PRIORITY", frame(2, 0, 5, &[0, 0, 0, 0, 1]), false),
        ("WINDOW_UPDATE", frame(8, 0, 0, &1_u32.to_be_bytes()), false),
        ("empty DATA", frame(0, 0, 1, &[]), false),
    ] {
        let mut stream = tls(&edge, "a.test", tls_config(&edge, &["h2"])).unwrap();
        stream.write_all(&preface()).unwrap();
        if name == "empty DATA" {
            stream.write_all(&upload).unwrap();
        }
        let batch = flood.repeat(1_000);
        let (mut sent, mut told) = (0, vec![0; flood.len() * 1_000]);
        while sent < 2_000 {
            let said = stream.write_all(&batch).and_then(|()| stream.flush());
            if said.is_err() || (answered && stream.read_exact(&mut told).is_err()) {
                break;
            }
            sent += 1;
            if sent % 50 == 0 {
                assert_eq!(honest.get("a.test", "/").text(), "hello");
            }
        }
        assert!(sent < 2_000, "{name}: the flood went on for ever");
        edge.until(name, |stats| stats.open() == 1);
    }
    assert_eq!(honest.get("a.test", "/").text(), "hello");
}

/// What a patient client does is no flood: a long answer with its WINDOW_UPDATEs, and a long upload.
#[test]
fn long_bodies_over_http2_are_no_flood() {
    let app = App::new(|seen, wire| {
        let part = vec![7; 8 << 20];
        wire.answer("200 OK", "", if seen.body.is_empty() { &part[..] } else { &seen.body });
        true
    });
    let edge = Edge::start(&[("a.test", &app.url())]);
    run(async {
        let mut client = http2(&edge, "a.test").await;
        for body in [super::client::empty(), super::client::full(vec![b'x'; 8 << 20])] {
            let answer = client.send_request(request("POST", "https://a.test/", &[], body)).await.unwrap();
            assert_eq!(read(answer).await.unwrap().1.len(), 8 << 20);
        }
    });
    assert_eq!(edge.running().stats().misbehaved, 0);
}

#[test]
fn an_app_is_waited_for_only_so_long() {
    let silent = App::heads(|seen, wire, keep| {
        if seen.line().contains("/half") {
            wire.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        }
        if wire.is_left() {
            keep(seen);
        }
        false
    });
    let apps = Apps { answer: SHORT, silence: SHORT, ..Apps::default() };
    let edge = Edge::with([route("a.test", &silent.url())], Settings { apps, ..settings() });
    let begin = Instant::now();
    let answer = get(&edge, "a.test", "/");
    assert_eq!(answer.status, 504, "{}", answer.text());
    assert!(answer.text().contains("takes too long to answer"));
    let answer = get(&edge, "a.test", "/half");
    assert_eq!((answer.status, answer.whole), (200, false));
    in_time(begin);
    until("the app was let go of", || silent.seen().len() == 2);
}

//----- HTTP/2, frame by frame -----------------------------------------------------------------------------------

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let size = (payload.len() as u32).to_be_bytes();
    [&size[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The client's preface and empty settings.
pub(crate) fn preface() -> Vec<u8> {
    [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, 0, &[])].concat()
}

/// Fields as HPACK literals that are never indexed (RFC 7541, section 6.2.3), as they stand.
pub(crate) fn literal(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut block = Vec::new();
    let string = |text: &[u8], block: &mut Vec<u8>| {
        if text.len() < 127 {
            block.push(text.len() as u8);
        } else {
            block.push(127);
            let mut rest = text.len() - 127;
            while rest >= 128 {
                block.push((rest % 128 + 128) as u8);
                rest /= 128;
            }
            block.push(rest as u8);
        }
        block.extend_from_slice(text);
    };
    for (name, value) in fields {
        block.push(0x10);
        string(name.as_bytes(), &mut block);
        string(value, &mut block);
    }
    block
}

/// Preface and a request without a body.
fn opening(fields: &[(&str, &[u8])]) -> Vec<u8> {
    [preface(), frame(1, 0x05, 1, &literal(fields))].concat()
}

/// Sends a request with these fields as they stand; tells whether it was refused rather than answered.
pub(crate) fn raw_http2(edge: &Edge, fields: &[(&str, &[u8])]) -> bool {
    let mut stream = tls(edge, "a.test", tls_config(edge, &["h2"])).unwrap();
    stream.write_all(&opening(fields)).unwrap();
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).is_err() {
            return true;
        }
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        if stream.read_exact(&mut payload).is_err() {
            return true;
        }
        match head[3] {
            3 | 7 => return true,           // RST_STREAM, GOAWAY
            1 => return payload[0] != 0x88, // anything but ":status: 200" of the static table
            _ => (),
        }
    }
}
