//! Bodies that flow over HTTP/3: part by part as they come, both ways, of any size, and gone at once when a side goes.

use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use h3::error::Code;

use super::client::{Client, GET, dial, part, whole};
use super::start;
use crate::app::App;
use crate::client::run;
use crate::streams::{EVENTS, event, is_alone, on_cue, resident};

async fn until(mut is: impl FnMut() -> bool) {
    while !is() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn events_arrive_as_they_happen() {
    let (app, cue) = on_cue(EVENTS, event);
    let edge = start(&[("a.test", &app.url())]);
    run(async {
        let mut client = Client::new(&edge, "a.test").await;
        let mut stream = client.begin("GET", "https://a.test/", &[]).await;
        stream.finish().await.unwrap();
        assert_eq!(stream.recv_response().await.unwrap().headers()["content-type"], "text/event-stream");
        for number in 1..=3 {
            cue.send(number).unwrap();
            // The next is only said when this one was heard: nothing is held back.
            assert_eq!(part(&mut stream).await.unwrap().unwrap(), format!("data: {number}\n\n"));
        }
        drop(cue);
        assert_eq!(part(&mut stream).await, Some(None));
    });
}

#[test]
fn what_is_sent_and_answered_is_the_same_at_the_other_end() {
    if !is_alone("http3::streams::what_is_sent_and_answered_is_the_same_at_the_other_end") {
        return;
    }
    const SIZE: usize = 48 << 20;
    let piece: Bytes = (0..1_u32 << 18).flat_map(u32::to_le_bytes).collect();
    let all = piece.clone();
    let app = App::heads(move |seen, wire, keep| {
        if seen.line().starts_with("GET") {
            wire.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n"));
            (0..SIZE / all.len()).for_each(|_| wire.say(&all));
            return true;
        }
        let (mut sum, mut left) = (Context::new(&SHA256), SIZE);
        while left > 0 {
            let more = wire.more();
            assert!(!more.is_empty());
            left -= more.len();
            sum.update(&more);
        }
        keep(seen);
        wire.answer("200 OK", "", sum.finish());
        true
    });
    let edge = start(&[("a.test", &app.url())]);
    let mut sum = Context::new(&SHA256);
    (0..SIZE / piece.len()).for_each(|_| sum.update(&piece));
    let sum = sum.finish();
    run(async {
        let mut client = Client::new(&edge, "a.test").await;
        let mut stream = client.begin("GET", "https://a.test/", &[]).await;
        stream.finish().await.unwrap();
        stream.recv_response().await.unwrap();
        let (mut got, mut most, first) = (Context::new(&SHA256), 0, resident());
        while let Some(part) = part(&mut stream).await.unwrap() {
            got.update(&part);
            most = most.max(resident());
        }
        assert_eq!(got.finish().as_ref(), sum.as_ref());
        assert!(most < first + (20 << 20), "{first} octets of memory became {most}");

        let mut stream = client.begin("PUT", "https://a.test/", &[("content-length", &SIZE.to_string())]).await;
        let first = resident();
        for _ in 0..SIZE / piece.len() {
            stream.send_data(piece.clone()).await.unwrap();
            most = most.max(resident());
        }
        stream.finish().await.unwrap();
        let head = stream.recv_response().await.unwrap();
        assert_eq!(whole(head, &mut stream).await.unwrap().body, sum.as_ref());
        assert!(most < first + (20 << 20), "{first} octets of memory became {most}");
    });
    assert_eq!(app.only().field("content-length"), SIZE.to_string());
}

#[test]
fn an_upload_waits_for_an_app_that_does_not_read() {
    let (go, wait) = sync_channel::<()>(1);
    let wait = Mutex::new(wait);
    let app = App::heads(move |seen, wire, keep| {
        keep(seen.clone());
        wait.lock().unwrap().recv().unwrap();
        let body = wire.body(&seen).unwrap();
        wire.answer("200 OK", "", body.len().to_string());
        true
    });
    let edge = start(&[("a.test", &app.url())]);
    run(async {
        let mut client = Client::new(&edge, "a.test").await;
        let mut stream = client.begin("POST", "https://a.test/", &[]).await;
        let (mut sent, part) = (0, Bytes::from(vec![7; 64 << 10]));
        // A socket of the kernel takes some; then nobody takes any more.
        while tokio::time::timeout(Duration::from_millis(700), stream.send_data(part.clone())).await.is_ok() {
            sent += part.len();
            assert!(sent < 24 << 20, "somebody gathers it");
        }
        go.send(()).unwrap();
        // The part that waited is on its way; h3 has it.
        stream.finish().await.ok();
        let _ = stream.recv_response().await;
    });
}

#[test]
fn trailers_reach_the_other_side() {
    let app = App::new(|_, wire| {
        wire.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\nHost: evil\r\n\r\n");
        true
    });
    let edge = start(&[("a.test", &app.url())]);
    run(async {
        let mut client = Client::new(&edge, "a.test").await;
        let fields = [("te", "trailers"), ("trailer", "x-mine")];
        let mut stream = client.begin("POST", "https://a.test/", &fields).await;
        stream.send_data(Bytes::from_static(b"sent")).await.unwrap();
        let mine = [("x-mine".parse().unwrap(), "1".parse().unwrap())];
        stream.send_trailers(mine.into_iter().collect()).await.unwrap();
        stream.finish().await.unwrap();
        let head = stream.recv_response().await.unwrap();
        assert_eq!(whole(head, &mut stream).await.unwrap().text(), "ok");
        let trailers = stream.recv_trailers().await.unwrap().unwrap();
        assert_eq!((trailers["x-sum"].as_bytes(), trailers.get("host")), (&b"7"[..], None));
    });
    assert_eq!((app.only().body.as_slice(), app.only().field("trailer")), (&b"sent"[..], "x-mine"));
}

#[test]
fn a_client_that_leaves_is_noticed_by_the_app() {
    for half in [false, true] {
        let app = App::heads(move |seen, wire, keep| {
            keep(seen.clone());
            if half {
                wire.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
            }
            if wire.is_left() {
                keep(seen);
            }
            false
        });
        let edge = start(&[("a.test", &app.url())]);
        run(async {
            let (_endpoint, connection) = dial(&edge, "a.test").await.unwrap();
            let ask = async |count: usize| {
                let (mut send, mut receive) = connection.open_bi().await.unwrap();
                send.write_all(GET).await.unwrap();
                send.finish().unwrap();
                until(|| app.seen().len() == count).await;
                let mut heard = Vec::new();
                while half && !heard.ends_with(b"half") {
                    heard.extend_from_slice(&receive.read_chunk(100, true).await.unwrap().unwrap().bytes);
                }
                receive
            };
            let mut receive = ask(1).await;
            // It wants no more of the answer: nothing but that is said.
            receive.stop(0x10c_u32.into()).unwrap();
            until(|| app.seen().len() == 2).await;
            assert!(connection.close_reason().is_none(), "only the stream goes");
            // Or all of the connection goes.
            let _receive = ask(3).await;
            connection.close(0x100_u32.into(), b"");
            until(|| app.seen().len() == 4).await;
        });
        edge.until("counted", |stats| stats.aborted == 2);
    }
}

#[test]
fn an_upload_that_breaks_off_never_looks_whole() {
    let app = App::heads(|seen, wire, keep| {
        keep(seen.clone());
        let whole = wire.body(&seen).is_ok();
        keep(super::super::app::Seen { head: if whole { "whole" } else { "broken" }.into(), body: Vec::new() });
        false
    });
    let edge = start(&[("a.test", &app.url())]);
    run(async {
        let mut client = Client::new(&edge, "a.test").await;
        for length in [Some("100"), None] {
            let before = app.seen().len();
            let fields: Vec<_> = length.map(|length| ("content-length", length)).into_iter().collect();
            let mut stream = client.begin("POST", "https://a.test/", &fields).await;
            stream.send_data(Bytes::from_static(b"half")).await.unwrap();
            until(|| app.seen().len() == before + 1).await;
            stream.stop_stream(Code::H3_REQUEST_CANCELLED);
            until(|| app.seen().len() == before + 2).await;
            assert_eq!(app.seen().last().unwrap().head, "broken", "{length:?}");
        }
    });
}

#[test]
fn an_answer_that_breaks_off_never_ends_clean() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly a part",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nonly a part\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nonly a part",
    ] {
        let app = App::new(move |_, wire| {
            wire.say(answer);
            false
        });
        let edge = start(&[("a.test", &app.url())]);
        run(async {
            let mut client = Client::new(&edge, "a.test").await;
            let mut stream = client.begin("GET", "https://a.test/", &[]).await;
            stream.finish().await.unwrap();
            if let Ok(head) = stream.recv_response().await {
                assert!(whole(head, &mut stream).await.is_none(), "{answer}");
            }
            assert!(client.connection.close_reason().is_none(), "{answer}: only the stream is reset");
        });
        edge.until("counted", |stats| stats.app_failures() == 1);
    }
}

#[test]
fn an_app_may_answer_before_it_has_read() {
    let app = App::heads(|seen, wire, keep| {
        keep(seen);
        wire.answer("413 Content Too Large", "Connection: close\r\n", "too large");
        std::thread::sleep(Duration::from_millis(200));
        false
    });
    let edge = start(&[("a.test", &app.url())]);
    run(async {
        let mut client = Client::new(&edge, "a.test").await;
        let mut stream = client.begin("POST", "https://a.test/", &[("content-length", "10000000")]).await;
        stream.send_data(Bytes::from_static(b"some")).await.unwrap();
        let head = stream.recv_response().await.unwrap();
        let answer = whole(head, &mut stream).await.unwrap();
        assert_eq!((answer.status, answer.text()), (413, "too large"));
    });
}
