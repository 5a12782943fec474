//! What the server does.

use axum::Json;

use super::Problem;
use super::auth::Allowed;
use super::extract::NoQuery;
use super::types::Status;
use crate::access::Object;

/// Read what the server does
#[utoipa::path(get, path = "/v1/status", tag = "Server", operation_id = "getStatus",
    responses((status = 200, description = "Version, revision, how much it serves, where, and since when.", body = Status)))]
pub(super) async fn get(allowed: Allowed, _: NoQuery) -> Result<Json<Status>, Problem> {
    let admin = allowed.to(Object::Server)?;
    let snapshot = admin.store.snapshot();
    let shown = || snapshot.zones.iter().filter(|zone| allowed.sees_zone(zone.apex()));
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION").into(),
        revision: snapshot.revision,
        zones: shown().count(),
        records: shown().map(|zone| zone.record_count()).sum(),
        addresses: admin.addresses.clone(),
        uptime_seconds: admin.started.elapsed().as_secs(),
    }))
}
