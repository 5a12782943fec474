//! WebSocket, by `Upgrade` and on a stream of HTTP/2 (RFC 8441), and what routes that change and go mean for it.

use std::sync::Arc;

use freehold::store::Snapshot;
use hyper::client::conn::http2::SendRequest;
use hyper::ext::Protocol;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::app::App;
use super::client::{Body, Client, empty, get, http2, read, request, run};
use super::kit::{Edge, route};

type Socket = TokioIo<hyper::upgrade::Upgraded>;

/// An app that agrees to WebSocket and says back what it hears; on `/no` it does not agree, `/events` is a stream that ends
/// when the client says so.
fn app() -> App {
    App::heads(|seen, wire, keep| {
        if seen.line().contains("/no") || seen.field("upgrade") != "websocket" {
            wire.answer("200 OK", "", "hello");
            return true;
        }
        keep(seen);
        wire.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
        wire.say("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n");
        loop {
            let heard = wire.more();
            if heard.is_empty() {
                return false;
            }
            wire.say(heard);
        }
    })
}

/// Asks for a WebSocket over HTTP/2: the status, and the socket if there is one.
async fn connect(client: &mut SendRequest<Body>, url: &str) -> (u16, Option<Socket>, hyper::HeaderMap) {
    let fields = [("sec-websocket-version", "13"), ("sec-websocket-protocol", "chat"), ("origin", "https://a.test")];
    let mut asked = request("CONNECT", url, &fields, empty());
    asked.extensions_mut().insert(Protocol::from_static("websocket"));
    let mut answer = client.send_request(asked).await.unwrap();
    let (status, fields) = (answer.status().as_u16(), answer.headers().clone());
    let socket = if status == 200 { hyper::upgrade::on(&mut answer).await.ok().map(TokioIo::new) } else { None };
    (status, socket, fields)
}

/// Says this and waits until all of it has come back.
async fn echo(socket: &mut Socket, said: &[u8]) {
    let (mut reader, mut writer) = tokio::io::split(socket);
    let mut heard = vec![0; said.len()];
    let (wrote, heard_all) = tokio::join!(writer.write_all(said), reader.read_exact(&mut heard));
    wrote.and(heard_all).unwrap();
    assert!(heard == said);
}

/// A client of which the edge's settings have come: only then it knows that it may ask.
async fn ready(edge: &Edge) -> SendRequest<Body> {
    let mut client = http2(edge, "a.test").await;
    let answer = client.send_request(request("GET", "https://a.test/", &[], empty())).await.unwrap();
    assert_eq!(read(answer).await, Some((200, "hello".into())));
    client
}

#[test]
fn a_websocket_on_a_stream_of_http2_reaches_an_app_that_speaks_http1() {
    let app = app();
    let edge = Edge::start(&[("a.test", &app.url())]);
    run(async {
        let mut client = ready(&edge).await;
        let (status, socket, fields) = connect(&mut client, "https://a.test/socket?x=y").await;
        assert_eq!((status, &fields["sec-websocket-protocol"]), (200, &"chat".parse().unwrap()));
        for name in ["sec-websocket-accept", "upgrade", "connection", "transfer-encoding"] {
            assert!(!fields.contains_key(name), "{name} is of HTTP/1.1 (RFC 8441, section 5)");
        }
        let mut socket = socket.unwrap();
        let (_, other, _) = connect(&mut client, "https://a.test/other").await;
        let mut other = other.unwrap();
        echo(&mut socket, b"x").await;
        echo(&mut other, &vec![7; 70_000]).await;
        echo(&mut socket, &(0..3_000_000_u32).map(|number| number as u8).collect::<Vec<_>>()).await;
        // The end of one is its own.
        socket.shutdown().await.unwrap();
        assert_eq!(socket.read(&mut [0; 1]).await.unwrap(), 0);
        echo(&mut other, b"still there").await;
        let answer = client.send_request(request("GET", "https://a.test/", &[], empty())).await.unwrap();
        assert_eq!(read(answer).await, Some((200, "hello".into())));
    });
    let seen = &app.seen()[0];
    assert_eq!(seen.line(), "GET /socket?x=y HTTP/1.1");
    for (name, value) in [
        ("host", "a.test"),
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "chat"),
        ("x-forwarded-proto", "https"),
    ] {
        assert_eq!(seen.all(name), [value], "{name}");
    }
    assert_eq!(seen.field("sec-websocket-key").len(), 24, "one was made for it");
    assert_ne!(seen.field("sec-websocket-key"), app.seen()[1].field("sec-websocket-key"));
}

#[test]
fn an_app_that_does_not_agree_is_not_taken_to_have_agreed() {
    let app = app();
    let edge = Edge::start(&[("a.test", &app.url())]);
    run(async {
        let mut client = ready(&edge).await;
        // The app's 200 would mean a WebSocket here.
        let (status, _, _) = connect(&mut client, "https://a.test/no").await;
        assert_eq!(status, 501);
        let (_, socket, _) = connect(&mut client, "https://a.test/socket").await;
        echo(&mut socket.unwrap(), b"the connection goes on").await;
    });
}

/// Over HTTP/1.1 and HTTP/2, with events beside them; the route leads elsewhere, others come, and at last it goes.
#[test]
fn twenty_changes_and_the_end_of_the_route_cut_no_websocket_and_no_stream() {
    let (app, other) = (app(), App::hello());
    let (cue, told) = std::sync::mpsc::sync_channel::<()>(0);
    let told = std::sync::Mutex::new(told);
    let events = App::new(move |_, wire| {
        wire.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 120\r\n\r\n");
        while told.lock().unwrap().recv().is_ok() {
            wire.say("event\n");
        }
        true
    });
    let edge = Edge::start(&[("a.test", &app.url()), ("a.test/events", &events.url())]);
    let mut upgraded = Client::https(&edge, "a.test");
    let upgrade = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(upgraded.say(upgrade).head().status, 101);
    let mut listener = Client::https(&edge, "a.test");
    assert_eq!(listener.say("GET /events HTTP/1.1\r\nHost: a.test\r\n\r\n").head().status, 200);
    let mut kept = Client::https(&edge, "a.test");
    assert_eq!(kept.get("a.test", "/").text(), "hello");
    run(async {
        let mut client = ready(&edge).await;
        let (_, socket, _) = connect(&mut client, "https://a.test/socket").await;
        let mut socket = socket.unwrap();
        for turn in 1..=20 {
            edge.put(route(&format!("other{turn}.test"), &other.url()));
            edge.put(route("a.test", &if turn % 2 == 1 { other.url() } else { app.url() }));
            if turn == 20 {
                let mut next = Snapshot::clone(&edge.snapshots.load());
                assert!(next.routes.remove("a.test/") && next.routes.remove("a.test/events"));
                edge.snapshots.store(Arc::new(next));
            }
            echo(&mut socket, format!("turn {turn}").as_bytes()).await;
            upgraded.say("turn");
            assert_eq!(upgraded.take(4), b"turn", "{turn}");
            cue.send(()).unwrap();
            assert_eq!(listener.take(6), b"event\n", "{turn}");
        }
        // The route is gone: what is new is told so, on connections that are there and on new ones.
        let answer = client.send_request(request("GET", "https://a.test/", &[], empty())).await.unwrap();
        assert_eq!(answer.status(), 404);
    });
    assert_eq!((kept.get("a.test", "/").status, get(&edge, "a.test", "/events").status), (404, 404));
    upgraded.say("and on");
    assert_eq!(upgraded.take(6), b"and on");
}
