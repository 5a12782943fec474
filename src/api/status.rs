//! What the server does.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::event::moment;
use super::extract::NoQuery;
use super::process::proportional_memory;
use super::types::{Saved, Status};
use super::{Admin, Problem, blocking};

/// Read what the server does
#[utoipa::path(get, path = "/v1/status", tag = "Server", operation_id = "getStatus",
    responses((status = 200, description = "What it serves, where and since when; what it has saved, and what it needs.", body = Status)))]
pub(super) async fn get(State(admin): State<Arc<Admin>>, _: NoQuery) -> Result<Json<Status>, Problem> {
    blocking(move || Ok(Json(status(&admin)))).await
}

fn status(admin: &Admin) -> Status {
    let (snapshot, store) = (admin.store.snapshot(), admin.store.report());
    let dns = admin.live.as_ref().map(|live| live.dns.report()).unwrap_or_default();
    let saved = |revision, time| Saved { revision, time: moment(time) };
    Status {
        version: env!("CARGO_PKG_VERSION").into(),
        revision: snapshot.revision,
        zones: snapshot.zones.len(),
        names: snapshot.zones.name_count(),
        records: snapshot.zones.record_count(),
        addresses: admin.live.as_ref().map(|live| live.addresses.clone()).unwrap_or_default(),
        uptime_seconds: admin.started.elapsed().as_secs(),
        queries: dns.queries(),
        replies: dns.replied(),
        failing: store.failing,
        journal_size: store.journal,
        checkpoint: store.checkpoint.map(|checkpoint| saved(checkpoint.revision, checkpoint.time)),
        backup: admin.stats.backups().1.map(|backup| saved(backup.revision, backup.time)),
        memory_size: proportional_memory(),
    }
}
