//! Routes: which host and path lead where; listed, read, set, deleted.
//!
//! A route is one item of the store. The records of its host and the wish for a certificate follow from it there, so a handler here
//! reads what is wanted, finds what would lead back to ourselves, and tells what became of the zone.
//!
//! Whoever may change a host's A and AAAA sets may manage its routes. For a host in none of our zones it takes a token without
//! limits: nothing else could say whose it is.

mod apps;
mod body;
mod conflict;
pub(super) mod purge;
mod state;
pub(super) mod trial;
mod view;

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::auth::{Allowed, unix_seconds};
use super::extract::{Body, DryRun, NoQuery, Queries};
use super::problem::{BadValues, HostPassed, LeadsBack, NameTaken, NoSuchRoute, Stale};
use super::tag::{self, Conditions, Known};
use super::{Admin, Problem, change};
use crate::access::Object;
use crate::route::{Fault, Host, PathPrefix, Route};
use crate::store::{Change, Decision, Done, Item, ItemKey, Refused, Shelf, Snapshot};
use crate::wire::{Kind, Name};
pub use apps::{RouteAddressState, RouteAppState};
pub use body::{NewRoute, RouteApp, RouteFolder, RouteRedirect};
pub(super) use conflict::{guard, ourselves};
pub use purge::RoutePurge;
pub use state::{RouteAnswer, RouteCertificate, RouteDelegation};
pub(super) use state::{RouteState, Sources};
pub use trial::{RouteTest, RouteTestStep};
pub(super) use view::id as shown_id;
pub use view::{RouteChange, RouteList, RouteSummary};

/// The types of the sets that a route owns.
const ADDRESSES: [Kind; 2] = [Kind::A, Kind::AAAA];
/// The types of all sets that a route brings to its host.
const BROUGHT: [Kind; 4] = [Kind::A, Kind::AAAA, Kind::HTTPS, Kind::CAA];

/// The `{id}` of a path: a host, or a host and a path.
pub(in crate::api) struct RouteId {
    host: Host,
    path: PathPrefix,
}

impl<S: Send + Sync> FromRequestParts<S> for RouteId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(id) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|fault| Problem::bad_request(fault.body_text(), "the list of routes shows the id of each"))?;
        Self::read(&id).map_err(|fault| Problem::bad_request(fault.message, &fault.cure))
    }
}

impl RouteId {
    fn read(id: &str) -> Result<Self, Fault> {
        let (host, path) = id.split_at(id.find('/').unwrap_or(id.len()));
        let path = if path.is_empty() { PathPrefix::root() } else { PathPrefix::parse(path)? };
        Ok(Self { host: Host::parse(host)?, path })
    }

    /// What the store finds it by.
    fn key(&self) -> String {
        format!("{}{}", self.host, self.path)
    }
}

/// Routes on a page, by default and at most.
pub(super) const LIMIT_DEFAULT: usize = 1_000;
pub(super) const LIMIT_MAX: usize = 10_000;

/// Which page of the list of routes.
pub(in crate::api) struct RoutePage {
    limit: usize,
    /// The id of the first route; empty for the very first.
    from: String,
}

impl<S: Send + Sync> FromRequestParts<S> for RoutePage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let queries = Queries::from_request_parts(parts, state).await?.only(&["limit", "cursor"])?;
        let limit = queries.number("limit", 1..=LIMIT_MAX as u64)?.map_or(LIMIT_DEFAULT, |limit| limit as usize);
        let from = queries.one("cursor")?.map(RouteId::read).transpose();
        let from = from.map_err(|fault| Problem::bad_request(fault.message, &fault.cure))?;
        Ok(Self { limit, from: from.map(|id| id.key()).unwrap_or_default() })
    }
}

/// Whether the routes of this host may be seen: by whoever sees its addresses. To change one takes a token without limits,
/// because a route opens a port or a folder of the server's own machine, which no right to a name should do.
fn may_see(allowed: &Allowed, snapshot: &Snapshot, host: &Host) -> Result<(), Problem> {
    let name = host.as_str().parse::<Name>().ok();
    let home = name.as_ref().and_then(|name| Some((name, snapshot.home(name.borrow())?)));
    let Some((name, zone)) = home else { return allowed.to(Object::Everything).map(drop) };
    let set = |kind| Object::Set { zone: zone.apex(), name: name.borrow(), kind };
    ADDRESSES.into_iter().try_for_each(|kind| allowed.to(set(kind)).map(drop))
}

// ----- Endpoints ------------------------------------------------------------------------------------------

/// List all routes
///
/// Page by page, each with how it stands: what its name is answered with, whether the world is led here for it, its certificate.
/// That is what is kept; nobody is asked for it.
#[utoipa::path(get, path = "/v1/routes", tag = "Routes", operation_id = "listRoutes",
    params(RoutePage),
    responses((status = 200, description = "The routes.", body = RouteList)))]
pub(in crate::api) async fn list(allowed: Allowed, page: RoutePage) -> Result<Json<RouteList>, Problem> {
    let admin = allowed.to(Object::Server)?;
    let snapshot = admin.store.snapshot();
    let mut shown =
        snapshot.routes.iter_from(&page.from).filter(|route| may_see(&allowed, &snapshot, route.host()).is_ok());
    let sources = sources(&admin, &snapshot);
    let shows = |route: &Arc<Route>| RouteSummary::of(route, &sources).for_eyes(allowed.may_change_everything());
    let routes = shown.by_ref().take(page.limit).map(shows).collect();
    let next = shown.next().map(|route| view::id(route));
    Ok(Json(RouteList { revision: snapshot.revision, routes, next }))
}

/// Read a route
#[utoipa::path(get, path = "/v1/routes/{id}", tag = "Routes", operation_id = "getRoute",
    params(RouteId, Known),
    responses((status = 200, description = "The route.", body = RouteSummary, headers(("ETag"))), NoSuchRoute))]
pub(in crate::api) async fn get(allowed: Allowed, id: RouteId, _: NoQuery, known: Known) -> Result<Response, Problem> {
    let admin = allowed.to(Object::Server)?;
    let snapshot = admin.store.snapshot();
    may_see(&allowed, &snapshot, &id.host)?;
    let route = snapshot.routes.get(&id.key()).ok_or_else(|| no_route(&id.key()))?;
    let summary = RouteSummary::of(route, &sources(&admin, &snapshot));
    Ok(known.answer(&tag_of(route), Json(summary.for_eyes(allowed.may_change_everything()))))
}

/// Set a route
///
/// From now on it is exactly this. The records of its host in our zone come with it, and a certificate is asked for.
#[utoipa::path(put, path = "/v1/routes/{id}", tag = "Routes", operation_id = "putRoute",
    params(RouteId, DryRun, Conditions), request_body = NewRoute,
    responses(
        (status = 200, description = "The route is this, or would be after a dry run.", body = RouteChange, headers(("ETag"))),
        (status = 201, description = "There was none, and now it is there.", body = RouteChange, headers(("ETag"))),
        LeadsBack, HostPassed, NameTaken, Stale, BadValues))]
pub(in crate::api) async fn put(
    allowed: Allowed,
    id: RouteId,
    DryRun(dry_run): DryRun,
    conditions: Conditions,
    Body(new): Body<NewRoute>,
) -> Result<Response, Problem> {
    let admin = allowed.to(Object::Everything)?;
    let route = Arc::new(new.read(id.host, id.path)?);
    let item = Arc::clone(&route);
    let ourselves = ourselves(&admin, &route);
    let decision = Decision::new(1, move |now| {
        conditions.hold(now.routes.get(item.id()).map(|route| tag_of(route)))?;
        conflict::check(&item, now, &ourselves)?;
        Ok(Change::PutItem(Item::Route(Arc::clone(&item))))
    });
    let done = make(&admin, &allowed, Change::Decide(decision), dry_run, route.id()).await?;
    let is_new = done.changed && done.items.iter().any(|item| item.before.is_none());
    let status = if is_new && !dry_run { StatusCode::CREATED } else { StatusCode::OK };
    let report = RouteChange::of(&done, dry_run, &route, Some(&route), allowed.is_partial());
    Ok((status, tag::header(&tag_of(&route)), Json(report)).into_response())
}

/// Delete a route
///
/// The records of its host go with the host's last route, and so does the certificate.
#[utoipa::path(delete, path = "/v1/routes/{id}", tag = "Routes", operation_id = "deleteRoute",
    params(RouteId, DryRun, Conditions),
    responses(
        (status = 200, description = "It is gone, or would be after a dry run.", body = RouteChange),
        NoSuchRoute, Stale))]
pub(in crate::api) async fn delete(
    allowed: Allowed,
    id: RouteId,
    DryRun(dry_run): DryRun,
    conditions: Conditions,
) -> Result<Json<RouteChange>, Problem> {
    let admin = allowed.to(Object::Everything)?;
    let snapshot = admin.store.snapshot();
    let key = id.key();
    let route = snapshot.routes.get(&key).cloned().ok_or_else(|| no_route(&key))?;
    let at = ItemKey::new(Shelf::Route, key.clone());
    let decision = Decision::new(1, move |now| {
        let route = now.routes.get(&at.key).ok_or_else(|| Refused::NoSuchItem(at.clone()))?;
        conditions.hold(Some(tag_of(route)))?;
        Ok(Change::DeleteItem(at.clone()))
    });
    let done = make(&admin, &allowed, Change::Decide(decision), dry_run, &key).await?;
    Ok(Json(RouteChange::of(&done, dry_run, &route, None, allowed.is_partial())))
}

// ----- What they share ------------------------------------------------------------------------------------

/// Makes a change, or only tries it.
async fn make(admin: &Admin, allowed: &Allowed, change: Change, dry_run: bool, id: &str) -> Result<Done, Problem> {
    let made = match dry_run {
        true => admin.store.snapshot().attempt(&change),
        false => admin.store.commit(change, allowed.actor()).await,
    };
    made.map_err(|refused| {
        if let Refused::NoSuchItem(_) = &refused {
            return no_route(id);
        }
        let Refused::Stale { current: Some(current) } = &refused else { return change::refusal(&refused) };
        let detail = format!("the route {id} is there already, and is not what the request was made for");
        let hint =
            "read it again, decide again, and send its tag in If-Match; `freehold route set` puts another in its place";
        Problem { current: Some(current.as_str().into()), ..Problem::new(Stale, detail, hint) }
    })
}

/// What states are made of.
fn sources<'a>(admin: &'a Admin, snapshot: &'a Snapshot) -> Sources<'a> {
    let live = admin.live.as_ref();
    let edge = live.and_then(|live| live.edge.as_ref());
    let (board, addresses) = (edge.map(|edge| &*edge.board), edge.map(|edge| &*edge.addresses));
    Sources { snapshot, lookout: live.map(|live| &live.acme), board, addresses, now: unix_seconds() }
}

fn tag_of(route: &Route) -> String {
    tag::of_octets(&serde_json::to_vec(route).unwrap_or_default())
}

fn no_route(id: &str) -> Problem {
    let hint = "`freehold route list`, or GET /v1/routes, shows all routes";
    Problem::new(NoSuchRoute, format!("there is no route {id}"), hint)
}

#[cfg(test)]
mod tests;
