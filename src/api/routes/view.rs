//! What the API says of a route: where it leads, which zone holds its records, how its certificate stands; and what a change did.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::apps::{self, RouteAddressState, RouteAppState};
use super::body::NewRoute;
use super::state::{RouteAnswer, RouteCertificate, RouteDelegation, RouteState, Sources};
use super::{BROUGHT, change};
use crate::api::ZoneFault;
use crate::api::types::ZoneChange;
use crate::route::Route;
use crate::store::Done;
use crate::wire::Name;

/// All routes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteList {
    /// The revision of everything Freehold knows that this list was read from.
    #[schema(examples(7))]
    pub revision: u64,
    /// The routes: names in order, then wildcards; longer paths of a host first.
    pub routes: Vec<RouteSummary>,
    /// Where the next page begins; none behind the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("office.home.example/"))]
    pub next: Option<String>,
}

/// A route, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteSummary {
    /// What it is found by: host and path. In a URL it is one step: each slash in it is written `%2F`.
    #[schema(examples("app.home.example/"))]
    pub id: String,
    /// The host, or a wildcard.
    #[schema(examples("app.home.example"))]
    pub host: String,
    /// The path, with all that is below.
    #[schema(examples("/"))]
    pub path: String,
    /// What it leads to, as it is put.
    pub target: NewRoute,
    /// The zone of ours that its host lies in; null for a host that others answer for.
    #[schema(examples("home.example"))]
    pub zone: Option<String>,
    /// What this server answers for its host.
    pub answer: RouteAnswer,
    /// Whether the world is led here for its host; null for a host that others answer for.
    pub delegation: Option<RouteDelegation>,
    /// The certificate that its host is served with.
    pub certificate: RouteCertificate,
    /// How each of its apps is, in the order of the route; left out while no edge runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apps: Vec<RouteAppState>,
    /// How each address of the edge is; left out where nobody looks, and for a host that others answer for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<RouteAddressState>,
}

/// What a change of a route did, or would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RouteChange {
    /// What the route is found by.
    #[schema(examples("app.home.example/"))]
    pub id: String,
    /// Whether anything changed.
    #[schema(examples(true))]
    pub changed: bool,
    /// Whether this only says what would change.
    #[schema(examples(false))]
    pub dry_run: bool,
    /// The revision after the change; of a dry run, the revision it was tried at.
    #[schema(examples(7))]
    pub revision: u64,
    /// What it leads to; null if it is gone.
    pub target: Option<NewRoute>,
    /// What became of the zone that holds the records of its host.
    pub zones: Vec<ZoneChange>,
    /// What somebody should look at, although it is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<ZoneFault>,
}

impl RouteSummary {
    pub(super) fn of(route: &Arc<Route>, sources: &Sources<'_>) -> Self {
        let RouteState { zone, answer, delegation, certificate, .. } = RouteState::of(route.host().as_str(), sources);
        let addresses = apps::addresses(zone.is_some(), sources);
        let (id, host, path) = (id(route), route.host().as_str().to_owned(), path(route));
        Self {
            id,
            host,
            path,
            target: NewRoute::of(route),
            zone,
            answer,
            delegation,
            certificate,
            apps: apps::states(route, sources),
            addresses,
        }
    }
}

impl RouteSummary {
    /// The same without secrets, unless they may be seen.
    pub(super) fn for_eyes(mut self, trusted: bool) -> Self {
        if !trusted {
            self.target.options.hide_secrets();
        }
        self
    }
}

/// A percent sign in a path that was read is one that stands for itself.
fn path(route: &Route) -> String {
    route.path().as_str().replace('%', "%25")
}

pub(in crate::api) fn id(route: &Route) -> String {
    format!("{}{}", route.host(), path(route))
}

impl RouteChange {
    /// `partial` is for those who see a part of the zone only: warnings may name what is anybody's.
    pub(super) fn of(done: &Done, dry_run: bool, route: &Route, after: Option<&Route>, partial: bool) -> Self {
        let name = route.host().as_str().parse::<Name>().ok();
        let sets: Vec<_> =
            name.iter().flat_map(|name| BROUGHT.into_iter().map(move |kind| (name.clone(), kind))).collect();
        let mut zones = change::reports(done, dry_run, &sets);
        if partial {
            zones.iter_mut().for_each(|zone| zone.warnings.clear());
        }
        Self {
            id: id(route),
            changed: done.changed,
            dry_run,
            revision: done.revision,
            target: after.map(NewRoute::of),
            zones,
            warnings: if partial { Vec::new() } else { ZoneFault::list(&done.warnings, &[]) },
        }
    }
}
