//! Which name gets which certificate and which site: TLS, the redirect to HTTPS, challenges, sessions.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use freehold::cert::Authority;
use freehold::edge::TicketKeys;
use rustls::client::Resumption;

use super::app::App;
use super::client::{Client, ask, connect, get, tls, tls_config};
use super::kit::{Edge, now, route, settings};

#[test]
fn a_site_is_served_by_its_name_and_by_its_wildcard() {
    let (one, other) = (
        App::hello(),
        App::new(|_, wire| {
            wire.answer("200 OK", "", "other");
            true
        }),
    );
    let edge = Edge::start(&[("a.test", &one.url()), ("a.test/api", &other.url()), ("*.b.test", &other.url())]);
    assert_eq!(get(&edge, "a.test", "/").text(), "hello");
    assert_eq!(get(&edge, "a.test", "/api/x").text(), "other");
    assert_eq!(get(&edge, "a.test", "/apix").text(), "hello");
    assert_eq!(get(&edge, "any.b.test", "/").text(), "other");
    assert_eq!(Client::https(&edge, "a.test").get("A.Test.:443", "/").text(), "hello");
}

#[test]
fn a_name_without_a_certificate_gets_an_alert_and_nothing_else() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url())]);
    for name in ["b.test", "x.a.test", "test"] {
        let told = tls(&edge, name, tls_config(&edge, &["http/1.1"])).unwrap_err().to_string();
        assert!(told.contains("UnrecognisedName"), "{name}: {told}");
    }
    let mut nameless = tls_config(&edge, &[]);
    nameless.enable_sni = false;
    let told = tls(&edge, "a.test", nameless).unwrap_err().to_string();
    assert!(told.contains("UnrecognisedName"), "{told}");
    let told = tls(&edge, "a.test", tls_config(&edge, &["spdy/3"])).unwrap_err().to_string();
    assert!(told.contains("NoApplicationProtocol"), "{told}");
    edge.until("counted", |stats| (stats.names_unknown, stats.handshakes_failed) == (4, 1));
    assert_eq!(app.connections(), 0);
}

#[test]
fn a_host_unlike_the_name_of_tls_is_misdirected() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url()), ("b.test", &app.url())]);
    assert_eq!(Client::https(&edge, "a.test").get("b.test", "/").status, 421);
    assert_eq!(Client::https(&edge, "a.test").get("127.0.0.1", "/").status, 421);
    assert!(app.seen().is_empty());
}

#[test]
fn both_versions_of_tls_are_spoken_and_no_older_one() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url())]);
    for (version, name) in [(&rustls::version::TLS12, "TLSv1_2"), (&rustls::version::TLS13, "TLSv1_3")] {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
        let usual = tls_config(&edge, &["h2", "http/1.1"]);
        let mut roots = rustls::RootCertStore::empty();
        let root = rustls::pki_types::pem::PemObject::from_pem_slice(edge.root().as_bytes()).unwrap();
        rustls::RootCertStore::add(&mut roots, root).unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = usual.alpn_protocols;
        let stream = tls(&edge, "a.test", config).unwrap();
        assert_eq!(format!("{:?}", stream.conn.protocol_version().unwrap()), name);
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"h2"[..]));
        let suite = format!("{:?}", stream.conn.negotiated_cipher_suite().unwrap().suite());
        assert!(suite.contains("AES_128_GCM"), "{suite}");
    }
    // A hello of TLS 1.1.
    let mut old = connect(edge.https());
    let body = [&[3, 2][..], &[7; 32], &[0, 0, 4, 0xc0, 0x13, 0xc0, 0x09, 1, 0]].concat();
    let hello = [&[22, 3, 1, 0, body.len() as u8 + 4, 1, 0, 0, body.len() as u8][..], &body].concat();
    std::io::Write::write_all(&mut old, &hello).unwrap();
    let mut heard = Vec::new();
    let _ = old.read_to_end(&mut heard);
    assert!(heard.is_empty() || heard[0] == 21, "{heard:?}");
}

#[test]
fn sessions_resume_and_survive_a_restart() {
    let app = App::hello();
    let keys = TicketKeys::default().renewed(now()).unwrap();
    let routes = || [route("a.test", &app.url())];
    let edge = Edge::with_tickets(routes(), settings(), Authority::new(now()).unwrap(), keys.clone());
    let mut config = tls_config(&edge, &["http/1.1"]);
    config.resumption = Resumption::in_memory_sessions(8);
    let resumed = |edge: &Edge| {
        let mut stream = tls(edge, "a.test", config.clone()).unwrap();
        std::io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n").unwrap();
        let _ = stream.read_to_end(&mut Vec::new()); // the ticket comes with the answer
        stream.conn.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    };
    assert!(!resumed(&edge));
    assert!(resumed(&edge));
    edge.until("counted", |stats| stats.resumed == 1);
    let authority = edge.into_authority();
    let edge = Edge::with_tickets(routes(), settings(), authority, keys.clone());
    assert!(resumed(&edge), "after a restart");
    edge.running().put_ticket_keys(&TicketKeys::default().renewed(now()).unwrap());
    assert!(!resumed(&edge), "with other keys");
}

#[test]
fn plain_http_leads_to_https() {
    let app = App::hello();
    let edge = Edge::with(
        [route("a.test", &app.url()), route("*.b.test", &app.url()), route("c.test", &app.url()).with_plain_http(true)],
        settings(),
    );
    let port = edge.https().port();
    let mut client = Client::http(&edge);
    let answer = client.get("a.test", "/x/y?z=1&w");
    assert_eq!((answer.status, answer.field("location")), (301, &*format!("https://a.test:{port}/x/y?z=1&w")));
    let answer = client.say("POST /x HTTP/1.1\r\nHost: A.test:80\r\nContent-Length: 2\r\n\r\nhi").answer();
    assert_eq!((answer.status, answer.field("location")), (308, &*format!("https://a.test:{port}/x")));
    assert_eq!(Client::http(&edge).get("any.b.test", "/").status, 301);
    assert!(app.seen().is_empty());
    let answer = Client::http(&edge).get("c.test", "/");
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    assert_eq!(app.only().field("x-forwarded-proto"), "http");
    let answer = Client::http(&edge).get("unknown.test", "/");
    assert_eq!(answer.status, 404);
    assert!(
        answer.text().contains("No site of this name") && answer.text().contains("freehold route add"),
        "{}",
        answer.text()
    );
}

#[test]
fn challenges_of_a_ca_are_answered() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url())]);
    let answer = Client::http(&edge).get("new.test", "/.well-known/acme-challenge/token");
    assert_eq!((answer.status, answer.text().as_str()), (200, "proof for new.test"));
    assert_eq!(Client::http(&edge).get("a.test", "/.well-known/acme-challenge/other").status, 301);
    // TLS-ALPN-01 (RFC 8737): the challenge's certificate, its protocol, and no HTTP.
    let mut stream = tls(&edge, "challenge.test", tls_config(&edge, &["acme-tls/1"])).unwrap();
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"acme-tls/1"[..]));
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
    assert!(tls(&edge, "a.test", tls_config(&edge, &["acme-tls/1"])).is_err());
    assert!(tls(&edge, "challenge.test", tls_config(&edge, &["http/1.1"])).is_err());
}

#[test]
fn a_stop_finishes_what_is_under_way_and_closes_what_is_idle() {
    let app = App::new(|_, wire| {
        std::thread::sleep(Duration::from_millis(300)); // under way
        wire.answer("200 OK", "", "late");
        true
    });
    let mut edge = Edge::start(&[("a.test", &app.url())]);
    let mut idle = Client::https(&edge, "a.test");
    let mut busy = Client::https(&edge, "a.test");
    busy.say("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    super::kit::until("asked", || app.seen().len() == 1);
    let handle = edge.handle.take().unwrap();
    let stopping = std::thread::spawn(move || handle.stop(Duration::from_secs(10)));
    assert_eq!(idle.rest(), b"");
    let answer = busy.answer();
    assert_eq!((answer.text().as_str(), answer.field("connection")), ("late", "close"));
    let totals = stopping.join().unwrap();
    assert_eq!((totals.open(), totals.aborted), (0, 0));
}

#[test]
fn an_unsound_request_gets_an_answer_and_an_end() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url())]);
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.0\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: user@a.test\r\n\r\n", 400),
        ("GET http://b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", 400),
        ("GET ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", 400),
        ("GET /../etc/passwd HTTP/1.1\r\nHost: a.test\r\n\r\n", 400),
        ("GET /%2e%2e/x HTTP/1.1\r\nHost: a.test\r\n\r\n", 400),
        ("GET /x/..%2fy HTTP/1.1\r\nHost: a.test\r\n\r\n", 400),
        ("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n", 405),
        ("TRACE / HTTP/1.1\r\nHost: a.test\r\n\r\n", 405),
        ("OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a.test\r\nExpect: gold\r\n\r\n", 417),
        ("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: host\r\n\r\n", 400),
    ] {
        assert_eq!(ask(&edge, "a.test", request).status, status, "{request:?}");
    }
    assert!(app.seen().is_empty());
    // The absolute form is sound if it agrees (RFC 9112, section 3.2.2).
    assert_eq!(ask(&edge, "a.test", "GET https://a.test/x?y HTTP/1.1\r\nHost: a.test\r\n\r\n").status, 200);
    assert_eq!(app.only().line(), "GET /x?y HTTP/1.1");
}
