//! `/metrics`: everything that is counted, in the text format of OpenMetrics 1.0 (docs/metrics.md has the list).
//!
//! Each folder counts in a `stats.rs` of its own and knows nothing of this page, which reads them all. No name or
//! address of a client is ever a label: their number has no bound. What the owner has made, routes and certificates, is told one by
//! one up to [`ROUTES_MAX`].

mod apps;
mod certificates;
mod dns;
mod edge;
mod page;
mod process;
mod requests;
mod store;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;

use super::auth::{Allowed, unix_seconds};
use super::extract::NoQuery;
use super::{Admin, Problem, blocking, routes};
use crate::access::Object;
use crate::route::Route;
use crate::store::Snapshot;
use page::{Page, family};

/// Routes that are told one by one; further ones are only in the sums.
const ROUTES_MAX: usize = 1_000;
/// What the page is written in.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Read the metrics
///
/// Everything that is counted, in the text format of OpenMetrics 1.0, for Prometheus and whoever else reads it.
#[utoipa::path(get, path = "/metrics", tag = "Server", operation_id = "getMetrics",
    responses((status = 200, description = "The metrics.", body = String,
        content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8")))]
pub(super) async fn get(allowed: Allowed, _: NoQuery) -> Result<Response, Problem> {
    let admin = allowed.to(Object::Server)?;
    let text = blocking(move || write(admin).map_err(|fault| Problem::internal(&fault))).await?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

fn write(admin: Arc<Admin>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Everything(admin)));
    let mut page = String::new();
    text::encode(&mut page, &registry)?;
    Ok(page)
}

/// The edge, routes and certificates.
fn web(page: &mut Page<'_>, admin: &Admin, snapshot: &Snapshot) -> fmt::Result {
    let (now, lookout) = (unix_seconds(), admin.live.as_ref().map(|live| &live.acme));
    let shown: Vec<(&Arc<Route>, String)> =
        snapshot.routes.iter().take(ROUTES_MAX).map(|route| (route, routes::shown_id(route))).collect();
    if let Some(edge) = admin.live.as_ref().and_then(|live| live.edge.as_ref()) {
        edge::write(page, &edge.meter.totals())?;
        edge::cache(page, &edge.meter.totals(), edge.cache.size())?;
        let ids: Vec<(&str, String)> = shown.iter().map(|(route, shown)| (route.id(), shown.clone())).collect();
        edge::routes(page, &ids, &edge.meter.routes())?;
        apps::write(page, &shown, &edge.board)?;
        edge::addresses(page, &edge.addresses.report())?;
    }
    let sources = routes::Sources { snapshot, lookout, board: None, addresses: None, now };
    let state = |(route, shown): &'_ (&Arc<Route>, String)| {
        (shown.clone(), routes::RouteState::of(route.host().as_str(), &sources))
    };
    let states: Vec<(String, routes::RouteState)> = shown.iter().map(state).collect();
    let states: Vec<(&str, &routes::RouteState)> = states.iter().map(|(id, state)| (id.as_str(), state)).collect();
    certificates::routes(page, &states)?;
    certificates::write(page, snapshot, now)?;
    lookout.map_or(Ok(()), |lookout| certificates::keeper(page, lookout))
}

/// Reads everything, and writes it.
struct Everything(Arc<Admin>);

impl fmt::Debug for Everything {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Everything")
    }
}

impl Collector for Everything {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self(admin) = self;
        let mut page = Page(encoder);
        let build =
            [("version", env!("CARGO_PKG_VERSION")), ("arch", std::env::consts::ARCH), ("os", std::env::consts::OS)];
        page.info(family("freehold_build", "The version that runs, and what it was built for."), &build)?;
        if let Some(live) = &admin.live {
            dns::write(&mut page, &live.dns.report(), live.dns.networks())?;
        }
        let snapshot = admin.store.snapshot();
        web(&mut page, admin, &snapshot)?;
        store::write(&mut page, &snapshot, &admin.store.report())?;
        requests::write(&mut page, &admin.stats)?;
        process::write(&mut page, &super::process::Process::read(), admin.started_at)
    }
}
