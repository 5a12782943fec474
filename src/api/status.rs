//! What the server does.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Admin;
use super::types::Status;

/// `GET /v1/status`
pub(super) async fn get(State(admin): State<Arc<Admin>>) -> Json<Status> {
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
