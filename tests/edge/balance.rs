//! Several apps behind one route: who gets a request, and that both ways through the edge agree on it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use freehold::route::Route;
use serde_json::{Value, json};

use super::app::{App, Mortal};
use super::client::{Answer, Client, get};
use super::kit::{Edge, settings};

/// A route of `a.test` to these apps with these options.
pub(crate) fn to(apps: Value, options: Value) -> Route {
    serde_json::from_value(json!({"host": "a.test", "apps": apps, "options": options})).unwrap()
}

fn edge(apps: Value, options: Value) -> Edge {
    Edge::with([to(apps, options)], settings())
}

/// An app that answers everything with its name.
fn named(name: &'static str) -> App {
    App::new(move |_, wire| {
        wire.answer("200 OK", "", name);
        true
    })
}

/// A GET with these fields: the short way, or the long one, for which there is a field that only it understands.
fn ask(client: &mut Client, fields: &str, long: bool) -> Answer {
    let long = if long { "TE: trailers\r\n" } else { "" };
    client.say(format!("GET / HTTP/1.1\r\nHost: a.test\r\n{fields}{long}\r\n")).answer()
}

fn counts(client: &mut Client, times: usize, long: bool) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for _ in 0..times {
        *counts.entry(ask(client, "", long).text()).or_default() += 1;
    }
    counts
}

#[test]
fn weights_are_kept_to_on_both_ways() {
    let (one, two) = (named("one"), named("two"));
    let edge = edge(json!([{"url": one.url(), "weight": 3}, two.url()]), json!({}));
    let mut client = Client::https(&edge, "a.test");
    for long in [false, true] {
        let found = counts(&mut client, 40, long);
        assert_eq!((found["one"], found["two"]), (30, 10), "long: {long}");
    }
}

#[test]
fn a_busy_app_gets_no_more_while_another_has_less_to_do() {
    for by in ["least_connections", "two_choices"] {
        let done = Arc::new(AtomicBool::new(false));
        let waited = Arc::clone(&done);
        let slow = App::new(move |_, wire| {
            while !waited.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(5));
            }
            wire.answer("200 OK", "", "slow");
            true
        });
        let quick = named("quick");
        let edge = edge(json!([slow.url(), quick.url()]), json!({"balance": {"by": by}}));
        std::thread::scope(|scope| {
            let mut asked = 0;
            while slow.seen().is_empty() {
                scope.spawn(|| get(&edge, "a.test", "/"));
                asked += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            // Nothing is under way any more but what the busy one has.
            edge.until("quiet", |stats| stats.requests() + slow.seen().len() as u64 == asked);
            let mut client = Client::https(&edge, "a.test");
            for long in [false, true] {
                assert_eq!(counts(&mut client, 20, long), HashMap::from([("quick".to_owned(), 20)]), "{by}");
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn the_same_client_header_or_cookie_meets_the_same_app() {
    let apps = [named("a"), named("b"), named("c"), named("d"), named("e")];
    let urls: Vec<_> = apps.iter().map(App::url).collect();
    for (options, field) in [
        (json!({"by": "client"}), ""),
        (json!({"by": "header", "name": "X-User"}), "X-User: "),
        (json!({"by": "cookie", "name": "sid"}), "Cookie: x=y; sid="),
    ] {
        let edge = edge(json!(urls), json!({"balance": options}));
        let mut client = Client::https(&edge, "a.test");
        let mut met = HashMap::new();
        for user in 0..12 {
            let field = if field.is_empty() { String::new() } else { format!("{field}user{user}\r\n") };
            let first = ask(&mut client, &field, false).text();
            for turn in 0..6 {
                assert_eq!(ask(&mut client, &field, turn % 2 == 0).text(), first, "{options} {user}");
            }
            *met.entry(first).or_insert(0) += 1;
        }
        assert_eq!(met.len() > 1, !field.is_empty(), "{options}: {met:?}");
    }
}

#[test]
fn the_edge_gives_a_cookie_that_leads_back() {
    let apps = [named("a"), named("b"), named("c")];
    let urls: Vec<_> = apps.iter().map(App::url).collect();
    let edge = edge(json!(urls), json!({"balance": {"by": "cookie"}}));
    let mut client = Client::https(&edge, "a.test");
    for _ in 0..8 {
        let first = ask(&mut client, "", false);
        let cookie = first.field("set-cookie").to_owned();
        let (pair, rest) = cookie.split_once(';').unwrap();
        assert!(pair.starts_with("freehold_app=") && rest.contains("HttpOnly") && rest.contains("Secure"), "{cookie}");
        let second = ask(&mut client, &format!("Cookie: {pair}\r\n"), false);
        assert_eq!((second.text(), second.field("set-cookie")), (first.text(), ""));
    }
}

#[test]
fn a_backup_is_asked_only_while_all_others_are_down() {
    let (one, two, backup) = (Mortal::new("one"), Mortal::new("two"), Mortal::new("backup"));
    let apps = json!([one.url(), {"url": backup.url(), "backup": true}, two.url()]);
    let edge = edge(apps, json!({}));
    let mut client = Client::https(&edge, "a.test");
    assert!(!counts(&mut client, 10, false).contains_key("backup"));
    one.kill();
    assert_eq!(counts(&mut client, 10, false), HashMap::from([("two".to_owned(), 10)]));
    two.kill();
    assert_eq!(counts(&mut client, 10, false), HashMap::from([("backup".to_owned(), 10)]));
    backup.kill();
    two.start();
    assert_eq!(ask(&mut client, "", true).text(), "two", "known as down, but nobody else is there");
}

#[test]
fn a_name_that_does_not_resolve_harms_no_other() {
    let app = named("well");
    let apps = json!(["http://no-such-name.invalid:1", app.url(), "http://nor-this.invalid:1"]);
    let edge = edge(apps, json!({}));
    let mut client = Client::https(&edge, "a.test");
    for turn in 0..40 {
        let answer = client.say("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi").answer();
        assert_eq!((answer.status, answer.text().as_str()), (200, "well"), "{turn}");
    }
    assert_eq!(edge.running().stats().app_failures(), 0);
}

#[test]
fn a_name_is_resolved_and_joins_the_others() {
    let (named, other) = (named("named"), named("other"));
    let by_name = named.url().replace("127.0.0.1", "localhost");
    let edge = edge(json!([by_name, other.url()]), json!({}));
    let mut client = Client::https(&edge, "a.test");
    while ask(&mut client, "", false).text() != "named" {}
    let found = counts(&mut client, 20, false);
    assert_eq!((found["named"], found["other"]), (10, 10));
}
