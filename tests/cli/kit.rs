//! Runs the real binary in a directory of its own and keeps what it says.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use hickory_proto::op::Message;
use hickory_proto::rr::{RData, Record};
use hickory_proto::serialize::binary::BinDecodable;

/// The longest that anything here may take; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A directory that goes with the test.
pub(crate) struct Home(tempfile::TempDir);

/// What a command left behind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_freehold"));
        command.args(arguments).current_dir(self.0.path()).env_remove("NO_COLOR");
        let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FREEHOLD_"));
        for (name, _) in ours {
            command.env_remove(name);
        }
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).stdin(Stdio::null()).output().unwrap();
        let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
        Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Starts a server in development mode, on free ports; ready when this returns.
    pub(crate) fn serve(&self) -> Server {
        let free = "127.0.0.1:0";
        self.serve_with(&[
            "serve",
            "--listen",
            free,
            "--admin-listen",
            free,
            "--http-listen",
            free,
            "--https-listen",
            free,
        ])
    }

    /// Starts a server by a settings file, on free ports: it has no zone, no route and no demo app.
    pub(crate) fn serve_settled(&self) -> Server {
        self.serve_settled_at("127.0.0.1")
    }

    fn serve_settled_at(&self, admin: &str) -> Server {
        let settings = "[store]\ndirectory = \"./freehold-data\"\n[dns]\nlisten = [\"127.0.0.1:0\"]\n[admin]\n";
        self.write("freehold.toml", &format!("{settings}listen = [\"{admin}:0\"]\n")).serve_with(&["serve"])
    }

    /// As [`Home::serve`], reached over HTTPS too, with a token and the root for whoever comes that way.
    pub(crate) fn serve_secure(&self) -> Server {
        let mut server = self.serve_settled_at("0.0.0.0");
        let url = server.admin.replace("0.0.0.0", "127.0.0.1");
        server.elsewhere = vec![
            ("FREEHOLD_SERVER", url),
            ("FREEHOLD_TOKEN_FILE", self.path("freehold-data/admin.token").display().to_string()),
            ("FREEHOLD_CA_FILE", self.path("freehold-data/local-ca.pem").display().to_string()),
        ];
        server
    }

    pub(crate) fn serve_with(&self, arguments: &[&str]) -> Server {
        let mut child =
            self.command(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = follow(child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let mut server = Server {
            child,
            lines,
            heard: Vec::new(),
            address: ([127, 0, 0, 1], 0).into(),
            admin: String::new(),
            elsewhere: Vec::new(),
        };
        let told = server.hear(|line| line.starts_with("DNS ") || line.contains("addresses"));
        let address = told.split([' ', '"', '=', ',']).find_map(|word| word.parse().ok());
        server.address = address.unwrap_or_else(|| panic!("no address in {told}"));
        if told.starts_with("DNS ") {
            server.hear(|line| line.starts_with("Ctrl-C"));
        }
        let mut words = server.heard.iter().flat_map(|line| line.split([' ', '"', '=', ',']));
        server.admin = words.rfind(|word| is_url(word)).unwrap_or_default().to_owned();
        server
    }
}

/// Whether this is where an admin API is; `curl` is tried with a path behind it.
fn is_url(word: &str) -> bool {
    (word.starts_with("http://") || word.starts_with("https://")) && word.matches('/').count() == 2
}

/// The lines of both streams in the order of their coming.
fn follow(out: impl Read + Send + 'static, err: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::sync_channel(10_000);
    let other = sender.clone();
    let copy = |from: Box<dyn Read + Send>, to: mpsc::SyncSender<String>| {
        thread::spawn(move || BufReader::new(from).lines().map_while(Result::ok).try_for_each(|line| to.send(line)))
    };
    copy(Box::new(out), sender);
    copy(Box::new(err), other);
    lines
}

/// A server that runs; killed if the test forgets it.
pub(crate) struct Server {
    child: Child,
    lines: mpsc::Receiver<String>,
    pub(crate) heard: Vec<String>,
    pub(crate) address: SocketAddr,
    /// Where its admin API is, if it is reached over TCP at all.
    pub(crate) admin: String,
    /// What the environment says to commands that are to reach it over the network.
    pub(crate) elsewhere: Vec<(&'static str, String)>,
}

impl Server {
    /// Waits for a line.
    pub(crate) fn hear(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.heard.push(line.clone());
                    if wanted(&line) {
                        return line;
                    }
                }
                Err(fault) => panic!("{fault}; heard:\n{}", self.heard.join("\n")),
            }
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end; the exit code.
    pub(crate) fn end(&mut self) -> i32 {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.heard.extend(self.lines.iter());
                return status.code().unwrap_or(-1);
            }
            thread::sleep(Duration::from_millis(5)); // there is no waiting with a limit in std
        }
        panic!("the server does not end; heard:\n{}", self.heard.join("\n"));
    }

    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        assert_eq!(self.end(), 0, "{}", self.heard.join("\n"));
    }

    /// The addresses of a name, over UDP.
    pub(crate) fn ask(&self, name: &str) -> Vec<[u8; 4]> {
        ask(self.address, name)
    }
}

/// The addresses of a name, over UDP.
pub(crate) fn ask(server: SocketAddr, name: &str) -> Vec<[u8; 4]> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(server).unwrap();
    let mut query = vec![0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(label.len() as u8);
        query.extend(label.bytes());
    }
    query.extend([0, 0, 1, 0, 1]);
    socket.send(&query).unwrap();
    let mut reply = [0; 512];
    let size = socket.recv(&mut reply).unwrap();
    let message = Message::from_bytes(&reply[..size]).unwrap();
    let address = |record: &Record| if let RData::A(address) = &record.data { Some(address.0.octets()) } else { None };
    message.answers.iter().filter_map(address).collect()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
