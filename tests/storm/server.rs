//! The real binary with a zone of everything, in a directory of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The longest that start and stop may take.
const PATIENCE: Duration = Duration::from_secs(20);

const ZONE: &str = r#"
@ 3600 SOA ns1 hostmaster 1 7200 3600 1209600 300
@ 3600 NS ns1
@ 3600 MX 10 mail
ns1 A 192.0.2.1
www A 192.0.2.2
www AAAA 2001:db8::2
canary A 192.0.2.42
mail A 192.0.2.3
c1 CNAME c2
c2 CNAME c3
c3 CNAME www
*.around CNAME any.wild
*.wild A 192.0.2.4
*.wild TXT "wild"
sub NS ns.sub
ns.sub A 192.0.2.5
old DNAME wild
svc HTTPS 1 www alpn=h2,h3 port=8443
_sip._tcp SRV 10 60 5060 www
a.ent TXT "below an empty name"
$GENERATE 1-60 big TXT "string number $ of a set that is too large for a datagram ......................................."
"#;

/// A server that runs; killed if the test forgets it.
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
    pub(crate) address: SocketAddr,
    _home: tempfile::TempDir,
}

impl Server {
    /// Starts it in development mode on a free port; it answers when this returns.
    pub(crate) fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("zones")).unwrap();
        fs::write(home.path().join("zones/storm.test.zone"), ["$TTL 300\n", ZONE].concat()).unwrap();
        let log = home.path().join("log");
        let mut child = Command::new(env!("CARGO_BIN_EXE_freehold"))
            .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .current_dir(home.path())
            .env_remove("FREEHOLD_DATA")
            .env("MIMALLOC_ALLOW_THP", "0") // pages of 2 MiB come and go, and would hide what the server itself holds
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        // It greets once it answers: "DNS    127.0.0.1:40123 (UDP and TCP)", and at last how it is stopped.
        let mut address = None;
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            if let Some(rest) = line.strip_prefix("DNS ") {
                address = rest.split_whitespace().find_map(|word| word.parse().ok());
            }
            if line.starts_with("Ctrl-C") {
                break;
            }
        }
        let address = address.unwrap_or_else(|| panic!("it does not start: {}", fs::read_to_string(&log).unwrap()));
        Self { child, log, address, _home: home }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its memory that is nobody else's, in KiB.
    pub(crate) fn memory(&self) -> i64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Stops it as its manager would; what it had to say.
    pub(crate) fn stop(&mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let until = Instant::now() + PATIENCE;
        let code = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status.code();
            }
            assert!(Instant::now() < until, "it does not stop");
            std::thread::sleep(Duration::from_millis(5)); // std knows no waiting with a limit
        };
        let log = fs::read_to_string(&self.log).unwrap();
        assert_eq!(code, Some(0), "{log}");
        log
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
