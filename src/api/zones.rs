//! Zones: list, read, delete. A zone comes into being by [`super::zone_file`].

use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, State};

use super::change;
use super::extract::{DryRun, ZoneName};
use super::socket::Caller;
use super::types::{ZoneChange, ZoneList, ZoneSummary};
use super::{Admin, Problem, blocking};
use crate::store::Change;

/// `GET /v1/zones`
pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Json<ZoneList> {
    let snapshot = admin.store.snapshot();
    let zones = snapshot.zones.iter().map(|zone| ZoneSummary::of(zone)).collect();
    Json(ZoneList { revision: snapshot.revision, zones })
}

/// `GET /v1/zones/{zone}`
pub(super) async fn get(
    State(admin): State<Arc<Admin>>,
    ZoneName(apex): ZoneName,
) -> Result<Json<ZoneSummary>, Problem> {
    let snapshot = admin.store.snapshot();
    let zone = snapshot.zones.get(apex.borrow()).ok_or_else(|| Problem::no_zone(&apex))?;
    Ok(Json(ZoneSummary::of(zone)))
}

/// `DELETE /v1/zones/{zone}[?dry_run=1]`
pub(super) async fn delete(
    State(admin): State<Arc<Admin>>,
    ZoneName(apex): ZoneName,
    DryRun(dry_run): DryRun,
    ConnectInfo(caller): ConnectInfo<Caller>,
) -> Result<Json<ZoneChange>, Problem> {
    let change = Change::DeleteZone { apex: apex.clone() };
    blocking(move || {
        let made = change::make(&admin.store, &apex, change, dry_run, caller.actor())?;
        Ok(Json(made.report(&apex)))
    })
    .await
}
