//! HTTPS in front of local apps: names and certificates from the snapshot, requests to apps, files and redirects.
//!
//! [`Sockets::bind`] takes the ports, [`start`] serves them, [`Handle::stop`] ends it. Each thread has listeners, connections
//! and pools of its own (`worker.rs`); of what it needs for a request it shares only the snapshot and what is known of the health
//! of apps (`health/`), which it reads without a lock. A request goes through `proxy.rs`, which is one page.
//!
//! HTTP itself is hyper's, but for HTTP/3 (`http3/`); what hyper lets through and a front door should not is refused before (`strict.rs`) and
//! after it (`admit.rs`, `headers.rs`). Nothing here knows how a certificate came about or who made a route.

pub mod addresses;
mod admit;
mod announced;
mod answer;
mod balance;
mod cache;
mod census;
mod client;
mod compress;
mod connection;
mod direct;
mod dns;
mod either;
mod exchange;
mod failure;
mod files;
mod forward;
mod forwarded;
mod headers;
mod health;
mod http3;
mod inflow;
mod log;
mod pages;
mod passage;
mod proxy;
mod quiet;
mod random;
mod redirect;
mod rules;
pub mod settings;
mod sockets;
pub mod stats;
mod stream;
mod strict;
mod tls;
mod tunnel;
mod upgrade;
mod upstream;
pub mod visit;
mod watch;
mod worker;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use hyper::header::HeaderValue;
use tokio::sync::watch::Sender;

pub use cache::{Cache, Purge};
use census::Census;
pub use dns::{DnsAnswer, DnsOverHttps};
use health::Checker;
pub use health::{AppHealth, AppReport, Board};
use log::AccessLog;
pub use settings::Settings;
pub use sockets::{Sockets, StartFault};
use stats::{RouteTotals, ThreadStats, Totals};
use tls::Tls;
pub use tls::{ChallengeCertificate, TicketKeys};
use worker::{Ear, Shared, Stop};

use crate::store::Snapshot;

/// The answer to a CA's HTTP-01 challenge for a host and a token, while there is one.
pub type ChallengeAnswer = dyn Fn(&str, &str) -> Option<String> + Send + Sync;

/// What the edge is told by others, and asks them for.
pub struct Sources {
    /// Routes and certificates.
    pub snapshots: Arc<ArcSwap<Snapshot>>,
    /// Answers to HTTP-01 challenges.
    pub challenge_answer: Arc<ChallengeAnswer>,
    /// Certificates of TLS-ALPN-01 challenges.
    pub challenge_certificate: Arc<ChallengeCertificate>,
    /// The keys of session tickets to begin with; see [`Handle::put_ticket_keys`].
    pub ticket_keys: TicketKeys,
    /// DNS over HTTPS, if it is served.
    pub dns: Option<DnsOverHttps>,
}

/// Starts to serve on bound sockets. The settings have to be sound ([`Settings::check`]).
pub fn start(sockets: Sockets, settings: &Settings, sources: Sources) -> Result<Handle, StartFault> {
    let prepare = |fault: io::Error| StartFault::Prepare(fault.to_string());
    let (http, https, http3) = (sockets.http_addresses(), sockets.https_addresses(), sockets.http3_addresses());
    let shared = share(settings, sources, [&https, &http3].map(|places| places.first().map(SocketAddr::port)))?;
    let ears = deal(sockets, settings.worker_count()).map_err(prepare)?;
    let count = ears.len();
    let mut handle = Handle {
        http,
        https,
        http3,
        tls: Arc::clone(&shared.tls),
        cache: shared.cache.clone(),
        meter: Meter((0..count).map(|_| Arc::default()).collect()),
        board: Arc::clone(&shared.board),
        _checker: Checker::start(Arc::clone(&shared.snapshots), Arc::clone(&shared.board)).map_err(prepare)?,
        stop: Sender::new(None),
        threads: Vec::with_capacity(count),
    };
    let (ready, started) = sync_channel(count);
    for (number, ears) in ears.into_iter().enumerate() {
        let (shared, counted) = (shared.clone(), Arc::clone(&handle.meter.0[number]));
        let (ready, stop) = (ready.clone(), handle.stop.subscribe());
        let work = move || worker::serve(shared, counted, ears, stop, &ready);
        handle.threads.push(thread::Builder::new().name(format!("edge {number}")).spawn(work).map_err(prepare)?);
    }
    drop(ready);
    started.iter().take(count).collect::<io::Result<()>>().map_err(prepare)?;
    Ok(handle)
}

/// What threads share. HTTPS and HTTP/3 are served at these ports, if they are.
fn share(
    settings: &Settings,
    sources: Sources,
    [https_port, http3_port]: [Option<u16>; 2],
) -> Result<Shared, StartFault> {
    let Sources { snapshots, challenge_answer, challenge_certificate, ticket_keys, dns } = sources;
    let tls =
        Tls::new(Arc::clone(&snapshots), challenge_certificate, &ticket_keys, settings.default_server_name.clone())
            .map_err(|fault| StartFault::Prepare(fault.to_string()))?;
    let log = AccessLog::open(settings.access_log.clone()).map_err(StartFault::Log)?;
    let random = getrandom::u32().map_err(|fault| StartFault::Prepare(fault.to_string()))?;
    let mark = format!("freehold-{random:08x}");
    let via = |version: &str| {
        HeaderValue::try_from(format!("{version} {mark}")).map_err(|fault| StartFault::Prepare(fault.to_string()))
    };
    let rules = rules::Memory::new().map_err(|fault| StartFault::Prepare(fault.to_string()))?;
    Ok(Shared {
        rules: Arc::new(rules),
        via: [via("1.1")?, via("2.0")?, via("3.0")?],
        http3_offer: http3_port.map(offer).transpose()?,
        mark: mark.into(),
        settings: Arc::new(settings.clone()),
        snapshots,
        tls: Arc::new(tls),
        challenge: challenge_answer,
        census: Arc::new(Census::new(&settings.clients)),
        log: Arc::new(log),
        cache: Cache::new((settings.cache.memory_max as usize) << 20),
        https_port,
        dns,
        board: Arc::default(),
    })
}

/// The word that HTTP/3 is served at this port, good for a day (RFC 7838, section 3).
fn offer(port: u16) -> Result<HeaderValue, StartFault> {
    let text = format!("h3=\":{port}\"; ma=86400");
    HeaderValue::try_from(text).map_err(|fault| StartFault::Prepare(fault.to_string()))
}

/// A listener of each address for each thread, and all of HTTP/3 for one more.
fn deal(sockets: Sockets, count: usize) -> io::Result<Vec<Vec<Ear>>> {
    let mut ears: Vec<Vec<Ear>> = (0..count).map(|_| Vec::new()).collect();
    for (places, secure) in [(sockets.http, false), (sockets.https, true)] {
        for place in places {
            for (number, listener) in place.share(count)?.listeners.into_iter().enumerate() {
                ears[number % count].push(if secure { Ear::Secure(listener) } else { Ear::Plain(listener) });
            }
        }
    }
    if !sockets.http3.is_empty() {
        ears.push(sockets.http3.into_iter().map(Ear::Quic).collect());
    }
    Ok(ears)
}

/// Where to read what an edge counts, now and after its end.
#[derive(Clone, Default)]
pub struct Meter(Arc<[Arc<ThreadStats>]>);

impl Meter {
    /// What was counted so far.
    pub fn totals(&self) -> Totals {
        stats::sum(&self.0)
    }

    /// What was counted so far for each route, by [`crate::route::Route::id`].
    pub fn routes(&self) -> HashMap<Box<str>, RouteTotals> {
        stats::sum_routes(&self.0)
    }
}

/// An edge that runs. Dropping it stops it at once.
pub struct Handle {
    http: Vec<SocketAddr>,
    https: Vec<SocketAddr>,
    http3: Vec<SocketAddr>,
    tls: Arc<Tls>,
    cache: Cache,
    meter: Meter,
    board: Arc<Board>,
    /// Looks at apps for as long as it is there.
    _checker: Checker,
    stop: Sender<Stop>,
    threads: Vec<JoinHandle<()>>,
}

impl Handle {
    /// The addresses it serves plain HTTP on.
    pub fn http_addresses(&self) -> &[SocketAddr] {
        &self.http
    }

    /// The addresses it serves HTTPS on.
    pub fn https_addresses(&self) -> &[SocketAddr] {
        &self.https
    }

    /// The addresses it serves HTTP/3 on.
    pub fn http3_addresses(&self) -> &[SocketAddr] {
        &self.http3
    }

    /// What it has counted so far.
    pub fn stats(&self) -> Totals {
        self.meter.totals()
    }

    /// What it has counted so far for each route, by [`crate::route::Route::id`].
    pub fn route_stats(&self) -> HashMap<Box<str>, RouteTotals> {
        self.meter.routes()
    }

    /// Where to read what it counts.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The answers that it keeps.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// How the apps of routes are.
    pub fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// Other keys for session tickets, from now on ([`TicketKeys::renewed`]).
    pub fn put_ticket_keys(&self, keys: &TicketKeys) {
        self.tls.put_ticket_keys(keys);
    }

    /// Stops: no new connection is accepted, idle ones are closed, requests under way are finished for as long as the
    /// patience lasts, and all threads have ended when this returns.
    pub fn stop(mut self, patience: Duration) -> Totals {
        self.end(patience);
        self.stats()
    }

    fn end(&mut self, patience: Duration) {
        self.stop.send_replace(Some(Instant::now() + patience));
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("an edge thread had ended in a panic. This is a bug: please report it");
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}
