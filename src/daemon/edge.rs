//! The edge of the running server: what it is started with, and its end.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};

use super::authority::{self, now};
use super::demo::{self, Demo};
use super::settings::Settings;
use super::tickets::Tickets;
use super::{Failure, demo::HOST};
use crate::acme;
use crate::api::{LiveEdge, system_reason};
use crate::edge::addresses::AddressBoard;
use crate::edge::{self, DnsOverHttps, Sources};
use crate::route::{Host, PathPrefix, Route, Target};
use crate::store::{Actor, Change, EdgeAddresses, Item, Store};

/// How long requests under way may take once the server stops.
const STOP_TIME_MAX: Duration = Duration::from_secs(5);

/// The edge while it runs.
pub(super) struct Edge {
    edge: Arc<edge::Handle>,
    tickets: JoinHandle<()>,
    addresses: Arc<AddressBoard>,
    /// Looks at the addresses, if that is wanted.
    watch: Option<JoinHandle<()>>,
    /// In development mode.
    demo: Option<Demo>,
}

/// What the edge is made of, beside the settings.
pub(super) struct Parts<'a> {
    pub(super) store: &'a Arc<Store>,
    /// What CAs are answered.
    pub(super) answers: Arc<acme::Answers>,
    pub(super) development: bool,
    /// DNS over HTTPS, if it is wanted.
    pub(super) dns: Option<DnsOverHttps>,
    /// What systemd handed over.
    pub(super) passed: Option<edge::Sockets>,
}

impl Edge {
    /// Starts it, if the settings say so.
    pub(super) async fn start(settings: &Settings, parts: Parts<'_>) -> Result<Option<Self>, Failure> {
        let Parts { store, answers, development, dns, passed } = parts;
        let wanted = settings.edge.clone().or_else(|| passed.is_some().then(edge::Settings::default));
        let Some(wanted) = wanted else { return Ok(None) };
        let failure = |fault: edge::StartFault| {
            let fault = fault.to_string();
            let (message, cure) = fault.split_once("; ").unwrap_or((&fault, "correct the section [edge]"));
            Failure::new(message, cure)
        };
        // A port that the kernel has chosen is another one after a restart, and nothing to tell the world.
        let lasting = passed.is_some() || !wanted.listen_https.iter().any(|listen| listen.1 == Some(0));
        if let Some(passed) = &passed {
            check_http3(wanted.http3, !passed.http3_addresses().is_empty())?;
        }
        let sockets = passed.map_or_else(|| edge::Sockets::bind(&wanted), Ok).map_err(failure)?;
        let directory = &settings.store.directory;
        let ports = [sockets.https_addresses(), sockets.http3_addresses()].map(|places| public_port(&places));
        put_addresses(store, &wanted, ports.map(|port| port.filter(|_| lasting))).await;
        let demo = if development { demo(store, directory).await } else { None };
        authority::of(store, directory, now()).await?;
        let tickets = Tickets::open(directory, now());
        let (http, tls) = (Arc::clone(&answers), answers);
        let sources = Sources {
            snapshots: store.snapshots(),
            challenge_answer: Arc::new(move |host, token| http.http(host, token)),
            challenge_certificate: Arc::new(move |name| tls.tls(name)),
            ticket_keys: tickets.keys(),
            dns,
        };
        let edge = Arc::new(edge::start(sockets, &wanted, sources).map_err(failure)?);
        let tickets = tokio::spawn(tickets.keep_fresh(Arc::downgrade(&edge), now));
        let (addresses, watch) = edge::addresses::watch(store, wanted.address_health, ports[0]);
        Ok(Some(Self { edge, tickets, addresses, watch, demo }))
    }

    /// The addresses of HTTPS.
    pub(super) fn https(&self) -> &[SocketAddr] {
        self.edge.https_addresses()
    }

    /// The addresses of HTTP/3.
    pub(super) fn http3(&self) -> &[SocketAddr] {
        self.edge.http3_addresses()
    }

    /// The addresses of plain HTTP.
    pub(super) fn http(&self) -> &[SocketAddr] {
        self.edge.http_addresses()
    }

    /// What the API is told of it.
    pub(super) fn live(&self) -> LiveEdge {
        LiveEdge {
            meter: self.edge.meter().clone(),
            cache: self.edge.cache().clone(),
            https: self.https().to_vec(),
            board: Arc::clone(self.edge.board()),
            addresses: Arc::clone(&self.addresses),
        }
    }

    /// A command that visits the demo app as a stranger would: by our DNS, and trusting nobody but our own CA.
    pub(super) fn visit(&self, dns: SocketAddr, data: &Path) -> Option<String> {
        let (port, root) = (self.https().first()?.port(), authority::root(data));
        let (server, dns_port) = (dns.ip(), dns.port());
        self.demo.as_ref().map(|_| {
            format!(
                "curl --cacert {} --resolve {HOST}:{port}:$(dig +short @{server} -p {dns_port} {HOST}) https://{HOST}:{port}/",
                root.display()
            )
        })
    }

    /// Lets requests under way finish, for a while.
    pub(super) async fn stop(self) {
        let Self { edge, tickets, addresses: _, watch, demo } = self;
        tickets.abort();
        watch.iter().for_each(JoinHandle::abort);
        // The task of the tickets only holds it weakly.
        if let Some(edge) = Arc::into_inner(edge)
            && spawn_blocking(move || edge.stop(STOP_TIME_MAX)).await.is_err()
        {
            tracing::error!("stopping the edge broke off");
        }
        drop(demo); // behind the edge, whose last requests may be for it
    }
}

/// The public addresses, which the records of routes are made of, become what the settings say. Where records made by hand
/// stand in the way, the log says so and the addresses stay as they were: what is served must not end with it.
async fn put_addresses(store: &Store, settings: &edge::Settings, [https, http3]: [Option<u16>; 2]) {
    let addresses = &settings.addresses;
    let ipv4 = addresses.iter().filter_map(|address| match address {
        IpAddr::V4(address) => Some(*address),
        IpAddr::V6(_) => None,
    });
    let ipv6 = addresses.iter().filter_map(|address| match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => Some(*address),
    });
    // A record says one port, for all protocols.
    let wanted = EdgeAddresses::new(ipv4, ipv6).with_https(https).with_http3(http3.is_some() && http3 == https);
    let now = store.snapshot().addresses.clone();
    // What was found before the start counts until it is found otherwise.
    let down = now.iter().flat_map(|now| now.down().iter().copied());
    let wanted = if settings.address_health.check { wanted.with_down(down) } else { wanted };
    if now.as_deref() == Some(&wanted) || (now.is_none() && addresses.is_empty()) {
        return;
    }
    let change = Change::PutItem(Item::Addresses(Arc::new(wanted)));
    if let Err(refused) = store.commit(change, Actor::new("settings", "")).await {
        tracing::error!(%refused, "edge.addresses is not taken; the records of routes stay as they are");
    }
}

/// Sockets that systemd holds and settings have to agree.
fn check_http3(wanted: bool, passed: bool) -> Result<(), Failure> {
    match (wanted, passed) {
        (true, false) => Err(Failure::new(
            "HTTP/3 is wanted, and systemd hands over sockets for HTTPS and none for it",
            "enable freehold-http3.socket, or take edge.http3 away",
        )),
        (false, true) => Err(Failure::new(
            "systemd hands over sockets for HTTP/3, of which the settings say nothing",
            "set edge.http3 = true, or disable freehold-http3.socket",
        )),
        (true, true) | (false, false) => Ok(()),
    }
}

/// The port that the world finds these listeners at: the usual one if it is among those that are listened at, or else the first.
fn public_port(listeners: &[SocketAddr]) -> Option<u16> {
    let mut ports = listeners.iter().map(SocketAddr::port);
    let first = ports.next()?;
    Some(if ports.any(|port| port == edge::settings::HTTPS_PORT) { edge::settings::HTTPS_PORT } else { first })
}

/// The demo app behind its route, unless the developer has made one of that name. Without it everything else works.
async fn demo(store: &Store, directory: &Path) -> Option<Demo> {
    let told = |reason: String| tracing::warn!(reason, "there is no demo app");
    let demo = Demo::start(directory).map_err(|fault| told(system_reason(&fault))).ok()?;
    let route = route(&demo.target()).map_err(|fault| told(fault.to_string())).ok()?;
    let ours = |route: &Route| match route.target() {
        Target::Apps(apps) => apps.iter().any(|app| demo::is_socket(&app.address)),
        Target::Redirect(_) | Target::Folder(_) => false,
    };
    match store.snapshot().routes.get(route.id()) {
        Some(theirs) if !ours(theirs) => return None,
        Some(same) if **same == route => return Some(demo),
        Some(_) | None => (),
    }
    let change = Change::PutItem(Item::Route(Arc::new(route)));
    match store.commit(change, Actor::new("development", "")).await {
        Ok(_) => Some(demo),
        Err(refused) => {
            told(refused.to_string());
            None
        }
    }
}

fn route(target: &str) -> Result<Route, crate::route::Fault> {
    Route::new(Host::parse(HOST)?, PathPrefix::root(), Target::parse(target)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::Zone;
    use crate::zone::text::read;

    fn zone(text: &str) -> Arc<Zone> {
        let origin = "home.example".parse().ok();
        let mut none = |_: &str, _: &str| Err(std::io::Error::other("nothing is included"));
        let reading = read(text.as_bytes().into(), "zone", origin, &mut none, &mut |_| ());
        Arc::new(Zone::build(reading.draft).zone.unwrap())
    }

    #[test]
    fn sockets_and_settings_have_to_agree_on_http3() {
        assert!(check_http3(true, true).is_ok() && check_http3(false, false).is_ok());
        for (wanted, passed, cure) in
            [(true, false, "enable freehold-http3.socket"), (false, true, "edge.http3 = true")]
        {
            let told = check_http3(wanted, passed).err().map(|failure| failure.to_string()).unwrap_or_default();
            assert!(told.contains(cure), "{told}");
        }
    }

    /// A record made by hand where a route would own one must not keep the server from starting.
    #[tokio::test]
    async fn addresses_that_are_refused_leave_all_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let settings = crate::store::Settings { directory: directory.path().join("data"), ..Default::default() };
        let store = Store::open(&settings).unwrap();
        let by_hand = "@ 300 SOA ns h 1 1 1 1 1\n@ 300 NS ns\nns 300 A 192.0.2.1\napp 300 A 192.0.2.2\n";
        let route = Arc::new(route("http://127.0.0.1:3000").unwrap());
        for change in [Change::PutZone { zone: zone(by_hand) }, Change::PutItem(Item::Route(route))] {
            store.commit(change, Actor::new("test", "")).await.unwrap();
        }
        let settings = edge::Settings { addresses: vec![[192, 0, 2, 9].into()], ..Default::default() };
        put_addresses(&store, &settings, [Some(443), None]).await;
        assert!(store.snapshot().addresses.is_none());
        let without = by_hand.replace("app 300 A 192.0.2.2\n", "");
        store.commit(Change::PutZone { zone: zone(&without) }, Actor::new("test", "")).await.unwrap();
        put_addresses(&store, &settings, [Some(443), None]).await;
        assert!(store.snapshot().addresses.is_some());
    }
}
