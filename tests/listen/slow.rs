//! Clients that hang, and too many of them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::curl::curl;
use crate::kit::{Home, Server};

/// As many as one client may have.
const CONNECTIONS_PER_CLIENT_MAX: usize = 64;

fn address(server: &Server) -> SocketAddr {
    server.admin.strip_prefix("http://").unwrap().parse().unwrap()
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(address(server)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// What comes until the other side ends it, and after how many seconds it does.
fn rest(mut stream: impl Read, since: Instant) -> (String, u64) {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    (String::from_utf8(text).unwrap(), since.elapsed().as_secs())
}

#[test]
fn a_head_has_ten_seconds() {
    let home = Home::new();
    let server = home.serve();
    let since = Instant::now();
    let mut slow = connect(&server);
    slow.write_all(b"GET /v1/zones HTTP/1.1\r\nHost: ").unwrap();
    let (said, seconds) = rest(slow, since);
    assert!(said.is_empty() && (10..20).contains(&seconds), "{said} {seconds}");
    server.stop();
}

#[test]
fn a_body_that_stops_has_thirty_seconds() {
    let home = Home::new();
    let server = home.serve();
    let mut slow = UnixStream::connect(home.path("freehold-data/admin.socket")).unwrap();
    let head = "PUT /v1/zones/home.example HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";
    let since = Instant::now();
    slow.write_all(head.as_bytes()).unwrap();
    let (said, seconds) = rest(slow, since);
    assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("/problems/too-slow"), "{said}");
    assert!((30..50).contains(&seconds), "{seconds}");
    server.stop();
}

#[test]
fn one_client_does_not_take_all_places() {
    let home = Home::new();
    let server = home.serve();
    let mut held: Vec<TcpStream> = (0..CONNECTIONS_PER_CLIENT_MAX).map(|_| connect(&server)).collect();
    let url = format!("{}/v1/zones", server.admin);
    let got = curl(&home, &[&url]);
    assert_eq!(got.problem(), "503 busy");
    assert_eq!(got.header("retry-after"), Some("10"));
    assert_eq!(home.run(&["status"]).code, 0, "the machine's own commands get through");
    held.pop();
    let until = Instant::now() + Duration::from_secs(5);
    while curl(&home, &[&url]).status != 401 {
        assert!(Instant::now() < until, "a place is free again");
    }
    drop(held);
    server.stop();
}
