//! What the app is told and what it is not, and what of its answer reaches the client.

use std::net::SocketAddr;

use freehold::edge::Settings;

use super::app::App;
use super::client::{Client, ask, empty, get, http2, read, request, run};
use super::kit::{Edge, route, settings};

/// An edge that believes what clients on this machine say about themselves.
fn trusting(app: &App) -> Edge {
    let settings = Settings { trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()], ..settings() };
    Edge::with([route("a.test", &app.url())], settings)
}

#[test]
fn the_app_learns_who_asks_and_cannot_be_told_otherwise() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url())]);
    let forged = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: gopher\r\nX-Forwarded-Host: evil.test\r\n\
                  X-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nTrue-Client-IP: 6.6.6.6\r\n\
                  X-Forwarded-Server: evil\r\nProxy: http://evil.test\r\nX-Original-URL: /admin\r\n";
    ask(&edge, "a.test", &format!("GET /x?y HTTP/1.1\r\nHost: A.test\r\n{forged}Cookie: a=b\r\n\r\n"));
    let seen = app.only();
    assert_eq!(seen.line(), "GET /x?y HTTP/1.1");
    for (field, value) in [
        ("host", "A.test"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "A.test"),
        ("x-real-ip", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1;host=A.test;proto=https"),
        ("cookie", "a=b"),
    ] {
        assert_eq!(seen.all(field), [value], "{field}");
    }
    assert!(seen.field("via").starts_with("1.1 freehold-"), "{}", seen.head);
    assert!(
        !seen.head.contains("6.6.6.6") && !seen.head.contains("evil") && !seen.head.contains("/admin"),
        "{}",
        seen.head
    );
}

#[test]
fn a_trusted_proxy_is_believed_and_its_list_goes_on() {
    let app = App::hello();
    let edge = trusting(&app);
    let request = "GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 192.0.2.66, 192.0.2.1\r\nX-Forwarded-Proto: http\r\n\
                   X-Forwarded-Host: front.test\r\nForwarded: for=192.0.2.1\r\nX-Request-Start: 1\r\n\r\n";
    ask(&edge, "a.test", request);
    let seen = app.only();
    for (field, value) in [
        ("x-forwarded-for", "192.0.2.66, 192.0.2.1, 127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "front.test"),
        ("x-real-ip", "192.0.2.1"),
        ("forwarded", "for=192.0.2.1, for=127.0.0.1;host=a.test;proto=http"),
        ("x-request-start", "1"),
    ] {
        assert_eq!(seen.all(field), [value], "{field}");
    }
}

#[test]
fn behind_a_proxy_that_ends_tls_plain_http_is_served_as_what_it_was() {
    let app = App::hello();
    let edge = trusting(&app);
    let request = |proto: &str| format!("GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-Proto: {proto}\r\n\r\n");
    assert_eq!(Client::http(&edge).say(request("https")).answer().status, 200);
    assert_eq!(Client::http(&edge).say(request("http")).answer().status, 301);
}

#[test]
fn what_belongs_to_a_connection_stays_there_both_ways() {
    let app = App::new(|_, wire| {
        wire.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive, X-Inner\r\nX-Inner: 1\r\nKeep-Alive: timeout=5\r\n");
        wire.say("Proxy-Connection: x\r\nUpgrade: h2c\r\nServer: app\r\nX-Outer: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nok");
        true
    });
    let edge = Edge::start(&[("a.test", &app.url())]);
    let answer = ask(
        &edge,
        "a.test",
        "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\nTE: trailers, gzip\r\nKeep-Alive: 5\r\n\
         Proxy-Authorization: Basic eA==\r\nAuthorization: Basic eA==\r\nAccept-Encoding: br\r\nX-Outer: 2\r\n\r\n",
    );
    let seen = app.only();
    for gone in ["x-mine", "keep-alive", "proxy-authorization", "connection", "transfer-encoding"] {
        assert_eq!(seen.all(gone), [""; 0], "{gone}: {}", seen.head);
    }
    for (kept, value) in
        [("te", "trailers"), ("authorization", "Basic eA=="), ("accept-encoding", "br"), ("x-outer", "2")]
    {
        assert_eq!(seen.all(kept), [value], "{}", seen.head);
    }
    for gone in ["X-Inner", "Keep-Alive", "Proxy-Connection", "Upgrade", "Connection", "Via"] {
        assert_eq!(answer.field(gone), "", "{}", answer.head);
    }
    assert_eq!((answer.field("server"), answer.field("x-outer"), answer.text().as_str()), ("app", "2", "ok"));
    assert_eq!(
        answer.head.matches("et-cookie: ").count() + answer.head.matches("et-Cookie: ").count(),
        2,
        "{}",
        answer.head
    );
    assert!(!answer.field("date").is_empty());
}

#[test]
fn the_body_reaches_the_app_framed_anew_and_once() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url())]);
    let mut client = Client::https(&edge, "a.test");
    client.say("POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\n01234").answer();
    client.say("POST /b HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n3\r\ncde\r\n0\r\n\r\n").answer();
    client.say("POST /c HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n").answer();
    client.get("a.test", "/d");
    let seen = app.seen();
    let told: Vec<_> =
        seen.iter().map(|seen| (seen.line(), seen.field("content-length"), seen.field("transfer-encoding"))).collect();
    assert_eq!(
        told,
        [
            ("POST /a HTTP/1.1", "5", ""),
            ("POST /b HTTP/1.1", "", "chunked"),
            ("POST /c HTTP/1.1", "0", ""),
            ("GET /d HTTP/1.1", "", "")
        ]
    );
    assert_eq!(seen.iter().map(|seen| seen.body.clone()).collect::<Vec<_>>(), [&b"01234"[..], b"abcde", b"", b""]);
    // Nothing is known of the app yet, so each POST has a connection of its own; what only reads takes one of theirs.
    assert_eq!(app.connections(), 3);
}

#[test]
fn over_http2_the_app_sees_the_same() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url())]);
    run(async {
        let mut client = http2(&edge, "a.test").await;
        let fields = [("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers"), ("x-forwarded-for", "6.6.6.6")];
        let answer = client.send_request(request("GET", "https://a.test/x?y", &fields, empty())).await.unwrap();
        assert_eq!(read(answer).await, Some((200, "hello".into())));
        let posted = request("POST", "https://a.test/p", &[], super::client::full("body"));
        assert_eq!(read(client.send_request(posted).await.unwrap()).await, Some((200, "hello".into())));
    });
    let seen = app.seen();
    assert_eq!((seen[0].line(), seen[0].field("host")), ("GET /x?y HTTP/1.1", "a.test"));
    assert_eq!(seen[0].all("cookie"), ["a=1; b=2"]);
    assert_eq!((seen[0].all("x-forwarded-for"), seen[0].field("te")), (vec!["127.0.0.1"], "trailers"));
    assert!(seen[0].field("via").starts_with("2.0 freehold-"), "{}", seen[0].head);
    assert_eq!((seen[1].line(), seen[1].body.as_slice()), ("POST /p HTTP/1.1", &b"body"[..]));
}

#[test]
fn head_and_bodiless_answers_keep_their_promise() {
    let app = App::new(|seen, wire| {
        match seen.line() {
            "HEAD /big HTTP/1.1" => wire.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\nETag: \"x\"\r\n\r\n"),
            "GET /none HTTP/1.1" => wire.say("HTTP/1.1 204 No Content\r\n\r\n"),
            "GET /same HTTP/1.1" => wire.say("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n"),
            "GET /part HTTP/1.1" => wire.answer("206 Partial Content", "Content-Range: bytes 2-4/9\r\n", "cde"),
            other => panic!("{other}"),
        }
        true
    });
    let edge = Edge::start(&[("a.test", &app.url())]);
    let mut client = Client::https(&edge, "a.test");
    let head = client.say("HEAD /big HTTP/1.1\r\nHost: a.test\r\n\r\n").head();
    assert_eq!((head.status, head.field("content-length")), (200, "1000000"));
    assert_eq!(client.get("a.test", "/none").status, 204);
    assert_eq!(client.get("a.test", "/same").status, 304);
    let part = client.say("GET /part HTTP/1.1\r\nHost: a.test\r\nRange: bytes=2-4\r\n\r\n").answer();
    assert_eq!((part.status, part.text().as_str(), part.field("content-range")), (206, "cde", "bytes 2-4/9"));
    assert_eq!(app.seen()[3].field("range"), "bytes=2-4");
    assert_eq!(app.connections(), 1);
}

#[test]
fn a_request_that_comes_back_is_noticed() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url())]);
    // A second route leads the request to the first by way of the edge's own plain listener.
    let there: SocketAddr = edge.http();
    edge.put(route("a.test", &format!("http://{there}")).with_plain_http(true));
    let answer = get(&edge, "a.test", "/");
    assert_eq!(answer.status, 508, "{}", answer.text());
    assert!(app.seen().is_empty());
}

#[test]
fn a_failure_is_shown_in_the_form_the_client_accepts() {
    let edge = Edge::start(&[("a.test", "http://127.0.0.1:1")]);
    let with =
        |accept: &str| ask(&edge, "a.test", &format!("GET / HTTP/1.1\r\nHost: a.test\r\nAccept: {accept}\r\n\r\n"));
    let page = with("text/html,*/*;q=0.8");
    assert_eq!((page.status, page.field("content-type")), (502, "text/html; charset=utf-8"));
    assert!(page.text().contains("<p>The app behind this site is not running.</p>"), "{}", page.text());
    let problem: serde_json::Value = serde_json::from_slice(&with("application/json").body).unwrap();
    assert_eq!((problem["status"].as_u64(), problem["title"].as_str()), (Some(502), Some("Bad Gateway")));
    let text = with("*/*");
    assert!(text.text().contains("start the app or correct the address"), "{}", text.text());
    assert!(text.text().contains(text.field("x-request-id")) && text.field("x-request-id").len() == 16);
    assert!(!text.text().contains("127.0.0.1"), "nobody outside learns what is inside: {}", text.text());
}
