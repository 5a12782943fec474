//! Plays systemd: opens sockets, hands them to the real binary, hears what it tells, and keeps the sockets when it goes.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

/// The longest that anything here may take; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The watchdog's time in the tests that have one.
pub(crate) const WATCHDOG: Duration = Duration::from_millis(400);

const ZONE: &str = "\
$TTL 300
@    SOA ns hostmaster 5 3600 600 86400 300
     NS  ns
ns   A   192.0.2.53
www  A   192.0.2.1
";

/// A machine: a directory with settings and a zone, the sockets, and systemd's own socket.
pub(crate) struct Machine {
    home: tempfile::TempDir,
    udp: Vec<UdpSocket>,
    tcp: Vec<TcpListener>,
    /// For the edge, by name.
    web: Vec<(&'static str, TcpListener)>,
    admin: UnixListener,
    notify: UnixDatagram,
    /// The first address of DNS.
    pub(crate) address: SocketAddr,
}

impl Machine {
    /// With DNS sockets on these addresses, whose port is chosen.
    pub(crate) fn new(hosts: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let (udp, tcp): (Vec<_>, Vec<_>) = hosts.iter().map(|host| pair(host)).unzip();
        let admin = UnixListener::bind(home.path().join("admin.socket")).unwrap();
        fs::set_permissions(home.path().join("admin.socket"), fs::Permissions::from_mode(0o660)).unwrap();
        let notify = UnixDatagram::bind(home.path().join("notify")).unwrap();
        notify.set_read_timeout(Some(PATIENCE)).unwrap();
        let address = udp[0].local_addr().unwrap();
        let machine = Self { home, udp, tcp, web: Vec::new(), admin, notify, address };
        machine.write("home.example.zone", ZONE);
        let settings = "[store]\ndirectory = \"data\"\n[dns]\nworkers = 2\n[admin]\nlisten = []\nsocket = ";
        machine.write("freehold.toml", &format!("{settings}{:?}\n", machine.path("admin.socket")));
        // Nobody listens at the admin socket yet, so this one goes to the store itself.
        machine.write("import.toml", "[store]\ndirectory = \"data\"\n");
        let imported = machine.run(&["--config", "import.toml", "zone", "import", "home.example.zone"]);
        assert!(imported.0, "{}", imported.1);
        machine
    }

    /// The same with sockets for HTTP and HTTPS, whose ports are chosen, and a route to this app at `www.home.example`.
    pub(crate) fn with_web(mut self, app: SocketAddr) -> Self {
        let bind = |name| ["127.0.0.1", "::1"].map(|host| (name, TcpListener::bind((host, 0)).unwrap()));
        self.web = bind("http").into_iter().chain(bind("https")).collect();
        let (well, said) =
            self.run(&["--config", "import.toml", "route", "add", "www.home.example", &format!("http://{app}")]);
        assert!(well, "{said}");
        self
    }

    /// Where HTTP and HTTPS are served, IPv4 and IPv6.
    pub(crate) fn web(&self, name: &str) -> Vec<SocketAddr> {
        let named = self.web.iter().filter(|(called, _)| *called == name);
        named.map(|(_, socket)| socket.local_addr().unwrap()).collect()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// From now on nobody gets an answer over UDP at the last address: its socket listens to one port only, and nobody
    /// sends from there.
    pub(crate) fn deafen(&self) {
        let last = self.udp.last().unwrap();
        last.connect((last.local_addr().unwrap().ip(), 9)).unwrap();
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.udp.iter().map(|socket| socket.local_addr().unwrap())
    }

    /// Runs a command: whether it did well, and what it said.
    pub(crate) fn run(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_freehold"))
            .args(arguments)
            .current_dir(self.home.path())
            .env_remove("FREEHOLD_DATA")
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }

    /// Starts the server, with all sockets under their names.
    pub(crate) fn start(&self) -> Server {
        let dns = self.udp.iter().map(AsRawFd::as_raw_fd).chain(self.tcp.iter().map(AsRawFd::as_raw_fd));
        let mut named: Vec<(&str, i32)> = dns.map(|descriptor| ("dns", descriptor)).collect();
        named.push(("admin", self.admin.as_raw_fd()));
        named.extend(self.web.iter().map(|(name, socket)| (*name, socket.as_raw_fd())));
        self.start_with(&named)
    }

    /// Starts the server with the DNS sockets under this name.
    pub(crate) fn start_named(&self, name: &str) -> Server {
        self.start_with(&[(name, self.udp[0].as_raw_fd()), (name, self.tcp[0].as_raw_fd())])
    }

    fn start_with(&self, named: &[(&str, i32)]) -> Server {
        /// Sockets that children inherit are inherited by all children; so there is only one child at a time.
        static TURN: Mutex<()> = Mutex::new(());
        let list: Vec<String> = named.iter().map(|(name, descriptor)| format!("{name}={descriptor}")).collect();
        let log = self.path("log");
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/systemd/pass"));
        command
            .arg(list.join(" "))
            .args([env!("CARGO_BIN_EXE_freehold"), "serve", "--config", "freehold.toml"])
            .current_dir(self.home.path())
            .env("NOTIFY_SOCKET", self.path("notify"))
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .env_remove("FREEHOLD_DATA")
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.inherit(true);
        let child = command.spawn();
        self.inherit(false);
        Server { child: child.unwrap(), log }
    }

    fn inherit(&self, inherited: bool) {
        let sockets = self.udp.iter().map(SockRef::from).chain(self.tcp.iter().map(SockRef::from));
        let web = self.web.iter().map(|(_, socket)| SockRef::from(socket));
        for socket in sockets.chain(web).chain([SockRef::from(&self.admin)]) {
            socket.set_cloexec(!inherited).unwrap();
        }
    }

    /// The next thing that the server tells systemd, watchdog aside.
    pub(crate) fn told(&self) -> String {
        loop {
            let told = self.told_at_all();
            if told != "WATCHDOG=1\n" {
                return told;
            }
        }
    }

    pub(crate) fn told_at_all(&self) -> String {
        let mut octets = [0; 1_024];
        let size = loop {
            match self.notify.recv(&mut octets) {
                Err(fault) if fault.kind() == ErrorKind::Interrupted => (),
                heard => break heard.expect("systemd is told something"),
            }
        };
        String::from_utf8(octets[..size].to_vec()).unwrap()
    }

    /// Nothing was told that is still unread.
    pub(crate) fn nothing_more_is_told(&self) {
        self.notify.set_nonblocking(true).unwrap();
        let more = self.notify.recv(&mut [0; 64]);
        self.notify.set_nonblocking(false).unwrap();
        assert_eq!(more.unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}

fn pair(host: &str) -> (UdpSocket, TcpListener) {
    let tries = (0..100).map(|_| {
        let udp = UdpSocket::bind((host, 0)).unwrap();
        TcpListener::bind(udp.local_addr().unwrap()).map(|tcp| (udp, tcp))
    });
    tries.flatten().next().expect("a port that is free for UDP and TCP")
}

/// A server that runs; killed if the test forgets it.
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// What it said on its two outputs.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits for the end; the exit code.
    pub(crate) fn end(&mut self) -> i32 {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            thread::sleep(Duration::from_millis(1)); // there is no waiting with a limit in std
        }
        panic!("the server does not end: {}", self.log());
    }

    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        assert_eq!(self.end(), 0, "{}", self.log());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `www.home.example A`.
pub(crate) fn question(id: u16) -> Vec<u8> {
    let mut query = [&id.to_be_bytes()[..], &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    query.extend(b"\x03www\x04home\x07example\0\0\x01\0\x01");
    query
}

/// Whether this is the right answer to [`question`].
fn is_answer(reply: &[u8], id: u16) -> bool {
    reply.len() > 12 && reply[..2] == id.to_be_bytes() && reply[3] & 15 == 0 && reply.ends_with(&[192, 0, 2, 1])
}

/// A client's socket; it waits as long as a patient client does.
pub(crate) fn client(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((server.ip(), 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(server).unwrap();
    socket
}

/// Asks once over UDP and waits; never asks a second time.
pub(crate) fn ask_udp(socket: &UdpSocket, id: u16) {
    socket.send(&question(id)).unwrap();
    hear_udp(socket, id);
}

/// Waits for the answer with this ID.
pub(crate) fn hear_udp(socket: &UdpSocket, id: u16) {
    assert_eq!(hear_any(socket), id);
}

/// Waits for an answer; its ID. A wait that a signal or a debugger breaks off goes on: nothing is asked again.
pub(crate) fn hear_any(socket: &UdpSocket) -> u16 {
    let mut reply = [0; 512];
    let size = loop {
        match socket.recv(&mut reply) {
            Err(fault) if fault.kind() == ErrorKind::Interrupted => (),
            heard => break heard.expect("an answer over UDP"),
        }
    };
    let id = u16::from_be_bytes([reply[0], reply[1]]);
    assert!(is_answer(&reply[..size], id));
    id
}

/// Asks once over a TCP connection of its own. A connection that is closed without an answer is an error.
pub(crate) fn ask_tcp(server: SocketAddr, id: u16) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let query = question(id);
    stream.write_all(&[&(query.len() as u16).to_be_bytes()[..], &query].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut reply = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut reply)?;
    assert!(is_answer(&reply, id));
    Ok(())
}
