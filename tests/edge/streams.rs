//! Bodies that flow: part by part as they come, both ways, of any size, and gone at once when a side goes.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame};

use super::app::{App, Seen};
use super::client::{Client, empty, get, http2, read, request, run};
use super::kit::{Edge, until};

/// An app that says a part of its answer each time it is told to.
pub(crate) fn on_cue(head: &'static str, frames: fn(u32) -> String) -> (App, SyncSender<u32>) {
    let (cue, cues) = sync_channel::<u32>(8);
    let cues = Mutex::new(cues);
    let app = App::heads(move |seen, wire, keep| {
        keep(seen);
        wire.say(head);
        for number in cues.lock().unwrap().iter() {
            wire.say(frames(number));
        }
        wire.say("0\r\n\r\n");
        true
    });
    (app, cue)
}

pub(crate) const EVENTS: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

pub(crate) fn event(number: u32) -> String {
    let event = format!("data: {number}\n\n");
    format!("{:x}\r\n{event}\r\n", event.len())
}

#[test]
fn events_arrive_as_they_happen() {
    let (app, cue) = on_cue(EVENTS, event);
    let edge = Edge::start(&[("a.test", &app.url())]);
    let mut client = Client::https(&edge, "a.test");
    let head = client.say("GET /events HTTP/1.1\r\nHost: a.test\r\n\r\n").head();
    assert_eq!((head.status, head.field("content-type")), (200, "text/event-stream"));
    for number in 1..=3 {
        cue.send(number).unwrap();
        // The next is only said when this one was heard: nothing is held back.
        client.until(format!("data: {number}\n\n\r\n").as_bytes());
    }
    drop(cue);
    client.until(b"0\r\n\r\n");

    let (app, cue) = on_cue(EVENTS, event);
    let edge = Edge::start(&[("a.test", &app.url())]);
    run(async {
        let mut client = http2(&edge, "a.test").await;
        let mut answer = client.send_request(request("GET", "https://a.test/", &[], empty())).await.unwrap();
        for number in 1..=3 {
            cue.send(number).unwrap();
            let frame = answer.body_mut().frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), format!("data: {number}\n\n"));
        }
        drop(cue);
        // The end may come with an empty part.
        while let Some(frame) = answer.body_mut().frame().await {
            assert!(frame.unwrap().into_data().unwrap().is_empty());
        }
    });
}

#[test]
fn a_request_reaches_the_app_part_by_part() {
    let app = App::heads(|seen, wire, keep| {
        for _ in 0..3 {
            let part = wire.more();
            keep(Seen { body: part, ..seen.clone() });
        }
        wire.answer("200 OK", "", "done");
        false
    });
    let edge = Edge::start(&[("a.test", &app.url())]);
    let mut client = Client::https(&edge, "a.test");
    client.say("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    for number in 1..=3 {
        client.say("3\r\nabc\r\n");
        until("the part came", || app.seen().len() == number);
    }
    client.say("0\r\n\r\n");
    assert_eq!(client.answer().text(), "done");
}

#[test]
fn an_app_may_answer_before_it_has_read() {
    let app = App::heads(|seen, wire, keep| {
        keep(seen);
        wire.answer("413 Content Too Large", "Connection: close\r\n", "too large");
        std::thread::sleep(Duration::from_millis(200));
        false
    });
    let edge = Edge::start(&[("a.test", &app.url())]);
    let mut client = Client::https(&edge, "a.test");
    client.say("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10000000\r\n\r\n");
    client.say(vec![b'x'; 300_000]);
    let answer = client.answer();
    assert_eq!((answer.status, answer.text().as_str()), (413, "too large"));
}

#[test]
fn a_client_that_waits_for_leave_gets_it_and_none_if_there_is_no_app() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url()), ("b.test", "http://127.0.0.1:1")]);
    let request =
        |host: &str| format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    let mut client = Client::https(&edge, "a.test");
    assert_eq!(client.say(request("a.test")).head().status, 100);
    assert_eq!(client.say("body").answer().status, 200);
    assert_eq!((app.only().body.as_slice(), app.only().field("expect")), (&b"body"[..], ""));
    assert_eq!(Client::https(&edge, "b.test").say(request("b.test")).head().status, 502);
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
        let edge = Edge::start(&[("a.test", &app.url())]);
        let mut client = Client::https(&edge, "a.test");
        client.say("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        until("asked", || app.seen().len() == 1);
        if half {
            client.until(b"half");
        }
        drop(client);
        until("noticed", || app.seen().len() == 2);
        edge.until("counted", |stats| stats.aborted == 1);

        // Of HTTP/2 only the stream goes.
        run(async {
            let mut client = http2(&edge, "a.test").await;
            let asked = client.send_request(request("GET", "https://a.test/", &[], empty()));
            let seen = async |count: usize| {
                while app.seen().len() < count {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            if half {
                drop(asked.await.unwrap());
            } else {
                tokio::select! {
                    _ = asked => panic!("there is no answer"),
                    () = seen(3) => (),
                }
            }
            seen(4).await;
            assert!(!client.is_closed());
        });
    }
}

#[test]
fn an_answer_that_breaks_off_never_ends_clean() {
    for (name, answer) in [
        ("length", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly a part"),
        ("chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nonly a part\r\n"),
        ("in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nonly a part"),
        ("no sound chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nonly a part\r\nzz\r\n"),
    ] {
        let app = App::new(move |_, wire| {
            wire.say(answer);
            false
        });
        let edge = Edge::start(&[("a.test", &app.url())]);
        let answer = get(&edge, "a.test", "/");
        if answer.status == 502 {
            // What is wrong was seen before anything was sent.
            assert!(name == "no sound chunk" && answer.whole, "{name}");
        } else {
            assert_eq!((answer.status, answer.whole), (200, false), "{name}");
            assert!("only a part".starts_with(&answer.text()), "{name}: {}", answer.text());
        }
        run(async {
            let mut client = http2(&edge, "a.test").await;
            // A reset may overtake what was said before it.
            let clean = match client.send_request(request("GET", "https://a.test/", &[], empty())).await {
                Ok(answer) => read(answer).await.map(|(status, _)| status),
                Err(_) => None,
            };
            assert!(clean.is_none() || (clean, name) == (Some(502), "no sound chunk"), "{name} over HTTP/2: {clean:?}");
            assert!(!client.is_closed(), "{name}: only the stream is reset");
        });
        edge.until("counted", |stats| stats.app_failures() == 2);
    }
}

/// Over HTTP/2 there is no way to say anything before the answer, so hints end here; what matters is that the answer is whole.
#[test]
fn early_hints_are_passed_over_on_http2_and_the_answer_is_whole() {
    let app = App::new(|_, wire| {
        for _ in 0..3 {
            wire.say("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
        }
        wire.answer("200 OK", "X-Final: yes\r\n", "hello");
        true
    });
    let edge = Edge::start(&[("a.test", &app.url())]);
    run(async {
        let mut client = http2(&edge, "a.test").await;
        for _ in 0..2 {
            let answer = client.send_request(request("GET", "https://a.test/", &[], empty())).await.unwrap();
            let (final_field, link) = (answer.headers().get("x-final").cloned(), answer.headers().get("link").cloned());
            assert_eq!((final_field, link), (Some("yes".parse().unwrap()), None));
            assert_eq!(super::client::read(answer).await, Some((200, "hello".into())));
        }
    });
    assert_eq!(app.connections(), 1);
}

#[test]
fn an_old_app_that_says_no_length_is_read_to_its_end() {
    let app = App::new(|_, wire| {
        wire.say("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold but whole");
        false
    });
    let edge = Edge::start(&[("a.test", &app.url())]);
    let answer = get(&edge, "a.test", "/");
    assert_eq!(
        (answer.text().as_str(), answer.whole, answer.field("transfer-encoding")),
        ("old but whole", true, "chunked")
    );
}

#[test]
fn trailers_reach_the_other_side() {
    let app = App::new(|_, wire| {
        wire.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\nHost: evil\r\n\r\n");
        true
    });
    let edge = Edge::start(&[("a.test", &app.url())]);
    run(async {
        let mut client = http2(&edge, "a.test").await;
        let body = Pieces(vec![
            Frame::data(Bytes::from_static(b"sent")),
            Frame::trailers([("x-mine".parse().unwrap(), "1".parse().unwrap())].into_iter().collect()),
        ]);
        let fields = [("te", "trailers"), ("trailer", "x-mine")];
        let answer = client.send_request(request("POST", "https://a.test/", &fields, body.boxed())).await.unwrap();
        let whole = answer.into_body().collect().await.unwrap();
        let trailers = whole.trailers().unwrap().clone();
        assert_eq!((trailers["x-sum"].as_bytes(), trailers.get("host")), (&b"7"[..], None));
        assert_eq!(whole.to_bytes(), "ok");
    });
    assert_eq!((app.only().body.as_slice(), app.only().field("trailer")), (&b"sent"[..], "x-mine"));
}

/// Frames, one after the other.
struct Pieces(Vec<Frame<Bytes>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = if self.0.is_empty() { None } else { Some(Ok(self.0.remove(0))) };
        Poll::Ready(next)
    }
}

#[test]
fn a_gigabyte_passes_in_constant_memory() {
    if !is_alone("streams::a_gigabyte_passes_in_constant_memory") {
        return;
    }
    const SIZE: usize = 1 << 30;
    let app = App::heads(|seen, wire, keep| {
        keep(seen);
        wire.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n"));
        let part = vec![7; 1 << 20];
        (0..SIZE >> 20).for_each(|_| wire.say(&part));
        true
    });
    let edge = Edge::with([super::kit::route("a.test", &app.url()).with_plain_http(true)], super::kit::settings());
    let mut client = Client::http(&edge); // what TLS costs is no question of memory
    let head = client.say("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").head();
    assert_eq!(head.field("content-length"), SIZE.to_string());
    let (mut left, mut most, first) = (SIZE, 0, resident());
    while left > 0 {
        let part = client.take(left.min(1 << 20));
        assert!(!part.is_empty());
        left -= part.len();
        most = most.max(resident());
    }
    assert!(most < first + (32 << 20), "{first} octets of memory became {most}");
}

/// Whether this test has a process for itself, whose memory it can watch. If not, it is run in one.
pub(crate) fn is_alone(name: &str) -> bool {
    const ALONE: &str = "FREEHOLD_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let output = command.args([name, "--exact", "--nocapture"]).env(ALONE, "1").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}{}", String::from_utf8_lossy(&output.stderr));
    false
}

/// Octets of memory this process has.
pub(crate) fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

#[test]
fn an_upload_waits_for_an_app_that_does_not_read() {
    if !is_alone("streams::an_upload_waits_for_an_app_that_does_not_read") {
        return;
    }
    let (go, wait) = sync_channel::<()>(1);
    let wait = Mutex::new(wait);
    let app = App::heads(move |seen, wire, keep| {
        keep(seen.clone());
        wait.lock().unwrap().recv().unwrap();
        let body = wire.body(&seen).unwrap();
        wire.answer("200 OK", "", body.len().to_string());
        true
    });
    let edge = Edge::start(&[("a.test", &app.url())]);
    let size = 64 << 20;
    let mut client = Client::https(&edge, "a.test");
    client.say(format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {size}\r\n\r\n"));
    until("asked", || app.seen().len() == 1);
    let before = resident();
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let part = vec![7; 1 << 20];
            for _ in 0..size >> 20 {
                client.say(&part);
            }
            client.answer().text()
        });
        std::thread::sleep(Duration::from_millis(700)); // what could be gathered has been by now
        let held = resident().saturating_sub(before);
        go.send(()).unwrap();
        assert_eq!(sending.join().unwrap(), size.to_string());
        assert!(held < 24 << 20, "{held} octets were gathered");
    });
}
