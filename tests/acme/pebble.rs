//! Pebble, Let's Encrypt's test CA: started, with a certificate of its own, asking the resolver of the small world.

use std::fs::{read_to_string, write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use freehold::cert::Authority;

use crate::network::RESOLVER;

/// Where its API is.
const PORT: u16 = 14_000;
const NOW: u64 = 1_790_000_000;

/// A running Pebble.
pub(crate) struct Pebble {
    child: Child,
    folder: PathBuf,
}

impl Pebble {
    /// Starts it. `environment` sets its whims, `extra` goes into its settings.
    pub(crate) fn start(folder: &Path, environment: &[(&str, &str)], extra: &str) -> Pebble {
        let folder = folder.join("pebble");
        std::fs::create_dir_all(&folder).unwrap();
        if !folder.join("root.pem").exists() {
            let authority = Authority::new(NOW).unwrap();
            let lifetime = Duration::from_secs(5 * 365 * 86_400);
            let own = authority.issue(&["127.0.0.1".parse().unwrap()], NOW, lifetime).unwrap();
            write(folder.join("root.pem"), authority.root_pem()).unwrap();
            write(folder.join("cert.pem"), own.chain_pem()).unwrap();
            write(folder.join("key.pem"), own.key_pem().as_bytes()).unwrap();
        }
        let at = |name: &str| folder.join(name).display().to_string();
        let settings = format!(
            r#"{{"pebble": {{"listenAddress": "127.0.0.1:{PORT}", "managementListenAddress": "127.0.0.1:15000",
                "certificate": "{}", "privateKey": "{}", "httpPort": 80, "tlsPort": 443, "ocspResponderURL": ""{extra}}}}}"#,
            at("cert.pem"),
            at("key.pem")
        );
        write(folder.join("settings.json"), settings).unwrap();
        let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
        let child = Command::new("pebble")
            .args(["-strict", "-config", &at("settings.json"), "-dnsserver", &format!("{RESOLVER}:53")])
            .env("PEBBLE_WFE_NONCEREJECT", "0")
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_AUTHZREUSE", "0")
            .envs(environment.iter().copied())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .expect("pebble does not start: run tests/setup, which installs it");
        let mut pebble = Pebble { child, folder };
        pebble.wait();
        pebble
    }

    fn wait(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", PORT)).is_err() {
            let ended = self.child.try_wait().unwrap().is_some();
            assert!(!ended && Instant::now() < deadline, "pebble does not answer: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The settings that lead to it, with waits for a test.
    pub(crate) fn settings(folder: &Path, more: &str) -> String {
        let root = folder.join("pebble/root.pem");
        format!(
            "terms_agreed = true\nresolvers = [\"{RESOLVER}\"]\nretry_seconds = 1\ncheck_seconds = 1\nwindow_seconds = 1\n{more}\n\
             limits = {{ same_names = 0, domain = 0, orders = 0, failures = 0 }}\n\
             [[ca]]\ndirectory = \"https://127.0.0.1:{PORT}/dir\"\nroot = \"{}\"\n",
            root.display()
        )
    }

    /// What it has written.
    pub(crate) fn log(&self) -> String {
        read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
