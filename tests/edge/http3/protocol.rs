//! What a client may not say over HTTP/3, octet by octet, and what comes of it: its request ends, or its connection, and nobody
//! else's.

use super::client::{CONTROL, End, GET, dial, end, number, say};
use super::start;
use crate::app::App;
use crate::client::run;
use crate::kit::Edge;

const NO_ERROR: u64 = 0x100;
const STREAM_CREATION: u64 = 0x103;
const CLOSED_CRITICAL: u64 = 0x104;
const FRAME_UNEXPECTED: u64 = 0x105;
const FRAME: u64 = 0x106;
const EXCESSIVE_LOAD: u64 = 0x107;
const ID: u64 = 0x108;
const SETTINGS: u64 = 0x109;
const MISSING_SETTINGS: u64 = 0x10a;
const REQUEST_INCOMPLETE: u64 = 0x10d;
const MESSAGE: u64 = 0x10e;
const DECOMPRESSION: u64 = 0x200;
const ENCODER_STREAM: u64 = 0x201;
const DECODER_STREAM: u64 = 0x202;

/// A request's head with more lines in its section.
fn head(more: &[u8]) -> Vec<u8> {
    [&[1, (GET.len() - 2 + more.len()) as u8], &GET[2..], more].concat()
}

/// `POST https://a.test/` with this `content-length`.
fn post(length: &str) -> Vec<u8> {
    let line = [&[0x54, length.len() as u8], length.as_bytes()].concat();
    let mut head = head(&line);
    head[4] = 0xc0 | 20;
    head
}

/// `POST https://a.test/` that says nothing of its length.
fn endless() -> Vec<u8> {
    let mut head = head(b"");
    head[4] = 0xc0 | 20;
    head
}

fn is_status(outcome: &End, status: u8) {
    let End::Whole(octets) = outcome else { panic!("{outcome:?}") };
    assert_eq!((octets[0], octets[4]), (1, 0xc0 | status), "{octets:02x?}");
}

fn edge() -> (App, Edge) {
    let app = App::hello();
    let edge = start(&[("a.test", &app.url())]);
    (app, edge)
}

#[test]
fn a_malformed_request_ends_alone() {
    let (app, edge) = edge();
    run(async {
        let (_endpoint, connection) = dial(&edge, "a.test").await.unwrap();
        for (name, octets, code) in [
            ("no head", vec![], REQUEST_INCOMPLETE),
            ("no authority and no path", b"\x01\x04\x00\x00\xd1\xd7".to_vec(), MESSAGE),
            ("the path twice", head(b"\xc1"), MESSAGE),
            (
                "the path behind a field",
                [&b"\x01\x0e\x00\x00\xd1\xd7\x50\x06a.test\xd8"[..], b"\xc1"].concat(),
                MESSAGE,
            ),
            ("a status", head(b"\xd9"), MESSAGE),
            ("a word nobody knows", head(b"\x24:foo\x01x"), MESSAGE),
            ("capitals", head(b"\x23Foo\x01x"), MESSAGE),
            ("connection", head(b"\x27\x03connection\x05close"), MESSAGE),
            ("transfer-encoding", head(b"\x27\x0atransfer-encoding\x07chunked"), MESSAGE),
            ("te", head(b"\x22te\x04gzip"), MESSAGE),
            ("a line feed", head(b"\x23foo\x03x\ny"), MESSAGE),
            ("two lengths", head(b"\xc4\xc4"), MESSAGE),
            ("less than was announced", [&post("5")[..], b"\x00\x04body"].concat(), MESSAGE),
            ("more than was announced", [&post("3")[..], b"\x00\x04body"].concat(), MESSAGE),
            ("more behind what was announced", [&post("4")[..], b"\x00\x04body\x00\x01x"].concat(), MESSAGE),
            ("a path behind the body", [&endless()[..], b"\x00\x01x\x01\x03\x00\x00\xc1"].concat(), MESSAGE),
        ] {
            assert_eq!(say(&connection, &octets, true).await, End::Reset(code), "{name}");
        }
        is_status(&say(&connection, GET, true).await, 25);
        // What is unusual and sound is answered.
        for (name, octets) in [
            ("frames nobody knows", [b"\x21\x03abc", GET, b"\x40\x5f\x00\x00\x00"].concat()),
            ("no body in three parts", [&head(b"")[..], b"\x00\x00\x00\x00\x00\x00"].concat()),
            ("as much as was announced", [&post("4")[..], b"\x00\x01b\x00\x00\x00\x03ody\x01\x02\x00\x00"].concat()),
        ] {
            let End::Whole(octets) = say(&connection, &octets, true).await else { panic!("{name}") };
            assert_eq!(octets[4], 0xc0 | 25, "{name}");
        }
        assert!(connection.close_reason().is_none());
    });
    // Who announced five octets and sent four had the app asked; it never had the fifth. Nothing else that is malformed reached it whole.
    let whole: Vec<_> = app.seen().into_iter().map(|seen| String::from_utf8(seen.body).unwrap()).collect();
    assert!(whole.iter().all(|body| body.is_empty() || body == "body"), "{whole:?}");
}

#[test]
fn a_connection_that_breaks_the_rules_ends_alone() {
    let (_app, edge) = edge();
    let control = |more: &[u8]| [CONTROL, more].concat();
    run(async {
        let (_endpoint, other) = dial(&edge, "a.test").await.unwrap();
        for (name, request, uni, code) in [
            ("a body first", &b"\x00\x01x"[..], vec![], FRAME_UNEXPECTED),
            ("settings in a request", b"\x04\x00", vec![], FRAME_UNEXPECTED),
            ("a promise", b"\x05\x01\x00", vec![], FRAME_UNEXPECTED),
            ("a frame of HTTP/2", b"\x08\x00", vec![], FRAME_UNEXPECTED),
            ("half a frame", &GET[..9], vec![], FRAME),
            ("a dynamic table", b"\x01\x03\x00\x00\x80", vec![], DECOMPRESSION),
            ("a row too far", b"\x01\x04\x00\x00\xff\x24", vec![], DECOMPRESSION),
            ("no settings", b"", vec![b"\x00\x0d\x01\x00".to_vec()], MISSING_SETTINGS),
            ("settings twice", b"", vec![control(b"\x04\x00")], FRAME_UNEXPECTED),
            ("a setting of HTTP/2", b"", vec![b"\x00\x04\x02\x02\x00".to_vec()], SETTINGS),
            ("large settings", b"", vec![b"\x00\x04\x80\x01\x00\x00".to_vec()], EXCESSIVE_LOAD),
            ("a body for all", b"", vec![control(b"\x00\x01x")], FRAME_UNEXPECTED),
            ("a head for all", b"", vec![control(b"\x01\x01x")], FRAME_UNEXPECTED),
            ("fewer promises", b"", vec![control(b"\x0d\x01\x05\x0d\x01\x04")], ID),
            ("nothing to cancel", b"", vec![control(b"\x03\x01\x00")], ID),
            ("two of them", b"", vec![CONTROL.to_vec(), CONTROL.to_vec()], STREAM_CREATION),
            ("two tables", b"", vec![b"\x02".to_vec(), b"\x02".to_vec()], STREAM_CREATION),
            ("a promised answer", b"", vec![b"\x01\x00".to_vec()], STREAM_CREATION),
            ("a table", b"", vec![b"\x02\x3f\xe1\x1f".to_vec()], ENCODER_STREAM),
            ("a row for it", b"", vec![b"\x02\xc0\x01x".to_vec()], ENCODER_STREAM),
            ("a word about it", b"", vec![b"\x03\x84".to_vec()], DECODER_STREAM),
        ] {
            let (_endpoint, connection) = dial(&edge, "a.test").await.unwrap();
            let mut kept = Vec::new();
            for octets in uni {
                let mut stream = connection.open_uni().await.unwrap();
                stream.write_all(&octets).await.unwrap();
                kept.push(stream);
            }
            if !request.is_empty() {
                say(&connection, request, true).await;
            }
            assert_eq!(number(&connection.closed().await), code, "{name}");
        }
        let (_endpoint, connection) = dial(&edge, "a.test").await.unwrap();
        let mut stream = connection.open_uni().await.unwrap();
        stream.write_all(CONTROL).await.unwrap();
        stream.finish().unwrap();
        assert_eq!(number(&connection.closed().await), CLOSED_CRITICAL, "the control stream ends");
        assert!(other.close_reason().is_none());
        is_status(&say(&other, GET, true).await, 25);
    });
}

#[test]
fn streams_that_nobody_knows_are_sent_back_and_the_rest_is_heard() {
    let (_app, edge) = edge();
    run(async {
        let (_endpoint, connection) = dial(&edge, "a.test").await.unwrap();
        for octets in
            [&b"\x00\x04\x00\x0d\x01\x05\x21\x03abc\x07\x01\x00"[..], b"\x02\x20\x20", b"\x03\x44\x7f\x02", b"\x40"]
        {
            let mut stream = connection.open_uni().await.unwrap();
            stream.write_all(octets).await.unwrap();
            std::mem::forget(stream); // it stays open
        }
        for _ in 0..20 {
            let mut stream = connection.open_uni().await.unwrap();
            stream.write_all(b"\x21grease").await.unwrap();
            assert_eq!(stream.stopped().await.unwrap().map(quinn::VarInt::into_inner), Some(STREAM_CREATION));
            let _ = stream.reset(0x100_u32.into());
        }
        is_status(&say(&connection, GET, true).await, 25);
    });
}

#[test]
fn a_head_is_so_large_and_comes_in_time() {
    let app = App::hello();
    let mut settings = super::settings();
    settings.clients.head = std::time::Duration::from_millis(50);
    settings.clients.headers_max = 10;
    let edge = Edge::with([crate::kit::route("a.test", &app.url())], settings);
    run(async {
        let (_endpoint, connection) = dial(&edge, "a.test").await.unwrap();
        let large = |section: &[u8]| {
            [b"\x01\x80\x00".to_vec(), (section.len() as u16).to_be_bytes().to_vec(), section.to_vec()].concat()
        };
        for (name, octets) in [
            ("announced", b"\x01\x80\x01\x00\x00".to_vec()),
            ("announced as more than anybody has", b"\x01\xff\xff\xff\xff\xff\xff\xff\xff".to_vec()),
            ("unpacked", large(&[&GET[2..], &[0xd1; 1_000]].concat())),
            ("many fields", head(&[0xd8; 11])),
        ] {
            let End::Whole(octets) = say(&connection, &octets, false).await else { panic!("{name}") };
            // `:status: 431` in full: there is no row for it.
            assert_eq!(octets[..2], [1, (octets.len() - 2) as u8], "{name}");
        }
        assert_eq!(say(&connection, &GET[..9], false).await, End::Reset(REQUEST_INCOMPLETE), "it never comes");
        is_status(&say(&connection, GET, true).await, 25);
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        send.write_all(GET).await.unwrap();
        is_status(&end(&mut receive).await, 25);
        assert_eq!(send.stopped().await.unwrap().map(quinn::VarInt::into_inner), Some(NO_ERROR), "nobody reads on");
    });
    edge.until("counted", |stats| stats.timed_out == 1);
}
