//! Answers that are kept: given again where they may be, asked for again where they must, fetched once for all who wait; and nobody
//! gets what was meant for somebody else.

mod attacks;
mod crowd;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use freehold::edge::{Purge, Settings};
use serde_json::{Value, json};

use super::app::{App, Seen};
use super::client::{Answer, Client, http2, read, request, run};
use super::kit::{Edge, PATIENCE, route_with, settings, until};

/// An app that answers as it is told, and says in each answer how often it was asked.
fn app(answer: impl Fn(&Seen) -> (&'static str, String) + Send + Sync + 'static) -> App {
    let count = AtomicUsize::new(0);
    App::new(move |seen, wire| {
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        let (status, fields) = answer(seen);
        let body = if seen.line().starts_with("HEAD") || status.starts_with("304") {
            String::new()
        } else {
            format!("answer {number}")
        };
        if status.starts_with("304") {
            wire.say(format!("HTTP/1.1 {status}\r\n{fields}\r\n"));
        } else {
            wire.answer(status, &fields, body);
        }
        true
    })
}

fn always(fields: &'static str) -> App {
    app(move |_| ("200 OK", fields.to_owned()))
}

const MINUTE: &str = "Cache-Control: max-age=60\r\n";

fn edge_with(app: &App, options: &Value) -> Edge {
    let two = Settings { workers: 2, ..settings() };
    Edge::with(["a.test", "b.test"].map(|host| route_with(host, &app.url(), options).with_plain_http(true)), two)
}

fn edge(app: &App) -> Edge {
    edge_with(app, &json!({"cache": true}))
}

fn with(edge: &Edge, method: &str, path: &str, fields: &str) -> Answer {
    let mut client = Client::http(edge);
    client.say(format!("{method} {path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n{fields}\r\n"));
    if method == "HEAD" { client.head() } else { client.answer() }
}

fn get(edge: &Edge, path: &str) -> Answer {
    with(edge, "GET", path, "")
}

/// What was said of it, without the numbers.
fn how(answer: &Answer) -> &str {
    let said = answer.field("cache-status").strip_prefix("Freehold; ").unwrap_or_default();
    said.split("; ttl").next().unwrap_or_default()
}

/// Asks until what was fetched is kept: it is kept a moment after it was given.
fn kept(edge: &Edge, path: &str) -> Answer {
    let mut answer = get(edge, path);
    until("it is kept", || {
        answer = get(edge, path);
        how(&answer) == "hit"
    });
    answer
}

/// An app that answers when it is told to.
fn on_cue(fields: &'static str) -> (App, std::sync::mpsc::SyncSender<()>) {
    let (cue, cues) = sync_channel::<()>(1_000);
    let cues = Mutex::new(cues);
    let app = App::heads(move |seen, wire, keep| {
        keep(seen);
        let _ = cues.lock().unwrap().recv_timeout(PATIENCE);
        wire.answer("200 OK", fields, "slow");
        true
    });
    (app, cue)
}

#[test]
fn what_is_fresh_is_given_again() {
    let app = always("Cache-Control: max-age=60\r\nETag: \"v1\"\r\nX-Own: 1\r\nX-Own: 2\r\n");
    let edge = edge(&app);
    let first = get(&edge, "/page?x=1");
    assert_eq!((first.status, first.text().as_str(), how(&first)), (200, "answer 1", "fwd=uri-miss; stored"));
    let again = kept(&edge, "/page?x=1");
    assert_eq!((again.text().as_str(), again.field("etag"), again.field("x-own")), ("answer 1", "\"v1\"", "1"));
    assert_eq!(again.head.matches("x-own").count(), 2, "{}", again.head);
    assert!(again.field("age").parse::<u64>().unwrap() < 10 && !again.field("date").is_empty(), "{}", again.head);
    assert!(again.field("cache-status").contains("ttl="), "{}", again.head);
    assert_eq!(get(&edge, "/page?x=2").text(), "answer 2", "another address");
    assert_eq!(get(&edge, "/page?x=1").text(), "answer 1");
    let head = with(&edge, "HEAD", "/page?x=1", "");
    assert_eq!((head.status, how(&head), head.field("content-length")), (200, "hit", "8"));
    run(async {
        let mut client = http2(&edge, "a.test").await;
        for expected in ["answer 3", "answer 3"] {
            let answer = client
                .send_request(request("GET", "https://a.test/page?x=1", &[], super::client::empty()))
                .await
                .unwrap();
            let answer = read(answer).await.unwrap();
            assert_eq!(answer, (200, expected.into()), "https is another scheme than http");
            until("it is kept", || edge.running().cache().size().1 >= 3);
        }
    });
    let totals = edge.running().stats();
    assert!(totals.cache_hits >= 4 && totals.cache_misses == 3, "{totals:?}");
}

#[test]
fn a_part_and_what_the_client_has_are_told_from_what_is_kept() {
    let app = always("Cache-Control: max-age=60\r\nETag: \"v1\"\r\nLast-Modified: Sat, 21 Nov 2026 12:00:00 GMT\r\n");
    let edge = edge(&app);
    kept(&edge, "/");
    for (fields, status, body, range) in [
        ("Range: bytes=0-2\r\n", 206, "ans", "bytes 0-2/8"),
        ("Range: bytes=-1\r\n", 206, "1", "bytes 7-7/8"),
        ("Range: bytes=8-\r\n", 416, "", "bytes */8"),
        ("Range: bytes=0-2\r\nIf-Range: \"v1\"\r\n", 206, "ans", "bytes 0-2/8"),
        ("Range: bytes=0-2\r\nIf-Range: \"v0\"\r\n", 200, "answer 1", ""),
        ("If-None-Match: \"v1\"\r\n", 304, "", ""),
        ("If-None-Match: \"v0\", W/\"v1\"\r\n", 304, "", ""),
        ("If-None-Match: *\r\n", 304, "", ""),
        ("If-None-Match: \"v0\"\r\n", 200, "answer 1", ""),
        ("If-Modified-Since: Sat, 21 Nov 2026 12:00:00 GMT\r\n", 304, "", ""),
        ("If-Modified-Since: Sat, 21 Nov 2026 11:59:59 GMT\r\n", 200, "answer 1", ""),
        ("If-None-Match: \"v0\"\r\nIf-Modified-Since: Sat, 21 Nov 2026 12:00:00 GMT\r\n", 200, "answer 1", ""),
        ("Cache-Control: no-cache, max-age=0\r\nPragma: no-cache\r\n", 200, "answer 1", ""),
        ("Cache-Control: only-if-cached\r\n", 200, "answer 1", ""),
    ] {
        let answer = with(&edge, "GET", "/", fields);
        assert_eq!(
            (answer.status, answer.text().as_str(), answer.field("content-range")),
            (status, body, range),
            "{fields}"
        );
    }
    assert_eq!(app.seen().len(), 1);
    assert_eq!(with(&edge, "GET", "/none", "Cache-Control: only-if-cached\r\n").status, 504);
}

#[test]
fn what_varies_is_kept_for_each() {
    let app = app(|seen| {
        ("200 OK", format!("{MINUTE}Vary: Accept-Language\r\nX-Language: {}\r\n", seen.field("accept-language")))
    });
    let edge = edge(&app);
    for _ in 0..3 {
        for language in ["de", "fr", ""] {
            let fields = format!("Accept-Language: {language}\r\n");
            until("it is kept", || how(&with(&edge, "GET", "/", &fields)) == "hit");
            assert_eq!(with(&edge, "GET", "/", &fields).field("x-language"), language);
        }
    }
    assert_eq!(app.seen().len(), 3);
    assert_eq!(with(&edge, "POST", "/", "Content-Length: 0\r\n").status, 200);
    assert_ne!(how(&with(&edge, "GET", "/", "Accept-Language: de\r\n")), "hit", "all of them are gone");
}

#[test]
fn what_is_stale_is_asked_for_again() {
    let (stale, good) = (AtomicBool::new(true), Arc::new(AtomicBool::new(true)));
    let still = Arc::clone(&good);
    let app = app(move |seen| {
        let age = if stale.swap(false, Ordering::Relaxed) { "Age: 60\r\n" } else { "" };
        match seen.field("if-none-match") == "\"v1\"" && still.load(Ordering::Relaxed) {
            true => ("304 Not Modified", format!("{MINUTE}ETag: \"v1\"\r\nX-Round: 2\r\n")),
            false => ("200 OK", format!("{MINUTE}{age}ETag: \"v1\"\r\nX-Round: 1\r\n")),
        }
    });
    let edge = edge(&app);
    assert_eq!(get(&edge, "/").text(), "answer 1");
    until("it is kept", || edge.running().cache().size().1 == 1);
    let renewed = with(&edge, "GET", "/", "If-None-Match: \"other\"\r\n");
    assert_eq!(
        (renewed.status, renewed.text().as_str(), how(&renewed)),
        (200, "answer 1", "fwd=stale; fwd-status=304")
    );
    assert_eq!((renewed.field("x-round"), renewed.field("content-length")), ("2", "8"));
    let asked = &app.seen()[1];
    assert_eq!(asked.all("if-none-match"), ["\"v1\""], "ours, not the client's");
    let again = get(&edge, "/");
    assert_eq!((how(&again), again.field("x-round"), app.seen().len()), ("hit", "2", 2));
    assert_eq!(edge.running().stats().cache_revalidated, 1);
    good.store(false, Ordering::Relaxed);
}

#[test]
fn a_change_takes_away_what_is_kept() {
    let app = app(|seen| match seen.line().split(' ').next() {
        Some("POST") if seen.line().contains("fail") => ("500 Internal Server Error", String::new()),
        Some("POST") => ("303 See Other", "Location: /list\r\nContent-Location: http://a.test/item\r\n".into()),
        Some("DELETE") => ("200 OK", "Location: http://b.test/kept\r\n".into()),
        _ => ("200 OK", MINUTE.into()),
    });
    let edge = edge(&app);
    for (method, path, gone, stays) in [
        ("POST", "/form", &["/form", "/list", "/item"][..], &["/other"][..]),
        ("PUT", "/form", &["/form"], &["/list", "/other"]),
        ("PATCH", "/form", &["/form"], &["/form?x"]),
        ("DELETE", "/x", &["/x"], &["/kept"]),
        ("POST", "/fail", &[], &["/fail"]),
        ("OPTIONS", "/form", &[], &["/form"]),
    ] {
        for path in gone.iter().chain(stays) {
            kept(&edge, path);
        }
        with(&edge, method, path, "Content-Length: 0\r\n");
        for path in stays {
            assert_eq!(how(&get(&edge, path)), "hit", "{method} {path}");
        }
        for path in gone {
            assert_eq!(how(&get(&edge, path)), "fwd=uri-miss; stored", "{method} {path}");
        }
    }
}

#[test]
fn the_old_is_shown_while_the_new_is_fetched() {
    let app = app(|_| ("200 OK", "Cache-Control: max-age=1, stale-while-revalidate=60\r\nAge: 1\r\n".into()));
    let edge = edge(&app);
    assert_eq!(get(&edge, "/").text(), "answer 1");
    until("it is kept", || edge.running().cache().size().1 == 1);
    let stale = get(&edge, "/");
    assert_eq!((stale.text().as_str(), how(&stale)), ("answer 1", "hit"));
    assert!(
        stale.field("cache-status").contains("ttl=0") || stale.field("cache-status").contains("ttl=-"),
        "{}",
        stale.head
    );
    until("the new one is there", || get(&edge, "/").text() != "answer 1");
    assert!(edge.running().stats().cache_stale >= 1);
}

#[test]
fn the_old_is_shown_when_the_app_fails() {
    let down = Arc::new(AtomicUsize::new(0));
    let state = Arc::clone(&down);
    let app = App::new(move |_, wire| {
        match state.load(Ordering::Relaxed) {
            0 => wire.answer("200 OK", "Cache-Control: max-age=1\r\nAge: 1\r\nETag: \"v1\"\r\n", "good"),
            1 => wire.answer("503 Service Unavailable", "", "bad"),
            _ => return false,
        }
        true
    });
    let edge = edge_with(&app, &json!({"cache": {"stale_if_error_seconds": 60}}));
    assert_eq!(get(&edge, "/").text(), "good");
    until("it is kept", || edge.running().cache().size().1 == 1);
    down.store(1, Ordering::Relaxed);
    let stale = get(&edge, "/");
    assert_eq!((stale.status, stale.text().as_str(), how(&stale)), (200, "good", "fwd=stale; fwd-status=503"));
    down.store(2, Ordering::Relaxed);
    let stale = get(&edge, "/");
    assert_eq!((stale.status, stale.text().as_str(), how(&stale)), (200, "good", "fwd=stale"));
    assert_eq!(get(&edge, "/other").status, 502);
    assert_eq!(edge.running().stats().cache_stale, 2);
}

#[test]
fn what_is_purged_is_gone_also_what_is_on_its_way() {
    let app = app(|seen| {
        let tag =
            if seen.line().contains("/news") { "Surrogate-Key: news front\r\n" } else { "Cache-Tag: shop,front\r\n" };
        ("200 OK", format!("{MINUTE}{tag}"))
    });
    let edge = edge(&app);
    let paths = ["/news", "/news?page=2", "/news/one", "/shop"];
    for (which, count, gone) in [
        (Purge::Path("/news"), 2, &paths[..2]),
        (Purge::Path("/news*"), 3, &paths[..3]),
        (Purge::Path("/new"), 0, &[]),
        (Purge::Tag("news"), 3, &paths[..3]),
        (Purge::Tag("front"), 4, &paths[..]),
        (Purge::Tag("fro"), 0, &[]),
        (Purge::All, 4, &paths[..]),
    ] {
        paths.iter().for_each(|path| drop(kept(&edge, path)));
        assert_eq!(edge.running().cache().purge("b.test/", which), 0, "another route");
        assert_eq!(edge.running().cache().purge("a.test/", which), count, "{which:?}");
        for path in paths {
            assert_eq!(how(&get(&edge, path)) == "hit", !gone.contains(&path), "{which:?} {path}");
        }
    }
    let (app, cue) = on_cue(MINUTE);
    let edge = self::edge(&app);
    for (purge, again) in [(true, 2), (false, 2)] {
        let mut client = Client::http(&edge);
        client.say("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        if purge {
            until("the app is asked", || app.seen().len() == 1);
            edge.running().cache().purge("a.test/", Purge::All);
        }
        cue.send(()).unwrap();
        assert_eq!(client.answer().text(), "slow");
        thread::sleep(Duration::from_millis(50)); // what would be kept would be kept by now
        assert!(app.seen().len() <= again);
    }
    assert_eq!(app.seen().len(), 2, "what was on its way when all was purged was not kept");
}

#[test]
fn one_form_is_kept_and_compressed_for_each() {
    let body = "a text that becomes smaller ".repeat(1_000);
    let text = body.clone();
    let app = App::new(move |seen, wire| {
        assert_eq!(seen.field("accept-encoding"), "");
        wire.answer("200 OK", &format!("{MINUTE}Content-Type: text/html\r\nETag: \"v1\"\r\n"), &text);
        true
    });
    let edge = edge_with(&app, &json!({"cache": true, "compress": true}));
    kept(&edge, "/");
    for _ in 0..2 {
        for coding in ["zstd", "br", "gzip", ""] {
            let fields = format!("Accept-Encoding: {coding}\r\n");
            let answer = with(&edge, "GET", "/", &fields);
            assert_eq!((answer.field("content-encoding"), how(&answer), answer.whole), (coding, "hit", true));
            assert_eq!(answer.field("vary"), "Accept-Encoding");
            assert_eq!(answer.field("content-length"), answer.body.len().to_string());
            assert_eq!(answer.body.len() < 1_000, !coding.is_empty());
            let same = with(&edge, "GET", "/", &format!("{fields}If-None-Match: {}\r\n", answer.field("etag")));
            assert_eq!(same.status, 304);
            let part = with(&edge, "GET", "/", &format!("{fields}Range: bytes=2-5\r\n"));
            assert_eq!((part.status, part.text().as_str(), part.field("content-encoding")), (206, "text", ""));
        }
    }
    assert_eq!(app.seen().len(), 1);
}

#[test]
fn a_route_without_a_cache_keeps_nothing() {
    let app = always(MINUTE);
    let edge = edge_with(&app, &json!({}));
    for _ in 0..3 {
        assert_eq!(get(&edge, "/").field("cache-status"), "");
    }
    assert_eq!((app.seen().len(), edge.running().cache().size()), (3, (0, 0)));
}

#[test]
fn an_app_in_the_place_of_another_begins_with_nothing_kept() {
    let (old, new) =
        (always("Cache-Control: max-age=60\r\nX-App: old\r\n"), always("Cache-Control: max-age=60\r\nX-App: new\r\n"));
    let edge = edge(&old);
    assert_eq!(kept(&edge, "/").field("x-app"), "old");
    edge.put(route_with("a.test", &new.url(), &json!({"cache": true})).with_plain_http(true));
    assert_eq!(get(&edge, "/").field("x-app"), "new");
}
