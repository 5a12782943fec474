//! HTTP and HTTPS on sockets that systemd holds: a restart refuses no connection, answers each request, and finishes what is
//! under way.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::kit::{Machine, PATIENCE, Server};

/// Answers that clients get at least before, and again after, a restart.
const ANSWERS_AROUND: usize = 100;
/// Who takes longer than this from connecting to asking is no longer waited for by a server that stops.
const DAWDLES: Duration = Duration::from_millis(800);
/// How long nobody may be answered while the server is restarted with nothing under way.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// An app: it answers at once, but `/slow` only by half until it is told to finish.
struct App {
    address: SocketAddr,
    begun: Receiver<()>,
    finish: SyncSender<()>,
}

impl App {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ((begins, begun), (finish, finished)) = (sync_channel(1), sync_channel(1));
        let finished = Arc::new(Mutex::new(finished));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (begins, finished) = (begins.clone(), Arc::clone(&finished));
                thread::spawn(move || answer(stream, &begins, &finished));
            }
        });
        Self { address, begun, finish }
    }
}

fn answer(mut stream: TcpStream, begins: &SyncSender<()>, finished: &Mutex<Receiver<()>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    while let Some(first) = lines.next() {
        lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
        if !first.contains("/slow") {
            if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").is_err() {
                return;
            }
            continue;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf").unwrap();
        begins.send(()).unwrap();
        finished.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        stream.write_all(b"done").unwrap();
    }
}

/// What clients trust: the built-in CA of this machine.
fn trust(machine: &Machine) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let pem = fs::read(machine.path("data/local-ca.pem")).unwrap();
    roots.add(PemObject::from_pem_slice(&pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Asks once, on a connection of its own. Nothing is ever asked again, unless this machine had no time to ask.
fn ask(address: SocketAddr, trust: Option<&Arc<ClientConfig>>, path: &str) -> std::io::Result<String> {
    let stream = TcpStream::connect(address)?;
    let connected = Instant::now();
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: www.home.example\r\nConnection: close\r\n\r\n");
    let name = "www.home.example".try_into().unwrap();
    let secure = trust.map(|trust| ClientConnection::new(Arc::clone(trust), name).unwrap());
    let mut stream: Box<dyn Channel> = match secure {
        Some(secure) => Box::new(StreamOwned::new(secure, stream)),
        None => Box::new(stream),
    };
    let sent = stream.write_all(request.as_bytes());
    let dawdled = connected.elapsed() > DAWDLES;
    let mut answer = String::new();
    match sent.and_then(|()| stream.read_to_string(&mut answer)) {
        Ok(0) | Err(_) if dawdled => ask(address, trust, path),
        read => read.map(|_| answer),
    }
}

trait Channel: Read + Write {}

impl<T: Read + Write> Channel for T {}

/// A server of which the certificate of the route is there.
fn start(machine: &Machine) -> Server {
    let server = machine.start();
    assert_eq!(machine.told(), "READY=1\n", "{}", server.log());
    let until = Instant::now() + PATIENCE;
    while ask(machine.web("https")[0], Some(&trust(machine)), "/").is_err() {
        assert!(Instant::now() < until, "no certificate: {}", server.log());
        thread::sleep(Duration::from_millis(10)); // the name is unknown to TLS until the built-in CA has vouched for it
    }
    server
}

/// Lets clients ask at every address, over HTTP and HTTPS, without pause, until `deed` is done; the longest time in which
/// nobody was answered. Every single request has to be answered soundly.
fn under_load(machine: &Machine, deed: impl FnOnce()) -> Duration {
    let (over, answers, times) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let more_answers = || {
        let (wanted, until) = (answers.load(Ordering::Relaxed) + ANSWERS_AROUND, Instant::now() + PATIENCE);
        while answers.load(Ordering::Relaxed) < wanted && !over.load(Ordering::Relaxed) {
            assert!(Instant::now() < until, "answers stay away");
            thread::sleep(Duration::from_millis(1)); // the clients need the processor
        }
    };
    let trust = trust(machine);
    thread::scope(|scope| {
        let clients = machine.web("http").into_iter().map(|address| (address, None));
        let clients = clients.chain(machine.web("https").into_iter().map(|address| (address, Some(&trust))));
        for (address, trust) in clients {
            let (over, answers, times) = (&over, &answers, &times);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let told = ask(address, trust, "/").inspect_err(|_| over.store(true, Ordering::Relaxed));
                    let told = told.unwrap_or_else(|fault| panic!("{address}: {fault}"));
                    let right = if trust.is_some() { "HTTP/1.1 200 OK\r\n" } else { "HTTP/1.1 301 " };
                    assert!(told.starts_with(right) && (trust.is_none() || told.ends_with("hello")), "{told}");
                    times.lock().unwrap().push(Instant::now());
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        more_answers();
        deed();
        more_answers();
        over.store(true, Ordering::Relaxed);
    });
    let mut times = times.into_inner().unwrap();
    times.sort();
    times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
}

#[test]
fn a_restart_refuses_no_connection_and_finishes_what_is_under_way() {
    let app = App::start();
    let machine = Machine::new(&["127.0.0.1"]).with_web(app.address);
    let mut server = start(&machine);
    let trust = trust(&machine);
    for address in [machine.web("http"), machine.web("https")].concat() {
        assert!(ask(address, machine.web("https").contains(&address).then_some(&trust), "/").is_ok(), "{address}");
    }
    let secure = machine.web("https")[1];
    thread::scope(|scope| {
        let slow = scope.spawn(|| ask(secure, Some(&trust), "/slow").unwrap());
        app.begun.recv_timeout(PATIENCE).unwrap();
        server.signal("TERM");
        assert_eq!(machine.told(), "STOPPING=1\n");
        // New ones wait for the next server meanwhile.
        let waiting = scope.spawn(|| ask(secure, Some(&trust), "/").unwrap());
        app.finish.send(()).unwrap();
        assert!(slow.join().unwrap().ends_with("\r\n\r\nhalfdone"));
        assert_eq!(server.end(), 0, "{}", server.log());
        server = machine.start();
        assert_eq!(machine.told(), "READY=1\n");
        assert!(waiting.join().unwrap().ends_with("hello"));
    });
    server.stop();
}

#[test]
fn restarts_under_load_fail_no_request() {
    let app = App::start();
    let machine = Machine::new(&["127.0.0.1"]).with_web(app.address);
    let mut server = Some(start(&machine));
    let mut silences = Vec::new();
    for _ in 0..3 {
        silences.push(under_load(&machine, || {
            server.take().unwrap().stop();
            assert_eq!(machine.told(), "STOPPING=1\n");
            server = Some(machine.start());
            assert_eq!(machine.told(), "READY=1\n");
        }));
    }
    println!("restarts: longest silences {silences:?}");
    // The best of three, as in `load.rs`.
    assert!(silences.iter().min().unwrap() < &SILENCE_MAX, "{silences:?}");
}

/// A request to stop does not shut the door in the face of whoever has connected and not asked yet.
#[test]
fn who_has_just_connected_is_answered_by_a_server_that_stops() {
    let app = App::start();
    let machine = Machine::new(&["127.0.0.1"]).with_web(app.address);
    let mut server = start(&machine);
    let mut stream = TcpStream::connect(machine.web("http")[0]).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Answered after it on the same thread or another: so it has been accepted by now.
    for _ in 0..8 {
        ask(machine.web("http")[0], None, "/").unwrap();
    }
    server.signal("TERM");
    assert_eq!(machine.told(), "STOPPING=1\n");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: www.home.example\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 301");
    assert_eq!(server.end(), 0, "{}", server.log());
}
