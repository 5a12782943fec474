//! Apps that go and come back, under load: who notices, and who is told.

use std::collections::HashSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use freehold::edge::AppHealth;
use serde_json::{Value, json};

use super::app::{App, Mortal};
use super::balance::to;
use super::client::{Client, get};
use super::kit::{Edge, has, settings, until};

/// Asks on both ways until told to stop: how many requests, of which none may fail.
fn load(edge: &Edge, stop: &AtomicBool, method: &str) -> usize {
    let mut client = Client::https(edge, "a.test");
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        let long = if count % 2 == 0 { "" } else { "TE: trailers\r\n" };
        let answer = client.say(format!("{method} /{count} HTTP/1.1\r\nHost: a.test\r\n{long}\r\n")).answer();
        assert_eq!(answer.status, 200, "{method} {count}: {}", answer.text());
        count += 1;
    }
    count
}

fn health(edge: &Edge, route: &str) -> Vec<AppHealth> {
    let snapshot = edge.snapshots.load();
    let route = snapshot.routes.get(route).unwrap();
    edge.running().board().report(route).into_iter().map(|app| app.health).collect()
}

fn edge(apps: Value, options: Value) -> Edge {
    Edge::with([to(apps, options)], settings())
}

#[test]
fn apps_that_are_killed_and_started_again_under_load_cost_no_idempotent_request() {
    let apps = [Mortal::new("one"), Mortal::new("two"), Mortal::new("three")];
    let urls: Vec<_> = apps.iter().map(Mortal::url).collect();
    let health = json!({"path": "/up", "interval_seconds": 1});
    let edge = edge(json!(urls), json!({"health": health}));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (edge, stop) = (&edge, &stop);
        let methods = ["GET", "PUT", "DELETE", "OPTIONS"];
        let loads = methods.map(|method| scope.spawn(move || load(edge, stop, method)));
        for turn in 0..12 {
            let app = &apps[turn % 3];
            std::thread::sleep(Duration::from_millis(60));
            app.kill();
            std::thread::sleep(Duration::from_millis(80));
            app.start();
        }
        stop.store(true, Ordering::Relaxed);
        let counts = loads.map(|load| load.join().unwrap());
        assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
    });
    assert_eq!(edge.running().stats().answers[5], 0);
}

#[test]
fn a_restart_of_the_only_app_is_not_seen_by_users() {
    let app = Mortal::new("it");
    let edge = edge(json!([app.url()]), json!({}));
    let (stop, posts) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let gets: Vec<_> = (0..3).map(|_| scope.spawn(|| load(&edge, &stop, "GET"))).collect();
        let poster = scope.spawn(|| {
            let mut failed = 0;
            while !stop.load(Ordering::Relaxed) {
                let mut client = Client::https(&edge, "a.test");
                let number = posts.fetch_add(1, Ordering::Relaxed);
                let head = format!("POST /post{number} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi");
                failed += usize::from(client.say(head).answer().status != 200);
            }
            failed
        });
        for pause in [300, 900, 40] {
            // Long enough that whoever was held is answered: nothing is sent again a third time.
            std::thread::sleep(Duration::from_millis(700));
            app.kill();
            std::thread::sleep(Duration::from_millis(pause));
            app.start();
        }
        std::thread::sleep(Duration::from_millis(400));
        stop.store(true, Ordering::Relaxed);
        gets.into_iter().for_each(|load| assert!(load.join().unwrap() > 30));
        // One that the app had when it was killed cannot be known to have been done, nor may it be done twice.
        assert!(poster.join().unwrap() <= 3, "a POST that was not sent is held like any other");
    });
    let posts: Vec<_> = app.lines().into_iter().filter(|line| line.starts_with("POST")).collect();
    assert!(posts.len() > 3 && posts.len() == posts.iter().collect::<HashSet<_>>().len(), "none was sent twice");
}

#[test]
fn h2load_finds_nothing_failed_while_the_only_app_restarts() {
    if !has("h2load") {
        return;
    }
    let app = Mortal::new("it");
    let edge = edge(json!([app.url()]), json!({}));
    let port = edge.https().port();
    let (url, there) = (format!("https://a.test:{port}/"), format!("--connect-to=127.0.0.1:{port}"));
    for protocol in [&["--h1"][..], &["-m", "10"]] {
        std::thread::scope(|scope| {
            let load = scope.spawn(|| {
                let mut command = Command::new("h2load");
                command.args(protocol).args(["-n", "4000", "-c", "8", &there, &url]).output().unwrap()
            });
            while app.lines().len() < 200 {
                std::thread::sleep(Duration::from_millis(1));
            }
            app.kill();
            std::thread::sleep(Duration::from_millis(500));
            app.start();
            let output = load.join().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(text.contains("4000 succeeded, 0 failed, 0 errored, 0 timeout"), "{protocol:?}: {text}");
        });
    }
}

#[test]
fn nobody_waits_for_an_app_that_was_never_there_or_stays_away() {
    let app = Mortal::new("it");
    app.kill();
    let edge = edge(json!([app.url()]), json!({"hold_seconds": 1}));
    let took = |status| {
        let begun = Instant::now();
        assert_eq!(get(&edge, "a.test", "/").status, status);
        begun.elapsed()
    };
    assert!(took(502) < Duration::from_millis(900), "it was never there");
    app.start();
    took(200);
    app.kill();
    let waited = took(502);
    assert!(waited >= Duration::from_millis(900) && waited < Duration::from_secs(4), "{waited:?}");
    assert!(took(502) < Duration::from_millis(900), "it stays away");
    app.start();
    took(200);
    edge.put(to(json!([app.url()]), json!({"hold_seconds": 0})));
    app.kill();
    assert!(took(502) < Duration::from_millis(900), "nobody is to wait");
}

#[test]
fn an_app_that_is_found_unwell_gets_no_requests_until_it_is_well() {
    let sick = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&sick);
    let one = App::new(move |request, wire| {
        let status = if request.line().contains("/up") && seen.load(Ordering::Relaxed) { "503 No" } else { "200 OK" };
        wire.answer(status, "", "one");
        true
    });
    let two = App::hello();
    let options = json!({"health": {"path": "/up", "interval_seconds": 1, "fall": 1, "rise": 1}});
    let edge = edge(json!([one.url(), two.url()]), options);
    until("both well", || health(&edge, "a.test/") == [AppHealth::Up, AppHealth::Up]);
    let looked = one.seen().into_iter().find(|seen| seen.line() == "GET /up HTTP/1.1").unwrap();
    assert_eq!((looked.field("host"), looked.field("user-agent")), ("a.test", "freehold-health-check"));
    sick.store(true, Ordering::Relaxed);
    until("found unwell", || health(&edge, "a.test/") == [AppHealth::Down, AppHealth::Up]);
    let report = edge.running().board().report(edge.snapshots.load().routes.get("a.test/").unwrap());
    assert_eq!(report[0].reason.as_deref(), Some("/up answers 503"));
    let mut client = Client::https(&edge, "a.test");
    for _ in 0..10 {
        assert_eq!(client.get("a.test", "/").text(), "hello");
    }
    sick.store(false, Ordering::Relaxed);
    until("well again", || health(&edge, "a.test/") == [AppHealth::Up, AppHealth::Up]);
    until("asked again", || client.get("a.test", "/").text() == "one");
}

#[test]
fn if_all_are_found_unwell_all_are_asked() {
    let app = || {
        App::new(|request, wire| {
            let status = if request.line().contains("/up") { "500 No" } else { "200 OK" };
            wire.answer(status, "", "hello");
            true
        })
    };
    let (one, two) = (app(), app());
    let options = json!({"health": {"path": "/up", "interval_seconds": 1, "fall": 1}});
    let edge = edge(json!([one.url(), two.url()]), options);
    until("found unwell", || health(&edge, "a.test/") == [AppHealth::Down, AppHealth::Down]);
    let mut client = Client::https(&edge, "a.test");
    for _ in 0..10 {
        assert_eq!(client.get("a.test", "/").status, 200);
    }
}

#[test]
fn an_app_that_takes_connections_is_well_enough_where_that_is_asked() {
    let (one, two) = (Mortal::new("one"), Mortal::new("two"));
    let options = json!({"health": {"tcp": true, "interval_seconds": 1, "fall": 1}});
    let edge = edge(json!([one.url(), two.url()]), options);
    until("both well", || health(&edge, "a.test/") == [AppHealth::Up, AppHealth::Up]);
    one.kill();
    until("found down", || health(&edge, "a.test/") == [AppHealth::Down, AppHealth::Up]);
}

#[test]
fn an_app_that_fails_request_after_request_is_left_out_for_a_while() {
    let failing = || {
        App::new(|_, wire| {
            wire.answer("500 Oh", "", "oh");
            true
        })
    };
    let (one, two, well) = (failing(), failing(), App::hello());
    let apps = json!([one.url(), two.url(), well.url()]);
    let edge = edge(apps, json!({"health": {"eject_after": 3}}));
    let mut client = Client::https(&edge, "a.test");
    for _ in 0..60 {
        client.get("a.test", "/");
    }
    // One of three may be left out, not two: that would be more than half.
    let mut sent = [one.seen().len(), two.seen().len()];
    sent.sort_unstable();
    assert!(sent[0] == 3 && sent[1] > 20, "{sent:?}");
    let out = health(&edge, "a.test/").into_iter().filter(|health| *health == AppHealth::Ejected).count();
    assert_eq!(out, 1);
}

#[test]
fn a_site_takes_a_break_and_says_so() {
    let app = App::hello();
    let edge = edge(json!([app.url()]), json!({"maintenance": "Back at <noon>."}));
    let mut client = Client::https(&edge, "a.test");
    let answer = client.say("GET / HTTP/1.1\r\nHost: a.test\r\nAccept: text/html\r\n\r\n").answer();
    assert_eq!((answer.status, answer.field("retry-after")), (503, "60"));
    assert!(answer.text().contains("Back at &lt;noon&gt;."), "{}", answer.text());
    edge.put(to(json!([app.url()]), json!({"maintenance": true})));
    assert!(client.get("a.test", "/").text().contains("being worked on"));
    edge.put(to(json!([app.url()]), json!({})));
    assert_eq!(client.get("a.test", "/").text(), "hello");
    assert_eq!((app.seen().len(), edge.running().stats().app_failures()), (1, 0));
}
