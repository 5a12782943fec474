//! One look at an app: does it take a connection, or answer a page with a status that says it is well.

use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::edge::visit;
use crate::route::{Address, App, Look, Server};

/// What an app is asked as.
pub(super) const AGENT: &str = "freehold-health-check";

/// A look, with all it needs.
#[derive(Clone, Debug)]
pub(super) struct Glance {
    pub(super) app: App,
    /// The host that the app is asked for.
    pub(super) host: String,
    /// The path and the statuses of an app that is well; none if a connection is enough.
    page: Option<(String, u16, u16)>,
    timeout: Duration,
}

impl Glance {
    pub(super) fn new(app: &App, host: &str, look: &Look<'_>, timeout: Duration) -> Self {
        let page = match look {
            Look::Page { path, from, to } => Some(((*path).to_owned(), *from, *to)),
            Look::Connection => None,
        };
        // A wildcard names no host; the app is asked for the one that stands for it.
        Self { app: app.clone(), host: host.trim_start_matches("*.").to_owned(), page, timeout }
    }

    /// Looks; says what is wrong.
    pub(super) async fn look(self) -> Result<(), String> {
        let limit = self.timeout;
        let looked = timeout(limit, self.look_patiently()).await;
        looked.unwrap_or_else(|_| Err(format!("no answer within {} s", limit.as_secs())))
    }

    async fn look_patiently(self) -> Result<(), String> {
        let Some((path, from, to)) = &self.page else { return self.connect().await };
        let asked = visit::ask_app_as(AGENT, &self.app, &self.host, path).await;
        let status = asked.map_err(|fault| fault.message)?;
        match (from..=to).contains(&&status) {
            true => Ok(()),
            false => Err(format!("{path} answers {status}")),
        }
    }

    async fn connect(&self) -> Result<(), String> {
        let connected = match &self.app.address {
            Address::Unix(path) => UnixStream::connect(path).await.map(drop),
            Address::Tcp { server: Server::Ip(address), port } => TcpStream::connect((*address, *port)).await.map(drop),
            Address::Tcp { server: Server::Name(name), port } => TcpStream::connect((&**name, *port)).await.map(drop),
        };
        connected.map_err(|fault| visit::unreached(&fault))
    }
}
