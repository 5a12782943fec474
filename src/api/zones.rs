//! Zones: list, read, delete. A zone comes into being by [`super::new_zone`] or [`super::zone_file`].

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;

use super::auth::Allowed;
use super::change;
use super::extract::{DryRun, NoQuery, Queries, ZoneName, zone_name};
use super::problem::{NameTaken, NoSuchZone, Stale};
use super::tag::{self, Conditions, Known};
use super::types::{ZoneChange, ZoneList, ZoneSummary, plain};
use super::{Problem, blocking};
use crate::access::Object;
use crate::store::Change;
use crate::wire::{Name, NameRef};

/// Zones on a page, by default and at most.
pub(super) const LIMIT_DEFAULT: usize = 1_000;
pub(super) const LIMIT_MAX: usize = 10_000;

/// Which page of the list of zones.
pub(in crate::api) struct ZonePage {
    limit: usize,
    from: Option<Name>,
}

impl<S: Send + Sync> FromRequestParts<S> for ZonePage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let queries = Queries::from_request_parts(parts, state).await?.only(&["limit", "cursor"])?;
        let limit = queries.number("limit", 1..=LIMIT_MAX as u64)?;
        Ok(Self {
            limit: limit.map_or(LIMIT_DEFAULT, |limit| limit as usize),
            from: queries.one("cursor")?.map(zone_name).transpose()?,
        })
    }
}

/// List zones
///
/// All, page by page. With a token that is limited to zones: those.
#[utoipa::path(get, path = "/v1/zones", tag = "Zones", operation_id = "listZones",
    params(ZonePage),
    responses((status = 200, description = "The zones, in canonical order.", body = ZoneList)))]
pub(super) async fn list(allowed: Allowed, page: ZonePage) -> Result<Json<ZoneList>, Problem> {
    let snapshot = allowed.to(Object::Server)?.store.snapshot();
    let from = page.from.as_ref().map_or(NameRef::root(), Name::borrow);
    let mut shown = snapshot.zones.iter_from(from).filter(|zone| allowed.sees_zone(zone.apex()));
    let zones = shown.by_ref().take(page.limit).map(|zone| ZoneSummary::of(zone)).collect();
    let next = shown.next().map(|zone| plain(zone.apex()));
    Ok(Json(ZoneList { revision: snapshot.revision, zones, next }))
}

/// Read a zone in short
#[utoipa::path(get, path = "/v1/zones/{zone}", tag = "Zones", operation_id = "getZone",
    params(ZoneName, Known),
    responses(
        (status = 200, description = "The zone.", body = ZoneSummary, headers(("ETag"))),
        (status = 304, description = "It is what you have.", headers(("ETag"))),
        NoSuchZone))]
pub(super) async fn get(
    allowed: Allowed,
    ZoneName(apex): ZoneName,
    _: NoQuery,
    known: Known,
) -> Result<Response, Problem> {
    let snapshot = allowed.to(Object::Zone(apex.borrow()))?.store.snapshot();
    let zone = snapshot.zones.get(apex.borrow()).ok_or_else(|| Problem::no_zone(&apex))?;
    Ok(known.answer(&tag::of_zone(zone), Json(ZoneSummary::of(zone))))
}

/// Delete a zone
///
/// All of it, at once. Its history stays, and an undo brings it back.
#[utoipa::path(delete, path = "/v1/zones/{zone}", tag = "Zones", operation_id = "deleteZone",
    params(ZoneName, DryRun, Conditions),
    responses((status = 200, description = "It is gone.", body = ZoneChange), NoSuchZone, NameTaken, Stale))]
pub(super) async fn delete(
    allowed: Allowed,
    ZoneName(apex): ZoneName,
    DryRun(dry_run): DryRun,
    conditions: Conditions,
) -> Result<Json<ZoneChange>, Problem> {
    let admin = allowed.to(Object::WholeZone(apex.borrow()))?;
    let change = change::on(conditions, &apex, 1, Change::DeleteZone { apex: apex.clone() });
    blocking(move || {
        let made = change::make_blocking(&admin.store, &apex, change, dry_run, allowed.actor())?;
        Ok(Json(made.report(&apex)))
    })
    .await
}
