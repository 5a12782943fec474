//! The PROXY protocol: from proxies that may speak it and from others, and towards apps.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use freehold::edge::Settings;

use super::app::App;
use super::client::{Client, connect, get, tls_config};
use super::kit::{Edge, has, route, settings, until};
use super::rules::edge;
use super::tools::Program;

const V1: &[u8] = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc0\0\x02\x01\x12\x67\x01\xbb";

fn announced_from(networks: &[&str], app: &App) -> Edge {
    let proxy_protocol_from = networks.iter().map(|network| network.parse().unwrap()).collect();
    Edge::with([route("a.test", &app.url()).with_plain_http(true)], Settings { proxy_protocol_from, ..settings() })
}

fn tool(name: &str) -> Command {
    let usual = format!("/usr/sbin/{name}");
    Command::new(if Path::new(&usual).exists() { &usual } else { name })
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_proxy_that_may_tells_whose_connection_it_is() {
    let app = App::hello();
    let edge = announced_from(&["127.0.0.0/8"], &app);
    for start in [V1, V2] {
        let mut stream = connect(edge.http());
        // All at once, and octet by octet.
        std::io::Write::write_all(&mut stream, start).unwrap();
        let mut client = Client::over(stream);
        assert_eq!(client.get("a.test", "/").status, 200);
        let mut slow = connect(edge.http());
        for octet in start {
            std::io::Write::write_all(&mut slow, &[*octet]).unwrap();
        }
        assert_eq!(Client::over(slow).get("a.test", "/").status, 200);
    }
    let told: Vec<_> = app.seen().iter().map(|seen| seen.field("x-forwarded-for").to_owned()).collect();
    assert_eq!(told, ["192.0.2.7"; 4]);
    // In front of TLS.
    let mut stream = connect(edge.https());
    std::io::Write::write_all(&mut stream, V2).unwrap();
    let name = rustls::pki_types::ServerName::try_from("a.test").unwrap();
    let tls = rustls::ClientConnection::new(tls_config(&edge, &["http/1.1"]).into(), name).unwrap();
    assert_eq!(Client::over(rustls::StreamOwned::new(tls, stream)).get("a.test", "/").status, 200);
    assert_eq!(app.seen().last().unwrap().field("x-real-ip"), "192.0.2.7");
}

#[test]
fn a_proxy_that_does_not_begin_with_it_is_not_heard() {
    let app = App::hello();
    let edge = announced_from(&["127.0.0.0/8"], &app);
    for start in [
        &b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"[..],
        b"PROXY TCP4 x y 1 2\r\n",
        b"\x16\x03\x01\0\x05\x01\0\0\x01\0\0\0\0",
    ] {
        let mut stream = connect(edge.http());
        std::io::Write::write_all(&mut stream, start).unwrap();
        assert_eq!(Client::over(stream).rest(), b"");
    }
    edge.until("counted", |stats| stats.misbehaved == 3 && stats.connections == stats.closed);
    assert!(app.seen().is_empty());
    // Its own connections, by which it looks whether we are there, are its own.
    let mut stream = connect(edge.http());
    std::io::Write::write_all(&mut stream, b"PROXY UNKNOWN\r\n").unwrap();
    assert_eq!(Client::over(stream).get("a.test", "/").status, 200);
    assert_eq!(app.only().field("x-forwarded-for"), "127.0.0.1");
}

#[test]
fn nobody_else_is_believed() {
    let app = App::hello();
    let edge = announced_from(&["192.0.2.0/24"], &app);
    for start in [V1, V2] {
        let mut stream = connect(edge.http());
        std::io::Write::write_all(&mut stream, start).unwrap();
        assert_eq!(Client::over(stream).get("a.test", "/").status, 400);
    }
    assert_eq!(get(&edge, "a.test", "/").status, 200);
    assert_eq!(app.only().field("x-forwarded-for"), "127.0.0.1");
}

#[test]
fn haproxy_in_front_is_understood() {
    if !has("haproxy") || !has("curl") {
        return;
    }
    let app = App::hello();
    let edge = announced_from(&["127.0.0.1/32"], &app);
    let folder = tempfile::tempdir().unwrap();
    for word in ["send-proxy", "send-proxy-v2"] {
        let (port, to) = (free_port(), edge.https());
        let configuration = folder.path().join("haproxy.cfg");
        let text = format!(
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 10s\n timeout server 10s\n\
             listen in\n bind 127.0.0.1:{port}\n server edge {to} {word}\n"
        );
        fs::write(&configuration, text).unwrap();
        let mut command = tool("haproxy");
        let haproxy = command.arg("-db").arg("-f").arg(&configuration).stderr(Stdio::null()).spawn().unwrap();
        let _haproxy = Program(haproxy);
        until("haproxy listened", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        let asked = Command::new("curl")
            .args(["-s", "--cacert"])
            .arg(edge.root_file())
            .args(["--interface", "127.0.0.2", "--connect-to", &format!("a.test:443:127.0.0.1:{port}")])
            .arg("https://a.test/")
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&asked.stdout), "hello", "{word}");
        assert_eq!(app.seen().last().unwrap().field("x-forwarded-for"), "127.0.0.2", "{word}");
    }
}

#[test]
fn nginx_behind_learns_whose_connection_it_is_and_no_two_clients_share_one() {
    if !has("nginx") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let configuration = format!(
        "daemon off; master_process off; pid {0}/pid; error_log {0}/error.log;\nevents {{}}\nhttp {{\n access_log off; \
         client_body_temp_path {0}; proxy_temp_path {0}; fastcgi_temp_path {0}; uwsgi_temp_path {0}; scgi_temp_path {0};\n \
         server {{ listen 127.0.0.1:{port} proxy_protocol; location / {{ \
         return 200 \"$proxy_protocol_addr $connection_requests\"; }} }}\n}}\n",
        folder.path().display()
    );
    fs::write(folder.path().join("nginx.conf"), configuration).unwrap();
    let mut command = tool("nginx");
    command.arg("-c").arg(folder.path().join("nginx.conf")).stderr(Stdio::null());
    let _nginx = Program(command.spawn().unwrap());
    until("nginx listened", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let options = |version: &str| serde_json::from_str(&format!(r#"{{"proxy_protocol":"{version}"}}"#)).unwrap();
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let edge =
        Edge::with([route("a.test", &format!("http://127.0.0.1:{port}"))], Settings { trusted_proxies, ..settings() });
    for version in ["v1", "v2"] {
        edge.put(route("a.test", &format!("http://127.0.0.1:{port}")).with_options(options(version)));
        let mut client = Client::https(&edge, "a.test");
        for address in ["192.0.2.1", "2001:db8::7", "192.0.2.1"] {
            let asked = format!("GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: {address}\r\n\r\n");
            assert_eq!(client.say(asked).answer().text(), format!("{address} 1"), "{version}");
        }
    }
}

#[test]
fn an_app_hears_it_before_all_else() {
    let app = App::hello();
    let edge = edge("a.test", &app, r#"{"proxy_protocol":"v1"}"#);
    let mut client = Client::https(&edge, "a.test");
    assert_eq!(client.get("a.test", "/").status, 200);
    let head = app.only().head;
    assert!(head.starts_with("PROXY TCP4 127.0.0.1 127.0.0.1 ") && head.contains("\r\nGET / HTTP/1.1\r\n"), "{head}");
    let upgrade = "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    client.say(upgrade).answer();
    assert!(app.seen()[1].head.starts_with("PROXY TCP4 127.0.0.1 "), "{}", app.seen()[1].head);
}
