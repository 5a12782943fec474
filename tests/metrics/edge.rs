//! What the edge says of known visits: by curl, to an app whose answers are known.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use super::kit::{Home, Server};
use super::page::Page;
use super::{eventually, page};

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// An app that answers by the path: 404 below `/missing`, a new protocol below `/socket`, five octets else, which may be kept.
fn app() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    format!("http://{address}")
}

fn answer(mut stream: TcpStream) {
    let mut from = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if from.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line == "\r\n" {
                break;
            }
            lines.push(line.to_ascii_lowercase());
        }
        let size =
            lines.iter().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok()).unwrap_or(0);
        from.read_exact(&mut vec![0; size]).unwrap();
        let said = match lines[0].split(' ').nth(1) {
            Some("/missing") => "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n",
            Some("/socket") => "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
            _ => "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nhello",
        };
        if stream.write_all(said.as_bytes()).is_err() || said.contains(" 101 ") {
            return;
        }
    }
}

/// A server with an edge, and a visitor who knows where it is.
struct Site {
    home: Home,
    server: Server,
    http: u16,
    https: u16,
}

impl Site {
    fn new() -> Self {
        let (home, http, https) = (Home::new(), free_port(), free_port());
        home.write(
            "freehold.toml",
            &format!(
                "[store]\ndirectory = \"./freehold-data\"\n[dns]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = []\n[edge]\n\
                 listen_http = [\"127.0.0.1:{http}\"]\nlisten_https = [\"127.0.0.1:{https}\"]\naddresses = [\"127.0.0.1\"]\n"
            ),
        );
        let server = home.write("home.example.zone", super::ZONE).serve_with(&["serve"]);
        let site = Self { home, server, http, https };
        site.run("zone import home.example.zone");
        site
    }

    fn run(&self, arguments: &str) {
        let said = self.home.run(&arguments.split(' ').collect::<Vec<_>>());
        assert_eq!(said.code, 0, "{arguments}: {}{}", said.out, said.err);
    }

    /// curl's exit code and what it wrote; each URL is asked for on the same connection as the one before.
    fn curl(&self, arguments: &str) -> (Option<i32>, String) {
        let root: PathBuf = self.home.path("freehold-data/local-ca.pem");
        let to = |port: u16, ours: u16| format!("::127.0.0.1:{}", if port == 80 { self.http } else { ours });
        let mut command = Command::new("curl");
        command.args(["--silent", "--max-time", "20", "--cacert"]).arg(root);
        for host in ["app", "lost", "kept", "nobody"] {
            for port in [80, 443] {
                let connect = format!("{host}.home.example:{port}:{}", to(port, self.https).trim_start_matches(':'));
                command.args(["--connect-to", &connect]);
            }
        }
        let output = command.args(arguments.split(' ')).output().expect("curl, which tests/setup installs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

#[test]
fn known_visits_are_counted_exactly() {
    let site = Site::new();
    let app = app();
    site.run(&format!("route add app.home.example {app}"));
    site.run("route add lost.home.example http://127.0.0.1:9 --option hold_seconds=0");
    site.run(&format!("route add kept.home.example {app} --option cache=true"));
    for host in ["app", "lost", "kept"] {
        // The first certificate comes a moment after the route.
        let shown = format!(
            "freehold_certificate_expiry_timestamp_seconds{{certificate=\"{host}.home.example\",origin=\"local\"}}"
        );
        eventually(&site.home, |page| page.knows(&shown));
    }
    let before = page(&site.home);
    visit(&site);
    let after = eventually(&site.home, |page| {
        page.gained(&before, "freehold_edge_requests_total") == 13.0
            && page.value("freehold_edge_connections_open") == 0.0
    });
    the_edge_counted(&after, &before);
    the_routes_counted(&after, &before);
    assert_eq!(after.fallen(&before), [""; 0]);
    site.server.stop();
}

/// 13 requests on 9 connections.
fn visit(site: &Site) {
    let three = "--http1.1 https://app.home.example/1 https://app.home.example/2 https://app.home.example/3";
    assert_eq!(site.curl(three), (Some(0), "hellohellohello".into()));
    let two = "--http2 https://app.home.example/4 https://app.home.example/5";
    assert_eq!(site.curl(two), (Some(0), "hellohello".into()));
    let sent = format!("--http1.1 --data {} https://app.home.example/6", "x".repeat(1_000));
    assert_eq!(site.curl(&sent), (Some(0), "hello".into()));
    assert_eq!(site.curl("--http1.1 https://app.home.example/missing"), (Some(0), "no\n".into()));
    assert_eq!(
        site.curl("--output /dev/null --write-out %{http_code} http://app.home.example/"),
        (Some(0), "301".into())
    );
    let lost = "--http1.1 --output /dev/null --write-out %{http_code} https://lost.home.example/";
    assert_eq!(site.curl(lost), (Some(0), "502".into()));
    let kept = "--http1.1 https://kept.home.example/ https://kept.home.example/ https://kept.home.example/";
    assert_eq!(site.curl(kept), (Some(0), "hellohellohello".into()));
    let socket = "--http1.1 --header Connection:upgrade --header Upgrade:echo https://app.home.example/socket";
    site.curl(socket);
    // No certificate, and no TLS.
    assert_eq!(site.curl("https://nobody.home.example/").0, Some(35));
    let mut stream = TcpStream::connect(("127.0.0.1", site.https)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: app.home.example\r\n\r\n").unwrap();
    let _ = stream.read_to_end(&mut Vec::new());
}

fn the_edge_counted(after: &Page, before: &Page) {
    for (series, count) in [
        ("freehold_edge_requests_total{protocol=\"http1\",status=\"1xx\"}", 1.0),
        ("freehold_edge_requests_total{protocol=\"http1\",status=\"2xx\"}", 7.0),
        ("freehold_edge_requests_total{protocol=\"http2\",status=\"2xx\"}", 2.0),
        ("freehold_edge_requests_total{protocol=\"http1\",status=\"3xx\"}", 1.0),
        ("freehold_edge_requests_total{protocol=\"http1\",status=\"4xx\"}", 1.0),
        ("freehold_edge_requests_total{protocol=\"http1\",status=\"5xx\"}", 1.0),
        ("freehold_edge_request_duration_seconds_count", 13.0),
        ("freehold_edge_received_bytes_total", 1_000.0),
        ("freehold_edge_handshakes_total{result=\"ok\"}", 7.0),
        ("freehold_edge_handshakes_total{result=\"unknown_name\"}", 1.0),
        ("freehold_edge_handshakes_total{result=\"garbled\"}", 1.0),
        ("freehold_edge_connections_accepted_total", 10.0),
        ("freehold_edge_connections_closed_total", 10.0),
        ("freehold_edge_app_failures_total{reason=\"refused\"}", 1.0),
        ("freehold_edge_app_failures_total", 1.0),
        ("freehold_edge_upgrades_total", 1.0),
        ("freehold_edge_cache_requests_total{result=\"miss\"}", 1.0),
        ("freehold_edge_cache_requests_total{result=\"hit\"}", 2.0),
        ("freehold_edge_cache_answers", 1.0),
        ("freehold_edge_misbehaved_total", 0.0),
        ("freehold_edge_panics_total", 0.0),
    ] {
        assert_eq!(after.gained(before, series), count, "{series}");
    }
}

fn the_routes_counted(after: &Page, before: &Page) {
    // The pages of 301 and 502 are the edge's own; what they need is its affair.
    for (series, count) in [
        ("freehold_route_requests_total{route=\"app.home.example/\",status=\"2xx\"}", 6.0),
        ("freehold_route_requests_total{route=\"app.home.example/\",status=\"4xx\"}", 1.0),
        ("freehold_route_requests_total{route=\"kept.home.example/\",status=\"2xx\"}", 3.0),
        ("freehold_route_requests_total{route=\"lost.home.example/\",status=\"5xx\"}", 1.0),
        ("freehold_route_app_failures_total{route=\"lost.home.example/\"}", 1.0),
        ("freehold_route_received_bytes_total{route=\"app.home.example/\"}", 1_000.0),
        ("freehold_route_sent_bytes_total{route=\"app.home.example/\"}", 33.0),
        ("freehold_route_sent_bytes_total{route=\"kept.home.example/\"}", 15.0),
        ("freehold_route_upgrades_total{route=\"app.home.example/\"}", 1.0),
        ("freehold_route_request_duration_seconds_count{route=\"kept.home.example/\"}", 3.0),
    ] {
        assert_eq!(after.gained(before, series), count, "{series}");
    }
}
