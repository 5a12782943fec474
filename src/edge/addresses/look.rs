//! One look at an address: does somebody there take a connection, and shake hands for a host of ours?
//!
//! Whose certificate is shown does not matter: an edge that has not got its certificate yet serves all the same, and one that has
//! lost it is told of elsewhere. A host that is passed on unopened is not asked for: its app would answer, not the edge.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;

use crate::edge::settings::{HTTP_PORT, HTTPS_PORT};
use crate::edge::visit;
use crate::store::Snapshot;

/// What stands in for the asterisk of a wildcard.
const ANY_LABEL: &str = "address-health";

/// A look, with all it needs.
pub(super) struct Look {
    address: SocketAddr,
    /// For whom to shake hands; none if a connection is enough.
    host: Option<String>,
}

impl Look {
    pub(super) fn new(address: SocketAddr, snapshot: &Snapshot, secure: bool) -> Self {
        let ours = snapshot.routes.iter().find(|route| !route.is_passed()).filter(|_| secure);
        let host = ours.map(|route| match route.host().is_wildcard() {
            true => format!("{ANY_LABEL}.{}", route.host().base()),
            false => route.host().as_str().to_owned(),
        });
        Self { address, host }
    }

    /// Looks; says what is wrong.
    pub(super) async fn within(self, time: Duration) -> Result<(), String> {
        let looked = timeout(time, self.look()).await;
        looked.unwrap_or_else(|_| Err(format!("no answer within {} s", time.as_secs())))
    }

    async fn look(self) -> Result<(), String> {
        let stream = visit::connect(self.address).await.map_err(|fault| fault.message)?;
        let Some(host) = self.host else { return Ok(()) };
        visit::shake_hands(stream, &host, None).await.map(drop).map_err(|fault| fault.message)
    }
}

/// Where to look: at HTTPS, or else at plain HTTP.
pub(super) fn port(https: Option<u16>) -> u16 {
    match https {
        Some(0) => HTTPS_PORT,
        Some(port) => port,
        None => HTTP_PORT,
    }
}
