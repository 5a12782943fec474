//! From elsewhere: HTTPS only, with a certificate of the local CA.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::curl::{Got, curl};
use crate::kit::{Home, Server};

/// A server that listens everywhere, and its port.
fn serve(home: &Home) -> (Server, u16) {
    home.write(
        "freehold.toml",
        "[store]\ndirectory = \"data\"\n[dns]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = [\"0.0.0.0:0\"]\n\
         names = [\"dns.example.com\"]\n",
    );
    let server = home.serve_with(&["serve"]);
    let port = server.admin.strip_prefix("https://0.0.0.0:").unwrap().parse().unwrap();
    (server, port)
}

/// Asks as somebody who has the root file.
fn ask(home: &Home, host: &str, port: u16, more: &[&str]) -> Got {
    let (url, resolve) = (format!("https://{host}:{port}/v1/zones"), format!("{host}:{port}:127.0.0.1"));
    let resolve = if host.starts_with("127.") { &[][..] } else { &["--resolve", &resolve] };
    curl(home, &[&["--cacert", "data/local-ca.pem", &url], resolve, more].concat())
}

#[test]
fn whoever_has_the_root_is_served_under_every_name() {
    let home = Home::new();
    let (server, port) = serve(&home);
    let mode = fs::metadata(home.path("data/local-ca.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    for host in ["dns.example.com", "localhost", "127.0.0.1", "127.0.0.77"] {
        let got = ask(&home, host, port, &[]);
        assert_eq!((got.code, got.status, got.version.as_str()), (0, 401, "2"), "{host}");
    }
    assert_eq!(ask(&home, "localhost", port, &["--http1.1", "--tls-max", "1.2"]).status, 401);
    assert_eq!(ask(&home, "localhost", port, &["--header", "Host: evil.example"]).problem(), "421 wrong-host");
    assert_eq!(ask(&home, "other.example", port, &[]).code, 60, "it is not for that name");
    server.stop();
}

#[test]
fn who_has_not_the_root_does_not_trust_it_and_nothing_is_said_in_the_clear() {
    let home = Home::new();
    let (server, port) = serve(&home);
    assert_eq!(curl(&home, &[&format!("https://127.0.0.1:{port}/")]).code, 60);
    let got = curl(&home, &[&format!("http://127.0.0.1:{port}/v1/zones"), "--http0.9"]);
    assert!(got.status == 0 && !got.body.contains("problem"), "{got:?}");
    for old in [&["--tls-max", "1.1"][..], &["--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES128-SHA256"]] {
        assert_eq!(ask(&home, "localhost", port, old).code, 35, "{old:?}");
    }
    server.stop();
}

#[test]
fn the_root_is_the_same_after_a_restart_and_in_a_backup() {
    let home = Home::new();
    let (server, _) = serve(&home);
    let root = fs::read(home.path("data/local-ca.pem")).unwrap();
    assert_eq!(home.run(&["backup", "all.backup"]).code, 0);
    server.stop();
    fs::remove_file(home.path("data/local-ca.pem")).unwrap();
    let (server, _) = serve(&home);
    assert_eq!(fs::read(home.path("data/local-ca.pem")).unwrap(), root);
    server.stop();
    fs::rename(home.path("data"), home.path("old")).unwrap();
    assert_eq!(home.run(&["restore", "all.backup"]).code, 0);
    let (server, port) = serve(&home);
    assert_eq!(fs::read(home.path("data/local-ca.pem")).unwrap(), root);
    assert_eq!(ask(&home, "localhost", port, &[]).status, 401);
    server.stop();
}
