//! The short way and the long one over HTTP/2: an app and a client must not be able to tell which it was, except that the app sees
//! `Host` begin with a capital letter where hyper did not write it.

use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;

use super::app::{App, Seen};
use super::client::{empty, full, http2, read, request, run};
use super::kit::{Edge, route, settings};

/// A field with which a request goes the long way, and that changes nothing else.
const LONG: (&str, &str) = ("expect", "100-continue");

/// What an app was told, in an order that does not depend on the way.
fn told(seen: &Seen) -> (String, Vec<String>) {
    let fields = seen.head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let mut fields: Vec<_> =
        fields.map(|(name, value)| format!("{}: {}", name.to_ascii_lowercase(), value.trim())).collect();
    fields.sort();
    (seen.line().to_owned(), fields)
}

fn went_short(seen: &Seen) -> bool {
    seen.head.contains("\r\nHost: ")
}

/// All of an answer, in an order that does not depend on the way: head, body, trailers.
async fn all(answer: Response<Incoming>) -> (u16, Vec<String>, Vec<u8>, Vec<String>) {
    let fields = |headers: &hyper::HeaderMap| {
        let fields = headers.iter().filter(|(name, _)| *name != "date" && *name != "x-request-id");
        let mut fields: Vec<_> =
            fields.map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))).collect();
        fields.sort();
        fields
    };
    let (status, head, dated) =
        (answer.status().as_u16(), fields(answer.headers()), answer.headers().contains_key("date"));
    assert!(dated, "{head:?}");
    let body = answer.into_body().collect().await.unwrap();
    let trailers = body.trailers().map(fields).unwrap_or_default();
    (status, head, body.to_bytes().to_vec(), trailers)
}

#[test]
fn both_ways_tell_the_app_the_same() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url())]);
    run(async {
        let mut client = http2(&edge, "a.test").await;
        for (method, path, fields) in [
            ("GET", "/", &[][..]),
            ("GET", "/a/b%20c?q=1&r=%2F", &[("accept", "text/html"), ("user-agent", "x"), ("cookie", "a=b")]),
            ("GET", "/c", &[("cookie", "a=b"), ("x-between", "1"), ("cookie", "c=d"), ("cookie", "e=f")]),
            ("GET", "/d", &[("x-many", "1"), ("x-many", "2"), ("x-text", "\u{e9}")]),
            ("HEAD", "/", &[("te", "trailers")]),
            ("DELETE", "/x", &[("x-forwarded-for", "6.6.6.6"), ("forwarded", "for=6.6.6.6"), ("x_real_ip", "6.6.6.6")]),
            ("OPTIONS", "/", &[("origin", "https://b.test"), ("proxy", "x"), ("proxy-authorization", "y")]),
            ("PUT", "/empty", &[("content-length", "0")]),
            ("POST", "/nothing", &[("content-type", "text/plain"), ("true-client-ip", "6.6.6.6")]),
        ] {
            let mut tell = Vec::new();
            for more in [None, Some(LONG)] {
                let fields: Vec<_> = fields.iter().copied().chain(more).collect();
                let asked = request(method, &format!("https://a.test{path}"), &fields, empty());
                let answer = client.send_request(asked).await.unwrap();
                assert_eq!(answer.status(), 200, "{method} {path}");
                tell.push(app.seen().pop().unwrap());
            }
            let [short, long] = &tell[..] else { unreachable!() };
            assert!(went_short(short) && !went_short(long), "{method} {path}: {}{}", short.head, long.head);
            assert_eq!(told(short), told(long), "{method} {path}");
            assert!(!short.head.contains("6.6.6.6") && short.head.contains("Via: 2.0 "), "{}", short.head);
        }
    });
}

#[test]
fn what_is_out_of_the_ordinary_takes_the_long_way() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url())]);
    run(async {
        let mut client = http2(&edge, "a.test").await;
        for (method, url, fields, body) in [
            ("GET", "https://A.test/", &[][..], ""),
            ("GET", "https://a.test/", &[("host", "a.test")], ""),
            ("GET", "https://a.test/", &[("via", "1.1 cdn")], ""),
            ("GET", "https://a.test/", &[("trailer", "x")], ""),
            ("GET", "https://a.test/{x}", &[], ""),
            ("QUERY", "https://a.test/", &[], ""),
            ("POST", "https://a.test/", &[], "a body"),
        ] {
            let body_there = if body.is_empty() { empty() } else { full(body) };
            let answer = client.send_request(request(method, url, fields, body_there)).await.unwrap();
            assert_eq!(read(answer).await, Some((200, "hello".to_owned())), "{method} {url} {fields:?}");
            let seen = app.seen().pop().unwrap();
            assert!(!went_short(&seen), "{method} {url} {fields:?}");
            assert_eq!(seen.body, body.as_bytes());
        }
    });
}

/// Something big.
fn big() -> String {
    "0123456789abcdef".repeat(20_000)
}

/// An app that answers in every framing there is.
fn many_kinds() -> App {
    let chunked: String = big().as_bytes().chunks(7_001).fold(String::new(), |mut out, chunk| {
        out += &format!("{:x};x=y\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap());
        out
    });
    let whole = big();
    App::new(move |seen, wire| {
        let path = seen.line().split(' ').nth(1).unwrap().to_owned();
        let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n";
        match &*path {
            "/length" => wire.answer("200 OK", "X-Odd: \u{e9}\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n", &whole),
            "/small" => wire.answer("404 Not Found", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "small"),
            "/nothing" => wire.answer("200 OK", "", ""),
            "/chunks" => wire.say(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}0\r\n\r\n")),
            "/trailers" => {
                wire.say(format!("{chunks}2\r\nok\r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\nX-Real-IP: 1\r\n\r\n"))
            }
            "/late-trailers" => {
                wire.say(format!("{chunks}2\r\nok\r\n"));
                std::thread::sleep(std::time::Duration::from_millis(20));
                wire.say("0\r\nX-Sum: 7\r\n\r\n");
            }
            "/late-end" => {
                wire.say(format!("{chunks}2\r\nok\r\n"));
                std::thread::sleep(std::time::Duration::from_millis(20));
                wire.say("0\r\n\r\n");
            }
            "/named" => wire.answer("200 OK", "Connection: X-Mine, keep-alive\r\nX-Mine: 1\r\nKeep-Alive: 5\r\n", "x"),
            "/close" => {
                wire.say(format!("HTTP/1.1 200 OK\r\n\r\n{whole}"));
                return false;
            }
            "/old" => {
                wire.say("HTTP/1.0 200 OK\r\n\r\nold");
                return false;
            }
            "/204" => wire.say("HTTP/1.1 204 No Content\r\nX-Y: z\r\n\r\n"),
            "/304" => wire.say("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\n"),
            "/hints" => {
                wire.say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
                wire.answer("200 OK", "", "hinted");
            }
            "/head" => wire.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
            other => panic!("nobody asked for {other}"),
        }
        true
    })
}

#[test]
fn both_ways_give_the_client_the_same() {
    let (app, big) = (many_kinds(), big());
    let edge = Edge::start(&[("a.test", &app.url())]);
    run(async {
        let mut client = http2(&edge, "a.test").await;
        for (method, path) in [
            ("GET", "/length"),
            ("GET", "/small"),
            ("GET", "/nothing"),
            ("GET", "/chunks"),
            ("GET", "/trailers"),
            ("GET", "/late-trailers"),
            ("GET", "/late-end"),
            ("GET", "/named"),
            ("GET", "/close"),
            ("GET", "/old"),
            ("DELETE", "/204"),
            ("GET", "/304"),
            ("GET", "/hints"),
            ("HEAD", "/head"),
        ] {
            let mut given = Vec::new();
            for fields in [&[][..], &[LONG], &[]] {
                let asked = request(method, &format!("https://a.test{path}"), fields, empty());
                given.push(all(client.send_request(asked).await.unwrap()).await);
                assert_eq!(went_short(&app.seen().pop().unwrap()), fields.is_empty(), "{path}");
            }
            assert_eq!(given[0], given[1], "{path}");
            assert_eq!(given[0], given[2], "{path}");
            let (_, head, body, _) = &given[0];
            match path {
                "/length" | "/chunks" | "/close" => assert!(*body == big.as_bytes(), "{path}: {}", body.len()),
                "/named" => assert!(!head.iter().any(|field| field.starts_with("x-mine")), "{head:?}"),
                "/trailers" | "/late-trailers" => assert_eq!(given[0].3, ["x-sum: 7"]),
                _ => (),
            }
        }
    });
    edge.until("all were whole", |stats| stats.aborted == 0 && stats.app_failures() == 0);
}

#[test]
fn an_app_that_closes_after_each_answer_costs_nobody_anything() {
    let app = App::new(|_, wire| {
        wire.answer("200 OK", "", "once");
        false
    });
    let edge = Edge::start(&[("a.test", &app.url())]);
    run(async {
        let mut client = http2(&edge, "a.test").await;
        for turn in 0..300 {
            let method = if turn % 3 == 0 { "POST" } else { "GET" };
            let answer = client.send_request(request(method, "https://a.test/", &[], empty())).await.unwrap();
            assert_eq!(read(answer).await, Some((200, "once".to_owned())), "{turn}");
        }
    });
    assert!(app.seen().iter().all(went_short));
}

#[test]
fn a_request_is_sent_twice_only_if_that_does_no_harm() {
    // The second request on each connection gets no answer.
    let app = App::new(|_, wire| {
        if wire.before == 0 {
            wire.answer("200 OK", "", "first");
        }
        wire.before == 0
    });
    let edge = Edge::start(&[("a.test", &app.url())]);
    run(async {
        let mut client = http2(&edge, "a.test").await;
        for _ in 0..2 {
            let answer = client.send_request(request("GET", "https://a.test/", &[], empty())).await.unwrap();
            assert_eq!(read(answer).await, Some((200, "first".to_owned())));
        }
        assert_eq!(app.seen().len(), 3, "the second was sent again");
        for _ in 0..3 {
            let answer = client.send_request(request("POST", "https://a.test/", &[], empty())).await.unwrap();
            assert_eq!(read(answer).await, Some((200, "first".to_owned())));
        }
        assert_eq!(app.seen().len(), 6, "no POST got a connection that might be closed, none was sent twice");
    });
}

#[test]
fn what_goes_wrong_is_told_as_on_the_long_way() {
    let garbled = App::new(|_, wire| {
        wire.say("SSH-2.0-OpenSSH_9\r\n\r\n");
        false
    });
    let silent = App::new(|_, _| false);
    let routes =
        [route("g.test", &garbled.url()), route("s.test", &silent.url()), route("n.test", "http://127.0.0.1:1")];
    let edge = Edge::with(routes, settings());
    for host in ["g.test", "s.test", "n.test"] {
        let ask = |fields: &'static [(&str, &str)]| {
            run(async {
                let mut client = http2(&edge, host).await;
                let asked = request("GET", &format!("https://{host}/"), fields, empty());
                let (status, head, body, _) = all(client.send_request(asked).await.unwrap()).await;
                let text = String::from_utf8(body).unwrap();
                let lines = text.lines().filter(|line| !line.starts_with("Request ")).map(str::to_owned);
                (status, head, lines.collect::<Vec<_>>())
            })
        };
        let (short, long) = (ask(&[]), ask(&[LONG]));
        assert_eq!(short, long, "{host}");
        assert_eq!(short.0, 502, "{host}");
    }
}
