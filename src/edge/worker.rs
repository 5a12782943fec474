//! One thread of the edge: its listeners, its connections, its pools of connections to apps. Threads share the snapshot
//! and nothing else that a request touches.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use hyper::header::HeaderValue;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::ChallengeAnswer;
use super::announced;
use super::balance::{Groups, Key, Turn};
use super::cache::Cache;
use super::census::Census;
use super::client::{Client, Place};
use super::compress;
use super::connection;
use super::direct::Date;
use super::dns::{DnsOverHttps, Queries};
use super::health::Board;
use super::http3::Entrance;
use super::log::{AccessLog, Lines};
use super::passage;
use super::random::Random;
use super::rules;
use super::settings::Settings;
use super::stats::{RouteStats, Stats, ThreadStats};
use super::stream::Stream;
use super::tls::{Mishap, Outcome, Spoken, Tls};
use super::upstream::Apps;
use super::watch::{TICK, Tick, Watch};
use crate::route::Route;
use crate::store::Snapshot;

/// How long no connection is accepted after the kernel could not hand one over: at 100 tries a second, each of which
/// frees a descriptor, an edge that has run out of them still serves newcomers.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
/// How long a silent client is believed to be there before the kernel asks.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// How long octets may stay unacknowledged until the kernel gives a client up.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(90);
/// Ticks between two looks for routes that are gone.
const SWEEP: Tick = 240;
/// Ticks between two looks for routes that nobody asked for meanwhile: ten minutes.
const FORGET: Tick = 2_400;
/// How often it is looked whether all connections are over when the edge stops.
const DRAIN_STEP: Duration = Duration::from_millis(10);

/// What all threads are given.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) settings: Arc<Settings>,
    pub(super) snapshots: Arc<ArcSwap<Snapshot>>,
    pub(super) tls: Arc<Tls>,
    pub(super) challenge: Arc<ChallengeAnswer>,
    pub(super) census: Arc<Census>,
    pub(super) log: Arc<AccessLog>,
    /// Answers that are kept.
    pub(super) cache: Cache,
    pub(super) rules: Arc<rules::Memory>,
    /// The port that browsers are sent to; `None` if HTTPS is not served.
    pub(super) https_port: Option<u16>,
    /// How this process calls itself in `Via`: nobody else calls itself so.
    pub(super) mark: Arc<str>,
    /// What it puts into `Via` for requests over HTTP/1.1, over HTTP/2 and over HTTP/3.
    pub(super) via: [HeaderValue; 3],
    /// What clients that may come over HTTP/3 are told (RFC 7838); none if it is not served.
    pub(super) http3_offer: Option<HeaderValue>,
    /// DNS over HTTPS, if it is served.
    pub(super) dns: Option<DnsOverHttps>,
    /// The health of apps.
    pub(super) board: Arc<Board>,
}

/// A listener of one thread.
pub(super) enum Ear {
    /// Of plain HTTP.
    Plain(StdListener),
    /// Of HTTPS.
    Secure(StdListener),
    /// Of HTTP/3.
    Quic(UdpSocket),
}

/// A listener that is served.
enum Listening {
    Tcp(JoinHandle<()>),
    Quic(Entrance),
}

/// When to stop: at once when the patience is over, before that as soon as nothing is under way. `None`: not yet.
pub(super) type Stop = Option<Instant>;

/// One thread.
pub(super) struct Worker {
    pub(super) shared: Shared,
    pub(super) watch: Watch,
    pub(super) apps: Apps,
    pub(super) groups: Groups,
    counted: Arc<ThreadStats>,
    /// Those of `counted` that this thread has met.
    routes: RefCell<HashMap<Box<str>, Arc<RouteStats>>>,
    pub(super) random: Random,
    pub(super) queries: Option<Queries>,
    pub(super) log: Lines,
    pub(super) date: Date,
    pub(super) compressing: compress::Streams,
    /// Fetches for the cache that nobody waits for.
    pub(super) refreshing: Cell<usize>,
    /// Whether the edge is about to stop.
    pub(super) stopping: Cell<bool>,
}

/// Serves until it is told to stop. Says through `ready` whether it began.
pub(super) fn serve(
    shared: Shared,
    counted: Arc<ThreadStats>,
    ears: Vec<Ear>,
    mut stop: watch::Receiver<Stop>,
    ready: &SyncSender<io::Result<()>>,
) {
    let started = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    let runtime = match started {
        Ok(runtime) => runtime,
        Err(fault) => return drop(ready.send(Err(fault))),
    };
    runtime.block_on(async {
        let worker = match Worker::new(shared, counted) {
            Ok(worker) => Rc::new(worker),
            Err(fault) => return drop(ready.send(Err(fault))),
        };
        let listening: io::Result<Vec<_>> = ears.into_iter().map(|ear| worker.listen(ear)).collect();
        let listening = match listening {
            Ok(listening) => listening,
            Err(fault) => return drop(ready.send(Err(fault))),
        };
        let ticking = spawn_local(Rc::clone(&worker).tick());
        let _ = ready.send(Ok(()));
        let patience = stop.wait_for(Option::is_some).await.map_or(None, |until| *until);
        listening.iter().for_each(Listening::shut);
        worker.stop(patience.unwrap_or_else(Instant::now)).await;
        for listening in listening {
            listening.close().await;
        }
        ticking.abort();
    });
}

impl Listening {
    /// Lets nobody in any more.
    fn shut(&self) {
        match self {
            Self::Tcp(accepting) => accepting.abort(),
            Self::Quic(entrance) => entrance.shut(),
        }
    }

    /// Lets what was said leave.
    async fn close(self) {
        match self {
            Self::Tcp(_) => (),
            Self::Quic(entrance) => entrance.close().await,
        }
    }
}

impl Worker {
    fn new(shared: Shared, counted: Arc<ThreadStats>) -> io::Result<Self> {
        let apps = Apps::new(shared.settings.apps.clone()).map_err(io::Error::other)?;
        let random = Random::new()?;
        let groups = Groups::new(Arc::clone(&shared.board), Random::new()?);
        let log = Lines::new(Arc::clone(&shared.log));
        let queries = shared.dns.clone().map(Queries::new);
        Ok(Self {
            shared,
            watch: Watch::default(),
            apps,
            groups,
            counted,
            routes: RefCell::default(),
            random,
            queries,
            log,
            date: Date::default(),
            compressing: compress::Streams::default(),
            refreshing: Cell::new(0),
            stopping: Cell::new(false),
        })
    }

    /// What this thread counts.
    pub(super) fn stats(&self) -> &Stats {
        &self.counted.all
    }

    /// The counters of a route, by [`crate::route::Route::id`].
    pub(super) fn route_stats(&self, id: &str) -> Option<Arc<RouteStats>> {
        if let Some(stats) = self.routes.borrow().get(id) {
            return Some(Arc::clone(stats));
        }
        let stats = self.counted.route(id)?;
        self.routes.borrow_mut().insert(id.into(), Arc::clone(&stats));
        Some(stats)
    }

    /// Begins to ask the apps of a route, for a request that is recognized by this.
    pub(super) fn turn(&self, route: &Arc<Route>, key: Key) -> Turn {
        self.groups.turn(route, key, &self.apps)
    }

    /// How long a connection may be idle at present.
    pub(super) fn idle_limit(&self) -> Duration {
        self.shared.settings.clients.idle / self.shared.census.haste()
    }

    //----- Accepting -----------------------------------------------------------------------------------------

    fn listen(self: &Rc<Self>, ear: Ear) -> io::Result<Listening> {
        let (listener, secure) = match ear {
            Ear::Plain(listener) => (listener, false),
            Ear::Secure(listener) => (listener, true),
            Ear::Quic(socket) => return Entrance::open(self, socket).map(Listening::Quic),
        };
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        Ok(Listening::Tcp(spawn_local(Rc::clone(self).accept(listener, secure))))
    }

    async fn accept(self: Rc<Self>, listener: TcpListener, secure: bool) {
        let local = listener.local_addr().unwrap_or(SocketAddr::from(([0; 4], 0)));
        loop {
            match listener.accept().await {
                Ok((stream, address)) => self.admit(stream, (address, local), secure),
                Err(fault) if is_of_the_client(&fault) => (),
                Err(_) => {
                    self.stats().accept_failed.add(1);
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(self: &Rc<Self>, stream: TcpStream, (address, local): (SocketAddr, SocketAddr), secure: bool) {
        let Some(place) = Place::take(self, address, local) else { return };
        prepare(&stream);
        if self.shared.settings.is_announced(address.ip().to_canonical()) {
            let worker = Rc::clone(self);
            spawn_local(async move { worker.hear_out(stream, place, local, secure).await });
        } else {
            self.welcome(stream, place, secure);
        }
    }

    fn welcome(self: &Rc<Self>, stream: TcpStream, place: Place, secure: bool) {
        let worker = Rc::clone(self);
        if secure {
            spawn_local(async move { worker.shake_hands(stream, place).await });
        } else {
            spawn_local(connection::serve(Stream::Plain(stream), Client::new(self, place, None)));
        }
    }

    /// Hears from a proxy whose connection it is, before anything else is said on it.
    async fn hear_out(self: Rc<Self>, mut stream: TcpStream, place: Place, local: SocketAddr, secure: bool) {
        let told = timeout(self.shared.settings.clients.handshake, announced::read(&mut stream)).await;
        let place = match told {
            Ok(Ok(None)) => Some(place),
            Ok(Ok(Some(address))) => {
                drop(place);
                Place::take(&self, address, local)
            }
            Ok(Err(_)) => return self.stats().misbehaved.add(1),
            Err(_) => return self.stats().timed_out.add(1),
        };
        if let Some(place) = place {
            self.welcome(stream, place, secure);
        }
    }

    async fn shake_hands(self: Rc<Self>, stream: TcpStream, place: Place) {
        let stats = self.stats();
        let outcome = timeout(self.shared.settings.clients.handshake, self.shared.tls.accept(stream)).await;
        match outcome {
            Ok(Outcome::Agreed(stream, secure)) => {
                stats.handshakes.add(1);
                stats.resumed.add(secure.resumed.into());
                stats.http2.add((secure.spoken == Spoken::Http2).into());
                // A task of its own: this one is as large as a handshake needs it to be.
                spawn_local(connection::serve(Stream::Tls(stream), Client::new(&self, place, Some(secure))));
            }
            Ok(Outcome::Passed(passed)) => drop(spawn_local(passage::serve(Rc::clone(&self), place, passed))),
            Ok(Outcome::Proven) => stats.handshakes.add(1),
            Ok(Outcome::NameUnknown) => stats.names_unknown.add(1),
            Ok(Outcome::Failed(mishap)) => {
                stats.handshakes_failed.add(1);
                match mishap {
                    Mishap::Garbled => stats.handshakes_garbled.add(1),
                    Mishap::Unmatched => stats.handshakes_unmatched.add(1),
                    Mishap::Rejected => stats.handshakes_rejected.add(1),
                    Mishap::Left => stats.handshakes_left.add(1),
                    Mishap::Other => (),
                }
            }
            Err(_) => {
                stats.handshakes_failed.add(1);
                stats.handshakes_slow.add(1);
                stats.timed_out.add(1);
            }
        }
    }

    //----- The clock -----------------------------------------------------------------------------------------

    async fn tick(self: Rc<Self>) {
        let mut clock = interval(TICK);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            clock.tick().await;
            // What is wrong with one connection must not stop the clock for all others.
            if catch_unwind(AssertUnwindSafe(|| self.watch.tick())).is_err() {
                self.stats().panics.add(1);
            }
            self.apps.sweep(self.watch.now());
            self.groups.sweep(self.watch.now().is_multiple_of(FORGET));
            self.log.flush(self.stats());
            if self.watch.now().is_multiple_of(SWEEP) {
                let snapshot = self.shared.snapshots.load();
                self.counted.keep_routes(|id| snapshot.routes.get(id).is_some());
                self.routes.borrow_mut().retain(|id, _| snapshot.routes.get(id).is_some());
            }
        }
    }

    async fn stop(&self, until: Instant) {
        self.stopping.set(true);
        self.watch.tick();
        while self.stats().connections.read() != self.stats().closed.read() && Instant::now() < until {
            sleep(DRAIN_STEP).await;
        }
        self.log.flush(self.stats());
    }
}

/// What a client can bring about on its own is no reason to pause.
fn is_of_the_client(fault: &io::Error) -> bool {
    matches!(
        fault.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

/// None of this is needed to serve; where the kernel refuses, it is done without.
fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let socket = SockRef::from(stream);
    let _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 4));
    let _ = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
}
