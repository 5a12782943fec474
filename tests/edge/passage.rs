//! Connections that are passed on unopened (`tls://`): by the name in their hello, octet by octet, both ways, to apps with
//! certificates of their own.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use freehold::edge::Settings;
use freehold::edge::settings::{AccessLog, Clients, LogFormat};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use serde_json::json;

use super::app::App;
use super::client::{Client, connect, get, http2, read, request, run, tls, tls_config};
use super::kit::{Edge, PATIENCE, has, route, route_with, settings, until};
use super::tools::Program;

/// An app of which every octet is the test's.
struct Raw(TcpListener);

impl Raw {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn url(&self) -> String {
        format!("tls://{}", self.0.local_addr().unwrap())
    }

    /// The next connection.
    fn accept(&self) -> TcpStream {
        self.0.set_nonblocking(true).unwrap();
        let mut came = None;
        until("connected", || {
            came = self.0.accept().ok();
            came.is_some()
        });
        let (stream, _) = came.unwrap();
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

/// The hello of a client that wants this name.
fn hello(name: &str) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    let mut connection =
        ClientConnection::new(Arc::new(config), ServerName::try_from(name.to_owned()).unwrap()).unwrap();
    let mut octets = Vec::new();
    connection.write_tls(&mut octets).unwrap();
    octets
}

/// The same message in records of so many octets.
fn in_records(hello: &[u8], size: usize) -> Vec<u8> {
    let record = |part: &[u8]| [&[22, 3, 1, 0, part.len() as u8], part].concat();
    hello[5..].chunks(size).flat_map(record).collect()
}

fn exactly(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut octets = vec![0; count];
    stream.read_exact(&mut octets).unwrap();
    octets
}

fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets).unwrap();
    octets
}

/// What the edge says, an end by reset included.
fn told(stream: &mut TcpStream) -> Vec<u8> {
    let mut octets = Vec::new();
    let _ = stream.read_to_end(&mut octets);
    octets
}

/// An edge that passes `a.test` on, and serves `b.test` itself.
fn before(target: &str, app: &App) -> Edge {
    Edge::start(&[("a.test", target), ("b.test", &app.url())])
}

/// An app with TLS and certificates of its own: another edge.
fn behind(name: &'static str) -> (Edge, String) {
    let app = App::new(move |_, wire| {
        wire.answer("200 OK", "", name);
        true
    });
    let edge = Edge::start(&[("a.test", &app.url()), ("x.wild.test", &app.url())]);
    let url = format!("tls://{}", edge.https());
    (edge, url)
}

#[test]
fn the_app_itself_shakes_hands_and_other_hosts_know_nothing_of_it() {
    let (own, app) = (App::hello(), behind("behind"));
    let edge = before(&app.1, &own);
    edge.put(route("*.wild.test", &app.1));
    for host in ["a.test", "x.wild.test"] {
        let stream = tls(&edge, host, tls_config(&app.0, &["http/1.1"])).unwrap();
        assert_eq!(Client::over(stream).get(host, "/").text(), "behind", "{host}");
    }
    assert!(tls(&edge, "a.test", tls_config(&edge, &["http/1.1"])).is_err(), "its certificate is none of ours");
    assert_eq!(get(&edge, "b.test", "/").text(), "hello");
    run(async {
        let answer = http2(&edge, "b.test").await;
        let mut sender = answer;
        let answer = sender.send_request(request("GET", "https://b.test/", &[], super::client::empty())).await.unwrap();
        assert_eq!(read(answer).await.unwrap(), (200, "hello".to_owned()));
    });
    // A challenge of a CA for a name of ours is ours.
    let challenged = tls(&edge, "challenge.test", tls_config(&edge, &["acme-tls/1"])).unwrap();
    assert_eq!(challenged.conn.alpn_protocol(), Some(&b"acme-tls/1"[..]));
    assert!(tls(&edge, "c.test", tls_config(&edge, &["http/1.1"])).is_err());
    drop(challenged);
    edge.until("counted", |stats| stats.passed == 3 && stats.names_unknown == 1 && stats.requests() == 2);
    let routes = edge.running().route_stats();
    assert_eq!((routes["a.test/"].passed, routes["*.wild.test/"].passed), (2, 1));
    assert!(routes["a.test/"].received > 500 && routes["a.test/"].sent > 500);
}

#[test]
fn curl_speaks_http2_through_it_with_an_openssl_server() {
    if !has("curl") || !has("openssl") {
        return;
    }
    let (own, app) = (App::hello(), behind("behind"));
    let edge = before(&app.1, &own);
    let curl = |version: &str, root: &std::path::Path| {
        let asked = Command::new("curl")
            .args(["-sS", version, "--max-time", "20", "-w", " %{http_version}", "--cacert"])
            .arg(root)
            .args(["--connect-to", &format!("a.test:443:{}", edge.https()), "https://a.test/"])
            .output()
            .unwrap();
        assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
        String::from_utf8_lossy(&asked.stdout).into_owned()
    };
    assert_eq!(curl("--http2", &app.0.root_file()), "behind 2");
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = (folder.path().join("key.pem"), folder.path().join("certificate.pem"));
    let mut made = Command::new("openssl");
    made.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=a.test", "-addext", "subjectAltName=DNS:a.test", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate);
    assert!(made.output().unwrap().status.success());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = Command::new("openssl");
    server.args(["s_server", "-quiet", "-www", "-accept", &format!("127.0.0.1:{port}"), "-key"]).arg(&key);
    server.arg("-cert").arg(&certificate).stdout(Stdio::null()).stderr(Stdio::null());
    let _server = Program(server.spawn().unwrap());
    until("listened", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    edge.put(route("a.test", &format!("tls://127.0.0.1:{port}")));
    let page = curl("--http1.1", &certificate);
    assert!(page.contains("s_server") && page.contains("TLSv1.3"), "{page}");
}

#[test]
fn a_hello_in_many_pieces_arrives_as_it_was_sent() {
    let app = Raw::new();
    let edge = before(&app.url(), &App::hello());
    let hello = hello("a.test");
    for (sent, step) in [
        (hello.clone(), 1),                       // octet by octet
        (in_records(&hello, 7), 10_000),          // in many records, at once
        (in_records(&hello, 40), 3),              // both
        ([&hello[..], b"early"].concat(), 1_000), // with what comes behind it
    ] {
        let mut client = connect(edge.https());
        for part in sent.chunks(step) {
            client.write_all(part).unwrap();
        }
        let mut heard = app.accept();
        assert_eq!(exactly(&mut heard, sent.len()), sent);
        heard.write_all(b"answer").unwrap();
        assert_eq!(exactly(&mut client, 6), b"answer");
    }
    // A server's own reading of it, and another host's on the same port.
    let own = App::hello();
    edge.put(route("b.test", &own.url()));
    let name = ServerName::try_from("b.test").unwrap();
    let mut connection = ClientConnection::new(tls_config(&edge, &["http/1.1"]).into(), name).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    let mut stream = connect(edge.https());
    stream.write_all(&in_records(&hello, 50)).unwrap();
    assert_eq!(Client::over(rustls::StreamOwned::new(connection, stream)).get("b.test", "/").text(), "hello");
}

#[test]
fn each_side_may_end_before_the_other() {
    let app = Raw::new();
    let edge = before(&app.url(), &App::hello());
    let hello = hello("a.test");
    let open = || {
        let mut client = connect(edge.https());
        client.write_all(&hello).unwrap();
        let mut heard = app.accept();
        exactly(&mut heard, hello.len());
        (client, heard)
    };
    let (mut client, mut heard) = open();
    client.write_all(b"all of it").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&mut heard), b"all of it");
    heard.write_all(b"and an answer").unwrap();
    drop(heard);
    assert_eq!(rest(&mut client), b"and an answer");
    let (mut client, mut heard) = open();
    heard.write_all(b"said").unwrap();
    heard.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&mut client), b"said");
    client.write_all(b"heard").unwrap();
    drop(client);
    assert_eq!(rest(&mut heard), b"heard");
    edge.until("closed", |stats| stats.connections == stats.closed && stats.passed == 2);
}

#[test]
fn what_is_no_hello_ends_its_own_connection_and_no_other() {
    let app = Raw::new();
    let clients = Clients { handshake: Duration::from_secs(1), ..Clients::default() };
    let edge = Edge::with([route("a.test", &app.url())], Settings { clients, ..settings() });
    let mut other = connect(edge.https());
    other.write_all(&hello("a.test")).unwrap();
    let mut heard = app.accept();
    let endless = in_records(&[&[22, 3, 1, 0, 0, 1, 0, 0xea, 0x60][..], &[0; 60_000]].concat(), 1);
    for (what, octets) in [
        ("HTTP", &b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"[..]),
        ("a hello too long to be one", &[22, 3, 1, 0, 5, 1, 0xff, 0xff, 0xff, 3]),
        ("octets that never make one", &endless),
        ("no name", &in_records(&hello("192.0.2.1"), 200)),
        ("half a hello", &hello("a.test")[..100]),
    ] {
        let begin = Instant::now();
        let mut client = connect(edge.https());
        let _ = client.write_all(octets);
        let alert = told(&mut client);
        assert!(alert.is_empty() || alert[0] == 21, "{what}: {alert:?}");
        assert!(begin.elapsed() < Duration::from_secs(5), "{what}: {:?}", begin.elapsed());
    }
    // Drop by drop, for as long as a handshake may take.
    let (begin, mut client) = (Instant::now(), connect(edge.https()));
    for octet in hello("a.test") {
        if client.write_all(&[octet]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    told(&mut client);
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    edge.until("counted", |stats| stats.handshakes_slow == 2 && stats.names_unknown == 1);
    heard.write_all(b"still here").unwrap();
    assert_eq!(exactly(&mut other, 10), b"still here");
    assert_eq!(edge.running().stats().passed, 1);
}

#[test]
fn an_app_that_is_dead_is_passed_over_and_of_none_the_client_hears() {
    let (dead, app) = (Raw::new(), Raw::new());
    let nobody = dead.url();
    drop(dead);
    let balanced = |apps: &str| route_with("a.test", apps, &json!({"hold_seconds": 0}));
    let edge = Edge::with([balanced(&format!("{nobody} {}", app.url()))], settings());
    for _ in 0..4 {
        let mut client = connect(edge.https());
        client.write_all(&hello("a.test")).unwrap();
        let mut heard = app.accept();
        assert_eq!(exactly(&mut heard, 5)[..3], [22, 3, 1]);
    }
    edge.put(balanced(&nobody));
    let mut client = connect(edge.https());
    client.write_all(&hello("a.test")).unwrap();
    assert_eq!(told(&mut client), [21, 3, 3, 0, 2, 2, 80], "internal_error");
    edge.until("counted", |stats| stats.passed == 4 && stats.app_failures() == 1);
    // One that restarts is waited for.
    let port = app.0.local_addr().unwrap().port();
    edge.put(route("a.test", &app.url()));
    let mut client = connect(edge.https());
    client.write_all(&hello("a.test")).unwrap();
    drop(app.accept());
    drop(app);
    let mut client = connect(edge.https());
    client.write_all(&hello("a.test")).unwrap();
    std::thread::sleep(Duration::from_millis(300)); // as long as it is away
    let back = Raw(TcpListener::bind(("127.0.0.1", port)).unwrap());
    assert_eq!(exactly(&mut back.accept(), 5)[..3], [22, 3, 1]);
}

#[test]
fn an_app_hears_first_whose_connection_it_is() {
    let app = Raw::new();
    let proxy_protocol_from = vec!["127.0.0.0/8".parse().unwrap()];
    let with = |version: &str| route_with("a.test", &app.url(), &json!({"proxy_protocol": version}));
    let edge = Edge::with([with("v1")], Settings { proxy_protocol_from, ..settings() });
    let hello = hello("a.test");
    let port = edge.https().port();
    let ask = |version: &str, line: String| {
        edge.put(with(version));
        let mut client = connect(edge.https());
        client.write_all(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n").unwrap();
        client.write_all(&hello).unwrap();
        let mut heard = app.accept();
        assert_eq!(String::from_utf8_lossy(&exactly(&mut heard, line.len())), line);
        assert_eq!(exactly(&mut heard, hello.len()), hello);
    };
    ask("v1", format!("PROXY TCP4 192.0.2.7 127.0.0.1 4711 {port}\r\n"));
    let mut client = connect(edge.https());
    edge.put(with("v2"));
    client.write_all(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n").unwrap();
    client.write_all(&hello).unwrap();
    let mut heard = app.accept();
    let head = exactly(&mut heard, 28);
    assert_eq!(head[..22], *b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x7f\0");
    assert_eq!(head[24..], [4711_u16.to_be_bytes(), port.to_be_bytes()].concat());
    assert_eq!(exactly(&mut heard, hello.len()), hello);
}

#[test]
fn whoever_is_slower_is_waited_for_and_nothing_is_piled_up() {
    const SIZE: usize = 64 << 20;
    let app = Raw::new();
    let edge = before(&app.url(), &App::hello());
    let hello = hello("a.test");
    for to_client in [true, false] {
        let mut client = connect(edge.https());
        client.write_all(&hello).unwrap();
        let mut heard = app.accept();
        exactly(&mut heard, hello.len());
        let (mut source, mut goal) = if to_client { (heard, client) } else { (client, heard) };
        let sent = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = Arc::clone(&sent);
        let sending = std::thread::spawn(move || {
            let part: Vec<u8> = (0..SIZE / 1_024).map(|number| number as u8).collect();
            for _ in 0..1_024 {
                source.write_all(&part).unwrap();
                counted.fetch_add(part.len(), std::sync::atomic::Ordering::Relaxed);
            }
        });
        // As long as nobody takes it, the kernel's buffers fill, and then it stops.
        let mut before = usize::MAX;
        until("stopped", || {
            std::thread::sleep(Duration::from_millis(200));
            std::mem::replace(&mut before, sent.load(std::sync::atomic::Ordering::Relaxed)) == before && before > 0
        });
        assert!(before < SIZE / 2, "{before} octets were taken though nobody wants them");
        let mut sum = 0_usize;
        let mut octets = vec![0; 1 << 16];
        loop {
            let count = goal.read(&mut octets).unwrap();
            if count == 0 {
                break;
            }
            assert!(octets[..count].iter().enumerate().all(|(at, octet)| *octet == (sum + at) as u8));
            sum += count;
        }
        assert_eq!(sum, SIZE);
        sending.join().unwrap();
    }
}

#[test]
fn a_connection_stays_with_its_app_when_the_route_changes() {
    let (one, two, own) = (Raw::new(), Raw::new(), App::hello());
    let edge = before(&one.url(), &own);
    let open = |app: &Raw| {
        let mut client = connect(edge.https());
        client.write_all(&hello("a.test")).unwrap();
        let mut heard = app.accept();
        exactly(&mut heard, 5);
        (client, heard)
    };
    let (mut client, mut heard) = open(&one);
    edge.put(route("a.test", &two.url()));
    let _second = open(&two);
    edge.put(route("a.test", &own.url()));
    assert_eq!(get(&edge, "a.test", "/").text(), "hello", "opened from now on");
    heard.write_all(b"as before").unwrap();
    assert_eq!(exactly(&mut client, 9), b"as before");
    // And the other way round: what is open for us is not passed on.
    let mut opened = Client::https(&edge, "a.test");
    assert_eq!(opened.get("a.test", "/").status, 200);
    edge.put(route("a.test", &one.url()));
    assert_eq!(opened.get("a.test", "/").status, 421);
    assert_eq!(Client::https(&edge, "b.test").get("a.test", "/").status, 421);
    let plain = Client::http(&edge).get("a.test", "/x?y");
    assert_eq!(plain.status, 301);
    assert!(plain.field("location").starts_with("https://a.test") && plain.field("location").ends_with("/x?y"));
}

#[test]
fn who_may_come_how_long_it_may_be_silent_and_what_is_noted_down() {
    let app = Raw::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    let access_log = AccessLog { format: LogFormat::Json, file: Some(file.clone()), one_of: 1 };
    let with = |options: serde_json::Value| route_with("a.test", &app.url(), &options);
    let denied = with(json!({"access": {"deny": ["127.0.0.0/8"]}}));
    let edge = Edge::with([denied], Settings { access_log, ..settings() });
    let ask = || {
        let mut client = connect(edge.https());
        client.write_all(&hello("a.test")).unwrap();
        client
    };
    assert_eq!(told(&mut ask()), [21, 3, 3, 0, 2, 2, 49], "access_denied");
    edge.put(with(json!({"times": {"silence": 0.5}})));
    let mut client = ask();
    let mut heard = app.accept();
    exactly(&mut heard, 5);
    heard.write_all(b"once").unwrap();
    assert_eq!(told(&mut client), b"once");
    edge.until("ended", |stats| stats.timed_out == 1 && stats.connections == stats.closed);
    until("noted", || std::fs::read_to_string(&file).unwrap().lines().count() == 2);
    let lines = std::fs::read_to_string(&file).unwrap();
    let line = |at: usize| serde_json::from_str::<serde_json::Value>(lines.lines().nth(at).unwrap()).unwrap();
    let (refused, passed) = (line(0), line(1));
    assert_eq!(
        (&refused["status"], &refused["complete"], &refused["host"]),
        (&json!(403), &json!(false), &json!("a.test"))
    );
    assert_eq!(passed["method"], "CONNECT");
    assert_eq!((&passed["protocol"], &passed["route"], &passed["sent"]), (&json!("TLS"), &json!("a.test/"), &json!(4)));
    assert_eq!(passed["received"], json!(hello("a.test").len()));
    assert_eq!(passed["app"], json!(app.url()));
    assert_eq!(passed["client"], "127.0.0.1");
}

#[test]
fn the_one_that_was_idle_longest_makes_room() {
    let (app, own) = (Raw::new(), App::hello());
    let clients = Clients { connections_max: 2, ..Clients::default() };
    let routes = [route("a.test", &app.url()), route("b.test", &own.url())];
    let edge = Edge::with(routes, Settings { clients, ..settings() });
    let addresses: Vec<SocketAddr> = vec![edge.https(); 2];
    let mut open: Vec<TcpStream> = addresses.into_iter().map(connect).collect();
    for client in &mut open {
        client.write_all(&hello("a.test")).unwrap();
    }
    let (mut one, mut two) = (app.accept(), app.accept());
    exactly(&mut one, 5);
    exactly(&mut two, 5);
    edge.until("passed", |stats| stats.passed == 2);
    assert_eq!(get(&edge, "b.test", "/").status, 200);
    assert_eq!(edge.running().stats().evicted, 1);
}
