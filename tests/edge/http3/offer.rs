//! Browsers learn of HTTP/3 by a field of an answer over TCP, when it is served and not otherwise.

use super::client::{Client, place};
use super::{settings, start};
use crate::app::App;
use crate::client::{Client as Tcp, empty, get, http2, request, run};
use crate::kit::{Edge, route_with};

#[test]
fn answers_over_tcp_name_the_port() {
    let app = App::new(|_, wire| {
        wire.answer("200 OK", "Alt-Svc: h3=\":9\"\r\nAlt-Svc: h2=\":8\"\r\n", "hello");
        true
    });
    let edge = start(&[("a.test", &app.url()), ("down.test", "http://127.0.0.1:1")]);
    let offer = format!("h3=\":{}\"; ma=86400", place(&edge).port());
    assert_eq!(place(&edge).port(), edge.https().port());
    // The short way, the long way, and pages of both; what the app says of itself is of no use to clients.
    for (host, path, more) in
        [("a.test", "/", ""), ("a.test", "/", "Via: 1.1 x\r\n"), ("down.test", "/", ""), ("a.test", "/%2e%2e/", "")]
    {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n");
        let answer = Tcp::https(&edge, host).say(request).answer();
        let said: Vec<_> = answer.head.lines().filter(|line| line.to_lowercase().starts_with("alt-svc")).collect();
        assert_eq!((said.len(), answer.field("alt-svc")), (1, offer.as_str()), "{}", answer.head);
    }
    run(async {
        let mut client = http2(&edge, "a.test").await;
        let answer = client.send_request(request("GET", "https://a.test/", &[], empty())).await.unwrap();
        assert_eq!(answer.headers().get_all("alt-svc").iter().collect::<Vec<_>>(), [offer.as_str()]);
        let answer = Client::new(&edge, "down.test").await.get("https://down.test/").await;
        assert_eq!((answer.status, answer.field("alt-svc")), (502, ""), "who is here knows");
    });
    let redirect = Tcp::http(&edge).say("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").answer();
    assert_eq!((redirect.status, redirect.field("alt-svc")), (301, ""), "plain HTTP names nothing");
}

#[test]
fn without_http3_nothing_is_said_and_nothing_listens() {
    let app = App::hello();
    let edge = Edge::start(&[("a.test", &app.url())]);
    assert!(edge.running().http3_addresses().is_empty());
    let answer = get(&edge, "a.test", "/");
    assert_eq!((answer.status, answer.field("alt-svc")), (200, ""));
    assert!(std::net::UdpSocket::bind(edge.https()).is_ok());
}

#[test]
fn an_owner_may_say_something_else() {
    let app = App::hello();
    let options = serde_json::json!({"headers": {"response": {"set": {"Alt-Svc": "clear"}}}});
    let edge = Edge::with([route_with("a.test", &app.url(), &options)], settings());
    assert_eq!(get(&edge, "a.test", "/").field("alt-svc"), "clear");
}
