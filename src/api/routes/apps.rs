//! How the apps of a route are, as the edge knows it: by looking at them, and by what came of requests.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::state::Sources;
use crate::api::event::moment;
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
