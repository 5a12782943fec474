//! Issue, then resolve and connect as a stranger would: the whole program as it is installed, its domain delegated to it, a CA and a
//! visitor who know nothing but the root. What `route test` and the metrics say of it is held against what is so.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::kit::process::Running;
use crate::metrics::{Page, ask};
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

/// A zone whose delegation leads elsewhere: to the world's own server of ours, which has the name and no edge.
const MISLED_ZONE: &str = "\
$ORIGIN other.example.
$TTL 300
@    SOA  ns1.fresh.example. anna 1 3600 900 1209600 60
@    NS   ns1.fresh.example.
";

/// Freehold in a folder, with its settings there.
struct Freehold<'f>(&'f Path);

impl Freehold<'_> {
    /// Starts it on a machine that trusts the CA as others trust a public one; it is there when its admin socket is.
    fn serve(&self) -> Running {
        let (settings, log) = (self.0.join("freehold.toml"), self.0.join("freehold.log"));
        let trust = format!("SSL_CERT_FILE={}", self.0.join("root.pem").display());
        let program = env!("CARGO_BIN_EXE_freehold");
        let running = Running::start("env", &[&trust, program, "serve", "--config", settings.to_str().unwrap()], &log);
        let until = Instant::now() + TIME_MAX;
        while !self.0.join("data/admin.socket").exists() {
            assert!(Instant::now() < until, "{}", self.log());
            std::thread::sleep(Duration::from_millis(20)); // there is nothing to wait on before the socket
        }
        running
    }

    /// Runs a command that has to end well.
    fn run(&self, arguments: &str) -> String {
        let (code, said) = self.try_run(arguments);
        assert_eq!(code, Some(0), "{arguments}: {said}");
        said
    }

    fn try_run(&self, arguments: &str) -> (Option<i32>, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_freehold"))
            .args(arguments.split(' '))
            .current_dir(self.0)
            .env_remove("FREEHOLD_DATA")
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    }

    /// What `route test` finds: whether all is well, and a line `step view outcome message` for each step.
    fn test(&self, host: &str) -> (bool, Vec<String>) {
        println!("{}", self.try_run(&format!("route test {host}")).1);
        let (code, said) = self.try_run(&format!("route test {host} -o json"));
        let found: serde_json::Value = serde_json::from_str(&said).unwrap_or_else(|fault| panic!("{fault}: {said}"));
        assert_eq!(found["well"], code == Some(0), "{said}");
        let word = |step: &serde_json::Value, field: &str| step[field].as_str().unwrap().to_owned();
        let line = |step| ["step", "view", "outcome", "message"].map(|field| word(step, field)).join(" ");
        (code == Some(0), found["steps"].as_array().unwrap().iter().map(line).collect())
    }

    fn metrics(&self) -> Page {
        let (status, _, text) = ask(&self.0.join("data/admin.socket"), "GET", "/metrics");
        assert_eq!(status, 200, "{text}");
        Page::read(&text)
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
    let freehold = Freehold(folder);
    write_settings(folder);
    let _serving = freehold.serve();
    freehold.run("zone import fresh.example.zone");

    let app = app();
    let added = Instant::now();
    freehold.run(&format!("route add app.fresh.example {app}"));
    let page = first_page(&freehold, &root, added);
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
    it_is_told_that_all_is_well(&freehold, &app);
    it_is_told_what_is_wrong(&freehold);
    the_metrics_say_the_same(&freehold);
    freehold.run("route delete app.fresh.example");
    dig(&format!("@{ADDRESS} app.fresh.example A")).status("NXDOMAIN", 0);
    assert!(visit(&root, "https://app.fresh.example/").is_err());
}

fn write_settings(folder: &Path) {
    let settings = format!(
        "[store]\ndirectory = \"{}\"\n[dns]\nlisten = [\"{ADDRESS}\"]\n[admin]\nlisten = []\n\
         [edge]\nlisten_http = [\"{ADDRESS}\"]\nlisten_https = [\"{ADDRESS}\"]\naddresses = [\"{ADDRESS}\"]\n\
         [acme]\n{}",
        folder.join("data").display(),
        Pebble::settings(folder, "").replace("[[ca]]", "[[acme.ca]]")
    );
    fs::write(folder.join("freehold.toml"), settings).unwrap();
    fs::write(folder.join("fresh.example.zone"), ZONE).unwrap();
    fs::write(folder.join("other.example.zone"), MISLED_ZONE).unwrap();
}

fn first_page(freehold: &Freehold<'_>, root: &Path, added: Instant) -> String {
    loop {
        match visit(root, "https://app.fresh.example/") {
            Ok(page) => return page,
            Err(fault) => {
                assert!(added.elapsed() < TIME_MAX, "{fault}\n{}", freehold.run("cert why app.fresh.example"))
            }
        }
    }
}

/// Both views reach the page: ours by what we hold, the public one by way of the resolver, the root and the parent.
fn it_is_told_that_all_is_well(freehold: &Freehold<'_>, app: &str) {
    let (is_well, steps) = freehold.test("app.fresh.example");
    assert!(is_well, "{steps:#?}");
    let expected = [
        &format!("route direct well app.fresh.example/ leads to {app}"),
        "delegation public well example delegates fresh.example to ns1.fresh.example",
        "name direct well A 127.0.0.20",
        "name public well 127.0.0.20",
        "address direct well 127.0.0.20:443 takes connections",
        "address public well 127.0.0.20:443 takes connections",
        "certificate direct well Pebble Intermediate CA ",
        "certificate public well Pebble Intermediate CA ",
        &format!("app direct well {app} answers 200"),
        "page direct well https://app.fresh.example/ answers 200",
        "page public well https://app.fresh.example/ answers 200",
    ];
    assert_eq!(steps.len(), expected.len(), "{steps:#?}");
    for (step, expected) in steps.iter().zip(expected) {
        assert!(step.starts_with(expected), "{step} for {expected}");
    }
}

/// An app that is down is seen from both sides; a parent that leads elsewhere is seen by strangers alone.
fn it_is_told_what_is_wrong(freehold: &Freehold<'_>) {
    freehold.run("route set app.fresh.example http://127.0.0.1:9");
    let (is_well, steps) = freehold.test("app.fresh.example");
    assert!(!is_well, "{steps:#?}");
    let wrong: Vec<_> = steps.iter().filter(|step| step.contains(" wrong ")).collect();
    let expected = [
        "app direct wrong http://127.0.0.1:9: 127.0.0.1:9 takes no connections: nobody listens there",
        "page direct wrong https://app.fresh.example/ answers 502",
        "page public wrong https://app.fresh.example/ answers 502",
    ];
    assert_eq!(wrong, expected);

    freehold.run("zone import other.example.zone");
    freehold.run(&format!("route add www.other.example {}", app()));
    let (is_well, steps) = freehold.test("www.other.example");
    assert!(!is_well, "{steps:#?}");
    let is_told =
        |expected: &str| assert!(steps.iter().any(|step| step.starts_with(expected)), "{expected}: {steps:#?}");
    is_told(
        "delegation public wrong example delegates other.example to ns1.home.example, ns2.home.example, and none of them is",
    );
    is_told("name public wrong strangers are told 192.0.2.41, and this server says A 127.0.0.20");
    is_told("name direct well A 127.0.0.20");
}

fn the_metrics_say_the_same(freehold: &Freehold<'_>) {
    // What the delegation dooms is tried at once, and again and again.
    let until = Instant::now() + TIME_MAX;
    let page = loop {
        let page = freehold.metrics();
        if page.value("freehold_route_error{route=\"www.other.example/\"}") == 1.0 {
            break page;
        }
        assert!(Instant::now() < until, "{page:#?}");
        std::thread::sleep(Duration::from_millis(20)); // the page is there to be asked for
    };
    let state = |answer, certificate, delegation, route| {
        format!(
            "freehold_route_state{{route=\"{route}.example/\",answer=\"{answer}\",delegation=\"{delegation}\",\
             certificate=\"{certificate}\"}}"
        )
    };
    for (series, value) in [
        ("freehold_acme_orders_total{result=\"issued\"}", 1.0),
        ("freehold_certificate_failures{certificate=\"app.fresh.example\"}", 0.0),
        ("freehold_certificate_warning{certificate=\"app.fresh.example\"}", 0.0),
        ("freehold_delegation_right{zone=\"fresh.example\"}", 1.0),
        ("freehold_delegation_right{zone=\"other.example\"}", 0.0),
        ("freehold_route_error{route=\"app.fresh.example/\"}", 0.0),
        (&state("addresses", "public", "right", "app.fresh"), 1.0),
        (&state("addresses", "local", "wrong", "www.other"), 1.0),
        // One page, and two tests with two views each, one after the app had gone.
        ("freehold_route_requests_total{route=\"app.fresh.example/\",status=\"2xx\"}", 5.0),
        ("freehold_route_requests_total{route=\"app.fresh.example/\",status=\"5xx\"}", 4.0),
        ("freehold_route_app_failures_total{route=\"app.fresh.example/\"}", 4.0),
    ] {
        assert_eq!(page.value(series), value, "{series}");
    }
    for series in [
        "freehold_acme_orders_total{result=\"failed\"}",
        "freehold_certificate_failures{certificate=\"www.other.example\"}",
    ] {
        assert!(page.value(series) >= 1.0, "{series}");
    }
}
