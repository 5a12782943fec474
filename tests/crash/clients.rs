//! `kill -9` of the whole server while clients write through its admin API: every change that was answered is there
//! after the restart, under the revision that the answer named.
//!
//! Each client sets a record of its own to the next number and adds a value to a set that all share, one after the other.
//! So the first shows a lost last change and the second a lost change of any client. Half of them come through the Unix
//! socket, half over TCP with a token.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kit::{Random, duration};

const CLIENTS: usize = 8;
/// The longest that one answer may take; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);
const ZONE: &str = "@ 60 SOA ns h 1 3600 600 86400 300\n@ 60 NS ns\nns 60 A 192.0.2.53\n";
/// Small sizes, so that segments, folds and checkpoints happen all the time.
const SETTINGS: &str = "\
[store]
directory = 'data'
journal_segment_size = 65536
checkpoint_after_size = 262144
fold_after_size = 32768
fold_after_seconds = 1
[dns]
listen = ['127.0.0.1:0']
workers = 1
[admin]
listen = ['127.0.0.1:0']
";

#[test]
fn no_answered_change_is_lost_when_the_server_is_killed() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("freehold.toml"), SETTINGS).unwrap();
    fs::write(home.path().join("home.example.zone"), ZONE).unwrap();
    let mut random = Random(7);
    let mut server = Server::start(home.path());
    server.run(&["zone", "import", "home.example.zone"]);
    let (_, made) = server.socket().ask("POST", "/v1/tokens", &json!({ "name": "clients", "rights": "write" }));
    fs::write(home.path().join("token"), made["secret"].as_str().unwrap()).unwrap();
    let (start, mut round, mut changes, mut last) = (Instant::now(), 0, 0, [0; CLIENTS]);
    while start.elapsed() < duration() {
        let (answered, sent) = write(&mut server, round, last, 20 + random.below(300));
        server = Server::start(home.path());
        last = check(&server, round, &answered, sent);
        changes += answered.len();
        round += 1;
    }
    eprintln!("{round} kills, {changes} answered changes");
    assert!(round >= 3);
}

/// A change that was answered.
struct Answered {
    client: usize,
    number: u64,
    /// Of the client's own record, and of the value in the shared set.
    revisions: [u64; 2],
}

/// Lets all clients write until so many changes are answered, and kills the server in the middle of it. Which were
/// answered, and up to which number each client has sent any.
fn write(server: &mut Server, round: usize, last: [u64; CLIENTS], wanted: usize) -> (Vec<Answered>, [u64; CLIENTS]) {
    let (answered, count, sent) = (Mutex::new(Vec::new()), AtomicUsize::new(0), Mutex::new(last));
    let doors = server.doors();
    thread::scope(|scope| {
        for (client, mut door) in doors.into_iter().enumerate() {
            let (answered, count, sent) = (&answered, &count, &sent);
            scope.spawn(move || {
                for number in last[client] + 1.. {
                    sent.lock().unwrap()[client] = number;
                    let Some(own) = door.change("PUT", &format!("client{client}"), &number.to_string()) else { return };
                    let value = format!("{client}-{number}");
                    let Some(shared) = door.change("POST", &format!("round{round}"), &value) else { return };
                    answered.lock().unwrap().push(Answered { client, number, revisions: [own, shared] });
                    count.fetch_add(2, Ordering::Relaxed);
                }
            });
        }
        let until = Instant::now() + PATIENCE;
        while count.load(Ordering::Relaxed) < wanted {
            assert!(Instant::now() < until, "the clients are not answered");
            thread::yield_now();
        }
        server.child.kill().unwrap();
    });
    server.child.wait().unwrap();
    (answered.into_inner().unwrap(), sent.into_inner().unwrap())
}

/// What was answered is there, and nothing that nobody has sent; the number of each client's own record.
fn check(server: &Server, round: usize, answered: &[Answered], sent: [u64; CLIENTS]) -> [u64; CLIENTS] {
    let mut door = server.socket();
    let shared: BTreeSet<String> = door.values(&format!("round{round}")).into_iter().collect();
    for Answered { client, number, revisions } in answered {
        let value = format!("\"{client}-{number}\"");
        assert!(shared.contains(&value), "round {round}: {value} was answered and is gone");
        for (revision, value) in revisions.iter().zip([format!("\"{number}\""), value]) {
            let (status, change) = door.ask("GET", &format!("/v1/zones/home.example/history/{revision}"), &Value::Null);
            let holds = change["zones"].to_string().contains(&value.replace('"', "\\\""));
            assert!(status == 200 && holds, "round {round}: revision {revision} is not that of {value}: {change}");
        }
    }
    for value in &shared {
        let (client, number) = value.trim_matches('"').split_once('-').unwrap();
        let (client, number): (usize, u64) = (client.parse().unwrap(), number.parse().unwrap());
        assert!(number <= sent[client], "round {round}: nobody has sent {value}");
    }
    std::array::from_fn(|client| {
        let newest = answered.iter().filter(|answered| answered.client == client).map(|answered| answered.number).max();
        let found = door.values(&format!("client{client}"));
        let number: u64 = found.first().map_or(0, |value| value.trim_matches('"').parse().unwrap());
        let possible = newest.unwrap_or(0)..=sent[client];
        assert!(possible.contains(&number), "round {round}: client {client}: {number} is not one of {possible:?}");
        number
    })
}

// ----- The server and the way to it ----------------------------------------------------------------------------

struct Server {
    child: Child,
    home: PathBuf,
    /// Where its admin API is over TCP.
    address: SocketAddr,
}

impl Server {
    /// Ready when this returns.
    fn start(home: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_freehold"));
        command.arg("serve").current_dir(home).env_remove("FREEHOLD_DATA");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let ready = lines.by_ref().find(|line| line.contains("ready")).expect("the server starts");
        thread::spawn(move || lines.count()); // it must never wait for somebody to read
        let urls = ready.split([' ', '"', '=']).filter_map(|word| word.strip_prefix("http://"));
        let address = urls.filter_map(|url| url.trim_end_matches('/').parse().ok()).next().expect("an address");
        Self { child, home: home.to_owned(), address }
    }

    /// A door for each client.
    fn doors(&self) -> Vec<Door> {
        (0..CLIENTS).map(|client| if client % 2 == 0 { self.socket() } else { self.tcp() }).collect()
    }

    fn socket(&self) -> Door {
        let stream = UnixStream::connect(self.home.join("data/admin.socket")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Door { stream: BufReader::new(Box::new(stream)), token: String::new() }
    }

    fn tcp(&self) -> Door {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let token = fs::read_to_string(self.home.join("token")).unwrap();
        Door { stream: BufReader::new(Box::new(stream)), token: format!("Authorization: Bearer {token}\r\n") }
    }

    fn run(&self, arguments: &[&str]) {
        let status = Command::new(env!("CARGO_BIN_EXE_freehold"))
            .args(arguments)
            .current_dir(&self.home)
            .env_remove("FREEHOLD_DATA")
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client's connection: as much of HTTP/1.1 as it takes.
struct Door {
    stream: BufReader<Box<dyn Stream>>,
    /// The header with the token; at the socket none is needed.
    token: String,
}

trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

impl Door {
    /// Sends a change of a TXT record and waits; its revision, or nothing once the server is gone.
    fn change(&mut self, method: &str, name: &str, value: &str) -> Option<u64> {
        let path = format!("/v1/zones/home.example/records/{name}/TXT");
        let (status, answer) = self.try_ask(method, &path, &json!({ "ttl": 60, "values": [value] }))?;
        assert!(status == 200 || status == 201, "{answer}");
        Some(answer["revision"].as_u64().unwrap())
    }

    fn values(&mut self, name: &str) -> Vec<String> {
        let (_, answer) = self.ask("GET", &format!("/v1/zones/home.example/records/{name}/TXT"), &Value::Null);
        let values = answer["values"].as_array().cloned().unwrap_or_default();
        values.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
    }

    fn ask(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.try_ask(method, path, body).expect("an answer")
    }

    fn try_ask(&mut self, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let size = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{}{kind}", self.token);
        let request = format!("{head}Content-Length: {size}\r\n\r\n{body}");
        self.stream.get_mut().write_all(request.as_bytes()).ok()?;
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            match self.stream.read_line(&mut line).ok()? {
                0 => return None,
                2 => break,
                _ => head.push(line.to_ascii_lowercase()),
            }
        }
        let status = head.first()?.split(' ').nth(1)?.parse().ok()?;
        let size = head.iter().find_map(|line| line.strip_prefix("content-length:"))?.trim().parse().ok()?;
        let mut body = vec![0; size];
        self.stream.read_exact(&mut body).ok()?;
        Some((status, serde_json::from_slice(&body).ok()?))
    }
}
