//! Answers made smaller: for whom, which, and that nothing is lost or held back by it.

use std::io::Read;
use std::process::Command;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;

use http_body_util::BodyExt;
use serde_json::json;

use super::app::App;
use super::client::{Answer, Client, ask, empty, http2, request, run};
use super::kit::{Edge, has, route_with, settings};

/// A text that becomes smaller, and is not the same everywhere.
fn text(size: usize) -> String {
    let words = (0..).map(|number: usize| format!("word {} ", number * number % 9_973));
    let mut text = String::new();
    for word in words {
        text.push_str(&word);
        if text.len() >= size {
            text.truncate(size);
            return text;
        }
    }
    unreachable!()
}

/// Answers with a text of the size in the path; what is behind it says more of the head.
fn app() -> App {
    App::new(|seen, wire| {
        let path = seen.line().split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
        let (size, fields) = path.split_once('?').unwrap_or((path, ""));
        let fields = fields.replace("%20", " ").replace('&', "\r\n").replace('=', ": ");
        let fields = if fields.is_empty() {
            "Content-Type: text/html\r\nETag: \"v1\"\r\nAccept-Ranges: bytes".into()
        } else {
            fields
        };
        let body = text(size.parse().unwrap_or(0));
        if seen.field("if-none-match").contains("v1") {
            wire.say("HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n");
        } else if seen.line().starts_with("HEAD") {
            wire.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{fields}\r\n\r\n", body.len()));
        } else if seen.field("range") == "bytes=0-9" {
            wire.answer(
                "206 Partial Content",
                "Content-Type: text/html\r\nContent-Range: bytes 0-9/99\r\n",
                &body[..10],
            );
        } else if fields.contains("chunked") {
            wire.say(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n"));
            for part in body.as_bytes().chunks(10_000) {
                wire.say([format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat());
            }
            wire.say("0\r\n\r\n");
        } else {
            wire.answer("200 OK", &format!("{fields}\r\n"), body);
        }
        true
    })
}

fn edge(app: &App) -> Edge {
    let compressed = route_with("a.test", &app.url(), &json!({"compress": true})).with_plain_http(true);
    Edge::with([compressed, route_with("plain.test", &app.url(), &json!({}))], settings())
}

fn get(edge: &Edge, path: &str, fields: &str) -> Answer {
    ask(edge, "a.test", &format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n"))
}

fn decoded(coding: &str, octets: &[u8]) -> String {
    let mut text = String::new();
    match coding {
        "zstd" => zstd::stream::read::Decoder::new(octets).unwrap().read_to_string(&mut text),
        "br" => brotli::Decompressor::new(octets, 4_096).read_to_string(&mut text),
        "gzip" => flate2::read::GzDecoder::new(octets).read_to_string(&mut text),
        other => panic!("{other} is no coding"),
    }
    .unwrap_or_else(|fault| panic!("{coding}: {fault}"));
    text
}

#[test]
fn each_client_gets_the_coding_it_likes_best() {
    let app = app();
    let edge = edge(&app);
    for (accept, coding) in
        [("gzip, deflate, br, zstd", "zstd"), ("gzip, br", "br"), ("gzip", "gzip"), ("zstd;q=0.1, gzip;q=0.2", "gzip")]
    {
        for size in [600, 100_000, 3_000_000] {
            for more in ["", "?Content-Type=text/html&Transfer-Encoding=chunked"] {
                let answer = get(&edge, &format!("/{size}{more}"), &format!("Accept-Encoding: {accept}\r\n"));
                assert_eq!(
                    (answer.status, answer.field("content-encoding"), answer.whole),
                    (200, coding, true),
                    "{}",
                    answer.head
                );
                assert_eq!(answer.field("vary"), "Accept-Encoding");
                assert!(answer.body.len() * 2 < size, "{coding} {size}: {}", answer.body.len());
                assert_eq!(decoded(coding, &answer.body), text(size), "{coding} {size} {more}");
            }
        }
    }
    let first = &get(&edge, "/9999", "Accept-Encoding: br\r\n");
    assert_eq!(
        (first.field("etag"), first.field("accept-ranges"), first.field("content-length")),
        ("W/\"v1\"", "", "")
    );
    assert_eq!(first.field("transfer-encoding"), "chunked");
}

#[test]
fn what_should_not_be_compressed_is_left_as_it_is() {
    let app = app();
    let edge = edge(&app);
    let all = "Accept-Encoding: zstd, br, gzip\r\n";
    for (path, fields, vary) in [
        ("/9999", "", true),
        ("/9999", "Accept-Encoding: identity\r\n", true),
        ("/9999", "Accept-Encoding: gzip;q=0\r\n", true),
        ("/511", all, false),
        ("/9999?Content-Type=image/png", all, false),
        ("/9999?Content-Type=video/mp4", all, false),
        ("/9999?Content-Type=application/zip", all, false),
        ("/9999?Content-Type=application/grpc", all, false),
        ("/9999?Content-Type=text/event-stream", all, false),
        ("/9999?Content-Type=text/html&Content-Encoding=x-own", all, false),
        ("/9999?Content-Type=text/html&Cache-Control=no-transform", all, false),
        ("/9999?Content-Type=text/html&Content-Digest=x", all, false),
        ("/9999", "Accept-Encoding: gzip\r\nRange: bytes=0-9\r\n", false),
    ] {
        let answer = get(&edge, path, fields);
        let coding = answer.field("content-encoding");
        assert!(coding.is_empty() || coding == "x-own", "{path} {fields}: {}", answer.head);
        assert_eq!(!answer.field("vary").is_empty(), vary, "{path} {fields}: {}", answer.head);
        assert_eq!(answer.text(), text(answer.body.len()), "{path} {fields}");
        assert!(answer.field("content-length").parse() == Ok(answer.body.len()), "{path} {fields}");
    }
    let plain = ask(&edge, "plain.test", &format!("GET /9999 HTTP/1.1\r\nHost: plain.test\r\n{all}\r\n"));
    assert_eq!((plain.field("content-encoding"), plain.field("vary"), plain.field("etag")), ("", "", "\"v1\""));
    assert!(app.seen().iter().all(|seen| !seen.head.contains("x-accept")));
}

#[test]
fn a_head_and_a_304_say_what_the_page_would() {
    let app = app();
    let edge = edge(&app);
    let mut client = Client::https(&edge, "a.test");
    let head = client.say("HEAD /9999 HTTP/1.1\r\nHost: a.test\r\nAccept-Encoding: br\r\n\r\n").head();
    assert_eq!((head.status, head.field("content-encoding"), head.field("etag")), (200, "br", "W/\"v1\""));
    assert_eq!((head.field("content-length"), head.field("vary")), ("", "Accept-Encoding"));
    let same = client
        .say("GET /9999 HTTP/1.1\r\nHost: a.test\r\nAccept-Encoding: br\r\nIf-None-Match: W/\"v1\"\r\n\r\n")
        .answer();
    assert_eq!(
        (same.status, same.field("etag"), same.field("vary"), same.field("content-encoding")),
        (304, "W/\"v1\"", "Accept-Encoding", "")
    );
    let head = client.say("HEAD /9999 HTTP/1.1\r\nHost: a.test\r\n\r\n").head();
    assert_eq!((head.field("content-encoding"), head.field("content-length")), ("", "9999"));
}

#[test]
fn events_and_chunks_arrive_when_they_are_said() {
    let (cue, cues) = sync_channel::<u32>(8);
    let cues = Mutex::new(cues);
    let app = App::heads(move |_, wire, _| {
        wire.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        while let Ok(number @ 1..) = cues.lock().unwrap().recv() {
            let event = format!("data: {number}\n\n");
            wire.say(format!("{:x}\r\n{event}\r\n", event.len()));
        }
        wire.say("0\r\n\r\n");
        true
    });
    let options = json!({"compress": {"types": ["text/event-stream"]}});
    let edge = Edge::with([route_with("a.test", &app.url(), &options)], settings());
    for coding in ["zstd", "br", "gzip"] {
        run(async {
            let mut client = http2(&edge, "a.test").await;
            let ask = request("GET", "https://a.test/", &[("accept-encoding", coding)], empty());
            let answer = client.send_request(ask).await.unwrap();
            assert_eq!(answer.headers()["content-encoding"], coding);
            let mut body = answer.into_body();
            let mut all = Vec::new();
            for number in 1..=3 {
                cue.send(number).unwrap();
                // The next is only said when this one was heard: nothing is held back.
                all.extend_from_slice(&body.frame().await.unwrap().unwrap().into_data().unwrap());
            }
            cue.send(0).unwrap();
            all.extend_from_slice(&body.collect().await.unwrap().to_bytes());
            assert_eq!(decoded(coding, &all), "data: 1\n\ndata: 2\n\ndata: 3\n\n");
        });
    }
}

#[test]
fn an_answer_that_breaks_off_never_ends_as_if_it_were_whole() {
    let app = App::new(|_, wire| {
        wire.say(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 99999\r\n\r\n{}",
            text(50_000)
        ));
        false
    });
    let edge = edge(&app);
    for coding in ["zstd", "br", "gzip"] {
        let answer = get(&edge, "/", &format!("Accept-Encoding: {coding}\r\n"));
        assert!(!answer.whole, "{coding}");
    }
}

#[test]
fn a_folder_is_compressed_unless_there_is_a_compressed_file() {
    let folder = tempfile::tempdir().unwrap();
    let page = text(20_000);
    for (name, text) in [
        ("page.html", page.as_str()),
        ("app.js", page.as_str()),
        ("app.js.br", "made before"),
        ("x.png", page.as_str()),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let options = json!({"compress": true});
    let edge = Edge::with([route_with("a.test", folder.path().to_str().unwrap(), &options)], settings());
    let answer = get(&edge, "/page.html", "Accept-Encoding: gzip, br\r\n");
    assert_eq!((answer.field("content-encoding"), decoded("br", &answer.body)), ("br", page));
    let answer = get(&edge, "/app.js", "Accept-Encoding: br\r\n");
    assert_eq!((answer.field("content-encoding"), answer.text().as_str()), ("br", "made before"));
    assert_eq!(get(&edge, "/x.png", "Accept-Encoding: br\r\n").field("content-encoding"), "");
    let part = get(&edge, "/page.html", "Accept-Encoding: br\r\nRange: bytes=1-3\r\n");
    assert_eq!((part.status, part.field("content-encoding"), part.body.len()), (206, "", 3));
}

#[test]
fn curl_decodes_it() {
    if !has("curl") {
        return;
    }
    let app = app();
    let edge = edge(&app);
    for version in ["--http1.1", "--http2"] {
        let port = edge.https().port();
        let output = Command::new("curl")
            .args(["-sS", "--compressed", version, "--resolve", &format!("a.test:{port}:127.0.0.1"), "--cacert"])
            .arg(edge.root_file())
            .args(["-w", "\n%header{content-encoding}", &format!("https://a.test:{port}/50000")])
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let (body, coding) = told.rsplit_once('\n').unwrap();
        assert_eq!(body, text(50_000), "{version}");
        // Which it offers depends on how it was built; before 7.84 it does not tell what it got.
        assert!(["zstd", "br", "gzip", "%header{content-encoding}"].contains(&coding), "{version}: {coding}");
    }
}

#[test]
fn streams_that_stay_open_take_no_more_than_their_share() {
    let app = App::heads(|_, wire, _| {
        wire.say("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        wire.is_left()
    });
    let edge = edge(&app);
    let ask = "GET / HTTP/1.1\r\nHost: a.test\r\nAccept-Encoding: gzip\r\n\r\n";
    let open = |count: usize| -> Vec<_> {
        let mut clients: Vec<_> = (0..count).map(|_| Client::http(&edge)).collect();
        let of = |client: &mut Client| client.say(ask).head().field("content-encoding").to_owned();
        let codings: Vec<_> = clients.iter_mut().map(of).collect();
        codings.into_iter().zip(clients).collect()
    };
    let clients = open(140);
    let compressed = clients.iter().filter(|(coding, _)| coding == "gzip").count();
    assert_eq!(compressed, 128, "of {}", clients.len());
    drop(clients);
    edge.until("all are gone", |totals| totals.open() == 0);
    assert_eq!(open(1)[0].0, "gzip");
}
