//! Many who want the same, slow readers, what is large and what is said bit by bit.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::{MINUTE, edge, edge_with, get, on_cue};
use crate::app::{App, Wire};
use crate::client::{Client, ask};
use crate::kit::{PATIENCE, until};

#[test]
fn many_who_want_the_same_have_it_fetched_once() {
    let (app, cue) = on_cue(MINUTE);
    let edge = edge(&app);
    let mut clients: Vec<_> = (0..100).map(|_| Client::http(&edge)).collect();
    for client in &mut clients {
        client.say("GET /same HTTP/1.1\r\nHost: a.test\r\n\r\n");
    }
    edge.until("all are here", |totals| totals.connections == 100);
    until("the app is asked", || !app.seen().is_empty());
    thread::sleep(Duration::from_millis(300)); // whoever would ask too would have
    assert_eq!(app.seen().len(), 1);
    cue.send(()).unwrap();
    for client in &mut clients {
        assert_eq!(client.answer().text(), "slow");
    }
    assert_eq!(app.seen().len(), 1);
    let totals = edge.running().stats();
    assert!(totals.cache_misses == 1 && totals.cache_coalesced >= 90, "{totals:?}");
}

#[test]
fn nobody_is_left_waiting_when_the_first_one_goes() {
    let (app, cue) = on_cue(MINUTE);
    let edge = edge(&app);
    let mut first = Client::http(&edge);
    first.say("GET /same HTTP/1.1\r\nHost: a.test\r\n\r\n");
    until("the app is asked", || app.seen().len() == 1);
    let mut others: Vec<_> = (0..20).map(|_| Client::http(&edge)).collect();
    for client in &mut others {
        client.say("GET /same HTTP/1.1\r\nHost: a.test\r\n\r\n");
    }
    edge.until("all are here", |totals| totals.connections == 21);
    thread::sleep(Duration::from_millis(200)); // so that they wait
    drop(first);
    edge.until("it is gone", |totals| totals.closed >= 1 || totals.aborted >= 1);
    cue.send(()).unwrap();
    for client in &mut others {
        assert_eq!(client.answer().text(), "slow");
    }
    assert_eq!(app.seen().len(), 1, "the fetch outlived who began it");
}

#[test]
fn a_fetch_that_nobody_waits_for_is_given_up() {
    let (gone, left) = sync_channel(1);
    let app = App::heads(move |seen, wire, keep| {
        keep(seen);
        gone.send(wire.is_left()).unwrap();
        false
    });
    let edge = edge(&app);
    let mut client = Client::http(&edge);
    client.say("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    until("the app is asked", || app.seen().len() == 1);
    drop(client);
    assert!(left.recv_timeout(PATIENCE).unwrap(), "the app's connection goes with the client's");
}

#[test]
fn an_app_that_fails_fails_for_all_who_wait_at_once() {
    let (cue, cues) = sync_channel::<()>(100);
    let cues = Mutex::new(cues);
    let app = App::heads(move |seen, _, keep| {
        keep(seen);
        let _ = cues.lock().unwrap().recv_timeout(PATIENCE);
        false
    });
    let edge = edge(&app);
    let mut clients: Vec<_> = (0..20).map(|_| Client::http(&edge)).collect();
    for client in &mut clients {
        client.say("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    }
    edge.until("all are here", |totals| totals.connections == 20);
    thread::sleep(Duration::from_millis(200)); // so that they wait
    drop(cue);
    assert!(clients.iter_mut().all(|client| client.answer().status == 502));
    assert!(app.seen().len() <= 2, "{}", app.seen().len());
}

#[test]
fn a_slow_reader_keeps_nobody_waiting() {
    let app = App::new(|_, wire| {
        wire.answer("200 OK", MINUTE, vec![b'x'; 1 << 20]);
        true
    });
    let edge = edge(&app);
    let mut slow = Client::https(&edge, "a.test");
    slow.say("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").head();
    let quick = ask(&edge, "a.test", "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!((quick.body.len(), quick.whole, app.seen().len()), (1 << 20, true, 1));
    assert_eq!(slow.take(1 << 20).len(), 1 << 20);
}

#[test]
fn what_is_too_large_passes_through() {
    let size = Arc::new(AtomicUsize::new(0));
    let wanted = Arc::clone(&size);
    let app = App::new(move |seen, wire| {
        let body = vec![b'x'; wanted.load(Ordering::Relaxed)];
        if seen.line().contains("chunked") {
            wire.say(format!("HTTP/1.1 200 OK\r\n{MINUTE}Transfer-Encoding: chunked\r\n\r\n"));
            for part in body.chunks(10_000) {
                wire.say([format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat());
            }
            wire.say("0\r\n\r\n");
        } else {
            wire.answer("200 OK", MINUTE, body);
        }
        true
    });
    let edge = edge_with(&app, &json!({"cache": {"size_max": 100_000}}));
    for path in ["/sized", "/chunked"] {
        for (octets, asked) in [(100_000, 1), (100_001, 3), (5_000_000, 3)] {
            size.store(octets, Ordering::Relaxed);
            let (before, path) = (app.seen().len(), format!("{path}?{octets}"));
            for _ in 0..3 {
                let answer = get(&edge, &path);
                assert_eq!((answer.body.len(), answer.whole), (octets, true), "{path}");
                thread::sleep(Duration::from_millis(20)); // what would be kept would be kept by now
            }
            assert_eq!(app.seen().len() - before, asked, "{path}");
        }
    }
}

#[test]
fn a_stream_arrives_as_it_is_said_and_one_that_breaks_off_is_not_kept() {
    let (cue, cues) = sync_channel::<bool>(8);
    let cues = Mutex::new(cues);
    let app = App::new(move |_, wire: &mut Wire| {
        wire.say(format!("HTTP/1.1 200 OK\r\n{MINUTE}Transfer-Encoding: chunked\r\n\r\n"));
        while cues.lock().unwrap().recv_timeout(PATIENCE).unwrap() {
            wire.say("4\r\npart\r\n");
        }
        false
    });
    let edge = edge(&app);
    for round in 1..=2 {
        let mut client = Client::http(&edge);
        client.say("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").head();
        for _ in 0..3 {
            cue.send(true).unwrap();
            client.until(b"part\r\n");
        }
        cue.send(false).unwrap();
        assert_eq!(client.rest(), b"", "it ends without its last chunk");
        assert_eq!(app.seen().len(), round);
    }
}
