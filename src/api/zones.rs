//! Zones: list, read, delete. A zone comes into being by [`super::zone_file`].

use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, State};

use super::change::{self, Report};
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
    blocking(move || {
        let snapshot = admin.store.snapshot();
        let before = snapshot.zones.get(apex.borrow()).ok_or_else(|| Problem::no_zone(&apex))?;
        let report = Report { before: Some(before), after: None, revision: snapshot.revision };
        let mut report = report.make(dry_run);
        if !report.dry_run {
            let done = change::commit(&admin.store, Change::DeleteZone { apex }, caller.actor())?;
            report.revision = done.revision;
        }
        Ok(Json(report))
    })
    .await
}
