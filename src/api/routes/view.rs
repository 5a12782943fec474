//! What the API says of a route: where it leads, which zone holds its records, how its certificate stands; and what a change did.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::NewRoute;
use super::{ADDRESSES, change};
use crate::api::ZoneFault;
use crate::api::event::moment;
use crate::api::types::{ZoneChange, plain};
use crate::cert::{Certificate, Origin};
use crate::route::Route;
use crate::store::{Done, Snapshot};
use crate::wire::Name;

/// All routes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteList {
    /// The revision of everything Freehold knows that this list was read from.
    #[schema(examples(7))]
    pub revision: u64,
    /// The routes: names in order, then wildcards; longer paths of a host first.
    pub routes: Vec<RouteSummary>,
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
    /// The certificate that its host is served with.
    pub certificate: RouteCertificate,
}

/// The certificate of a route's host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteCertificate {
    /// `public`; `local`, of the built-in CA, which browsers do not know; `ended`; `none`, not yet.
    #[schema(pattern = "^(public|local|ended|none)$", examples("public"))]
    pub state: String,
    /// Who vouches for it.
    #[schema(examples("Let's Encrypt E7"))]
    pub issuer: Option<String>,
    /// Until when it is valid, in UTC (RFC 3339).
    #[schema(format = "date-time", examples("2027-02-19T15:24:05Z"))]
    pub valid_until: Option<String>,
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
    pub(super) fn of(route: &Route, snapshot: &Snapshot, now: u64) -> Self {
        let host = route.host().as_str();
        let name = host.parse::<Name>().ok();
        let zone = name.and_then(|name| Some(plain(snapshot.home(name.borrow())?.apex())));
        let held = snapshot.certificates.for_server_name(host, now);
        Self {
            id: id(route),
            host: host.to_owned(),
            path: path(route),
            target: NewRoute::of(route),
            zone,
            certificate: RouteCertificate::of(held.map(|held| &**held), now),
        }
    }
}

/// A percent sign in a path that was read is one that stands for itself.
fn path(route: &Route) -> String {
    route.path().as_str().replace('%', "%25")
}

fn id(route: &Route) -> String {
    format!("{}{}", route.host(), path(route))
}

impl RouteCertificate {
    fn of(held: Option<&Certificate>, now: u64) -> Self {
        let state = match held {
            None => "none",
            Some(held) if !held.is_valid(now) => "ended",
            Some(held) if *held.origin() == Origin::Local => "local",
            Some(_) => "public",
        };
        Self {
            state: state.to_owned(),
            issuer: held.map(|held| held.issuer().to_owned()),
            valid_until: held.map(|held| moment(held.not_after())),
        }
    }
}

impl RouteChange {
    /// `partial` is for those who see a part of the zone only: warnings may name what is anybody's.
    pub(super) fn of(done: &Done, dry_run: bool, route: &Route, after: Option<&Route>, partial: bool) -> Self {
        let name = route.host().as_str().parse::<Name>().ok();
        let sets: Vec<_> =
            name.iter().flat_map(|name| ADDRESSES.into_iter().map(move |kind| (name.clone(), kind))).collect();
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
