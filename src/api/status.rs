//! What the server does.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Admin;
use super::extract::NoQuery;
use super::types::Status;

/// Read what the server does
#[utoipa::path(get, path = "/v1/status", tag = "Server", operation_id = "getStatus",
    responses((status = 200, description = "Version, revision, how much it serves, where, and since when.", body = Status)))]
pub(super) async fn get(State(admin): State<Arc<Admin>>, _: NoQuery) -> Json<Status> {
    let snapshot = admin.store.snapshot();
    Json(Status {
        version: env!("CARGO_PKG_VERSION").into(),
        revision: snapshot.revision,
        zones: snapshot.zones.len(),
        records: snapshot.zones.iter().map(|zone| zone.record_count()).sum(),
        addresses: admin.addresses.clone(),
        uptime_seconds: admin.started.elapsed().as_secs(),
    })
}
