//! What the server does.

use axum::Json;

use super::auth::{Allowed, unix_seconds};
use super::certificates::{self, CertificateError};
use super::event::moment;
use super::extract::NoQuery;
use super::process::proportional_memory;
use super::types::{Saved, Status};
use super::{Admin, Problem, blocking};
use crate::access::Object;
use crate::acme::Verdict;
use crate::store::{Snapshot, Zones};
use crate::wire::Name;

/// Warnings of one kind that are told; whoever has more has seen enough.
pub(super) const WARNINGS_MAX: usize = 100;

/// Read what the server does
///
/// With a token that is limited to zones, only those are counted.
#[utoipa::path(get, path = "/v1/status", tag = "Server", operation_id = "getStatus",
    responses((status = 200, description = "What it serves, where and since when; what it has saved, and what it needs.", body = Status)))]
pub(super) async fn get(allowed: Allowed, _: NoQuery) -> Result<Json<Status>, Problem> {
    let admin = allowed.to(Object::Server)?;
    blocking(move || Ok(Json(status(&admin, &allowed)))).await
}

fn status(admin: &Admin, allowed: &Allowed) -> Status {
    let (snapshot, store) = (admin.store.snapshot(), admin.store.report());
    let dns = admin.live.as_ref().map(|live| live.dns.report()).unwrap_or_default();
    let saved = |revision, time| Saved { revision, time: moment(time) };
    let (zones, names, records) = count(&snapshot.zones, allowed);
    Status {
        version: env!("CARGO_PKG_VERSION").into(),
        revision: snapshot.revision,
        zones,
        names,
        records,
        addresses: admin.live.as_ref().map(|live| live.addresses.clone()).unwrap_or_default(),
        uptime_seconds: admin.started.elapsed().as_secs(),
        queries: dns.queries(),
        replies: dns.replied(),
        failing: store.failing,
        journal_size: store.journal,
        checkpoint: store.checkpoint.map(|checkpoint| saved(checkpoint.revision, checkpoint.time)),
        backup: admin.stats.backups().1.map(|backup| saved(backup.revision, backup.time)),
        memory_size: proportional_memory(),
        warnings: warnings(admin, allowed, &snapshot),
    }
}

/// What somebody has to see to, as far as they may know of it.
fn warnings(admin: &Admin, allowed: &Allowed, snapshot: &Snapshot) -> Vec<CertificateError> {
    let mut warnings = certificates::warnings(allowed, snapshot, unix_seconds());
    let found = admin.live.as_ref().map(|live| live.acme.delegations()).unwrap_or_default();
    let sees = |zone: &str| zone.parse::<Name>().is_ok_and(|zone| allowed.sees_zone(zone.borrow()));
    let wrong = found.values().filter(|found| found.verdict == Verdict::Wrong && sees(&found.zone));
    let told = wrong.map(|found| CertificateError { message: found.message.clone(), cure: found.cure.clone() });
    warnings.extend(told.take(WARNINGS_MAX));
    warnings
}

/// How many zones, names and records somebody may know of. Only for a limited token every zone is looked at.
fn count(zones: &Zones, allowed: &Allowed) -> (usize, usize, usize) {
    if allowed.sees_everything() {
        return (zones.len(), zones.name_count(), zones.record_count());
    }
    let shown = zones.iter().filter(|zone| allowed.sees_zone(zone.apex()));
    shown.fold((0, 0, 0), |(zones, names, records), zone| {
        (zones + 1, names + zone.name_count(), records + zone.record_count())
    })
}
