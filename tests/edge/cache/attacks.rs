//! What somebody else could get, or have kept, by asking in an odd way; and how much.

use std::thread;
use std::time::Duration;

use base64::Engine as _;
use freehold::route::options::PasswordHash;
use serde_json::json;

use super::{MINUTE, app, edge, edge_with, get, how, kept, with};
use crate::app::App;
use crate::client::Client;
use crate::kit::{Edge, route_with, settings, until};

#[test]
fn who_says_who_it_is_gets_nothing_of_others_and_leaves_nothing() {
    let app = app(|seen| match seen.line() {
        line if line.contains("/public") => ("200 OK", "Cache-Control: public, max-age=60\r\n".into()),
        line if line.contains("/cookie") => ("200 OK", format!("{MINUTE}Set-Cookie: id=secret\r\n")),
        line if line.contains("/private") => ("200 OK", "Cache-Control: Private, max-age=60\r\n".into()),
        _ => ("200 OK", MINUTE.into()),
    });
    let edge = edge(&app);
    let asked = |path: &str, fields: &str| {
        let before = app.seen().len();
        for _ in 0..3 {
            with(&edge, "GET", path, fields);
            thread::sleep(Duration::from_millis(20)); // what would be kept would be kept by now
        }
        app.seen().len() - before
    };
    for secret in ["Cookie: id=1\r\n", "Authorization: Bearer x\r\n"] {
        assert_eq!(asked(&format!("/own?{}", secret.len()), secret), 3, "{secret}: a page of one's own is not kept");
    }
    assert_eq!(asked("/public?a", "Cookie: id=1\r\n"), 1, "what is public is");
    assert_eq!(asked("/cookie", ""), 3);
    assert_eq!(asked("/private", ""), 3);
    assert_eq!(asked("/page", ""), 1);
    assert_eq!(
        asked("/page", "Cookie: id=1\r\n"),
        3,
        "the page that strangers get is not given to somebody who is known"
    );
    assert_eq!(asked("/page", ""), 0);
}

#[test]
fn a_flood_of_addresses_takes_no_more_memory_than_there_is() {
    let app = App::new(|_, wire| {
        wire.answer("200 OK", MINUTE, vec![b'x'; 10_000]);
        true
    });
    let mut small = settings();
    small.cache.memory_max = 1;
    let edge = Edge::with([route_with("a.test", &app.url(), &json!({"cache": true}))], small);
    let mut client = Client::https(&edge, "a.test");
    for number in 0..1_000 {
        let path = if number % 2 == 0 { format!("/{number}") } else { format!("/?{number}") };
        assert_eq!(client.get("a.test", &path).body.len(), 10_000);
        assert_eq!(client.get("a.test", "/popular").body.len(), 10_000);
        assert!(edge.running().cache().size().0 <= 1 << 20);
    }
    let (size, answers) = edge.running().cache().size();
    assert!(size > 1 << 19 && answers > 50, "{size} {answers}");
    let totals = edge.running().stats();
    assert!(totals.cache_evicted > 800 && totals.cache_hits > 900, "{totals:?}");
    let large = client.get("a.test", &format!("/{}", "x".repeat(20_000)));
    assert!([200, 414, 431].contains(&large.status));
}

#[test]
fn no_answer_is_kept_under_another_s_address() {
    // What the app makes of fields that are not part of the key comes back to whoever sent them, and to nobody else.
    let app = app(|seen| {
        let told = [
            "host",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-forwarded-prefix",
            "x-original-url",
            "x-host",
            "forwarded",
        ];
        let mut told: Vec<_> = told.iter().map(|name| seen.all(name).join("+")).collect();
        told.push(seen.all("x-http-method-override").join("+"));
        told.push(String::from_utf8_lossy(&seen.body).into_owned());
        ("200 OK", format!("{MINUTE}X-Told: {}\r\n", told.join(" ")))
    });
    let edge = edge(&app);
    let port = edge.http().port();
    let attacks = [
        "Host: A.TEST\r\n".to_owned(),
        format!("Host: a.test:{port}\r\n"),
        "Host: a.test:443\r\n".into(),
        "Host: a.test.\r\n".into(),
        "Host: b.test\r\n".into(),
        "Host: a.test\r\nX-Forwarded-Host: evil.test\r\n".into(),
        "Host: a.test\r\nX-Forwarded-Proto: gopher\r\n".into(),
        "Host: a.test\r\nX-Forwarded-Prefix: /evil\r\n".into(),
        "Host: a.test\r\nX_Forwarded_Host: evil.test\r\n".into(),
        "Host: a.test\r\nX-Original-URL: /evil\r\n".into(),
        "Host: a.test\r\nX-Host: evil.test\r\n".into(),
        "Host: a.test\r\nForwarded: host=evil.test\r\n".into(),
        "Host: a.test\r\nX-HTTP-Method-Override: DELETE\r\n".into(),
        "Host: a.test\r\nContent-Length: 4\r\n\r\nevil".into(),
        "Host: a.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n".into(),
    ];
    for (number, attack) in attacks.iter().enumerate() {
        for path in [format!("/{number}"), format!("/{number}?q=1")] {
            for _ in 0..2 {
                Client::http(&edge).say(format!("GET {path} HTTP/1.1\r\n{attack}\r\n")).answer();
            }
            thread::sleep(Duration::from_millis(5));
            let honest = with(&edge, "GET", &path, "");
            let told = honest.field("x-told");
            assert_eq!(honest.status, 200);
            assert!(
                told.starts_with("a.test a.test http ") && !told.contains("evil") && !told.contains("DELETE"),
                "{attack}: {told}"
            );
        }
    }
}

#[test]
fn no_two_ways_of_writing_a_path_meet() {
    let app = app(|seen| ("200 OK", format!("{MINUTE}X-Line: {}\r\n", seen.line())));
    let edge = edge(&app);
    let paths = [
        "/a/b", "/a%2Fb", "/a%2fb", "//a/b", "/a//b", "/a/b/", "/A/b", "/a/b?", "/a/b?x", "/a/b?x=", "/a/b;x",
        "/%61/b", "/a/b%3Fx",
    ];
    for _ in 0..2 {
        for path in paths {
            let answer = kept(&edge, path);
            assert_eq!(answer.field("x-line"), format!("GET {path} HTTP/1.1"), "{path}");
        }
    }
    assert_eq!(app.seen().len(), paths.len());
}

#[test]
fn what_a_route_finds_out_of_somebody_is_not_shown_to_others() {
    // The app is told who it is in a field that is no part of the key, and the password is taken off.
    let app = app(|seen| {
        let open = if seen.line().contains("/public") { "public, " } else { "" };
        ("200 OK", format!("Cache-Control: {open}max-age=60\r\nX-Told: {}\r\n", seen.field("x-forwarded-user")))
    });
    let hash = PasswordHash::make("secret", b"0123456789abcdef").unwrap();
    let users = json!({"users": {"anna": hash, "bert": hash}});
    let edge = edge_with(&app, &json!({"cache": {"default_seconds": 60}, "basic_auth": users}));
    let sign_in = |name: &str, path: &str| {
        let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{name}:secret"));
        with(&edge, "GET", path, &format!("Authorization: Basic {credentials}\r\n"))
    };
    for _ in 0..3 {
        for name in ["anna", "bert"] {
            assert_eq!(sign_in(name, "/own").field("x-told"), name);
            thread::sleep(Duration::from_millis(20)); // what would be kept would be kept by now
        }
    }
    assert_eq!(sign_in("anna", "/public").status, 200);
    until("it is kept", || how(&sign_in("bert", "/public")) == "hit");
    assert_eq!(get(&edge, "/public").status, 401, "what is kept is only for those who may come");
}
