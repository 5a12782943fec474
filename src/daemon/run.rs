//! From start to stop: store, sockets, ready, signals, and the same backwards.

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;

use super::admin::{self, Admin};
use super::edge::{Edge, Parts};
use super::logging::{self, Log};
use super::passed::{self, Passed};
use super::settings::{self, Chosen, Loaded, Settings};
use super::{Failure, Hands, authority, descriptors, develop, encrypted, pack, secret, systemd};
use crate::acme;
use crate::api::{self, FirstToken, system_reason};
use crate::dns;
use crate::store::{self, Actor, OpenFault, Store};

/// How long a stop may take.
const STOP_TIME_MAX: Duration = Duration::from_secs(9);

/// How long a data directory may be in use when the server starts: by the server before it, which ends, or by a command.
const LOCK_TIME_MAX: Duration = Duration::from_secs(5);
/// How often it is tried again.
const LOCK_STEP: Duration = Duration::from_millis(50);

/// Runs the server until it is told to stop.
pub(super) fn run(chosen: &Chosen, loaded: Loaded, hands: Hands) -> Result<(), Failure> {
    let log = logging::start(loaded.settings.log);
    let passed = passed::take()?; // before there are threads
    descriptors::allow_many();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|fault| Failure::new(format!("the server cannot start: {}", system_reason(&fault)), ""))?;
    let result = runtime.block_on(live(chosen, loaded, hands, log, passed));
    // Whatever still runs was given its time; it must not keep the process from ending.
    runtime.shutdown_background();
    result
}

async fn live(chosen: &Chosen, loaded: Loaded, hands: Hands, mut log: Log, passed: Passed) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(|fault| Failure::new(format!("no signals: {fault}"), ""))?;
    let server = Server::start(&loaded, hands, passed).await?;
    let signal = {
        let mut watch = pin!(systemd::watch(&server.dns, &server.store));
        let mut packing = pin!(pack::keep(&server.store, hands.pack));
        loop {
            let told = tokio::select! {
                told = signals.next() => told,
                never = &mut watch => match never {},
                never = &mut packing => match never {},
            };
            match told {
                Told::Reload => {
                    systemd::reloading();
                    reload(chosen, &loaded, &mut log);
                    systemd::reloaded();
                }
                Told::Stop(name) => break name,
            }
        }
    };
    tracing::info!(signal, "stopping");
    systemd::stopping();
    tokio::select! {
        result = server.stop() => result,
        () = signals.stop() => Err(Failure::new("stopped at once, by a second signal", "")),
        () = tokio::time::sleep(STOP_TIME_MAX) => Err(Failure::new("stopping took too long and was cut short", "")),
    }
}

/// The server's parts, in the order of their start.
struct Server {
    store: Arc<Store>,
    dns: dns::Handle,
    acme: acme::Handle,
    edge: Option<Edge>,
    admin: Admin,
}

impl Server {
    async fn start(loaded: &Loaded, hands: Hands, passed: Passed) -> Result<Self, Failure> {
        let settings = &loaded.settings;
        let development = loaded.file.is_none();
        let store = open_store(settings, development, hands).await?;
        let names = encrypted::names(settings);
        if !names.is_empty() {
            authority::of(&store, &settings.store.directory, authority::now()).await?;
        }
        let bound = (passed.dns, passed.tls, passed.quic);
        let (dns, unencrypted) = start_dns(settings, &store, bound, development)?;
        let acme = acme::start(Arc::clone(&store), settings.acme.clone(), names.clone());
        let over_https = encrypted::over_https(settings, &dns);
        let parts = Parts { store: &store, answers: acme.answers(), development, dns: over_https, passed: passed.edge };
        let (edge, trouble) = match Edge::start(settings, parts).await {
            Ok(edge) => (edge, None),
            // Whoever develops wants the rest meanwhile.
            Err(failure) if development => (None, Some(failure)),
            Err(failure) => return Err(failure),
        };
        if trouble.is_none() {
            encrypted::check_edge(settings, edge.is_some())?;
        }
        encrypted::certified(&store, &names).await;
        let told = admin::Parts { dns: &dns, acme: &acme, edge: edge.as_ref() };
        let admin = Admin::start(settings, &store, told, passed.admin).await?;
        systemd::ready(&dns).await?;
        let snapshot = store.snapshot();
        let records = snapshot.zones.record_count();
        if development {
            // Standard output may be closed; the server serves all the same.
            let web = develop::Web { edge: edge.as_ref(), trouble: trouble.as_ref() };
            let names = develop::Names { dns: &dns, trouble: unencrypted.as_ref() };
            let _ = develop::greet(&snapshot, settings, &names, &web, &admin.places, &hands);
        } else {
            let addresses: Vec<String> = dns.addresses().iter().map(ToString::to_string).collect();
            let (zones, addresses) = (snapshot.zones.len(), addresses.join(" "));
            let admin = admin.places.tell();
            tracing::info!(version = env!("CARGO_PKG_VERSION"), zones, records, addresses, admin, "ready");
        }
        Ok(Self { store, dns, acme, edge, admin })
    }

    /// No new changes, everything on the disk, and only then no more answers: so the next process, which needs both
    /// the directory and, if systemd holds them, the sockets, is waited for only from then on.
    async fn stop(self) -> Result<(), Failure> {
        let Self { store, dns, acme, edge, admin } = self;
        admin.stop().await;
        acme.stop().await;
        if let Some(edge) = edge {
            edge.stop().await;
        }
        let closed = spawn_blocking(move || {
            store.close();
            dns.stop()
        });
        match closed.await {
            Ok(_totals) => {
                tracing::info!("stopped");
                Ok(())
            }
            Err(fault) => Err(Failure::new(format!("stopping broke off: {fault}"), "")),
        }
    }
}

async fn open_store(settings: &Settings, development: bool, hands: Hands) -> Result<Arc<Store>, Failure> {
    let settings = settings.store.clone();
    let opened = spawn_blocking(move || {
        let store = open_patiently(&settings).map_err(|fault| Failure::line(&fault.to_string()))?;
        make_first_token(&store);
        if development {
            develop::import(&store, &hands).map_err(|fault| {
                Failure::new(format!("the sample zones cannot be read: {}", system_reason(&fault)), "look at ./zones")
            })?;
        }
        (hands.loaded)();
        Ok(Arc::new(store))
    });
    opened.await.unwrap_or_else(|fault| Err(Failure::new(format!("opening the store broke off: {fault}"), "")))
}

/// Waits a moment for whoever works on the directory.
fn open_patiently(settings: &store::Settings) -> Result<Store, OpenFault> {
    let until = Instant::now() + LOCK_TIME_MAX;
    let mut told = false;
    loop {
        match Store::open(settings) {
            Err(OpenFault::Locked { directory, process }) if Instant::now() < until => {
                if !told {
                    let (directory, seconds) = (directory.display(), LOCK_TIME_MAX.as_secs());
                    tracing::info!("{directory} is in use by process {process}; it is waited for, {seconds} s at most");
                }
                told = true;
                std::thread::sleep(LOCK_STEP);
            }
            opened => return opened,
        }
    }
}

/// Makes the first token, and says where it is. A server without one is still reached over its socket.
fn make_first_token(store: &Store) {
    match api::first_token(store, Actor::new("server", "")) {
        Ok(FirstToken::Made(file)) => {
            tracing::info!(file = %file.display(), "the first token for the admin API is made; it may do everything");
        }
        Ok(FirstToken::InTheWay(file)) => {
            let file = file.display();
            tracing::warn!(%file, "there is no token, and none is made while this file is there: move it away");
        }
        Ok(FirstToken::Present(_)) => (),
        Err(fault) => tracing::error!(fault = system_reason(&fault), "the first token cannot be made"),
    }
}

/// The name server, and why it does not answer over TLS and QUIC in development mode.
fn start_dns(
    settings: &Settings,
    store: &Store,
    (passed, tls, quic): (Option<dns::Sockets>, Vec<TcpListener>, Vec<UdpSocket>),
    development: bool,
) -> Result<(dns::Handle, Option<Failure>), Failure> {
    let failure = |fault: dns::StartFault| {
        let fault = fault.to_string();
        let (message, cure) = fault.split_once("; ").unwrap_or((&fault, "correct dns.listen"));
        Failure::new(message, format!("{cure}, or say --listen ADDRESS:PORT"))
    };
    let mut sockets = passed.map_or_else(|| dns::Sockets::bind_plain(&settings.dns), Ok).map_err(failure)?;
    let unusable =
        |fault| Failure::new(format!("the sockets from systemd cannot be used: {fault}"), "look at their units");
    sockets.adopt_encrypted(tls, quic).map_err(unusable)?;
    let unencrypted = encrypted::bind(&mut sockets, settings, development)?;
    let cookie_secret = secret::cookie_secret(&settings.store.directory)
        .map_err(|fault| Failure::new(format!("the system gives no random numbers: {fault}"), ""))?;
    let dns = dns::start(sockets, &settings.dns, &cookie_secret, store.snapshots()).map_err(failure)?;
    Ok((dns, unencrypted))
}

/// Reads the settings again, applies what can be applied while queries are answered, and says what waits for a
/// restart.
fn reload(chosen: &Chosen, started: &Loaded, log: &mut Log) {
    let new = match settings::load(chosen) {
        Ok(new) => new,
        Err(bad) => {
            tracing::error!("the settings were read again and are no good; everything stays as it is\n{bad}");
            return;
        }
    };
    let applied = if log.turn_to(new.settings.log.level) { LOG_LEVEL } else { "" };
    let mut restart = new.different_from(started);
    restart.retain(|key| key != LOG_LEVEL);
    let restart = restart.join(" ");
    match (applied, restart.as_str()) {
        ("", "") => tracing::info!("the settings were read again: nothing is different"),
        (_, "") => tracing::info!(applied, "the settings were read again"),
        _ => tracing::warn!(applied, restart, "the settings were read again; some are used only after a restart"),
    }
}

/// The setting that a running server takes over.
const LOG_LEVEL: &str = "log.level";

/// What a signal means.
enum Told {
    Reload,
    Stop(&'static str),
}

/// The signals that a server listens to.
struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.hangup.recv() => Told::Reload,
            _ = self.interrupt.recv() => Told::Stop("SIGINT"),
            _ = self.terminate.recv() => Told::Stop("SIGTERM"),
        }
    }

    /// Waits for a signal to stop.
    async fn stop(&mut self) {
        while let Told::Reload = self.next().await {}
    }
}
