//! An edge with routes and certificates of its own CA.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use freehold::cert::{Authority, Certificate, Certificates, Subject};
use freehold::edge::{self, DnsAnswer, DnsOverHttps, Handle, Settings, Sockets, Sources, TicketKeys};
use freehold::route::{Host, PathPrefix, Route, Routes, Target};
use freehold::store::Snapshot;

/// How long anything may take here; far less is usual.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An edge that runs.
pub(crate) struct Edge {
    pub(crate) handle: Option<Handle>,
    pub(crate) snapshots: Arc<ArcSwap<Snapshot>>,
    authority: Authority,
    /// Holds the root of the CA for tools.
    folder: tempfile::TempDir,
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A route from a line such as `a.test/api` and a target such as `http://127.0.0.1:3000`.
pub(crate) fn route(from: &str, target: &str) -> Route {
    let (host, path) = from.split_at(from.find('/').unwrap_or(from.len()));
    let path = if path.is_empty() { PathPrefix::root() } else { PathPrefix::parse(path).unwrap() };
    let target = match target.split_once(' ') {
        Some(_) => Target::Apps(target.split(' ').map(|app| serde_json::from_value(app.into()).unwrap()).collect()),
        None => Target::parse(target).unwrap(),
    };
    Route::new(Host::parse(host).unwrap(), path, target).unwrap()
}

/// The same with options, such as `{"compress": true}`.
pub(crate) fn route_with(from: &str, target: &str, options: &serde_json::Value) -> Route {
    route(from, target).with_options(serde_json::from_value(options.clone()).unwrap())
}

/// Settings for one thread on free ports of this machine.
pub(crate) fn settings() -> Settings {
    let here: SocketAddr = "127.0.0.1:0".parse().unwrap();
    Settings { listen_http: vec![here.into()], listen_https: vec![here.into()], workers: 1, ..Settings::default() }
}

/// DNS over HTTPS at `https://dns.test/dns-query` that answers a message with itself.
fn echo_of_queries() -> DnsOverHttps {
    let echo = |message: &[u8], _, reply: &mut [u8]| {
        reply[..message.len()].copy_from_slice(message);
        Some(message.len())
    };
    DnsOverHttps {
        host: "dns.test".into(),
        path: "/dns-query".into(),
        answers: Arc::new(move || Box::new(echo) as Box<DnsAnswer>),
    }
}

impl Edge {
    /// An edge with these routes, from and target, on one thread.
    pub(crate) fn start(routes: &[(&str, &str)]) -> Self {
        Self::with(routes.iter().map(|(from, target)| route(from, target)), settings())
    }

    /// An edge with these routes and settings.
    pub(crate) fn with(routes: impl IntoIterator<Item = Route>, settings: Settings) -> Self {
        let tickets = TicketKeys::default().renewed(now()).unwrap();
        Self::with_tickets(routes, settings, Authority::new(now()).unwrap(), tickets)
    }

    /// The same with a CA and ticket keys that were there before.
    pub(crate) fn with_tickets(
        routes: impl IntoIterator<Item = Route>,
        settings: Settings,
        authority: Authority,
        ticket_keys: TicketKeys,
    ) -> Self {
        let routes: Routes = routes.into_iter().map(Arc::new).collect();
        let mut certificates = Certificates::default();
        for route in routes.iter() {
            let subject: Subject = route.host().as_str().parse().unwrap();
            let certificate = authority.issue(&[subject], now(), Duration::from_secs(86_400)).unwrap();
            certificates.insert(Arc::new(certificate));
        }
        let snapshots = Arc::new(ArcSwap::from_pointee(Snapshot { routes, certificates, ..Snapshot::default() }));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("root.pem"), authority.root_pem()).unwrap();
        let challenge = authority.issue(&["challenge.test".parse().unwrap()], now(), Duration::from_secs(60)).unwrap();
        let sources = Sources {
            dns: Some(echo_of_queries()),
            snapshots: Arc::clone(&snapshots),
            challenge_answer: Arc::new(|host, token| (token == "token").then(|| format!("proof for {host}"))),
            challenge_certificate: Arc::new(move |name| challenge.certified().filter(|_| name == "challenge.test")),
            ticket_keys,
        };
        let sockets = Sockets::bind(&settings).unwrap();
        let handle = edge::start(sockets, &settings, sources).unwrap();
        Self { handle: Some(handle), snapshots, authority, folder }
    }

    pub(crate) fn https(&self) -> SocketAddr {
        self.running().https_addresses()[0]
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.running().http_addresses()[0]
    }

    pub(crate) fn running(&self) -> &Handle {
        self.handle.as_ref().unwrap()
    }

    /// The root of the CA as PEM.
    pub(crate) fn root(&self) -> String {
        self.authority.root_pem()
    }

    /// The root of the CA as a file.
    pub(crate) fn root_file(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// Puts a route in or another in its place, as the store would.
    pub(crate) fn put(&self, route: Route) {
        let mut next = Snapshot::clone(&self.snapshots.load());
        next.routes.insert(Arc::new(route));
        self.snapshots.store(Arc::new(next));
    }

    /// A certificate of its CA.
    pub(crate) fn issue(&self, name: &str, now: u64) -> Certificate {
        self.authority.issue(&[name.parse().unwrap()], now, Duration::from_secs(86_400)).unwrap()
    }

    /// Waits until what was counted is as it should be.
    pub(crate) fn until(&self, what: &str, is: impl Fn(&freehold::edge::stats::Totals) -> bool) {
        let begin = Instant::now();
        while !is(&self.running().stats()) {
            assert!(begin.elapsed() < PATIENCE, "never {what}: {:?}", self.running().stats());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it and hands out what another may begin with.
    pub(crate) fn into_authority(mut self) -> Authority {
        self.handle.take().unwrap().stop(Duration::ZERO);
        self.authority
    }
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut is: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is() {
        assert!(begin.elapsed() < PATIENCE, "never {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a tool is here; says so if not.
pub(crate) fn has(tool: &str) -> bool {
    let there = std::env::split_paths(&format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()))
        .any(|folder| folder.join(tool).exists());
    if !there {
        println!("skipped: {tool} is not installed; tests/setup installs it");
    }
    there
}
