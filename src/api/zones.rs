//! Zones: list, read, delete. A zone comes into being by [`super::new_zone`] or [`super::zone_file`].

use axum::Json;
use axum::response::Response;

use super::auth::Allowed;
use super::change;
use super::extract::{DryRun, NoQuery, ZoneName};
use super::problem::{NameTaken, NoSuchZone, Stale};
use super::tag::{self, Conditions, Known};
use super::types::{ZoneChange, ZoneList, ZoneSummary};
use super::{Problem, blocking};
use crate::access::Object;
use crate::store::Change;

/// List all zones
///
/// With a token that is limited to zones: those.
#[utoipa::path(get, path = "/v1/zones", tag = "Zones", operation_id = "listZones",
    responses((status = 200, description = "The zones, in canonical order.", body = ZoneList)))]
pub(super) async fn list(allowed: Allowed, _: NoQuery) -> Result<Json<ZoneList>, Problem> {
    let snapshot = allowed.to(Object::Server)?.store.snapshot();
    let shown = snapshot.zones.iter().filter(|zone| allowed.sees_zone(zone.apex()));
    let zones = shown.map(|zone| ZoneSummary::of(zone)).collect();
    Ok(Json(ZoneList { revision: snapshot.revision, zones }))
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
