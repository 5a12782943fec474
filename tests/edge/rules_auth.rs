//! Who may come, by name and password or because somebody else says so; and those who try without.

use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use freehold::edge::Settings;
use freehold::route::options::PasswordHash;

use super::app::App;
use super::client::{Answer, Client, ask, get};
use super::kit::{Edge, has, settings};
use super::rules::{edge, ruled};

fn basic(name: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{name}:{password}")))
}

fn with(edge: &Edge, fields: &str) -> Answer {
    ask(edge, "a.test", &format!("GET /x?y=1 HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n"))
}

fn argon2(password: &str) -> String {
    PasswordHash::make(password, b"0123456789abcdef").unwrap()
}

fn users(users: &[(&str, &str)], more: &str) -> String {
    let users: serde_json::Map<_, _> =
        users.iter().map(|(name, hash)| ((*name).to_owned(), serde_json::Value::from(*hash))).collect();
    format!(r#"{{"basic_auth":{{"users":{}{more}}}}}"#, serde_json::Value::from(users))
}

//----- Passwords ---------------------------------------------------------------------------------------------

#[test]
fn only_the_right_password_opens_and_the_app_never_sees_it() {
    let app = App::hello();
    let edge = edge("a.test", &app, &users(&[("anna", &argon2("secret"))], r#","realm":"Photos""#));
    let asked = get(&edge, "a.test", "/");
    assert_eq!((asked.status, asked.field("www-authenticate")), (401, "Basic realm=\"Photos\", charset=\"UTF-8\""));
    for fields in [
        basic("anna", "Secret"),
        basic("anna", ""),
        basic("bert", "secret"),
        basic("", "secret"),
        "Authorization: Bearer secret\r\n".to_owned(),
        "Authorization: Basic !!!\r\n".to_owned(),
        format!("{}{}", basic("bert", "x"), basic("anna", "secret")),
    ] {
        assert_eq!(with(&edge, &fields).status, 401, "{fields}");
    }
    assert!(app.seen().is_empty());
    let forged = "X-Forwarded-User: root\r\nX_Forwarded_User: root\r\n";
    assert_eq!(with(&edge, &format!("{}{forged}", basic("anna", "secret"))).status, 200);
    let seen = app.only();
    assert_eq!((seen.field("authorization"), seen.all("x-forwarded-user")), ("", vec!["anna"]), "{}", seen.head);
    assert!(!seen.head.contains("root"), "{}", seen.head);
}

#[test]
fn a_page_with_many_pictures_costs_one_comparison() {
    let app = App::hello();
    let edge = edge("a.test", &app, &users(&[("anna", &argon2("secret"))], r#","keep_authorization":true"#));
    let mut client = Client::https(&edge, "a.test");
    let request = format!("GET / HTTP/1.1\r\nHost: a.test\r\n{}\r\n", basic("anna", "secret"));
    let begin = Instant::now();
    assert_eq!(client.say(&request).answer().status, 200);
    let first = begin.elapsed();
    let begin = Instant::now();
    for _ in 0..50 {
        assert_eq!(client.say(&request).answer().status, 200);
    }
    assert!(begin.elapsed() < first * 25, "{:?} for fifty, {first:?} for the first", begin.elapsed());
    assert!(app.seen().iter().all(|seen| !seen.field("authorization").is_empty()), "the app is to have it");
    // Another password is another matter at once.
    edge.put(ruled("a.test", &app.url(), &users(&[("anna", &argon2("other"))], "")));
    assert_eq!(client.say(&request).answer().status, 401);
}

#[test]
fn who_guesses_is_slowed_and_who_knows_is_not() {
    let app = App::hello();
    let hash = "$2y$05$MEGs2cmkBqd5lp5YNn4Rcul0qp1kA4I0zIbhLrXYFZJzdZAU3VBQm";
    let settings = Settings { trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()], ..settings() };
    let edge =
        Edge::with([ruled("a.test", &app.url(), &users(&[("anna", &argon2("secret")), ("b", hash)], ""))], settings);
    let from = |client: &str, password: &str| {
        with(&edge, &format!("X-Forwarded-For: {client}\r\n{}", basic("anna", password)))
    };
    assert_eq!(from("192.0.2.1", "secret").status, 200);
    let guesses: Vec<_> = (0..16).map(|number| from("192.0.2.1", &format!("guess{number}"))).collect();
    let refused: Vec<_> = guesses.iter().filter(|answer| answer.status == 429).collect();
    assert!((1..=6).contains(&refused.len()), "ten at once and one every six seconds: {refused:?}");
    let wait: u32 = refused[0].field("retry-after").parse().unwrap();
    assert!((1..=6).contains(&wait) && refused[0].text().contains("wrong passwords"), "{}", refused[0].head);
    assert_eq!(from("192.0.2.1", "secret").status, 200, "who was here before is remembered");
    assert_eq!(from("192.0.2.2", "secret").status, 200, "others are not held to it");
}

#[test]
fn comparing_passwords_does_not_keep_the_thread_from_others() {
    let app = App::hello();
    let edge = Edge::with(
        [
            ruled("a.test", &app.url(), &users(&[("anna", &argon2("secret"))], "")),
            super::kit::route("b.test", &app.url()),
        ],
        settings(),
    );
    let edge = &edge;
    std::thread::scope(|scope| {
        let guessers: Vec<_> =
            (0..8).map(|number| scope.spawn(move || with(edge, &basic("anna", &number.to_string())).status)).collect();
        let mut client = Client::https(edge, "b.test");
        let mut slowest = Duration::ZERO;
        while guessers.iter().any(|guesser| !guesser.is_finished()) {
            let begin = Instant::now();
            assert_eq!(client.get("b.test", "/").status, 200);
            slowest = slowest.max(begin.elapsed());
        }
        assert!(guessers.into_iter().all(|guesser| guesser.join().unwrap() == 401));
        println!("slowest answer beside eight comparisons: {slowest:?}");
    });
}

#[test]
fn a_hash_that_htpasswd_made_is_taken_and_curl_signs_in() {
    if !has("htpasswd") || !has("curl") {
        return;
    }
    let made = Command::new("htpasswd").args(["-nbB", "anna", "sécret"]).output().unwrap();
    let made = String::from_utf8(made.stdout).unwrap();
    let hash = made.trim().strip_prefix("anna:").unwrap();
    let app = App::hello();
    let edge = edge("a.test", &app, &users(&[("anna", hash)], ""));
    let status = |user: &str| {
        let asked = Command::new("curl")
            .args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"])
            .arg(edge.root_file())
            .args(["--resolve", &format!("a.test:{}:127.0.0.1", edge.https().port()), "-u", user])
            .arg(format!("https://a.test:{}/", edge.https().port()))
            .output()
            .unwrap();
        String::from_utf8(asked.stdout).unwrap()
    };
    assert_eq!((status("anna:sécret").as_str(), status("anna:secret").as_str()), ("200", "401"));
}

//----- Somebody else who is asked ----------------------------------------------------------------------------

fn guarded(guard: &App, more: &str) -> String {
    format!(r#"{{"forward_auth":{{"url":"{}/verify?rd=1"{more}}}}}"#, guard.url())
}

#[test]
fn whoever_is_asked_learns_what_is_asked_for_and_lets_pass() {
    let app = App::hello();
    let guard = App::new(|_, wire| {
        wire.answer("200 OK", "Remote-User: anna\r\nRemote-Groups: a\r\nX-Other: no\r\nSet-Cookie: s=2\r\n", "fine");
        true
    });
    let edge = edge("a.test", &app, &guarded(&guard, r#","copy":["Remote-User","Remote-Groups","Remote-Email"]"#));
    let mut client = Client::https(&edge, "a.test");
    let forged = "Remote-User: root\r\nRemote_User: root\r\nREMOTE-EMAIL: root@x\r\nX-Forwarded-Uri: /public\r\n\
                  X-Forwarded-Method: GET\r\nX_Forwarded_Uri: /public\r\n";
    let request = format!(
        "POST /x?y=1 HTTP/1.1\r\nHost: A.test\r\nContent-Length: 4\r\nCookie: s=1\r\nIf-None-Match: \"x\"\r\n\
         Connection: keep-alive, Remote-User\r\n{forged}\r\nbody"
    );
    let answer = client.say(&request).answer();
    assert_eq!((answer.status, answer.field("set-cookie")), (200, "s=2"), "{}", answer.head);
    client.say(&request).answer();
    let asked = &guard.seen()[0];
    assert_eq!((asked.line(), asked.body.len()), ("GET /verify?rd=1 HTTP/1.1", 0));
    for (field, value) in [
        ("x-forwarded-method", "POST"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "A.test"),
        ("x-forwarded-uri", "/x?y=1"),
        ("x-forwarded-for", "127.0.0.1"),
        ("cookie", "s=1"),
    ] {
        assert_eq!(asked.all(field), [value], "{field}: {}", asked.head);
    }
    for gone in ["content-length", "if-none-match", "x_forwarded_uri", "connection"] {
        assert_eq!(asked.all(gone), [""; 0], "{gone}: {}", asked.head);
    }
    let seen = &app.seen()[0];
    assert_eq!((seen.all("remote-user"), seen.all("remote-groups")), (vec!["anna"], vec!["a"]), "{}", seen.head);
    assert!(!seen.head.contains("root") && seen.field("x-other").is_empty(), "{}", seen.head);
    assert_eq!(seen.body, b"body");
    assert_eq!(guard.connections(), 1, "its connection is used again");
}

#[test]
fn any_other_answer_is_the_clients() {
    let app = App::hello();
    let guard = App::new(|_, wire| {
        let fields = "Location: https://auth.test/?rd=x\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n";
        wire.answer("302 Found", fields, "sign in");
        true
    });
    let edge = edge("a.test", &app, &guarded(&guard, ""));
    let mut client = Client::https(&edge, "a.test");
    for _ in 0..2 {
        let answer = client.get("a.test", "/");
        assert_eq!((answer.status, answer.field("location")), (302, "https://auth.test/?rd=x"));
        assert_eq!(answer.head.to_ascii_lowercase().matches("set-cookie").count(), 2, "{}", answer.head);
        assert_eq!(answer.text(), "sign in");
    }
    assert!(app.seen().is_empty());
}

#[test]
fn without_an_answer_nothing_passes() {
    let app = App::hello();
    let silent = App::heads(|_, wire, _| !wire.is_left());
    let garbled = App::new(|_, wire| {
        wire.say("what?\r\n\r\n");
        false
    });
    let edge = edge("a.test", &app, &guarded(&silent, r#","seconds":0.2"#));
    let begin = Instant::now();
    let answer = get(&edge, "a.test", "/");
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    edge.put(ruled("a.test", &app.url(), &guarded(&garbled, "")));
    assert_eq!(get(&edge, "a.test", "/").status, 502);
    edge.put(ruled("a.test", &app.url(), r#"{"forward_auth":{"url":"http://127.0.0.1:1/"}}"#));
    let answer = get(&edge, "a.test", "/");
    assert_eq!(answer.status, 502);
    assert!(!answer.text().contains("127.0.0.1"), "{}", answer.text());
    assert!(app.seen().is_empty());
}
