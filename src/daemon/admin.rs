//! The admin API of the running server: its doors are opened, and shut at the end.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::edge::Edge;
use super::ready::ready;
use super::settings::Settings;
use super::{Failure, authority};
use crate::acme;
use crate::api::system_reason;
use crate::api::{self, Bound, Doors, Live, Tcp, Tls};
use crate::dns;
use crate::route::circle::Ourselves;
use crate::store::Store;

/// How long admin requests under way may take once the server stops.
const STOP_TIME_MAX: Duration = Duration::from_secs(3);

/// The admin API while it runs.
pub(super) struct Admin {
    task: JoinHandle<()>,
    stop: oneshot::Sender<()>,
    /// Where it is reached over TCP.
    pub(super) places: Places,
}

/// Where the admin API is reached over TCP, and where it should be and is not.
pub(super) struct Places {
    /// As curl wants them.
    pub(super) urls: Vec<String>,
    /// What is wrong with the others, and what to do about it.
    pub(super) missing: Vec<(String, String)>,
}

impl Places {
    /// For the log: what is missing as errors of their own.
    pub(super) fn tell(&self) -> String {
        for (message, cure) in &self.missing {
            tracing::error!(cure, "{message}");
        }
        self.urls.join(" ")
    }
}

/// The parts of the server that the API tells of.
pub(super) struct Parts<'a> {
    pub(super) dns: &'a dns::Handle,
    pub(super) acme: &'a acme::Handle,
    pub(super) edge: Option<&'a Edge>,
}

impl Admin {
    pub(super) async fn start(
        settings: &Settings,
        store: &Arc<Store>,
        parts: Parts<'_>,
        passed: Option<UnixListener>,
    ) -> Result<Self, Failure> {
        let Parts { dns, acme, edge } = parts;
        let path = settings.admin.socket_in(&settings.store.directory);
        let socket = match passed {
            Some(listener) => adopt(listener, &path)?,
            None => bind(&path)?,
        };
        let Bound { tcp, missing } = Tcp::bind_all(&settings.admin).map_err(|fault| {
            let (message, cure) = split(&fault.to_string());
            Failure::new(message, cure)
        })?;
        let places = Places {
            urls: tcp.iter().map(Tcp::url).collect(),
            missing: missing.iter().map(|fault| split(&fault.to_string())).collect(),
        };
        let tls = if tcp.iter().any(Tcp::is_secure) { Some(tls(settings, store).await?) } else { None };
        let (stop, stopped) = oneshot::channel();
        let ourselves = Ourselves {
            edge: edge.map(|edge| [edge.http(), edge.https()].concat()).unwrap_or_default(),
            admin: tcp.iter().map(Tcp::address).collect(),
            admin_socket: Some(path),
            dns: [dns.addresses(), dns.tls_addresses()].concat(),
            addresses: Vec::new(), // those of the store are added when they are needed
        };
        let live = Live {
            ourselves,
            addresses: dns.addresses().iter().map(ToString::to_string).collect(),
            dns: dns.meter().clone(),
            acme: acme.lookout().clone(),
            edge: edge.map(Edge::live),
            ready: ready(dns, store),
        };
        let stopped = async {
            let _ = stopped.await; // a sender that is gone means the same
        };
        let doors = Doors { socket, tcp, tls };
        let serving = api::serve(doors, Arc::clone(store), settings.admin.clone(), live, stopped);
        Ok(Self { task: tokio::spawn(serving), stop, places })
    }

    pub(super) async fn stop(mut self) {
        let _ = self.stop.send(()); // if it has ended by itself, that is as good
        match tokio::time::timeout(STOP_TIME_MAX, &mut self.task).await {
            Ok(Ok(())) => (),
            Ok(Err(fault)) => tracing::error!(%fault, "the admin API broke off"),
            Err(_) => {
                tracing::warn!("admin requests under way were cut off");
                self.task.abort();
            }
        }
    }
}

/// A fault in one line, and its cure behind the first semicolon.
fn split(line: &str) -> (String, String) {
    let (message, cure) = line.split_once("; ").unwrap_or((line, "correct admin.listen"));
    (message.to_owned(), format!("{cure}, or say --admin-listen ADDRESS:PORT"))
}

/// What HTTPS needs: certificates of the local CA.
async fn tls(settings: &Settings, store: &Arc<Store>) -> Result<Tls, Failure> {
    let now = authority::now();
    let authority = authority::of(store, &settings.store.directory, now).await?;
    Tls::new(store.snapshots(), &authority, &settings.admin, now)
        .map_err(|fault| Failure::new(fault.message, fault.cure))
}

fn bind(path: &Path) -> Result<api::Socket, Failure> {
    api::Socket::bind(path).map_err(|fault| {
        let message = format!("cannot listen at the admin socket {}: {}", path.display(), system_reason(&fault));
        Failure::new(message, "name another path of at most 107 octets with `socket` below [admin]")
    })
}

/// The admin socket from systemd. The command line looks for it at `path`.
fn adopt(listener: UnixListener, path: &Path) -> Result<api::Socket, Failure> {
    let socket = api::Socket::adopt(listener).map_err(|fault| {
        let message = format!("the admin socket from systemd is not used: {}", system_reason(&fault));
        Failure::new(message, "say SocketMode=0660 and SocketGroup=freehold in freehold-admin.socket")
    })?;
    if socket.path() != path {
        let (opened, expected) = (socket.path().display(), path.display());
        tracing::warn!(%opened, %expected, "commands will not find the admin socket: name its path with `socket` below [admin]");
    }
    Ok(socket)
}
