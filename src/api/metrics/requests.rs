//! The metrics of the admin API itself.

use std::fmt;

use super::page::{Page, family};
use crate::api::stats::{CLASSES, DENIALS, DURATION, Stats};

/// Writes them.
pub(super) fn write(page: &mut Page<'_>, stats: &Stats) -> fmt::Result {
    let routes = stats.routes();
    let served = || {
        routes.iter().flat_map(|(route, methods)| methods.iter().map(move |(method, served)| (route, *method, served)))
    };
    page.counters(
        family(
            "freehold_api_requests",
            "Requests that were answered, by the pattern of their path (nowhere: there is none) and the class of the \
             status.",
        ),
        served().flat_map(|(route, method, served)| {
            let told = CLASSES.into_iter().zip(served.classes).filter(|(_, count)| *count > 0);
            told.map(move |(class, count)| ([("route", route.as_str()), ("method", method), ("status", class)], count))
        }),
    )?;
    page.counters(
        family(
            "freehold_api_denials",
            "Requests that were denied: without a good token (401), with one that does not reach so far (403), after too \
             many wrong ones (429). Pages of other sites that tried are among the 403.",
        ),
        DENIALS.into_iter().zip(stats.denials()).map(|((_, status), count)| ([("status", status)], count)),
    )?;
    page.histograms(
        family("freehold_api_request_duration", "Time from a request's head to the beginning of its answer.").seconds(),
        &DURATION,
        served()
            .map(|(route, method, served)| ([("route", route.as_str()), ("method", method)], served.durations.clone())),
    )?;
    page.gauge(
        family("freehold_api_requests_in_flight", "Requests whose answer has not begun, this one among them."),
        stats.in_flight(),
    )?;
    let (backups, last) = stats.backups();
    page.counter(family("freehold_api_backups", "Backups that were taken to their end."), backups)?;
    page.gauge_if_known(
        family("freehold_api_backup_timestamp", "When the last backup since the start was complete, since 1970.")
            .seconds(),
        last.map(|backup| backup.time),
    )
}
