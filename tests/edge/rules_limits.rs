//! How much a client may send along a route, and how patiently both sides are waited for.

use std::time::{Duration, Instant};

use super::app::App;
use super::client::{Client, full, get, http2, read, request, run};
use super::rules::edge;

#[test]
fn a_body_that_is_announced_too_large_never_reaches_the_app() {
    let app = App::hello();
    let edge = edge("a.test", &app, r#"{"body_size_max":10}"#);
    for (size, status) in [(0, 200), (10, 200), (11, 413), (1_000_000_000, 413)] {
        let mut client = Client::https(&edge, "a.test");
        client.say(format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {size}\r\n\r\n"));
        if status == 200 {
            client.say("x".repeat(size));
        }
        assert_eq!(client.answer().status, status, "{size}");
    }
    assert_eq!(app.seen().len(), 2);
}

#[test]
fn a_body_that_turns_out_too_large_is_cut_on_the_way() {
    let app = App::hello();
    let edge = edge("a.test", &app, r#"{"body_size_max":10}"#);
    let post = "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut client = Client::https(&edge, "a.test");
    let answer = client.say(format!("{post}5\r\nabcde\r\n5\r\nfghij\r\n0\r\n\r\n")).answer();
    assert_eq!((answer.status, app.seen()[0].body.as_slice()), (200, &b"abcdefghij"[..]));
    let answer = client.say(format!("{post}5\r\nabcde\r\n6\r\nfghijk\r\n0\r\n\r\n")).answer();
    assert_eq!((answer.status, answer.field("connection")), (413, "close"), "{}", answer.head);
    run(async {
        let mut client = http2(&edge, "a.test").await;
        let asked = request("POST", "https://a.test/", &[], full("x".repeat(11)));
        assert_eq!(read(client.send_request(asked).await.unwrap()).await.unwrap().0, 413);
    });
    assert!(app.seen().iter().all(|seen| seen.body.len() <= 10), "{:?}", app.seen());
}

#[test]
fn a_route_waits_as_long_as_it_says_itself() {
    let slow = App::heads(|seen, wire, _| match seen.line() {
        "GET /part HTTP/1.1" => {
            wire.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
            !wire.is_left()
        }
        _ => !wire.is_left(),
    });
    let times = r#"{"times":{"answer":0.3,"silence":0.3,"body":0.3,"connect":0.2}}"#;
    let edge = edge("a.test", &slow, times);
    let begin = Instant::now();
    assert_eq!(get(&edge, "a.test", "/").status, 504);
    let part = get(&edge, "a.test", "/part");
    assert_eq!((part.status, part.whole, part.text().as_str()), (200, false, "abc"));
    let mut client = Client::https(&edge, "a.test");
    let answer = client.say("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nab").answer();
    assert_eq!(answer.status, 408);
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    // An address where nobody answers (RFC 5737): whether by silence or by a word of the network, the page comes soon.
    edge.put(super::rules::ruled("a.test", "http://192.0.2.1:9", times));
    let begin = Instant::now();
    assert!([502, 504].contains(&get(&edge, "a.test", "/").status));
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
}
