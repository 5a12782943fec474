//! Questions in, answers out: the name server's sockets, threads and limits around one function.
//!
//! [`Sockets::bind`] takes the ports, [`start`] serves them, [`Handle::stop`] ends it. Each UDP socket has a thread that
//! reads and sends in batches (`udp.rs`); each worker has a thread for TCP connections (`tcp`), and another one for those
//! over TLS (`tls`); one thread has those over QUIC (`quic`). What comes over HTTPS is the edge's, which is given a function
//! ([`Handle::over_https`]). All of them call the same function on the same immutable snapshot, with the same rate limit ([`gate`]) and cookies ([`cookie`]). What
//! is missing here on purpose: a queue between reading and answering, a lock, a task for each packet.

pub mod cookie;
pub mod encrypted;
pub mod gate;
pub mod respond;
pub mod settings;
pub mod stats;

mod additional;
mod ahead;
mod answers;
mod batch;
mod census;
mod chaos;
mod framing;
mod launch;
mod quic;
mod seats;
mod sections;
mod sockets;
mod tcp;
mod tls;
mod udp;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;

use answers::{Answers, Respond};
use census::Census;
use cookie::Cookies;
use gate::Gate;
use respond::respond;
pub use settings::Settings;
pub use sockets::{Sockets, StartFault};
use stats::{Networks, Report, Stats, Totals};

use crate::store::Snapshot;

/// One moment, read once for all the packets of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970, modulo 2^32: the time of cookies and signatures.
    pub unix_seconds: u32,
    /// Microseconds since the process looked at the clock first; never goes back.
    pub micros: u64,
}

impl Moment {
    /// The present.
    pub fn now() -> Self {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { unix_seconds: unix.as_secs() as u32, micros: micros() }
    }

    /// Microseconds from then to now.
    pub(super) fn micros_since(self) -> u64 {
        micros().saturating_sub(self.micros)
    }
}

/// Microseconds since the process looked at the clock first.
fn micros() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_micros() as u64
}

/// How a query came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In a datagram: the source address may be forged, and the reply has to be small.
    Udp,
    /// On a connection: the client is where it says it is, and the reply may be 65,535 octets long.
    Tcp,
    /// The same over TLS (RFC 7858).
    Tls,
    /// As a request of HTTP, over TLS (RFC 8484).
    Https,
    /// On a stream of its own within a connection (RFC 9250).
    Quic,
}

impl Transport {
    /// Whether nobody on the way can read along.
    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::Tls | Self::Https | Self::Quic)
    }

    /// Whether it has connections of which the keepalive option speaks (RFC 7828): QUIC has its own means (RFC 9250, section
    /// 5.5.2), and those of HTTPS are none of DNS's.
    fn is_ours_to_keep(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Https => "HTTPS",
            Self::Quic => "QUIC",
        })
    }
}

/// Who asks, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The address the query came from.
    pub address: IpAddr,
    /// How it came.
    pub transport: Transport,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This many octets of the buffer are the reply.
    Reply(usize),
    /// There is no reply.
    Silence,
}

/// What every answer follows; made once from the [`Settings`].
pub struct Policy {
    /// The rate limit.
    pub gate: Gate,
    /// Cookies, when they are switched on.
    pub cookies: Option<Cookies>,
    /// Octets of the largest reply over UDP.
    pub udp_reply_size_max: u16,
    /// What to say in NSID and `id.server`.
    pub identity: Option<Box<[u8]>>,
    /// What to say to `version.bind`.
    pub version: Option<Box<[u8]>>,
    /// Of TCP, TLS and QUIC: connections of the one never stand in the way of the others.
    censuses: [Census; 3],
}

impl Policy {
    /// `secret`: for the cookies; the same on all servers that share an address (RFC 9018, section 5).
    pub fn new(settings: &Settings, secret: &[u8; 16]) -> Self {
        let octets = |text: &Option<String>| text.as_deref().map(|text| text.as_bytes().into());
        Self {
            gate: Gate::new(&settings.rate_limit),
            cookies: settings.cookies.then(|| Cookies::new(secret)),
            udp_reply_size_max: settings.udp_reply_size_max,
            identity: octets(&settings.identity),
            version: octets(&settings.version),
            censuses: std::array::from_fn(|_| Census::new(settings)),
        }
    }

    /// Who has connections. Datagrams have none, and those of HTTPS are the edge's: nobody asks.
    fn census(&self, transport: Transport) -> &Census {
        match transport {
            Transport::Udp | Transport::Tcp | Transport::Https => &self.censuses[0],
            Transport::Tls => &self.censuses[1],
            Transport::Quic => &self.censuses[2],
        }
    }

    /// How long an idle connection is kept at present: for the keepalive option (RFC 7828).
    pub fn idle(&self, transport: Transport) -> Duration {
        self.census(transport).idle()
    }
}

/// Answers a message from an address into a buffer of 65,535 octets: the length of the reply, or none if there is none.
pub type Answer = dyn FnMut(&[u8], IpAddr, &mut [u8]) -> Option<usize>;
/// Makes an [`Answer`] for one more thread.
pub type OverHttps = dyn Fn() -> Box<Answer> + Send + Sync;

/// Starts to answer on bound sockets. The settings have to be sound ([`Settings::check`]).
pub fn start(
    sockets: Sockets,
    settings: &Settings,
    cookie_secret: &[u8; 16],
    snapshots: Arc<ArcSwap<Snapshot>>,
) -> Result<Handle, StartFault> {
    start_with(respond, sockets, settings, cookie_secret, snapshots).map_err(StartFault::Prepare)
}

fn start_with(
    respond: Respond,
    sockets: Sockets,
    settings: &Settings,
    cookie_secret: &[u8; 16],
    snapshots: Arc<ArcSwap<Snapshot>>,
) -> io::Result<Handle> {
    let policy = Arc::new(Policy::new(settings, cookie_secret));
    let handle = Handle {
        addresses: sockets.addresses(),
        tls: sockets.tls_addresses(),
        quic: sockets.quic_addresses()?,
        meter: Meter { threads: Arc::default(), policy },
        respond,
        snapshots,
        stop: Arc::new(AtomicBool::new(false)),
        stop_streams: tls::Stop::new(),
        threads: Vec::new(),
    };
    launch::launch(handle, sockets, settings)
}

/// The counters of all threads.
#[derive(Default)]
struct Threads {
    udp: Vec<Arc<Stats>>,
    tcp: Vec<Arc<Stats>>,
    tls: Vec<Arc<Stats>>,
    https: Vec<Arc<Stats>>,
    quic: Vec<Arc<Stats>>,
}

/// Where to read what a name server counts, now and after its end.
#[derive(Clone)]
pub struct Meter {
    /// The lock is taken when a thread begins and when somebody wants to know, never for a query.
    threads: Arc<Mutex<Threads>>,
    policy: Arc<Policy>,
}

impl Meter {
    /// What was counted so far.
    pub fn report(&self) -> Report {
        let sum = |threads: &[Arc<Stats>]| Totals::sum(threads.iter().map(|stats| &**stats));
        let threads = self.lock();
        Report {
            udp: sum(&threads.udp),
            tcp: sum(&threads.tcp),
            tls: sum(&threads.tls),
            https: sum(&threads.https),
            quic: sum(&threads.quic),
        }
    }

    /// The counters of one more thread.
    fn thread(&self, transport: Transport) -> Arc<Stats> {
        let stats = Arc::<Stats>::default();
        let mut threads = self.lock();
        let list = match transport {
            Transport::Udp => &mut threads.udp,
            Transport::Tcp => &mut threads.tcp,
            Transport::Tls => &mut threads.tls,
            Transport::Https => &mut threads.https,
            Transport::Quic => &mut threads.quic,
        };
        list.push(Arc::clone(&stats));
        stats
    }

    /// No step under the lock can fail and leave something half done.
    fn lock(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the rate limit remembers. It looks through a table of half a megabyte: not to be asked without pause.
    pub fn networks(&self) -> Networks {
        self.policy.gate.networks(Moment::now())
    }
}

/// A name server that runs. Dropping it stops it as well.
pub struct Handle {
    addresses: Vec<SocketAddr>,
    tls: Vec<SocketAddr>,
    quic: Vec<SocketAddr>,
    meter: Meter,
    respond: Respond,
    snapshots: Arc<ArcSwap<Snapshot>>,
    stop: Arc<AtomicBool>,
    stop_streams: tls::Stop,
    threads: Vec<JoinHandle<()>>,
}

impl Handle {
    /// The addresses it answers on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The addresses it answers on over TLS.
    pub fn tls_addresses(&self) -> &[SocketAddr] {
        &self.tls
    }

    /// The addresses it answers on over QUIC.
    pub fn quic_addresses(&self) -> &[SocketAddr] {
        &self.quic
    }

    /// What makes for each thread of another folder's the means to answer messages that came over HTTPS.
    pub fn over_https(&self) -> Arc<OverHttps> {
        let (respond, snapshots, meter) = (self.respond, Arc::clone(&self.snapshots), self.meter.clone());
        Arc::new(move || {
            let stats = meter.thread(Transport::Https);
            let mut answers = Answers::new(respond, Arc::clone(&snapshots), Arc::clone(&meter.policy), stats);
            Box::new(move |message, address, reply| {
                answers.one(message, Peer { address, transport: Transport::Https }, reply)
            })
        })
    }

    /// The way to answers of one more thread.
    fn answers(&self, transport: Transport) -> Answers {
        let stats = self.meter.thread(transport);
        Answers::new(self.respond, Arc::clone(&self.snapshots), Arc::clone(&self.meter.policy), stats)
    }

    /// Where to read what it counts.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// What it has counted so far.
    pub fn stats(&self) -> Report {
        self.meter.report()
    }

    /// Stops: no new connection is accepted, what was read is answered, connections are closed, and all threads
    /// have ended when this returns, which is within a second.
    pub fn stop(mut self) -> Report {
        self.end();
        self.stats()
    }

    fn spawn(&mut self, name: String, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(thread::Builder::new().name(name).spawn(work)?);
        Ok(())
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.stop_streams.stop();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a DNS thread had ended in a panic. This is a bug: please report it");
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use socket2::{Domain, SockRef, Socket, Type};

    use super::*;

    /// Gives back what it gets, but for what begins with an exclamation mark.
    fn explosive(packet: &[u8], _: Peer, _: Moment, _: &Snapshot, _: &Policy, _: &Stats, reply: &mut [u8]) -> Verdict {
        assert!(!packet.starts_with(b"!"), "on purpose");
        reply[..packet.len()].copy_from_slice(packet);
        Verdict::Reply(packet.len())
    }

    #[test]
    fn a_panic_ends_one_query_and_neither_its_neighbours_nor_the_thread() {
        let settings = Settings { listen: vec!["127.0.0.1:0".parse().unwrap()], workers: 1, ..Settings::default() };
        let sockets = Sockets::bind(&settings).unwrap();
        let snapshots = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
        let handle = start_with(explosive, sockets, &settings, &[0; 16], snapshots).unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        for packet in ["!1", "one", "!2", "!3", "two"] {
            udp.send_to(packet.as_bytes(), handle.addresses()[0]).unwrap();
        }
        for expected in [b"one", b"two"] {
            let mut reply = [0; 3];
            assert_eq!((udp.recv(&mut reply).unwrap(), &reply), (3, expected));
        }
        let mut tcp = TcpStream::connect(handle.addresses()[0]).unwrap();
        tcp.write_all(b"\0\x02!1\0\x03one\0\x02!2\0\x03two").unwrap();
        let mut replies = [0; 10];
        tcp.read_exact(&mut replies).unwrap();
        assert_eq!(&replies, b"\0\x03one\0\x03two");
        let report = handle.stop();
        assert_eq!((report.udp.panics, report.tcp.panics), (3, 2));
    }

    /// Says much.
    fn verbose(_: &[u8], _: Peer, _: Moment, _: &Snapshot, _: &Policy, _: &Stats, _: &mut [u8]) -> Verdict {
        Verdict::Reply(60_000)
    }

    #[test]
    fn a_client_that_reads_late_but_in_time_gets_everything_and_may_stay() {
        let limit = Duration::from_millis(800);
        let tcp = settings::Tcp { write: limit, ..settings::Tcp::default() };
        let settings = Settings { workers: 1, tcp, ..Settings::default() };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        SockRef::from(&listener).set_send_buffer_size(4_096).unwrap();
        let sockets = Sockets::adopt(Vec::new(), vec![listener]).unwrap();
        let snapshots = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
        let handle = start_with(verbose, sockets, &settings, &[0; 16], snapshots).unwrap();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        socket.connect(&handle.addresses()[0].into()).unwrap();
        let mut client = TcpStream::from(socket);
        for _ in 0..2 {
            client.write_all(b"\0\x01?").unwrap();
            thread::sleep(limit / 4); // late, but in time
            client.read_exact(&mut [0; 60_002]).unwrap();
            thread::sleep(limit * 2); // the limit for reading is none for what comes after
        }
        assert_eq!(handle.stop().tcp.timed_out, 0);
    }

    #[test]
    fn moments_do_not_go_back() {
        let moments: Vec<_> = (0..1_000).map(|_| Moment::now().micros).collect();
        assert!(moments.is_sorted());
    }
}
