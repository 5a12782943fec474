//! Zones: list, read, delete. A zone comes into being by [`super::new_zone`] or [`super::zone_file`].

use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::caller::Caller;
use super::change;
use super::extract::{DryRun, ZoneName};
use super::tag::{self, Conditions};
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
pub(super) async fn get(State(admin): State<Arc<Admin>>, ZoneName(apex): ZoneName) -> Result<Response, Problem> {
    let snapshot = admin.store.snapshot();
    let zone = snapshot.zones.get(apex.borrow()).ok_or_else(|| Problem::no_zone(&apex))?;
    Ok((tag::header(&tag::of_zone(zone)), Json(ZoneSummary::of(zone))).into_response())
}

/// `DELETE /v1/zones/{zone}[?dry_run=1]`
pub(super) async fn delete(
    State(admin): State<Arc<Admin>>,
    ZoneName(apex): ZoneName,
    DryRun(dry_run): DryRun,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
) -> Result<Json<ZoneChange>, Problem> {
    let conditions = Conditions::read(&headers)?;
    let change = change::on(conditions, &apex, 1, Change::DeleteZone { apex: apex.clone() });
    blocking(move || {
        let made = change::make_blocking(&admin.store, &apex, change, dry_run, caller.actor())?;
        Ok(Json(made.report(&apex)))
    })
    .await
}
