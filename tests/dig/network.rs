//! A small world: a root (NSD), a top-level domain (BIND), our server below it, and a resolver (Unbound) that knows the root.
//!
//! All of it stands in a network namespace with nothing but a loopback interface, so that each can have port 53 on an
//! address of its own, and nothing can reach the Internet. The test enters it by starting itself again through `unshare`.

use crate::kit::case::ZoneText;
use crate::kit::process::Running;
use crate::ours;
use freehold::dns::Handle;
use std::fs::{read_to_string, write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Where the resolver listens.
pub(crate) const RESOLVER: &str = "127.0.0.53";
/// The root's address.
pub(crate) const ROOT: &str = "127.0.0.2";
/// Our addresses.
pub(crate) const OURS: &str = "127.0.0.10";
pub(crate) const OURS_TOO: &str = "127.0.0.11";

const INSIDE: &str = "FREEHOLD_TEST_NAMESPACE";

/// Starts this test again in a network of its own; None when it is there already.
pub(crate) fn enter(test: &str) -> Option<bool> {
    if std::env::var_os(INSIDE).is_some() {
        return None;
    }
    let mut arguments = vec!["--net", "--mount"];
    if !is_root() {
        arguments.push("--map-root-user");
    }
    let status = Command::new("unshare")
        .args(arguments)
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .expect("unshare (util-linux) does not start: run tests/setup");
    Some(status.success())
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.trim_ascii() == b"0"
}

/// The servers, running.
pub(crate) struct World {
    pub(crate) ours: Handle,
    // Dropped in this order: the resolver first.
    _resolver: Running,
    _top_level: Running,
    _root: Running,
    /// Settings and logs, and `hints`: where the root is.
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    /// Starts everything and waits until the resolver resolves.
    pub(crate) fn start() -> World {
        World::around(start_ours)
    }

    /// As [`World::start`], with a server of ours that somebody else starts. It has to have the zone `home.example`.
    pub(crate) fn around(start_ours: impl FnOnce() -> Handle) -> World {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        run("ip", &["link", "set", "lo", "up"]);
        // BIND listens only on addresses that an interface has by name.
        run("ip", &["address", "add", "127.0.0.3/32", "dev", "lo"]);
        write(path.join("resolv.conf"), format!("nameserver {RESOLVER}\n")).unwrap();
        run("mount", &["--bind", &path.join("resolv.conf").to_string_lossy(), "/etc/resolv.conf"]);
        let root = start_root(path);
        let top_level = start_top_level(path);
        let ours = start_ours();
        let resolver = start_resolver(path);
        for server in [ROOT, "127.0.0.3", OURS, OURS_TOO, RESOLVER] {
            wait_for(server, path);
        }
        World { ours, _resolver: resolver, _top_level: top_level, _root: root, folder }
    }
}

fn run(program: &str, arguments: &[&str]) {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let status = Command::new(program).args(arguments).env("PATH", path).status();
    let status = status.unwrap_or_else(|error| panic!("{program}: {error}: run tests/setup, which installs it"));
    assert!(status.success(), "{program} {arguments:?} failed");
}

pub(crate) fn zone_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/dig/zones/{name}.zone"))
}

fn start_root(folder: &Path) -> Running {
    let settings = folder.join("nsd.conf");
    let (file, folder_text) = (zone_file("root"), folder.display());
    let text = format!(
        "server:\n  ip-address: {ROOT}\n  username: \"\"\n  server-count: 1\n  zonesdir: \"{folder_text}\"\n  \
         database: \"\"\n  pidfile: \"{folder_text}/nsd.pid\"\n  xfrdfile: \"{folder_text}/xfrd\"\n  \
         xfrdir: \"{folder_text}\"\n  zonelistfile: \"{folder_text}/zonelist\"\n\
         remote-control:\n  control-enable: no\nzone:\n  name: \".\"\n  zonefile: \"{}\"\n",
        file.display()
    );
    write(&settings, text).unwrap();
    Running::start("nsd", &["-d", "-c", &settings.to_string_lossy()], &folder.join("nsd.log"))
}

fn start_top_level(folder: &Path) -> Running {
    let settings = folder.join("named.conf");
    let text = format!(
        "options {{ directory \"{}\"; listen-on {{ 127.0.0.3; }}; listen-on-v6 {{ none; }}; recursion no;\n\
         pid-file none; session-keyfile none; dnssec-validation no; notify no; empty-zones-enable no; }};\n\
         controls {{ }};\nzone \"example\" {{ type primary; file \"{}\"; }};\n",
        folder.display(),
        zone_file("example").display()
    );
    write(&settings, text).unwrap();
    Running::start("named", &["-g", "-c", &settings.to_string_lossy()], &folder.join("named.log"))
}

fn start_ours() -> Handle {
    let zones = ["home.example", "lab.home.example", "other.example"].map(|name| {
        let text = read_to_string(zone_file(name)).unwrap();
        ZoneText { name: name.to_owned(), text }
    });
    let addresses = ["127.0.0.10:53", "127.0.0.11:53", "[::1]:53", "0.0.0.0:5300", "[::]:5300"];
    let addresses = addresses.map(|address| address.parse::<SocketAddr>().unwrap());
    let settings = "identity = \"ns1.home.example\"\nversion = \"Freehold\"\n";
    ours::serve(&zones, settings, &addresses).unwrap()
}

/// As strict as it gets: only as many labels as needed, mixed case in every question.
fn start_resolver(folder: &Path) -> Running {
    let hints = folder.join("hints");
    write(&hints, format!(". 86400 IN NS a.root.\na.root. 86400 IN A {ROOT}\n")).unwrap();
    let settings = folder.join("unbound.conf");
    let text = format!(
        "server:\n  interface: {RESOLVER}\n  username: \"\"\n  chroot: \"\"\n  directory: \"{0}\"\n  pidfile: \"\"\n  \
         use-syslog: no\n  num-threads: 1\n  module-config: \"iterator\"\n  root-hints: \"{1}\"\n  \
         do-not-query-localhost: no\n  do-ip6: no\n  qname-minimisation: yes\n  qname-minimisation-strict: yes\n  \
         use-caps-for-id: yes\n  minimal-responses: no\n  access-control: 127.0.0.0/8 allow\n  verbosity: 1\n\
         remote-control:\n  control-enable: no\n",
        folder.display(),
        hints.display()
    );
    write(&settings, text).unwrap();
    Running::start("unbound", &["-d", "-c", &settings.to_string_lossy()], &folder.join("unbound.log"))
}

/// Any reply will do: what it says is for the tests.
fn wait_for(server: &str, folder: &Path) {
    let at = format!("@{server}");
    let deadline = Instant::now() + Duration::from_secs(20);
    let question = ["+short", "+tries=1", "+timeout=1", "home.example", "SOA", &at];
    while !Command::new("dig").args(question).output().is_ok_and(|output| output.status.success()) {
        if Instant::now() > deadline {
            let logs = ["nsd", "named", "unbound"].map(|name| read_to_string(folder.join(format!("{name}.log"))));
            panic!("{server} does not answer; logs: {logs:#?}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
