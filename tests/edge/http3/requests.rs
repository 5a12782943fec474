//! What a request over HTTP/3 gets is what one over TCP gets, and an app sees no difference.

use std::fs;
use std::path::Path;
use std::process::Command;

use freehold::edge::settings::{AccessLog, LogFormat};

use super::client::{Client, dial, place};
use super::{settings, start};
use crate::app::App;
use crate::client::run;
use crate::kit::{Edge, has, route, route_with};

#[test]
fn an_app_is_told_who_asks_and_the_request_is_counted_and_noted_down() {
    let app = App::hello();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    let access_log = AccessLog { format: LogFormat::Combined, file: Some(file.clone()), one_of: 1 };
    let mut settings = settings();
    settings.access_log = access_log;
    let edge = Edge::with([route("a.test", &app.url())], settings);
    run(async {
        let mut client = Client::new(&edge, "a.test").await;
        let fields = [
            ("cookie", "a=b"),
            ("cookie", "c=d"),
            ("x-forwarded-for", "192.0.2.1"),
            ("te", "trailers"),
            ("x-mine", "1"),
        ];
        let answer = client.ask("POST", "https://a.test/x?y", &fields, b"body").await;
        assert_eq!((answer.status, answer.text(), answer.field("content-length")), (200, "hello", "5"));
        assert!(httpdate::parse_http_date(answer.field("date")).is_ok());
    });
    let seen = app.only();
    assert_eq!((seen.line(), seen.body.as_slice()), ("POST /x?y HTTP/1.1", &b"body"[..]));
    for (name, value) in [
        ("host", "a.test"),
        ("cookie", "a=b; c=d"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "a.test"),
        ("x-real-ip", "127.0.0.1"),
        ("te", "trailers"),
        ("x-mine", "1"),
    ] {
        assert_eq!(seen.all(name), [value], "{name}");
    }
    assert!(seen.field("via").starts_with("3.0 freehold-"), "{}", seen.field("via"));
    edge.until("counted", |stats| stats.http3_answers[2] == 1);
    let stats = edge.running().stats();
    assert_eq!((stats.requests(), stats.http3, stats.handshakes, stats.http2_answers[2]), (1, 1, 1, 0));
    drop(edge);
    let log = fs::read_to_string(file).unwrap();
    assert!(log.contains("\"POST /x?y HTTP/3.0\" 200 5"), "{log}");
}

#[test]
fn what_is_not_as_it_should_be_is_told_on_the_same_pages() {
    let app = App::hello();
    let ca = rcgen_ca();
    let edge = Edge::with(
        [
            route("a.test/api", &app.url()),
            route("down.test", "http://127.0.0.1:1"),
            route_with("closed.test", &app.url(), &serde_json::json!({"access": {"deny": ["127.0.0.0/8"]}})),
            route_with("shown.test", &app.url(), &serde_json::json!({"client_certificate": {"ca": ca}})),
        ],
        settings(),
    );
    run(async {
        for (name, method, url, status, told) in [
            ("a.test", "GET", "https://a.test/", 404, "no page at this address"),
            ("a.test", "GET", "https://down.test/", 421, "made for another site"),
            ("down.test", "GET", "https://down.test/", 502, "is not running"),
            ("closed.test", "GET", "https://closed.test/", 403, "not open to the network"),
            ("shown.test", "GET", "https://shown.test/", 421, "made for another site"),
            ("a.test", "TRACE", "https://a.test/api", 405, "not answered"),
            ("a.test", "GET", "https://a.test/api/%2e%2e/", 400, "somewhere else"),
            ("a.test", "GET", "ftp://a.test/api", 400, "neither http nor https"),
        ] {
            let mut client = Client::new(&edge, name).await;
            let answer = client.ask(method, url, &[("accept", "text/html")], b"").await;
            assert_eq!((answer.status, answer.field("content-type")), (status, "text/html; charset=utf-8"), "{url}");
            assert!(answer.text().contains(told), "{url}: {}", answer.text());
            assert_eq!(answer.field("content-length"), answer.body.len().to_string());
        }
        let mut client = Client::new(&edge, "a.test").await;
        let head = client.ask("HEAD", "https://a.test/", &[], b"").await;
        assert_eq!((head.status, head.body.len()), (404, 0));
        assert_ne!(head.field("content-length"), "0");
        assert!(dial(&edge, "nobody.test").await.is_err(), "there is no certificate for that");
    });
    assert!(app.seen().is_empty());
    edge.until("counted", |stats| stats.names_unknown == 1);
}

fn rcgen_ca() -> String {
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
}

#[test]
fn folders_redirects_and_dns_are_served() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("page.txt"), "0123456789".repeat(10_000)).unwrap();
    let target = folder.path().canonicalize().unwrap();
    let edge = start(&[
        ("files.test", target.to_str().unwrap()),
        ("old.test", "redirect:https://new.test/to"),
        ("dns.test", "http://127.0.0.1:1"),
    ]);
    run(async {
        let mut client = Client::new(&edge, "files.test").await;
        let whole = client.get("https://files.test/page.txt").await;
        assert_eq!(
            (whole.status, whole.body.len(), whole.field("content-type")),
            (200, 100_000, "text/plain; charset=utf-8")
        );
        let part = client.ask("GET", "https://files.test/page.txt", &[("range", "bytes=5-14")], b"").await;
        assert_eq!((part.status, part.text(), part.field("content-range")), (206, "5678901234", "bytes 5-14/100000"));
        let fields = [("if-none-match", whole.field("etag")), ("if-modified-since", whole.field("last-modified"))];
        let same = client.ask(
            "GET",
            "https://files.test/page.txt",
            &fields[usize::from(whole.field("etag").is_empty())..],
            b"",
        );
        let same = same.await;
        assert_eq!((same.status, same.body.len(), same.field("content-length")), (304, 0, ""));

        let mut client = Client::new(&edge, "old.test").await;
        let answer = client.get("https://old.test/x?y").await;
        assert_eq!((answer.status, answer.field("location")), (308, "https://new.test/to"));

        let mut client = Client::new(&edge, "dns.test").await;
        let fields = [("content-type", "application/dns-message")];
        let query = b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01";
        let answer = client.ask("POST", "https://dns.test/dns-query", &fields, query).await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, &query[..]));
    });
}

/// ngtcp2 and nghttp3, which share nothing with ours.
#[test]
fn a_client_of_another_house_loads_and_sends() {
    if !has("gtlsclient") {
        return;
    }
    let large: String = (0..200_000).map(|number| format!("{number} ")).collect();
    let page = large.clone();
    let app = App::new(move |seen, wire| {
        match seen.body.is_empty() {
            true => wire.answer("200 OK", "", &page),
            false => wire.answer("200 OK", "", seen.body.len().to_string()),
        }
        true
    });
    // That is what it calls an address in its handshake.
    let edge = start(&[("localhost", &app.url())]);
    let (folder, port) = (tempfile::tempdir().unwrap(), place(&edge).port());
    let ask = |more: &[&str], path: &str| {
        let mut command = Command::new("gtlsclient");
        command.args(["--exit-on-all-streams-close", "--timeout=15s", "--download"]).arg(folder.path());
        command.args(more).args(["127.0.0.1", &port.to_string(), &format!("https://localhost{path}")]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told = String::from_utf8_lossy(&output.stdout);
        let file = fs::read_to_string(folder.path().join(path.trim_start_matches('/')));
        file.unwrap_or_else(|fault| panic!("{fault}: {told}{}", String::from_utf8_lossy(&output.stderr)))
    };
    assert_eq!(ask(&[], "/large"), large);
    let file = Path::new(folder.path()).join("upload");
    fs::write(&file, &large).unwrap();
    assert_eq!(ask(&["--data", file.to_str().unwrap()], "/sent"), large.len().to_string());
    assert_eq!(app.seen().last().unwrap().body, large.as_bytes());
    assert_eq!(edge.running().stats().http3, 2);
}
