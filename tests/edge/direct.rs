//! The short way and the long one: plain requests over HTTP/1.1 are handed on without hyper, all others by it. An app and a client
//! must not be able to tell which it was, except that the short way leaves the spelling of names alone.

use super::app::{App, Seen};
use super::client::{Answer, Client, get, tls, tls_config};
use super::kit::{Edge, route, settings};

/// What an app was told, in an order that does not depend on the way.
fn told(seen: &Seen) -> (String, Vec<String>, Vec<u8>) {
    let fields = seen.head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let mut fields: Vec<_> =
        fields.map(|(name, value)| format!("{}: {}", name.to_ascii_lowercase(), value.trim())).collect();
    fields.retain(|field| field != "te: trailers");
    fields.sort();
    (seen.line().to_owned(), fields, seen.body.clone())
}

/// Whether a request went the short way: then the app sees the names as the client wrote them.
fn went_short(seen: &Seen) -> bool {
    seen.head.contains("\r\nX-MiXed: ")
}

#[test]
fn both_ways_tell_the_app_the_same() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url())]);
    for (line, fields, body) in [
        ("GET /", "", ""),
        ("GET /a/b%20c?q=1&r=%2F", "Accept: text/html\r\nUser-Agent: x\r\nCookie: a=b\r\n", ""),
        ("HEAD /", "", ""),
        ("DELETE /x", "X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX_Real_IP: 6.6.6.6\r\n", ""),
        ("OPTIONS /", "Origin: https://b.test\r\nProxy: x\r\nProxy-Authorization: y\r\nKeep-Alive: 5\r\n", ""),
        ("POST /form", "Content-Length: 7\r\nContent-Type: text/plain\r\n", "a=b&c=d"),
        ("PUT /empty", "Content-Length: 0\r\n", ""),
        (
            "PATCH /p",
            "Connection: keep-alive\r\nProxy-Connection: x\r\nTrue-Client-IP: 6.6.6.6\r\nContent-Length: 1\r\n",
            "x",
        ),
    ] {
        let ask = |more: &str| {
            let request = format!("{line} HTTP/1.1\r\nHost: a.test\r\nX-MiXed: 1\r\n{fields}{more}\r\n{body}");
            let mut client = Client::https(&edge, "a.test");
            let answer = client.say(request).head();
            assert_eq!(answer.status, 200, "{line}");
            app.seen().pop().unwrap()
        };
        let (short, long) = (ask(""), ask("TE: trailers\r\n"));
        assert!(went_short(&short) && !went_short(&long), "{line}: {}{}", short.head, long.head);
        assert_eq!(told(&short), told(&long), "{line}");
        assert!(!short.head.contains("6.6.6.6"), "{}", short.head);
    }
}

#[test]
fn what_is_out_of_the_ordinary_takes_the_long_way() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url())]);
    for head in [
        "GET / HTTP/1.1\r\nHost: A.test\r\n",
        "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n",
        "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, x-other\r\n",
        "GET / HTTP/1.1\r\nHost: a.test\r\nVia: 1.1 cdn\r\n",
        "GET / HTTP/1.1\r\nHost: a.test\r\nTrailer: x\r\n",
        "GET /{x} HTTP/1.1\r\nHost: a.test\r\n",
        "GET / HTTP/1.1\r\nHost: a.test\r\nCookie: a=b\r\nCookie: c=d\r\n",
        "QUERY / HTTP/1.1\r\nHost: a.test\r\n",
    ] {
        let answer = Client::https(&edge, "a.test").say(format!("{head}X-MiXed: 1\r\n\r\n")).answer();
        assert_eq!(answer.text(), "hello", "{head:?}");
        assert!(!went_short(&app.seen().pop().unwrap()), "{head:?}");
    }
}

#[test]
fn a_request_may_come_in_pieces_or_behind_another() {
    let app = App::new(|seen, wire| {
        wire.answer("200 OK", "", format!("{} {}", seen.line(), String::from_utf8_lossy(&seen.body)));
        true
    });
    let edge = Edge::start(&[("a.test", &app.url())]);
    let requests = [
        ("GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\n", "GET /1 HTTP/1.1 "),
        ("POST /2 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc", "POST /2 HTTP/1.1 abc"),
        (
            "POST /3 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n",
            "POST /3 HTTP/1.1 de",
        ),
        ("GET /4 HTTP/1.1\r\nHost: a.test\r\n\r\n", "GET /4 HTTP/1.1 "),
    ];
    let all: String = requests.iter().map(|(request, _)| *request).collect();
    for cut in (0..=all.len()).step_by(7) {
        let mut client = Client::https(&edge, "a.test");
        client.say(&all[..cut]).say(&all[cut..]);
        for (_, answer) in requests {
            assert_eq!(client.answer().text(), answer, "cut at {cut}");
        }
    }
}

#[test]
fn answers_come_through_in_every_framing() {
    let big = "0123456789abcdef".repeat(20_000);
    let chunked: String = big.as_bytes().chunks(7_001).fold(String::new(), |mut out, chunk| {
        out += &format!("{:x};x=y\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap());
        out
    });
    let (body, sent) = (big.clone(), chunked);
    let app = App::new(move |seen, wire| match seen.line() {
        "GET /length HTTP/1.1" => {
            wire.answer("200 OK", "", &body);
            true
        }
        "GET /chunks HTTP/1.1" => {
            wire.say(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{sent}0\r\n\r\n"));
            true
        }
        "GET /close HTTP/1.1" => {
            wire.say(format!("HTTP/1.1 200 OK\r\n\r\n{body}"));
            false
        }
        "GET /304 HTTP/1.1" => {
            wire.say("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\n");
            true
        }
        _ => {
            wire.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"); // HEAD
            true
        }
    });
    let edge = Edge::start(&[("a.test", &app.url())]);
    let mut client = Client::https(&edge, "a.test");
    for _ in 0..3 {
        for path in ["/length", "/chunks", "/close"] {
            let answer = client.get("a.test", path);
            assert!(answer.whole && answer.text() == big, "{path}: {} of {}", answer.body.len(), big.len());
        }
        let head = client.say("GET /304 HTTP/1.1\r\nHost: a.test\r\n\r\n").head();
        assert_eq!((head.status, head.field("etag")), (304, "\"x\""));
        let head = client.say("HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n").head();
        assert_eq!((head.status, head.field("content-length")), (200, "5"));
    }
}

#[test]
fn hints_come_before_the_answer_and_trailers_behind_it() {
    let app = App::new(|_, wire| {
        wire.say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x\r\n\r\n");
        wire.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n");
        wire.say("2\r\nok\r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\n\r\n");
        true
    });
    let edge = Edge::start(&[("a.test", &app.url())]);
    let mut client = Client::https(&edge, "a.test");
    for _ in 0..2 {
        let hint = client.say("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").head();
        assert_eq!((hint.status, hint.field("link"), hint.field("connection")), (103, "</a.css>; rel=preload", ""));
        assert_eq!(client.head().status, 200);
        assert_eq!(String::from_utf8(client.until(b"\r\n\r\n")).unwrap(), "2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n");
    }
}

#[test]
fn an_app_that_closes_after_each_answer_costs_nobody_anything() {
    let app = App::new(|_, wire| {
        wire.answer("200 OK", "", "once");
        false
    });
    let edge = Edge::start(&[("a.test", &app.url())]);
    let mut client = Client::https(&edge, "a.test");
    for turn in 0..300 {
        let answer = client.get("a.test", "/");
        assert_eq!((answer.status, answer.text().as_str()), (200, "once"), "{turn}");
    }
}

#[test]
fn what_goes_wrong_is_told_as_on_the_long_way() {
    let garbled = App::new(|_, wire| {
        wire.say("SSH-2.0-OpenSSH_9\r\n\r\n");
        false
    });
    let silent = App::new(|_, _| false);
    let edge = Edge::with(
        [route("g.test", &garbled.url()), route("s.test", &silent.url()), route("n.test", "http://127.0.0.1:1")],
        settings(),
    );
    for host in ["g.test", "s.test", "n.test"] {
        let plain = |answer: &Answer| {
            answer.text().lines().filter(|line| !line.starts_with("Request ")).collect::<Vec<_>>().join("\n")
        };
        let short = get(&edge, host, "/");
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nTE: trailers\r\n\r\n");
        let long = Client::https(&edge, host).say(request).answer();
        assert_eq!((short.status, plain(&short)), (502, plain(&long)), "{host}");
        for field in ["content-type", "cache-control", "content-security-policy"] {
            assert_eq!(short.field(field), long.field(field), "{host}: {field}");
        }
        assert!(!short.field("x-request-id").is_empty() && !short.field("date").is_empty(), "{}", short.head);
    }
}

#[test]
fn queries_over_https_are_answered_here_also_where_a_route_leads_to_an_app() {
    let app = App::hello();
    let edge = Edge::start(&[("dns.test", &app.url())]);
    let mut client = Client::https(&edge, "dns.test");
    let reply = client.get("dns.test", "/dns-query?dns=AAABAAABAAAAAAAAAAABAAE");
    assert_eq!((reply.status, reply.field("content-type")), (200, "application/dns-message"));
    assert_eq!(client.get("dns.test", "/").text(), "hello");
    assert_eq!(app.only().line(), "GET / HTTP/1.1");
}

#[test]
fn a_client_that_asks_for_the_end_gets_it() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url())]);
    let mut client = Client::https(&edge, "a.test");
    let answer = client.say("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nX-MiXed: 1\r\n\r\n").answer();
    assert_eq!((answer.text().as_str(), answer.field("connection")), ("hello", "close"));
    assert!(went_short(&app.only()));
    assert!(client.rest().is_empty());
}

#[test]
fn a_client_without_a_name_is_taken_to_mean_the_default_one() {
    let app = App::hello();
    let settings = freehold::edge::Settings { default_server_name: Some("a.test".into()), ..settings() };
    let edge = Edge::with([route("a.test", &app.url()), route("b.test", &app.url())], settings);
    // The name of an address is none (RFC 6066, section 3): the client says nothing, and is shown the default certificate.
    let mut config = tls_config(&edge, &["http/1.1"]);
    config.enable_sni = false;
    let stream = tls(&edge, "a.test", config).unwrap();
    let mut client = Client::over(stream);
    assert_eq!(client.get("a.test", "/").text(), "hello");
    assert_eq!(client.get("b.test", "/").status, 421);
}
