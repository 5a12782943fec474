//! What a change through the admin API costs, from the request to the answer of DNS, in zones of 100 and of 1,000,000
//! names; how many changes a second one and 32 clients make; and a page of a large zone's records.
//!
//! Run with `cargo bench --bench api`. It starts the real server on a real disk and talks HTTP over its Unix socket and DNS
//! over UDP. The disk decides much of it, so its own part is measured just before each change.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a bench that cannot go on should stop right there")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::UdpSocket;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

const SIZES: [u32; 2] = [100, 1_000_000];
const CHANGES: usize = 1_000;
const PAGES: usize = 200;
const WRITERS: usize = 32;
/// One and many take turns, so that a disk that is busy for a while slows both.
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_millis(1_500);
const APEX: &str = "bench.example";
const START_TIME_MAX: Duration = Duration::from_secs(30);

fn main() {
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for names in SIZES {
        let directory = home.path().join(names.to_string());
        import(&directory, names);
        let server = Server::start(&directory);
        println!("{:<46} {:>9} {:>9} {:>9}", format!("{names} names, milliseconds"), "p50", "p99", "longest");
        changes(&server, names, &home.path().join("sync"));
        pages(&server);
        throughput(&server, names);
    }
}

fn import(directory: &Path, names: u32) {
    let mut zone =
        format!("$ORIGIN {APEX}.\n$TTL 300\n@ SOA ns1 ns1 1 3600 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\n");
    (0..names).for_each(|number| zone += &format!("h{number} A 10.0.0.1\n"));
    let file = directory.with_extension("zone");
    std::fs::write(&file, zone).unwrap();
    let imported = freehold(directory).args(["zone", "import", "--origin", APEX]).arg(file).output().unwrap();
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
}

fn freehold(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_freehold"));
    command.arg("--data").arg(directory).env_remove("FREEHOLD_DATA");
    command
}

/// The running server.
struct Server {
    process: Child,
    socket: PathBuf,
    dns: String,
}

impl Server {
    fn start(directory: &Path) -> Self {
        let dns = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let settings = directory.with_extension("toml");
        let listen = format!("[store]\ndirectory = {directory:?}\n[dns]\nlisten = [\"{dns}\"]\n[admin]\nlisten = []\n");
        std::fs::write(&settings, listen).unwrap();
        let mut command = freehold(directory);
        command.arg("--config").arg(settings).arg("serve").stderr(Stdio::null()).stdout(Stdio::null());
        let server = Self { process: command.spawn().unwrap(), socket: directory.join("admin.socket"), dns };
        let give_up_at = Instant::now() + START_TIME_MAX;
        while UnixStream::connect(&server.socket).is_err() {
            assert!(Instant::now() < give_up_at, "the server does not start");
            sleep(Duration::from_millis(5));
        }
        server
    }

    fn client(&self) -> Client {
        Client(BufReader::new(UnixStream::connect(&self.socket).unwrap()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill(); // it may have ended by itself
        let _ = self.process.wait();
    }
}

/// A kept connection to the admin API, as lean as can be: the server shares the processors with it.
struct Client(BufReader<UnixStream>);

impl Client {
    /// Asks, and gives the size of the answer's body.
    fn ask(&mut self, head: &str, body: &str) -> usize {
        let size = body.len();
        let request = format!(
            "{head} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n{body}"
        );
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut line, mut length) = (String::new(), 0);
        self.0.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 20"), "{head}: {line}");
        while line != "\r\n" {
            line.clear();
            self.0.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        length
    }

    /// A name gets an address that it never had before.
    fn change(&mut self, names: u32) -> (u32, [u8; 4]) {
        static NEXT: AtomicU32 = AtomicU32::new(0x8000_0000);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let (host, octets) = (number.wrapping_mul(0x9e37_79b9) % names, number.to_be_bytes());
        let address = std::net::Ipv4Addr::from(octets);
        self.ask(&format!("PUT /v1/zones/{APEX}/records/h{host}/A"), &format!("{{\"values\":[\"{address}\"]}}"));
        (host, octets)
    }
}

/// Each change from its request on: until it is acknowledged, and until DNS was asked after that and had given it.
fn changes(server: &Server, names: u32, path: &Path) {
    let mut client = server.client();
    let dns = UdpSocket::bind("127.0.0.1:0").unwrap();
    dns.connect(&server.dns).unwrap();
    dns.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut file = File::create(path).unwrap();
    let (mut disk, mut acknowledged, mut answered) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..CHANGES {
        let begin = Instant::now();
        file.write_all(&[7; 200]).unwrap();
        file.sync_data().unwrap();
        disk.push(begin.elapsed());
        let begin = Instant::now();
        let (host, address) = client.change(names);
        acknowledged.push(begin.elapsed());
        assert!(ask_dns(&dns, host).ends_with(&address), "DNS does not give what was acknowledged");
        answered.push(begin.elapsed());
    }
    show("append 200 octets and fdatasync, alone", disk);
    show("a record changes, until the answer is there", acknowledged);
    show("the same, until DNS has been asked and gave it", answered);
}

fn ask_dns(dns: &UdpSocket, host: u32) -> Vec<u8> {
    let query = [&[0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], &name(host)[..], &[0, 1, 0, 1]].concat();
    let mut reply = [0; 512];
    dns.send(&query).unwrap();
    let size = dns.recv(&mut reply).unwrap();
    reply[..size].to_vec()
}

/// The name of a host as messages write it.
fn name(host: u32) -> Vec<u8> {
    let labels = format!("h{host}.{APEX}.");
    labels.split('.').flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect()
}

/// Pages of 1,000 sets, from the middle of the zone on. (A cursor is a type and a name, in hexadecimal.)
fn pages(server: &Server) {
    let mut client = server.client();
    let cursor: String = [&[0, 0], &name(50)[..]].concat().iter().map(|octet| format!("{octet:02x}")).collect();
    let mut times = Vec::new();
    for _ in 0..PAGES {
        let begin = Instant::now();
        assert!(client.ask(&format!("GET /v1/zones/{APEX}/records?limit=1000&cursor={cursor}"), "") > 1_000);
        times.push(begin.elapsed());
    }
    show("a page of up to 1,000 record sets", times);
}

fn throughput(server: &Server, names: u32) {
    let rates = |writers| rate(server, names, writers);
    let mut rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (rates(1), rates(WRITERS))).collect();
    rounds.sort_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
    let (one, many) = rounds[ROUNDS / 2];
    println!("  changes a second: {one:.0} with one client, {many:.0} with {WRITERS} ({:.1} times)", many / one);
}

/// Changes a second with so many clients, each of which waits for its own.
fn rate(server: &Server, names: u32, writers: usize) -> f64 {
    let (begin, count) = (Instant::now(), AtomicU64::new(0));
    scope(|scope| {
        for _ in 0..writers {
            scope.spawn(|| {
                let mut client = server.client();
                while begin.elapsed() < ROUND {
                    client.change(names);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    count.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64()
}

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!("  {what:<44} {:>9.3} {:>9.3} {:>9.3}", at(0.5), at(0.99), at(1.0));
}
