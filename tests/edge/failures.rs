//! Apps that die, refuse, hang up and talk nonsense: what the user sees, and what is tried again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::app::App;
use super::client::{Client, ask, get};
use super::kit::{Edge, until};

/// Longer than a connection may rest to be good enough for a POST.
const RESTED: Duration = Duration::from_millis(1_800);

/// An app whose connections are closed after each answer without a word of warning.
fn forgetful() -> App {
    App::new(|seen, wire| {
        if wire.before == 0 {
            wire.answer("200 OK", "", "first");
            return true; // and waits for the next, to close instead of answering
        }
        assert!(wire.before == 1, "{}", seen.line());
        false
    })
}

#[test]
fn a_connection_that_went_stale_never_costs_the_user_an_answer() {
    let app = forgetful();
    let edge = Edge::start(&[("a.test", &app.url())]);
    let mut client = Client::https(&edge, "a.test");
    for turn in 0..10 {
        // Each second request meets a connection that closes without an answer, and is asked again on a new one.
        let answer = client.get("a.test", "/");
        assert_eq!((answer.status, answer.text().as_str()), (200, "first"), "{turn}");
    }
    edge.until("counted", |stats| stats.retried == 9 && stats.app_failures() == 0);
    assert_eq!(app.connections(), 10);
}

#[test]
fn an_idle_connection_that_the_app_closed_is_not_used_again() {
    let app = App::new(|_, wire| {
        wire.answer("200 OK", "", "hello");
        false
    });
    let edge = Edge::start(&[("a.test", &app.url())]);
    let mut client = Client::https(&edge, "a.test");
    for turn in 0..20 {
        let answer = client.say("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi").answer();
        assert_eq!(answer.status, 200, "{turn}");
        std::thread::sleep(Duration::from_millis(10)); // the end of the app's connection is on its way
    }
    assert_eq!(app.seen().len(), 20, "each was sent once");
}

#[test]
fn a_post_is_never_sent_twice() {
    for body in ["Content-Length: 2\r\n\r\nhi", "Content-Length: 0\r\n\r\n"] {
        // It keeps connections, until it hangs up on a request.
        let app = App::new(|seen, wire| {
            let hangs_up = seen.line().contains("/once") && wire.before > 0;
            if !hangs_up {
                wire.answer("200 OK", "", "well");
            }
            !hangs_up
        });
        let edge = Edge::start(&[("a.test", &app.url())]);
        let mut client = Client::https(&edge, "a.test");
        client.get("a.test", "/");
        std::thread::sleep(RESTED);
        client.get("a.test", "/");
        // The connection is fresh and the app has kept it, so it is used; the app hangs up on it.
        let post = format!("POST /once HTTP/1.1\r\nHost: a.test\r\n{body}");
        let answer = client.say(&post).answer();
        assert_eq!(answer.status, 502);
        assert!(answer.text().contains("never sent twice"), "{}", answer.text());
        assert_eq!((app.seen().len(), edge.running().stats().retried), (3, 0), "{body:?}");
        // From then on it is not trusted to keep any.
        for _ in 0..5 {
            assert_eq!(client.say(&post).answer().status, 200, "on a new connection");
        }
        assert_eq!(app.connections(), 6);
    }
}

/// Apps that hang up as they like, a moment after they have answered or just before the next request: no POST is lost, and none is
/// sent twice, in thousands.
#[test]
fn an_app_that_hangs_up_at_bad_moments_costs_no_post() {
    let app = App::new(|seen, wire| {
        wire.answer("200 OK", "", &seen.body);
        // From at once to about when the next request comes.
        let micros = seen.body.iter().fold(0_u64, |sum, octet| sum * 31 + u64::from(*octet)) % 600;
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_micros(micros) {
            std::hint::spin_loop();
        }
        micros % 3 == 0 // the others hang up now
    });
    let edge = Edge::start(&[("a.test", &app.url())]);
    let posts = 3_000;
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let edge = &edge;
            scope.spawn(move || {
                let mut client = Client::https(edge, "a.test");
                for turn in 0..posts / 2 {
                    let body = format!("{thread}-{turn}");
                    let post =
                        format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                    let answer = client.say(post).answer();
                    assert_eq!((answer.status, answer.text()), (200, body));
                    if turn % 5 == 0 {
                        assert_eq!(client.get("a.test", "/").status, 200);
                    }
                }
            });
        }
    });
    let mut bodies: Vec<_> = app.seen().into_iter().map(|seen| seen.body).filter(|body| !body.is_empty()).collect();
    assert_eq!(bodies.len(), posts, "none was sent twice");
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), posts);
    assert_eq!(edge.running().stats().answers[5], 0);
}

#[test]
fn a_post_does_not_use_a_connection_that_may_be_stale() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url())]);
    let mut client = Client::https(&edge, "a.test");
    let post = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n";
    client.say(post).answer();
    client.say(post).answer();
    assert_eq!(app.connections(), 2, "nothing is known of the app yet");
    std::thread::sleep(RESTED);
    client.say(post).answer();
    assert_eq!(app.connections(), 3, "it was not used for too long");
    client.say(post).answer();
    client.say(post).answer();
    assert_eq!(app.connections(), 3, "the app keeps connections, and it is fresh");
    client.get("a.test", "/");
    assert_eq!(app.connections(), 3, "what only reads takes any");
}

#[test]
fn each_way_to_fail_is_told_by_its_name() {
    let closing = App::new(|_, _| false);
    let resetting = App::heads(|seen, wire, keep| {
        keep(seen);
        wire.say("");
        false
    });
    let garbled = App::new(|_, wire| {
        wire.say("220 mail.test ESMTP\r\n");
        false
    });
    let switching = App::new(|_, wire| {
        wire.say("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
        false
    });
    let splitting = App::new(|_, wire| {
        wire.say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab");
        false
    });
    let plain = Edge::start(&[]);
    let edge = Edge::start(&[
        ("a.test/refused", "http://127.0.0.1:1"),
        ("a.test/unix", "unix:/nowhere/at/all.sock"),
        ("a.test/name", "http://no-such-name.invalid:1"),
        ("a.test/closing", &closing.url()),
        ("a.test/resetting", &resetting.url()),
        ("a.test/garbled", &garbled.url()),
        ("a.test/switching", &switching.url()),
        ("a.test/splitting", &splitting.url()),
        ("a.test/tls", &format!("https://{}", plain.http())),
        ("a.test/h2c", &format!("h2c://{}", plain.http())),
    ]);
    for (path, status, told) in [
        ("/refused", 502, "is not running"),
        ("/unix", 502, "is not running"),
        ("/name", 502, "cannot be reached"),
        ("/closing", 502, "hung up without an answer"),
        ("/resetting", 502, "hung up without an answer"),
        ("/garbled", 502, "cannot be understood"),
        ("/switching", 502, "cannot be understood"),
        ("/splitting", 502, "cannot be understood"),
        ("/tls", 502, "No secure connection"),
        ("/h2c", 502, "cannot be understood"),
        ("/", 404, "no page at this address"),
    ] {
        let answer = get(&edge, "a.test", path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.text().contains(told), "{path}: {}", answer.text());
    }
    assert_eq!(closing.seen().len(), 2, "what an app has died over is tried once more");
    assert_eq!(edge.running().route_stats()["a.test/refused"].app_failures(), 1);
}

#[test]
fn another_app_takes_over_from_one_that_is_gone() {
    let (one, two) = (App::hello(), App::hello());
    let edge = Edge::start(&[("a.test", &format!("{} http://127.0.0.1:1 {}", one.url(), two.url()))]);
    let mut client = Client::https(&edge, "a.test");
    for _ in 0..30 {
        assert_eq!(client.say("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi").answer().status, 200);
    }
    let (one, two) = (one.seen().len(), two.seen().len());
    assert!(one + two == 30 && one >= 8 && two >= 8, "{one} and {two}");
}

#[test]
fn a_drained_app_gets_no_more_requests() {
    let (one, two) = (App::hello(), App::hello());
    let edge = Edge::start(&[("a.test", &format!("{} {}", one.url(), two.url()))]);
    let drained = |first: bool, second: bool| {
        let json = serde_json::json!({
            "host": "a.test",
            "apps": [{"url": one.url(), "drained": first}, {"url": two.url(), "drained": second}],
        });
        edge.put(serde_json::from_value(json).unwrap());
    };
    drained(true, false);
    let mut client = Client::https(&edge, "a.test");
    for _ in 0..6 {
        assert_eq!(client.get("a.test", "/").status, 200);
    }
    assert_eq!((one.seen().len(), two.seen().len()), (0, 6));
    drained(true, true);
    let answer = client.get("a.test", "/");
    assert_eq!((answer.status, answer.field("retry-after")), (503, "30"));
    drained(false, true);
    assert_eq!(client.get("a.test", "/").status, 200);
    assert_eq!(one.seen().len(), 1);
}

#[test]
fn an_app_that_dies_in_the_middle_harms_nobody_else() {
    let dying = App::heads(|seen, wire, keep| {
        keep(seen);
        wire.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nhalf");
        false
    });
    let healthy = App::hello();
    let edge = Edge::start(&[("a.test", &dying.url()), ("b.test", &healthy.url())]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert!(!get(&edge, "a.test", "/").whole);
                }
            });
        }
        let mut client = Client::https(&edge, "b.test");
        for _ in 0..200 {
            assert_eq!(client.get("b.test", "/").text(), "hello");
        }
    });
    assert_eq!(edge.running().stats().panics, 0);
}

#[test]
fn only_what_changes_nothing_is_tried_again_once_it_was_sent() {
    let count = Arc::new(AtomicUsize::new(0));
    let lines = Arc::new(Mutex::new(Vec::new()));
    let (counted, seen_lines) = (Arc::clone(&count), Arc::clone(&lines));
    let app = App::new(move |seen, wire| {
        seen_lines.lock().unwrap().push(seen.line().to_owned());
        // Every second request on a connection is left without an answer.
        if wire.before == 1 {
            counted.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        wire.answer("200 OK", "", "ok");
        true
    });
    for (method, status) in
        [("GET", 200), ("HEAD", 200), ("OPTIONS", 200), ("DELETE", 200), ("PUT", 200), ("PATCH", 502), ("POST", 502)]
    {
        let edge = Edge::start(&[("a.test", &app.url())]);
        // First requests make sure that there is a connection to use again; by any method, once the app has kept one.
        assert_eq!(get(&edge, "a.test", "/warm").status, 200);
        if status == 502 {
            std::thread::sleep(RESTED);
            assert_eq!(get(&edge, "a.test", "/warm").status, 200);
        }
        let before = count.load(Ordering::Relaxed);
        let sent = format!("{method} / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
        let answer = ask(&edge, "a.test", &sent);
        assert_eq!(answer.status, status, "{method}: {lines:?}");
        until("met a connection that hung up", || count.load(Ordering::Relaxed) > before);
    }
}
