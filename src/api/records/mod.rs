//! Single records: the sets of a zone, listed, read and changed.
//!
//! Every change is a [`Decision`]: conditions (`If-Match`) and what is added to or removed from a set are looked at when
//! the change's turn comes, so nothing is lost between reading and writing. When an answer leaves, DNS gives it too.

use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

mod list;
mod step;
#[cfg(test)]
mod tests;

use super::caller::Caller;
use super::change;
use super::extract::{Body, Queries, SetPath, ZoneName};
use super::tag::{self, Conditions};
use super::types::{Action, Patch, PatchStep, RecordSet, SetBody};
use super::{Admin, Problem};
use crate::store::{Actor, Change, Decision, Refused};
use crate::wire::{Kind, Name};
use crate::zone::Zone;
use list::Filter;
use step::Step;

pub(super) use step::read_ttl;

/// `GET /v1/zones/{zone}/records[?name=|below=][&type=][&limit=][&cursor=]`
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    ZoneName(apex): ZoneName,
    queries: Queries,
) -> Result<Response, Problem> {
    let filter = Filter::read(queries, apex.borrow())?;
    let snapshot = admin.store.snapshot();
    let zone = Arc::clone(snapshot.zones.get(apex.borrow()).ok_or_else(|| Problem::no_zone(&apex))?);
    let page = filter.page(&zone);
    Ok((tag::header(&tag::of_zone(&zone)), Json(page)).into_response())
}

/// `PATCH /v1/zones/{zone}/records[?dry_run=1]`: many changes as one.
pub(super) async fn patch(
    State(admin): State<Arc<Admin>>,
    ZoneName(apex): ZoneName,
    queries: Queries,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    Body(patch): Body<Patch>,
) -> Result<Response, Problem> {
    let dry_run = queries.only(&["dry_run"])?.dry_run()?;
    let conditions = Conditions::read(&headers)?;
    let steps = step::read_patch(&patch, apex.borrow())?;
    change(admin, Wish { apex, steps, conditions, one: None, dry_run, actor: caller.actor() }).await
}

/// `GET /v1/zones/{zone}/records/{name}/{type}`
pub(super) async fn get(
    State(admin): State<Arc<Admin>>,
    SetPath { apex, name, kind }: SetPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let conditions = Conditions::read(&headers)?;
    let snapshot = admin.store.snapshot();
    let zone = snapshot.zones.get(apex.borrow()).ok_or_else(|| Problem::no_zone(&apex))?;
    let set = step::find(zone, &name, kind).ok_or_else(|| change::refusal(&step::no_set(zone, &name, kind)))?;
    let tag = tag::of_set(set);
    if conditions.has(&tag) {
        return Ok((StatusCode::NOT_MODIFIED, tag::header(&tag)).into_response());
    }
    Ok((tag::header(&tag), Json(RecordSet::of(name.borrow(), set))).into_response())
}

/// `PUT /v1/zones/{zone}/records/{name}/{type}[?dry_run=1]`: the set is from now on this.
pub(super) async fn put(
    admin: State<Arc<Admin>>,
    path: SetPath,
    queries: Queries,
    caller: ConnectInfo<Caller>,
    headers: HeaderMap,
    Body(body): Body<SetBody>,
) -> Result<Response, Problem> {
    let dry_run = queries.only(&["dry_run"])?.dry_run()?;
    one(admin, path, Action::Put, body, (dry_run, caller.0.actor()), &headers).await
}

/// `POST /v1/zones/{zone}/records/{name}/{type}[?dry_run=1]`: these values join the set.
pub(super) async fn post(
    admin: State<Arc<Admin>>,
    path: SetPath,
    queries: Queries,
    caller: ConnectInfo<Caller>,
    headers: HeaderMap,
    Body(body): Body<SetBody>,
) -> Result<Response, Problem> {
    let dry_run = queries.only(&["dry_run"])?.dry_run()?;
    one(admin, path, Action::Add, body, (dry_run, caller.0.actor()), &headers).await
}

/// `DELETE /v1/zones/{zone}/records/{name}/{type}[?value=][&dry_run=1]`: these values, or the whole set, go.
pub(super) async fn delete(
    admin: State<Arc<Admin>>,
    path: SetPath,
    queries: Queries,
    caller: ConnectInfo<Caller>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let queries = queries.only(&["value", "dry_run"])?;
    let values: Vec<String> = queries.all("value").map(str::to_owned).collect();
    let action = if values.is_empty() { Action::Delete } else { Action::Remove };
    let body = SetBody { ttl: None, values };
    one(admin, path, action, body, (queries.dry_run()?, caller.0.actor()), &headers).await
}

/// A change of one set.
async fn one(
    State(admin): State<Arc<Admin>>,
    SetPath { apex, name, kind }: SetPath,
    action: Action,
    SetBody { ttl, values }: SetBody,
    (dry_run, actor): (bool, Actor),
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let conditions = Conditions::read(headers)?;
    let body = PatchStep { action, name: String::new(), kind: String::new(), ttl, values };
    let one = (name, kind);
    let step = step::read_one(&body, one.clone(), apex.borrow())?;
    change(admin, Wish { apex, steps: vec![step], conditions, one: Some(one), dry_run, actor }).await
}

/// What a request wants.
struct Wish {
    apex: Name,
    steps: Vec<Step>,
    conditions: Conditions,
    /// The set that the conditions and the answer's tag are about; otherwise they are about the zone.
    one: Option<(Name, Kind)>,
    dry_run: bool,
    actor: Actor,
}

impl Wish {
    fn tag(&self, zone: &Zone) -> Option<String> {
        match &self.one {
            Some((name, kind)) => step::find(zone, name, *kind).map(tag::of_set),
            None => Some(tag::of_zone(zone)),
        }
    }
}

async fn change(admin: Arc<Admin>, wish: Wish) -> Result<Response, Problem> {
    let wish = Arc::new(wish);
    let made = change::make(&admin.store, &wish.apex, decision(&wish), wish.dry_run, wish.actor.clone()).await?;
    let report = made.report_sets(&wish.apex, &step::sets(&wish.steps));
    let tag = made.after().and_then(|zone| wish.tag(zone));
    let is_new = wish.one.is_some() && tag.is_some() && made.before().is_some_and(|zone| wish.tag(zone).is_none());
    let status = if is_new && !wish.dry_run { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, tag.as_deref().map(tag::header), Json(report)).into_response())
}

fn decision(wish: &Arc<Wish>) -> Change {
    let weight = step::weight(&wish.steps);
    let (apex, wish) = (wish.apex.clone(), Arc::clone(wish));
    Change::Decide(Decision::new(&apex, weight, move |zone| {
        let zone = zone.ok_or_else(|| Refused::NoSuchZone(wish.apex.clone()))?;
        wish.conditions.hold(wish.tag(zone))?;
        Ok(Change::EditZone { apex: wish.apex.clone(), edit: step::edit(zone, &wish.steps)? })
    }))
}
