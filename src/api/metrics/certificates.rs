//! The metrics of certificates and delegations, and how each route stands.

use std::fmt;

use super::page::{Page, family};
use crate::acme::{Lookout, Verdict, warning};
use crate::api::routes::RouteState;
use crate::cert::{Certificate, Identified, Origin};
use crate::store::Snapshot;

/// Certificates that are told one by one; further ones are only in the sums.
const CERTIFICATES_MAX: usize = 1_000;

/// Writes what is known of certificates.
pub(super) fn write(page: &mut Page<'_>, snapshot: &Snapshot, now: u64) -> fmt::Result {
    let held: Vec<&Certificate> = snapshot.certificates.iter().take(CERTIFICATES_MAX).map(|held| &**held).collect();
    page.gauges(
        family("freehold_certificate_expiry_timestamp", "Until when a certificate is valid, since 1970.").seconds(),
        held.iter().map(|held| ([("certificate", held.id()), ("origin", origin(held))], held.not_after())),
    )?;
    let story = |held: &Certificate| snapshot.stories.get(held.id()).map(|story| &**story);
    page.gauges(
        family(
            "freehold_certificate_warning",
            "1 if somebody has to see to a certificate: it was imported and ends soon, or its renewal fails again and again.",
        ),
        held.iter().map(|held| {
            let is_warned = warning(&snapshot.certificates, held, story(held), now).is_some();
            ([("certificate", held.id())], is_warned)
        }),
    )?;
    page.gauges(
        family(
            "freehold_certificate_failures",
            "Failures in a row to get a certificate; 0: the last attempt was good.",
        ),
        snapshot
            .stories
            .iter()
            .take(CERTIFICATES_MAX)
            .map(|story| ([("certificate", story.id())], u64::from(story.failures))),
    )
}

fn origin(held: &Certificate) -> &'static str {
    match held.origin() {
        Origin::Local => "local",
        Origin::Acme(_) => "acme",
        Origin::Imported => "imported",
    }
}

/// Writes what the keeper has done and found.
pub(super) fn keeper(page: &mut Page<'_>, lookout: &Lookout) -> fmt::Result {
    let stats = lookout.stats();
    page.counters(
        family("freehold_acme_orders", "Attempts to get a certificate from a CA that are over, rehearsals included."),
        [("issued", stats.issued_count()), ("failed", stats.failures())].map(|(result, n)| ([("result", result)], n)),
    )?;
    page.counter(family("freehold_acme_attempts", "Attempts that were begun."), stats.attempts())?;
    let found = lookout.delegations();
    let known = found.values().filter(|found| matches!(found.verdict, Verdict::Right | Verdict::Wrong));
    page.gauges(
        family(
            "freehold_delegation_right",
            "1 if the world is led to this server for a zone with routes, 0 if not; none where nobody could be asked.",
        ),
        known.map(|found| ([("zone", found.zone.as_str())], found.verdict == Verdict::Right)),
    )?;
    page.gauges(
        family("freehold_delegation_looked_at_timestamp", "When the delegation of a zone was looked at, since 1970.")
            .seconds(),
        found.values().map(|found| ([("zone", found.zone.as_str())], found.looked_at)),
    )
}

/// Writes how each of these routes stands, by its id as it is shown.
pub(super) fn routes(page: &mut Page<'_>, states: &[(&str, &RouteState)]) -> fmt::Result {
    page.gauges(
        family(
            "freehold_route_state",
            "Always 1: what the host of a route is answered with, whether the world is led here for it (elsewhere: others answer \
             for it), and its certificate.",
        ),
        states.iter().map(|(route, state)| {
            let delegation = state.delegation.as_ref().map_or("elsewhere", |found| found.state.as_str());
            let (answer, certificate) = (state.answer.state.as_str(), state.certificate.state.as_str());
            ([("route", *route), ("answer", answer), ("delegation", delegation), ("certificate", certificate)], 1_u64)
        }),
    )?;
    page.gauges(
        family("freehold_route_expiry_timestamp", "Until when the certificate of a route is valid, since 1970.")
            .seconds(),
        states.iter().filter_map(|(route, state)| {
            let serial = state.certificate.serial.as_deref()?;
            Some(([("route", *route), ("serial", serial)], state.valid_until?))
        }),
    )?;
    page.gauges(
        family("freehold_route_error", "1 if the last attempt to get the certificate of a route failed, else 0."),
        states.iter().map(|(route, state)| ([("route", *route)], state.certificate.last_error.is_some())),
    )?;
    page.gauges(
        family("freehold_route_next_attempt_timestamp", "When the certificate is renewed or tried again, since 1970.")
            .seconds(),
        states.iter().filter_map(|(route, state)| Some(([("route", *route)], state.next_attempt?))),
    )
}
