//! The metrics of the apps of routes.
//!
//! A route's id and an app's address are labels: both are what the owner has made. Of routes with one app that nobody looks at
//! nothing is told, and of very many apps only so many are, or the page would be too long to be read once a minute.

use std::fmt;
use std::sync::Arc;

use super::page::{Page, family};
use crate::edge::{AppHealth, AppReport, Board};
use crate::route::Route;

/// Apps that are told one by one.
const APPS_MAX: usize = 1_000;

/// Writes how the apps of these routes are.
pub(super) fn write(page: &mut Page<'_>, routes: &[(&Arc<Route>, String)], board: &Board) -> fmt::Result {
    let mut apps: Vec<(&str, AppReport)> = Vec::new();
    for (route, shown) in routes {
        let reports = board.report(route);
        if reports.len() > 1 || route.options().health.look().is_some() {
            apps.extend(reports.into_iter().map(|report| (shown.as_str(), report)));
        }
    }
    apps.truncate(APPS_MAX);
    page.gauges(
        family(
            "freehold_route_app_up",
            "Whether an app gets requests: 0 if it was found down, is left out, or is lost.",
        ),
        apps.iter().map(|(route, app)| {
            let up = matches!(app.health, AppHealth::Up | AppHealth::Unknown | AppHealth::Drained);
            ([("route", *route), ("app", app.url.as_str())], up)
        }),
    )?;
    page.counters(
        family(
            "freehold_route_app_ejections",
            "How often an app was left out because it failed many requests in a row.",
        ),
        apps.iter().map(|(route, app)| ([("route", *route), ("app", app.url.as_str())], app.ejections)),
    )?;
    page.counters(
        family("freehold_route_app_checks", "Looks at an app, by whether it was well."),
        apps.iter().flat_map(|(route, app)| {
            let row = |result, count| ([("route", *route), ("app", app.url.as_str()), ("result", result)], count);
            let (all, bad) = app.looks;
            [row("well", all.saturating_sub(bad)), row("unwell", bad)]
        }),
    )
}
