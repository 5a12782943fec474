//! What a route asks of its requests: the path, the fields, who may come, how often. Each with those who try to get around it.

use freehold::edge::Settings;
use freehold::route::{Options, Route};

use super::app::App;
use super::client::{Client, ask, get, http2, read, request, run};
use super::kit::{Edge, route, settings};

/// A route with options as JSON.
pub(crate) fn ruled(from: &str, target: &str, options: &str) -> Route {
    let options: Options = serde_json::from_str(options).unwrap();
    assert_eq!(options.check(), []);
    route(from, target).with_options(options)
}

/// An edge with one route.
pub(crate) fn edge(from: &str, app: &App, options: &str) -> Edge {
    Edge::with([ruled(from, &app.url(), options)], settings())
}

/// An edge that believes clients on this machine about whom they speak for.
fn trusting(app: &App, options: &str) -> Edge {
    let settings = Settings { trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()], ..settings() };
    Edge::with([ruled("a.test", &app.url(), options)], settings)
}

fn from(edge: &Edge, client: &str) -> super::client::Answer {
    ask(edge, "a.test", &format!("GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: {client}\r\n\r\n"))
}

//----- The path ----------------------------------------------------------------------------------------------

#[test]
fn the_app_sees_the_path_without_the_routes_own_and_is_told_it() {
    let app = App::hello();
    let edge = edge("a.test/api", &app, r#"{"path":{"strip":true,"prefix":"/v2"}}"#);
    let mut client = Client::https(&edge, "a.test");
    client.say("GET /api/x%2Fy?q=/api HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-Prefix: /forged\r\n\r\n").answer();
    client.say("GET https://a.test/api HTTP/1.1\r\nHost: a.test\r\n\r\n").answer();
    run(async {
        let mut client = http2(&edge, "a.test").await;
        let asked = request("GET", "https://a.test/api/two", &[], super::client::empty());
        assert_eq!(read(client.send_request(asked).await.unwrap()).await, Some((200, "hello".into())));
    });
    let lines: Vec<_> = app.seen().iter().map(|seen| seen.line().to_owned()).collect();
    assert_eq!(lines, ["GET /v2/x%2Fy?q=/api HTTP/1.1", "GET /v2/ HTTP/1.1", "GET /v2/two HTTP/1.1"]);
    assert_eq!(app.seen()[0].all("x-forwarded-prefix"), ["/api"]);
}

#[test]
fn tricks_with_the_path_lead_nowhere_else() {
    let app = App::hello();
    let edge = edge("a.test/api", &app, r#"{"path":{"strip":true}}"#);
    let mut client = Client::https(&edge, "a.test");
    for (path, seen) in [
        ("/api//evil.test", "/evil.test"),
        ("/api/%2f%2Fevil.test", "/evil.test"),
        ("//api///x", "/x"),
        ("/%61pi/x", "/x"),
        ("/api%2fadmin", "/admin"),
        ("/api;v=1/x", "/;v=1/x"),
    ] {
        assert_eq!(client.get("a.test", path).status, 200, "{path}");
        assert_eq!(app.seen().last().unwrap().line(), format!("GET {seen} HTTP/1.1"), "{path}");
    }
    let passed = app.seen().len();
    for path in ["/api/..%2fsecret", "/api/../secret", "/api/%2e%2e/secret", "/api/..;/secret", "/api%5c..%5csecret"] {
        assert_eq!(get(&edge, "a.test", path).status, 400, "{path}");
    }
    for path in ["/apix", "/secret", "/API"] {
        assert_eq!(get(&edge, "a.test", path).status, 404, "{path}");
    }
    assert_eq!(app.seen().len(), passed);
}

//----- Header fields -----------------------------------------------------------------------------------------

#[test]
fn fields_are_changed_both_ways_and_a_client_cannot_undo_it() {
    let app = App::new(|_, wire| {
        wire.answer("200 OK", "Server: app/1.2\r\nX-Powered-By: x\r\nVary: Accept\r\n", "hello");
        true
    });
    let edge = edge(
        "a.test",
        &app,
        r#"{"headers":{"request":{"remove":["Cookie"],"set":{"X-Tenant":"home"},"add":{"Accept-Language":"de"}},
            "response":{"remove":["Server","x-powered-by"],"set":{"X-Robots-Tag":"none"},"add":{"Vary":"Cookie"}}}}"#,
    );
    let answer = ask(
        &edge,
        "a.test",
        "GET / HTTP/1.1\r\nHost: a.test\r\nCookie: a=b\r\nX-Tenant: evil\r\nConnection: keep-alive, X-Tenant\r\n\
         Accept-Language: en\r\n\r\n",
    );
    let seen = app.only();
    assert_eq!((seen.all("cookie"), seen.all("x-tenant")), (vec![], vec!["home"]), "{}", seen.head);
    assert_eq!(seen.all("accept-language"), ["en", "de"]);
    for gone in ["server", "x-powered-by"] {
        assert_eq!(answer.field(gone), "", "{}", answer.head);
    }
    assert_eq!(answer.field("x-robots-tag"), "none");
    let head = answer.head.to_ascii_lowercase();
    assert!(head.contains("vary: accept\r\n") && head.contains("vary: cookie\r\n"), "{head}");
}

#[test]
fn answers_tell_browsers_to_be_careful_where_the_app_does_not() {
    let app = App::new(|seen, wire| {
        let own = "Content-Security-Policy: default-src 'self'\r\nStrict-Transport-Security: max-age=1\r\n";
        wire.answer("200 OK", if seen.line().contains("/own") { own } else { "" }, "hello");
        true
    });
    let edge = edge("a.test", &app, r#"{"security_headers":true}"#);
    let usual = get(&edge, "a.test", "/");
    for (field, value) in [
        ("strict-transport-security", "max-age=31536000"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "strict-origin-when-cross-origin"),
        ("content-security-policy", "frame-ancestors 'self'"),
    ] {
        assert_eq!(usual.field(field), value, "{}", usual.head);
    }
    let own = get(&edge, "a.test", "/own");
    assert_eq!(own.field("content-security-policy"), "default-src 'self'");
    assert_eq!(own.head.to_ascii_lowercase().matches("strict-transport-security").count(), 1, "{}", own.head);
    assert_eq!(own.field("strict-transport-security"), "max-age=1");
    edge.put(ruled("a.test", "http://127.0.0.1:1", r#"{"security_headers":true}"#));
    let page = get(&edge, "a.test", "/");
    assert_eq!((page.status, page.field("x-content-type-options")), (502, "nosniff"), "pages of failures too");
}

//----- Networks ----------------------------------------------------------------------------------------------

#[test]
fn who_may_not_come_sees_a_page_and_the_app_sees_nothing() {
    let app = App::hello();
    let edge = trusting(&app, r#"{"access":{"allow":["192.0.2.0/24","2001:db8::/32"],"deny":["192.0.2.66"]}}"#);
    for (client, status) in [
        ("192.0.2.1", 200),
        ("2001:db8::7", 200),
        ("192.0.2.66", 403),
        ("198.51.100.1", 403),
        ("192.0.2.1, 198.51.100.1", 403), // only the last one is known; the first is what it says of itself
        ("::ffff:192.0.2.1", 200),
        ("::ffff:192.0.2.66", 403),
    ] {
        assert_eq!(from(&edge, client).status, status, "{client}");
    }
    assert_eq!(app.seen().len(), 3);
    let page = from(&edge, "192.0.2.66");
    assert!(page.text().contains("not open to the network"), "{}", page.text());
}

#[test]
fn an_address_that_a_client_claims_opens_nothing() {
    let app = App::hello();
    let edge = edge("a.test", &app, r#"{"access":{"allow":["192.0.2.0/24"]}}"#);
    for claim in ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X_Forwarded_For", "True-Client-IP"] {
        let answer = ask(&edge, "a.test", &format!("GET / HTTP/1.1\r\nHost: a.test\r\n{claim}: 192.0.2.1\r\n\r\n"));
        assert_eq!(answer.status, 403, "{claim}");
    }
    assert!(app.seen().is_empty());
    edge.put(ruled("a.test", &app.url(), r#"{"access":{"allow":["127.0.0.1"]}}"#));
    assert_eq!(get(&edge, "a.test", "/").status, 200);
}

//----- Rates -------------------------------------------------------------------------------------------------

#[test]
fn who_asks_too_often_is_told_when_to_come_back() {
    let app = App::hello();
    let edge = trusting(&app, r#"{"rate_limit":{"requests":3,"seconds":3600}}"#);
    let first = from(&edge, "192.0.2.1");
    assert_eq!((first.status, first.field("ratelimit-policy")), (200, "\"client\";q=3;w=3600"), "{}", first.head);
    assert_eq!(first.field("ratelimit"), "\"client\";r=2;t=1200");
    assert_eq!([from(&edge, "192.0.2.1").status, from(&edge, "192.0.2.1").status], [200, 200]);
    let refused = from(&edge, "192.0.2.1");
    assert_eq!(refused.status, 429);
    let wait: u32 = refused.field("retry-after").parse().unwrap();
    assert!((1_100..=1_200).contains(&wait), "{}", refused.head);
    assert!(refused.field("ratelimit").starts_with("\"client\";r=0;t="), "{}", refused.head);
    assert_eq!(from(&edge, "192.0.2.2").status, 200, "others are not held to it");
    assert_eq!(app.seen().len(), 4);
}

#[test]
fn of_ipv6_a_network_counts_and_each_route_by_itself() {
    let app = App::hello();
    let edge = trusting(&app, r#"{"rate_limit":{"requests":2,"seconds":3600}}"#);
    let many: Vec<_> = (1..6).map(|host| from(&edge, &format!("2001:db8::{host}")).status).collect();
    assert_eq!(many, [200, 200, 429, 429, 429]);
    assert_eq!(from(&edge, "2001:db8:0:1::1").status, 200);
    edge.put(ruled("a.test/other", &app.url(), r#"{"rate_limit":{"requests":2,"seconds":3600}}"#));
    let other = "GET /other HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 2001:db8::1\r\n\r\n";
    assert_eq!(ask(&edge, "a.test", other).status, 200);
}

#[test]
fn all_threads_grant_together_what_is_granted() {
    let app = App::hello();
    let limited = ruled("a.test", &app.url(), r#"{"rate_limit":{"requests":5,"seconds":3600}}"#);
    let edge = Edge::with([limited], Settings { workers: 4, ..settings() });
    let granted = (0..40).filter(|_| get(&edge, "a.test", "/").status == 200).count();
    assert_eq!(granted, 5);
}
