//! Issue, then resolve and connect as a stranger would: the whole program as it is installed, its domain delegated to it, a CA and a
//! visitor who know nothing but the root.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::kit::process::Running;
use crate::network::{RESOLVER, World};
use crate::pebble::Pebble;
use crate::tools::dig;

/// Where the parent zone says that `fresh.example` is served.
const ADDRESS: &str = "127.0.0.20";
/// How long the way from the route to the page may take. It takes two seconds; machines that build something else, more.
const TIME_MAX: Duration = Duration::from_secs(30);

const ZONE: &str = "\
$ORIGIN fresh.example.
$TTL 300
@    SOA  ns1 anna 1 3600 900 1209600 60
@    NS   ns1
ns1  A    127.0.0.20
";

/// Freehold in a folder, with its settings there.
struct Freehold<'f>(&'f Path);

impl Freehold<'_> {
    fn serve(&self) -> Running {
        let (settings, log) = (self.0.join("freehold.toml"), self.0.join("freehold.log"));
        let arguments = ["serve", "--config", settings.to_str().unwrap()];
        Running::start(env!("CARGO_BIN_EXE_freehold"), &arguments, &log)
    }

    fn run(&self, arguments: &str) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_freehold"))
            .args(arguments.split(' '))
            .current_dir(self.0)
            .env_remove("FREEHOLD_DATA")
            .output()
            .unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{arguments}: {said}");
        said
    }

    fn log(&self) -> String {
        fs::read_to_string(self.0.join("freehold.log")).unwrap_or_default()
    }
}

/// An app that answers everything with one page.
fn app() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4_096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
        }
    });
    format!("http://{address}")
}

/// What a browser does: it asks this machine's resolver, and trusts the CA alone.
fn visit(root: &Path, url: &str) -> Result<String, String> {
    let output =
        Command::new("curl").args(["-sSf", "--max-time", "10", "--cacert"]).arg(root).arg(url).output().unwrap();
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout).unwrap());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

pub(crate) fn a_route_a_certificate_a_visit(_: &World) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let _pebble = Pebble::start(folder, &[], "");
    let root = folder.join("root.pem");
    let roots = Command::new("curl").args(["-sk", "https://127.0.0.1:15000/roots/0"]).output().unwrap();
    fs::write(&root, roots.stdout).unwrap();
    let settings = format!(
        "[store]\ndirectory = \"{}\"\n[dns]\nlisten = [\"{ADDRESS}\"]\n[admin]\nlisten = []\n\
         [edge]\nlisten_http = [\"{ADDRESS}\"]\nlisten_https = [\"{ADDRESS}\"]\naddresses = [\"{ADDRESS}\"]\n\
         [acme]\n{}",
        folder.join("data").display(),
        Pebble::settings(folder, "").replace("[[ca]]", "[[acme.ca]]")
    );
    fs::write(folder.join("freehold.toml"), settings).unwrap();
    fs::write(folder.join("fresh.example.zone"), ZONE).unwrap();
    let freehold = Freehold(folder);
    let _serving = freehold.serve();
    let until = Instant::now() + TIME_MAX;
    while !folder.join("data/admin.socket").exists() {
        assert!(Instant::now() < until, "{}", freehold.log());
        std::thread::sleep(Duration::from_millis(20)); // there is nothing to wait on before the socket
    }
    freehold.run("zone import fresh.example.zone");

    let added = Instant::now();
    freehold.run(&format!("route add app.fresh.example {}", app()));
    let page = loop {
        match visit(&root, "https://app.fresh.example/") {
            Ok(page) => break page,
            Err(fault) => {
                assert!(added.elapsed() < TIME_MAX, "{fault}\n{}", freehold.run("cert why app.fresh.example"))
            }
        }
    };
    println!("      {} ms from `route add` to the first good answer", added.elapsed().as_millis());
    assert_eq!(page, "hello");
    dig(&format!("@{RESOLVER} +nottlid app.fresh.example A"))
        .status("NOERROR", 1)
        .says("app.fresh.example. IN A 127.0.0.20");
    let why = freehold.run("cert why app.fresh.example");
    for step in ["example delegates fresh.example", "_acme-challenge.app.fresh.example TXT", "the CA is convinced"] {
        assert!(why.contains(step), "{step}: {why}");
    }
    // Nothing is left of the proof, and a stranger who trusts other CAs is not let in.
    dig(&format!("@{ADDRESS} _acme-challenge.app.fresh.example TXT")).contains("status: NXDOMAIN");
    assert!(visit(&folder.join("pebble/root.pem"), "https://app.fresh.example/").is_err());
    let plain = Command::new("curl").args(["-sI", "http://app.fresh.example/x?y"]).output().unwrap();
    assert!(String::from_utf8_lossy(&plain.stdout).contains("location: https://app.fresh.example/x?y\r\n"));
    freehold.run("route delete app.fresh.example");
    dig(&format!("@{ADDRESS} app.fresh.example A")).status("NXDOMAIN", 0);
    assert!(visit(&root, "https://app.fresh.example/").is_err());
}
