//! Others' programs as clients and as apps: curl, nginx, Python's websockets and gRPC.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use freehold::edge::Settings;
use freehold::edge::settings::{AccessLog, LogFormat};

use super::app::App;
use super::client::{Client, get};
use super::kit::{Edge, has, route, settings, until};

/// A program that runs for a test and ends with it.
pub(crate) struct Program(pub(crate) Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn curl(edge: &Edge, arguments: &[&str]) -> String {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "20", "--cacert"]).arg(edge.root_file());
    let (https, http) = (edge.https().port(), edge.http().port());
    for host in ["a.test", "b.test"] {
        command.args([
            "--connect-to",
            &format!("{host}:443:127.0.0.1:{https}"),
            "--connect-to",
            &format!("{host}:80:127.0.0.1:{http}"),
        ]);
        command.args(["--connect-to", &format!("{host}:{https}:127.0.0.1:{https}")]);
    }
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "curl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn curl_is_served_over_all_it_speaks() {
    if !has("curl") {
        return;
    }
    let app = App::new(|seen, wire| {
        wire.answer("200 OK", "", format!("{} {}", seen.line(), seen.body.len()));
        true
    });
    let edge = Edge::start(&[("a.test", &app.url()), ("b.test", &app.url())]);
    assert_eq!(curl(&edge, &["--http1.1", "https://a.test/x"]), "GET /x HTTP/1.1 0");
    assert_eq!(curl(&edge, &["--http2", "--write-out", " %{http_version}", "https://a.test/x"]), "GET /x HTTP/1.1 0 2");
    assert_eq!(curl(&edge, &["--location", "http://a.test/x?y"]), "GET /x?y HTTP/1.1 0");
    assert_eq!(curl(&edge, &["--http2", "https://a.test/1", "https://b.test/2"]), "GET /1 HTTP/1.1 0GET /2 HTTP/1.1 0");
    let upload = "x".repeat(300_000);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &upload).unwrap();
    let data = format!("@{}", file.path().display());
    for version in ["--http1.1", "--http2"] {
        assert_eq!(curl(&edge, &[version, "--data-binary", &data, "https://a.test/up"]), "POST /up HTTP/1.1 300000");
        assert_eq!(
            curl(&edge, &[version, "-T", file.path().to_str().unwrap(), "https://a.test/up"]),
            "PUT /up HTTP/1.1 300000"
        );
    }
    // An upgrade to h2c is not passed on, and the request is answered all the same.
    assert!(
        curl(&edge, &["--http2", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "http://a.test/"]).starts_with("301")
    );
}

#[test]
fn nginx_is_an_app_like_any_other() {
    if !has("nginx") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    fs::create_dir(at("site")).unwrap();
    let large: String = (0..200_000).map(|number| format!("{number} ")).collect();
    fs::write(at("site/large.txt"), &large).unwrap();
    let configuration = format!(
        "daemon off; master_process off; pid {0}/pid; error_log {0}/error.log;\nevents {{}}\nhttp {{\n access_log off; \
         client_body_temp_path {0}; proxy_temp_path {0}; fastcgi_temp_path {0}; uwsgi_temp_path {0}; scgi_temp_path {0};\n \
         keepalive_requests 3; server {{ listen 127.0.0.1:{port}; listen unix:{0}/socket; root {0}/site; \
         location /who {{ return 200 \"$http_x_forwarded_for $http_x_forwarded_proto $host\"; }} }}\n}}\n",
        folder.path().display()
    );
    fs::write(at("nginx.conf"), configuration).unwrap();
    let mut command = Command::new(if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" });
    command.arg("-c").arg(at("nginx.conf")).stderr(Stdio::null());
    let _nginx = Program(command.spawn().unwrap());
    until("nginx listened", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let socket = format!("unix:{}", at("socket").display());
    let edge = Edge::start(&[("a.test", &format!("http://127.0.0.1:{port}")), ("b.test", &socket)]);
    for host in ["a.test", "b.test"] {
        let mut client = Client::https(&edge, host);
        for turn in 0..10 {
            // nginx closes each connection after three requests.
            let answer = client.get(host, "/large.txt");
            assert_eq!((answer.status, answer.body.len()), (200, large.len()), "{turn}");
            assert!(answer.body == large.as_bytes());
        }
        let part = client.say(format!("GET /large.txt HTTP/1.1\r\nHost: {host}\r\nRange: bytes=5-9\r\n\r\n")).answer();
        assert_eq!((part.status, part.text().as_str()), (206, &large[5..10]));
        assert_eq!(client.get(host, "/who").text(), format!("127.0.0.1 https {host}"));
    }
}

/// Starts a Python program of this folder and waits for the line that says it listens; its port.
fn python(name: &str, modules: &str) -> Option<(Program, u16)> {
    if !has_python(modules) {
        return None;
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edge").join(name);
    let mut command = Command::new("/usr/bin/python3");
    let mut child = command.arg(program).arg("serve").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    Some((Program(child), line.trim().parse().unwrap()))
}

fn has_python(modules: &str) -> bool {
    let there = Command::new("/usr/bin/python3").args(["-c", &format!("import {modules}")]).output();
    let there = there.is_ok_and(|output| output.status.success());
    if !there {
        println!("skipped: Python's {modules} is not installed; tests/setup installs it");
    }
    there
}

fn python_client(name: &str, edge: &Edge, arguments: &[&str]) -> String {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edge").join(name);
    let mut command = Command::new("/usr/bin/python3");
    command.arg(program).arg("ask").arg(edge.https().port().to_string()).arg(edge.root_file()).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn a_websocket_reaches_a_python_app_and_is_cut_on_neither_side() {
    let Some((_app, port)) = python("websocket.py", "websockets") else { return };
    let edge = Edge::start(&[("a.test", &format!("http://127.0.0.1:{port}"))]);
    assert_eq!(python_client("websocket.py", &edge, &["a.test"]), "ok 127.0.0.1 https");
    edge.until("counted", |stats| stats.upgrades == 1 && stats.open() == 0);
    // What is no WebSocket is told by the app itself.
    assert_eq!(get(&edge, "a.test", "/").status, 426);
}

#[test]
fn grpc_passes_with_its_trailers_both_ways() {
    let Some((_app, port)) = python("grpc_echo.py", "grpc") else { return };
    let edge = Edge::start(&[("a.test", &format!("h2c://127.0.0.1:{port}"))]);
    assert_eq!(python_client("grpc_echo.py", &edge, &["a.test"]), "ok");
}

#[test]
fn the_access_log_is_read_by_machines_and_people() {
    let folder = tempfile::tempdir().unwrap();
    for format in [LogFormat::Json, LogFormat::Combined] {
        let file = folder.path().join(format!("{format:?}.log"));
        let access_log = AccessLog { format, file: Some(file.clone()), one_of: 1 };
        let app = App::hello();
        let edge = Edge::with([route("a.test", &app.url())], Settings { access_log, ..settings() });
        let mut client = Client::https(&edge, "a.test");
        client.say("GET /x?y=z HTTP/1.1\r\nHost: a.test\r\nUser-Agent: test \"quoted\"\r\nReferer: https://b.test/\r\n\r\n").answer();
        until("written", || fs::read_to_string(&file).is_ok_and(|text| text.ends_with('\n')));
        let text = fs::read_to_string(&file).unwrap();
        if format == LogFormat::Combined {
            assert!(text.starts_with("127.0.0.1 - - ["), "{text}");
            assert!(
                text.ends_with("\"GET /x?y=z HTTP/1.1\" 200 5 \"https://b.test/\" \"test \\\"quoted\\\"\"\n"),
                "{text}"
            );
            continue;
        }
        let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        for (key, value) in [
            ("client", "127.0.0.1"),
            ("method", "GET"),
            ("host", "a.test"),
            ("path", "/x"),
            ("query", "y=z"),
            ("protocol", "HTTP/1.1"),
            ("tls", "TLSv1.3"),
            ("route", "a.test/"),
            ("agent", "test \"quoted\""),
        ] {
            assert_eq!(line[key].as_str(), Some(value), "{key}: {text}");
        }
        assert_eq!(
            (line["status"].as_u64(), line["sent"].as_u64(), line["complete"].as_bool()),
            (Some(200), Some(5), Some(true))
        );
        assert_eq!(line["app"].as_str(), Some(app.url().as_str()));
    }
}
