//! Single records: the sets of a zone, listed, read and changed.
//!
//! Every change is a [`Decision`]: conditions (`If-Match`) and what is added to or removed from a set are looked at when
//! the change's turn comes, so nothing is lost between reading and writing. When an answer leaves, DNS gives it too.

use std::sync::Arc;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

mod list;
mod step;
#[cfg(test)]
mod tests;

use super::auth::Allowed;
use super::change;
use super::extract::{Body, DryRun, NoQuery, Queries, SetPath, ZoneName};
use super::problem::{BadValues, NameTaken, NoSuchRecord, NoSuchZone, OwnedByRoute, ProblemType, Stale, ZoneRule};
use super::tag::{self, Conditions, Known};
use super::types::{Action, Patch, PatchStep, RecordList, RecordSet, SetBody, ZoneChange};
use super::{Problem, blocking};
use crate::access::Object;
use crate::store::{Change, Decision, Refused};
use crate::wire::{Kind, Name};
use crate::zone::Zone;
use step::Step;

pub(super) use list::{Filter, LIMIT_DEFAULT, LIMIT_MAX};
pub(super) use step::read_ttl;

/// List record sets
///
/// In canonical order, then by the number of the type, page by page. A page looks at no more than 10,000 names: with a
/// filter it can be short, even empty, and not be the last. A token that is limited to names or types is shown only those,
/// as if there were no others.
#[utoipa::path(get, path = "/v1/zones/{zone}/records", tag = "Records", operation_id = "listRecords",
    params(ZoneName, Filter, Known),
    responses(
        (status = 200, description = "A page of record sets.", body = RecordList, headers(("ETag"))),
        (status = 304, description = "The zone is the one you have.", headers(("ETag"))),
        NoSuchZone))]
pub(super) async fn list(
    allowed: Allowed,
    ZoneName(apex): ZoneName,
    queries: Queries,
    known: Known,
) -> Result<Response, Problem> {
    let snapshot = allowed.to(Object::Zone(apex.borrow()))?.store.snapshot();
    let filter = Filter::read(queries, apex.borrow())?;
    let zone = Arc::clone(snapshot.zones.get(apex.borrow()).ok_or_else(|| Problem::no_zone(&apex))?);
    let tag = tag::of_zone(&zone);
    let page = match allowed.is_partial() {
        false => filter.page(&zone),
        true => blocking(move || Ok(filter.page_for(&zone, &allowed))).await?,
    };
    Ok(known.answer(&tag, Json(page)))
}

/// Change many record sets as one
///
/// The changes are made one after the other and checked at the end, so an address can give way to an alias. Either all
/// are made or none. The conditions are about the zone.
#[utoipa::path(patch, path = "/v1/zones/{zone}/records", tag = "Records", operation_id = "patchRecords",
    params(ZoneName, DryRun, Conditions), request_body = Patch,
    responses(
        (status = 200, description = "All are made, and DNS answers them.", body = ZoneChange, headers(("ETag"))),
        NoSuchZone, NoSuchRecord, ZoneRule, OwnedByRoute, NameTaken, Stale, BadValues))]
pub(super) async fn patch(
    allowed: Allowed,
    ZoneName(apex): ZoneName,
    DryRun(dry_run): DryRun,
    conditions: Conditions,
    Body(patch): Body<Patch>,
) -> Result<Response, Problem> {
    allowed.to(Object::Zone(apex.borrow()))?;
    let steps = step::read_patch(&patch, apex.borrow())?;
    change(allowed, Wish { apex, steps, conditions, one: None, dry_run }).await
}

/// Read a record set
#[utoipa::path(get, path = "/v1/zones/{zone}/records/{name}/{type}", tag = "Records", operation_id = "getRecordSet",
    params(SetPath, Known),
    responses(
        (status = 200, description = "The set.", body = RecordSet, headers(("ETag"))),
        (status = 304, description = "It is what you have.", headers(("ETag"))),
        NoSuchZone, NoSuchRecord))]
pub(super) async fn get(
    allowed: Allowed,
    SetPath { apex, name, kind }: SetPath,
    _: NoQuery,
    known: Known,
) -> Result<Response, Problem> {
    let object = Object::Set { zone: apex.borrow(), name: name.borrow(), kind };
    let snapshot = allowed.to(object)?.store.snapshot();
    let zone = snapshot.zones.get(apex.borrow()).ok_or_else(|| Problem::no_zone(&apex))?;
    let none = || without_others(&allowed, change::refusal(&step::no_set(zone, &name, kind)));
    let set = step::find(zone, &name, kind).ok_or_else(none)?;
    Ok(known.answer(&tag::of_set(set), Json(RecordSet::of(name.borrow(), set))))
}

/// Set a record set
///
/// From now on it is exactly this.
#[utoipa::path(put, path = "/v1/zones/{zone}/records/{name}/{type}", tag = "Records", operation_id = "putRecordSet",
    params(SetPath, DryRun, Conditions), request_body = SetBody,
    responses(
        (status = 200, description = "The set is this, or would be after a dry run.", body = ZoneChange, headers(("ETag"))),
        (status = 201, description = "There was none, and now it is there.", body = ZoneChange, headers(("ETag"))),
        NoSuchZone, ZoneRule, OwnedByRoute, NameTaken, Stale, BadValues))]
pub(super) async fn put(
    allowed: Allowed,
    path: SetPath,
    DryRun(dry_run): DryRun,
    conditions: Conditions,
    Body(body): Body<SetBody>,
) -> Result<Response, Problem> {
    one(allowed, path, Action::Put, body, dry_run, conditions).await
}

/// Add values to a record set
///
/// Those that are there already stay; a set that is not there is made. Nothing that others add at the same time is lost.
/// A TTL, if given, is from now on that of the whole set.
#[utoipa::path(post, path = "/v1/zones/{zone}/records/{name}/{type}", tag = "Records", operation_id = "addRecords",
    params(SetPath, DryRun, Conditions), request_body = SetBody,
    responses(
        (status = 200, description = "The values are in the set, or would be after a dry run.", body = ZoneChange, headers(("ETag"))),
        (status = 201, description = "There was no set, and now it is there.", body = ZoneChange, headers(("ETag"))),
        NoSuchZone, ZoneRule, OwnedByRoute, NameTaken, Stale, BadValues))]
pub(super) async fn post(
    allowed: Allowed,
    path: SetPath,
    DryRun(dry_run): DryRun,
    conditions: Conditions,
    Body(body): Body<SetBody>,
) -> Result<Response, Problem> {
    one(allowed, path, Action::Add, body, dry_run, conditions).await
}

/// Delete a record set, or values of it
///
/// With `value` only these values go, and with the last one the set.
#[utoipa::path(delete, path = "/v1/zones/{zone}/records/{name}/{type}", tag = "Records", operation_id = "deleteRecords",
    params(SetPath, DeleteQuery, Conditions),
    responses(
        (status = 200, description = "They are gone; the tag is that of what is left.", body = ZoneChange, headers(("ETag"))),
        NoSuchZone, NoSuchRecord, ZoneRule, OwnedByRoute, NameTaken, Stale, BadValues))]
pub(super) async fn delete(
    allowed: Allowed,
    path: SetPath,
    DeleteQuery { values, dry_run }: DeleteQuery,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let action = if values.is_empty() { Action::Delete } else { Action::Remove };
    one(allowed, path, action, SetBody { ttl: None, values }, dry_run, conditions).await
}

/// The query `?value=192.0.2.7&value=192.0.2.8&dry_run=1`.
pub(super) struct DeleteQuery {
    values: Vec<String>,
    dry_run: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for DeleteQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let queries = Queries::from_request_parts(parts, state).await?.only(&["value", "dry_run"])?;
        Ok(Self { values: queries.all("value").map(str::to_owned).collect(), dry_run: queries.dry_run()? })
    }
}

/// A change of one set.
async fn one(
    allowed: Allowed,
    SetPath { apex, name, kind }: SetPath,
    action: Action,
    SetBody { ttl, values }: SetBody,
    dry_run: bool,
    conditions: Conditions,
) -> Result<Response, Problem> {
    allowed.to(Object::Set { zone: apex.borrow(), name: name.borrow(), kind })?;
    let body = PatchStep { action, name: String::new(), kind: String::new(), ttl, values };
    let one = (name, kind);
    let step = step::read_one(&body, one.clone(), apex.borrow())?;
    change(allowed, Wish { apex, steps: vec![step], conditions, one: Some(one), dry_run }).await
}

/// What a request wants.
struct Wish {
    apex: Name,
    steps: Vec<Step>,
    conditions: Conditions,
    /// The set that the conditions and the answer's tag are about; otherwise they are about the zone.
    one: Option<(Name, Kind)>,
    dry_run: bool,
}

impl Wish {
    fn tag(&self, zone: &Zone) -> Option<String> {
        match &self.one {
            Some((name, kind)) => step::find(zone, name, *kind).map(tag::of_set),
            None => Some(tag::of_zone(zone)),
        }
    }
}

async fn change(allowed: Allowed, wish: Wish) -> Result<Response, Problem> {
    let admin = allowed.to(Object::Zone(wish.apex.borrow()))?;
    let sets = step::sets(&wish.steps);
    for (name, kind) in &sets {
        allowed.to(Object::Set { zone: wish.apex.borrow(), name: name.borrow(), kind: *kind })?;
    }
    let wish = Arc::new(wish);
    let made = change::make(&admin.store, &wish.apex, decision(&wish), wish.dry_run, allowed.actor()).await;
    let made = made.map_err(|problem| without_others(&allowed, problem))?;
    let mut report = made.report_sets(&wish.apex, &sets);
    if allowed.is_partial() {
        report.warnings.clear(); // they name what lies below and around, which may be anybody's
    }
    let tag = made.after().and_then(|zone| wish.tag(zone));
    let is_new = wish.one.is_some() && tag.is_some() && made.before().is_some_and(|zone| wish.tag(zone).is_none());
    let status = if is_new && !wish.dry_run { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, tag.as_deref().map(tag::header), Json(report)).into_response())
}

/// What is not there, without a word about what else is there, for those who may see a part of the zone only.
fn without_others(allowed: &Allowed, problem: Problem) -> Problem {
    match allowed.is_partial() && *problem.kind == *NoSuchRecord::ROW.address() {
        true => Problem::new(NoSuchRecord, "there is no such record".to_owned(), "look at what is there"),
        false => problem,
    }
}

fn decision(wish: &Arc<Wish>) -> Change {
    let weight = step::weight(&wish.steps);
    let wish = Arc::clone(wish);
    Change::Decide(Decision::new(weight, move |now| {
        let zone = now.zones.get(wish.apex.borrow()).ok_or_else(|| Refused::NoSuchZone(wish.apex.clone()))?;
        wish.conditions.hold(wish.tag(zone))?;
        Ok(Change::EditZone { apex: wish.apex.clone(), edit: step::edit(zone, &wish.steps)? })
    }))
}
