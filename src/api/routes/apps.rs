//! How the apps of a route are, as the edge knows it: by looking at them, and by what came of requests; and how the edge's own
//! addresses are, where it looks at them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::state::Sources;
use crate::api::event::moment;
use crate::edge::addresses::{AddressBoard, AddressReport};
use crate::edge::{AppHealth, AppReport};
use crate::route::Route;

/// How an app of a route is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteAppState {
    /// Its address.
    #[schema(examples("http://127.0.0.1:3000"))]
    pub url: String,
    /// `up` and `down`, as it was found; `ejected`, left out for a while because it failed many requests in a row; `lost`, it takes
    /// no connections and did before; `drained`; `unknown`: nothing speaks against it, and nobody looks.
    #[schema(pattern = "^(up|down|ejected|lost|drained|unknown)$", examples("up"))]
    pub state: String,
    /// Since when it is up or down, in UTC (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "date-time", examples("2026-11-21T15:24:05Z"))]
    pub since: Option<String>,
    /// Why it is not well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("/health answers 503"))]
    pub reason: Option<String>,
    /// How often it was left out.
    #[schema(examples(0))]
    pub ejections: u64,
}

/// How an address of the edge is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteAddressState {
    /// The address.
    #[schema(examples("192.0.2.80"))]
    pub address: String,
    /// `up`; `down`: DNS leaves it out while another of its family is up; `unknown`: it was not looked at often enough yet.
    #[schema(pattern = "^(up|down|unknown)$", examples("up"))]
    pub state: String,
    /// Since when it is so, in UTC (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "date-time", examples("2026-11-21T15:24:05Z"))]
    pub since: Option<String>,
    /// What was wrong at the last look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("192.0.2.80:443 refuses the connection"))]
    pub reason: Option<String>,
}

/// Of each address of the edge that a route's host is answered with; none where nobody looks, or others answer.
pub(super) fn addresses(is_ours: bool, sources: &Sources<'_>) -> Vec<RouteAddressState> {
    let board = sources.addresses.filter(|_| is_ours);
    board.map(AddressBoard::report).unwrap_or_default().into_iter().map(RouteAddressState::of).collect()
}

impl RouteAddressState {
    fn of(report: AddressReport) -> Self {
        let AddressReport { address, up, since, reason } = report;
        let state = match up {
            Some(true) => "up",
            Some(false) => "down",
            None => "unknown",
        };
        Self { address: address.to_string(), state: state.to_owned(), since: since.map(moment), reason }
    }
}

/// Of each app of a route, in its order; none where nothing is known.
pub(super) fn states(route: &Arc<Route>, sources: &Sources<'_>) -> Vec<RouteAppState> {
    let reports = sources.board.map(|board| board.report(route)).unwrap_or_default();
    reports.into_iter().map(RouteAppState::of).collect()
}

/// A state, as it is told.
pub(in crate::api) fn word(health: AppHealth) -> &'static str {
    match health {
        AppHealth::Up => "up",
        AppHealth::Down => "down",
        AppHealth::Ejected => "ejected",
        AppHealth::Lost => "lost",
        AppHealth::Drained => "drained",
        AppHealth::Unknown => "unknown",
    }
}

impl RouteAppState {
    fn of(report: AppReport) -> Self {
        let AppReport { url, health, since, reason, ejections, .. } = report;
        Self { url, state: word(health).to_owned(), since: since.map(moment), reason, ejections }
    }
}
