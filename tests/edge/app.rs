//! Apps that keep what they were sent and answer as the test says.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::kit::PATIENCE;

/// A server that speaks HTTP/1.1 as far as the test wants it to.
pub(crate) struct App {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// All of the head, with its last empty line.
    pub(crate) head: String,
    /// The body, chunks put together.
    pub(crate) body: Vec<u8>,
}

/// The connection of a request, for the app to answer on.
pub(crate) struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
    /// Requests on this connection before this one.
    pub(crate) before: usize,
    /// Whether something could not be said because nobody was there.
    pub(crate) failed: bool,
}

impl Seen {
    /// The values of a field.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }

    /// The value of a field; empty if there is none.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_default()
    }

    /// `GET /path HTTP/1.1`
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }
}

impl Wire {
    /// Says octets as they are.
    pub(crate) fn say(&mut self, octets: impl AsRef<[u8]>) {
        self.failed |= self.stream.write_all(octets.as_ref()).is_err();
    }

    /// A whole answer.
    pub(crate) fn answer(&mut self, status: &str, fields: &str, body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        self.say(
            [format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{fields}\r\n", body.len()).as_bytes(), body].concat(),
        );
    }

    /// More octets of the client; none when it left.
    pub(crate) fn more(&mut self) -> Vec<u8> {
        if !self.read.is_empty() {
            return std::mem::take(&mut self.read);
        }
        let mut octets = vec![0; 16_384];
        let count = self.stream.read(&mut octets).unwrap_or(0);
        octets.truncate(count);
        octets
    }

    /// Waits until the client is gone; false if it is still there when patience is over.
    pub(crate) fn is_left(&mut self) -> bool {
        let mut octets = [0; 4_096];
        loop {
            match self.stream.read(&mut octets) {
                Ok(0) => return true,
                Ok(_) => (),
                Err(fault) => return !matches!(fault.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
            }
        }
    }

    fn fill(&mut self) -> io::Result<bool> {
        let mut octets = [0; 16_384];
        let count = self.stream.read(&mut octets)?;
        self.read.extend_from_slice(&octets[..count]);
        Ok(count > 0)
    }

    fn until(&mut self, end: &[u8]) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|window| window == end) {
                return Ok(Some(self.read.drain(..at + end.len()).collect()));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.read.len() < count {
            if !self.fill()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.read.drain(..count).collect())
    }

    /// The next request's head; none if there is no further one.
    fn head(&mut self) -> io::Result<Option<Seen>> {
        let Some(head) = self.until(b"\r\n\r\n")? else { return Ok(None) };
        Ok(Some(Seen { head: String::from_utf8_lossy(&head).into_owned(), body: Vec::new() }))
    }

    /// Reads the body of a request.
    pub(crate) fn body(&mut self, seen: &Seen) -> io::Result<Vec<u8>> {
        if seen.field("transfer-encoding").eq_ignore_ascii_case("chunked") {
            let mut body = Vec::new();
            loop {
                let line = self.until(b"\r\n")?.ok_or(io::ErrorKind::UnexpectedEof)?;
                let size = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16).unwrap();
                if size == 0 {
                    while self.until(b"\r\n")?.is_some_and(|line| line != b"\r\n") {}
                    return Ok(body);
                }
                body.extend(self.take(size)?);
                self.take(2)?;
            }
        }
        self.take(seen.field("content-length").parse().unwrap_or(0))
    }
}

impl App {
    /// Keeps each request with its body and has it answered; the answer tells whether the connection goes on.
    pub(crate) fn new(answer: impl Fn(&Seen, &mut Wire) -> bool + Send + Sync + 'static) -> Self {
        Self::heads(move |mut seen, wire, keep| {
            seen.body = wire.body(&seen).unwrap_or_default();
            keep(seen.clone());
            answer(&seen, wire)
        })
    }

    /// Has each request answered as soon as its head is there; what is to be kept is up to the answer.
    pub(crate) fn heads(answer: impl Fn(Seen, &mut Wire, &dyn Fn(Seen)) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let app = Self { address: listener.local_addr().unwrap(), seen: Arc::default(), connections: Arc::default() };
        let (seen, connections, answer) = (Arc::clone(&app.seen), Arc::clone(&app.connections), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                connections.fetch_add(1, Ordering::Relaxed);
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || {
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    stream.set_nodelay(true).unwrap();
                    let mut wire = Wire { stream, read: Vec::new(), before: 0, failed: false };
                    let keep = |request| seen.lock().unwrap().push(request);
                    while let Ok(Some(request)) = wire.head() {
                        if !answer(request, &mut wire, &keep) {
                            return;
                        }
                        wire.before += 1;
                    }
                });
            }
        });
        app
    }

    /// Answers everything with 200 and `hello`.
    pub(crate) fn hello() -> Self {
        Self::new(|_, wire| {
            wire.answer("200 OK", "", "hello");
            true
        })
    }

    /// `http://127.0.0.1:port`
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was sent so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The only request it was sent.
    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:#?}");
        seen.into_iter().next().unwrap()
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// An app that can be killed and started again, at the same address: it answers everything with its name.
pub(crate) struct Mortal {
    name: &'static str,
    address: SocketAddr,
    running: Mutex<Option<Running>>,
    /// The request lines that came.
    lines: Arc<Mutex<Vec<String>>>,
}

struct Running {
    ends: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    thread: JoinHandle<()>,
}

impl Mortal {
    /// It runs.
    pub(crate) fn new(name: &'static str) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let app = Self { name, address, running: Mutex::default(), lines: Arc::default() };
        app.start();
        app
    }

    /// `http://127.0.0.1:port`
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The request lines that came so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Starts it.
    pub(crate) fn start(&self) {
        let listener = TcpListener::bind(self.address).unwrap();
        let (ends, streams) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<TcpStream>>>::default());
        let (name, lines) = (self.name, Arc::clone(&self.lines));
        let (ended, kept) = (Arc::clone(&ends), Arc::clone(&streams));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut kept = kept.lock().unwrap();
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                kept.push(stream.try_clone().unwrap());
                let lines = Arc::clone(&lines);
                std::thread::spawn(move || answer_by_name(stream, name, &lines));
            }
        });
        *self.running.lock().unwrap() = Some(Running { ends, streams, thread });
    }

    /// Ends it in the middle of whatever it is doing; nobody listens any more when this returns.
    pub(crate) fn kill(&self) {
        let Running { ends, streams, thread } = self.running.lock().unwrap().take().unwrap();
        ends.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        thread.join().unwrap();
        for stream in streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        if self.running.lock().unwrap().is_some() {
            self.kill();
        }
    }
}

fn answer_by_name(stream: TcpStream, name: &str, lines: &Mutex<Vec<String>>) {
    stream.set_nodelay(true).unwrap();
    let mut wire = Wire { stream, read: Vec::new(), before: 0, failed: false };
    while let Ok(Some(request)) = wire.head() {
        if wire.body(&request).is_err() {
            return;
        }
        lines.lock().unwrap().push(request.line().to_owned());
        wire.answer("200 OK", "", name);
    }
}
