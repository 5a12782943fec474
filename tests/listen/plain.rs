//! On this machine: HTTP on loopback and on the Unix socket.

use std::net::TcpListener;

use crate::curl::{Got, curl};
use crate::kit::Home;

const SOCKET: [&str; 2] = ["--unix-socket", "freehold-data/admin.socket"];

fn at_socket(home: &Home, arguments: &[&str]) -> Got {
    curl(home, &[&SOCKET[..], arguments].concat())
}

#[test]
fn over_tcp_a_token_is_needed_and_at_the_socket_none() {
    let home = Home::new();
    let server = home.serve();
    let url = format!("{}/v1/zones", server.admin);
    let got = curl(&home, &[&url]);
    assert_eq!(got.status, 401, "{got:?}");
    assert!(got.header("www-authenticate").is_some_and(|value| value.starts_with("bearer")), "{got:?}");
    assert_eq!(at_socket(&home, &["http://freehold/v1/zones"]).status, 200);
    server.stop();
}

/// Every answer, also one that is none: no page may use it, keep it, show it or take it for something else.
#[test]
fn every_answer_is_dressed() {
    let home = Home::new();
    let server = home.serve();
    for path in ["/v1/zones", "/nothing", "/v1/openapi.json"] {
        let got = curl(&home, &[&format!("{}{path}", server.admin)]);
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("x-frame-options", "deny"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(got.header(name), Some(value), "{path} {got:?}");
        }
    }
    server.stop();
}

#[test]
fn only_our_own_names_are_answered() {
    let home = Home::new();
    home.write(
        "freehold.toml",
        "[store]\ndirectory = \"data\"\n[dns]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = [\"127.0.0.1:0\"]\n\
         names = [\"DNS.example.com\"]\n",
    );
    let server = home.serve_with(&["serve"]);
    let url = format!("{}/v1/status", server.admin);
    for ours in ["localhost", "dns.example.com", "127.0.0.1:1"] {
        assert_eq!(curl(&home, &[&url, "--header", &format!("Host: {ours}")]).status, 401, "{ours}");
    }
    for theirs in ["evil.example", "localhost.evil.example", "192.0.2.1"] {
        let got = curl(&home, &[&url, "--header", &format!("Host: {theirs}")]);
        assert_eq!(got.problem(), "421 wrong-host", "{theirs}");
        assert!(got.body.contains("`names` below [admin]"), "{got:?}");
    }
    assert_eq!(curl(&home, &[&url, "--header", "Host:"]).problem(), "400 bad-request");
    server.stop();
}

#[test]
fn no_web_page_gets_through_and_nobody_is_told_by_cors_that_it_may() {
    let home = Home::new();
    let server = home.serve();
    let url = format!("{}/v1/zones", server.admin);
    let preflight = ["--request", "OPTIONS", "--header", "Access-Control-Request-Method: DELETE"];
    for (more, origin) in [
        (&[][..], "Origin: https://evil.example"),
        (&["--request", "DELETE"], "Origin: null"),
        (&[], "Sec-Fetch-Site: cross-site"),
        (&preflight, "Origin: https://evil.example"),
    ] {
        let got = curl(&home, &[&[url.as_str(), "--header", origin], more].concat());
        assert_eq!(got.problem(), "403 cross-site", "{origin}");
        assert!(!got.head.contains("access-control-"), "{got:?}");
    }
    let got = at_socket(&home, &["http://freehold/v1/zones", "--header", "Origin: null"]);
    assert_eq!(got.problem(), "403 cross-site");
    server.stop();
}

#[test]
fn bodies_have_a_type_a_size_and_a_depth() {
    let home = Home::new();
    let server = home.serve();
    home.write("large.json", &format!("\"{}\"", "a".repeat(1 << 20)));
    home.write("deep.json", &format!("{}{}", "[".repeat(33), "]".repeat(33)));
    home.write("deepest.json", &"[".repeat(1 << 19));
    let put = |kind: &str, body: &str| {
        let (kind, body) = (format!("Content-Type: {kind}"), format!("@{body}"));
        let url = "http://freehold/v1/zones/home.example";
        at_socket(&home, &[url, "--request", "PUT", "--header", &kind, "--data-binary", &body])
    };
    assert_eq!(put("text/plain", "deep.json").problem(), "415 content-type");
    assert_eq!(put("application/json", "large.json").problem(), "413 too-large");
    for file in ["deep.json", "deepest.json"] {
        let got = put("application/json", file);
        assert_eq!(got.problem(), "400 bad-request");
        assert!(got.body.contains("more than 32 arrays and objects"), "{got:?}");
    }
    server.stop();
}

#[test]
fn heads_have_a_size() {
    let home = Home::new();
    let server = home.serve();
    let url = format!("{}/v1/zones", server.admin);
    let long = format!("X-Long: {}", "a".repeat(40_000));
    assert_eq!(curl(&home, &[&url, "--header", &long]).status, 431);
    let many: Vec<String> = (0..70).map(|i| format!("X-{i}: a")).collect();
    let many: Vec<&str> = many.iter().flat_map(|header| ["--header", header]).collect();
    assert_eq!(curl(&home, &[&[url.as_str()], &many[..]].concat()).status, 431);
    server.stop();
}

#[test]
fn http2_is_spoken_by_whoever_wants_to() {
    let home = Home::new();
    let server = home.serve();
    let got = curl(&home, &["--http2-prior-knowledge", &format!("{}/v1/zones", server.admin)]);
    assert_eq!((got.status, got.version.as_str()), (401, "2"));
    server.stop();
}

#[test]
fn a_port_that_was_asked_for_and_is_taken_is_a_fault_that_names_the_setting() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, port) = (taken.local_addr().unwrap(), taken.local_addr().unwrap().port());
    let home = Home::new();
    home.write("freehold.toml", &format!("[dns]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = [\"{address}\"]\n"));
    let said = home.run(&["serve", "--data", "data"]);
    let fault = said.err.lines().rev().take(2).collect::<Vec<_>>();
    assert_eq!(said.code, 1);
    assert_eq!(fault[1], format!("error: the admin API cannot listen at {address}: another program does"));
    assert_eq!(
        fault[0],
        format!(
            " = cure: find it with \"ss -lntp sport = :{port}\" and stop it, or set `listen` below [admin] to another port, \
             or say --admin-listen ADDRESS:PORT"
        )
    );
}

/// Nobody asked for it, and a name server that does not start is worse than an API at its socket only.
#[test]
fn the_usual_port_is_not_insisted_on_and_its_lack_is_told() {
    let _taken = TcpListener::bind("127.0.0.1:8053"); // if not by this test, it is taken by another
    let home = Home::new();
    let server = home.serve_with(&["serve", "--listen", "127.0.0.1:0"]);
    let heard = server.heard.join("\n");
    let told =
        "Admin  the admin API cannot listen at 127.0.0.1:8053: another program does\n       = cure: find it with";
    assert!(heard.contains(told) && heard.contains("--admin-listen"), "{heard}");
    assert_eq!(home.run(&["status"]).code, 0);
    server.stop();
}
