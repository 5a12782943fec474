//! The metrics of the edge, and of each route.
//!
//! A route's id is a label: routes are what the owner has made, so their number is known. Beyond some number they are counted only
//! in the totals, or the page would be too long to be read once a minute.

use std::collections::HashMap;
use std::fmt;

use super::page::{Page, family};
use crate::edge::addresses::AddressReport;
use crate::edge::stats::{AppFailure, RouteTotals, TIMES, Totals};

/// Answers by the first digit of their status, as they are counted.
const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// Writes what is counted of all.
pub(super) fn write(page: &mut Page<'_>, totals: &Totals) -> fmt::Result {
    connections(page, totals)?;
    handshakes(page, totals)?;
    let protocols = (0..CLASSES.len()).flat_map(|class| {
        let row = |protocol, count| ([("protocol", protocol), ("status", CLASSES[class])], count);
        let (http2, http3) = (totals.http2_answers[class], totals.http3_answers[class]);
        let http1 = totals.answers[class].saturating_sub(http2 + http3);
        [row("http1", http1), row("http2", http2), row("http3", http3)]
    });
    page.counters(
        family(
            "freehold_edge_requests",
            "Requests by the protocol of the client and the class of the status; none: the client left before there was one.",
        ),
        protocols,
    )?;
    page.histogram(
        family(
            "freehold_edge_request_duration",
            "Time from the head of a request to the last octet of its answer; of WebSocket and its like, to their end.",
        )
        .seconds(),
        &TIMES,
        &totals.times,
    )?;
    for (name, meaning, count) in [
        ("freehold_edge_received", "Bodies of requests.", totals.received),
        ("freehold_edge_sent", "Answers, heads not counted.", totals.sent),
    ] {
        page.counter(family(name, meaning).bytes(), count)?;
    }
    apps(page, totals)?;
    for (name, meaning, count) in [
        ("freehold_edge_upgrades", "Connections turned over to WebSocket or another protocol.", totals.upgrades),
        ("freehold_edge_passed", "Connections passed on to an app unopened.", totals.passed),
        ("freehold_edge_aborted", "Requests whose client left before the answer was complete.", totals.aborted),
        (
            "freehold_edge_timed_out",
            "Connections and requests cut because the client was idle or slow.",
            totals.timed_out,
        ),
        (
            "freehold_edge_misbehaved",
            "Connections cut because of what the client sent: ambiguous requests, floods.",
            totals.misbehaved,
        ),
        ("freehold_edge_log_lost", "Lines of the access log that could not be written.", totals.log_lost),
        ("freehold_edge_panics", "Requests that ended in a panic. A bug: please report it.", totals.panics),
    ] {
        page.counter(family(name, meaning), count)?;
    }
    Ok(())
}

fn connections(page: &mut Page<'_>, totals: &Totals) -> fmt::Result {
    page.gauge(family("freehold_edge_connections_open", "Connections that are open now."), totals.open())?;
    for (name, meaning, count) in [
        ("freehold_edge_connections_accepted", "Connections that were accepted.", totals.connections),
        ("freehold_edge_connections_closed", "Connections that are over, for whatever reason.", totals.closed),
        ("freehold_edge_connections_refused", "Connections closed at once because of a limit.", totals.refused),
        (
            "freehold_edge_connections_evicted",
            "Connections closed, while idle, to make room for others.",
            totals.evicted,
        ),
        (
            "freehold_edge_connections_failed",
            "Connections that the kernel could not hand over, such as for want of file descriptors.",
            totals.accept_failed,
        ),
    ] {
        page.counter(family(name, meaning), count)?;
    }
    Ok(())
}

fn handshakes(page: &mut Page<'_>, totals: &Totals) -> fmt::Result {
    let named = [
        ("garbled", totals.handshakes_garbled),
        ("unmatched", totals.handshakes_unmatched),
        ("rejected", totals.handshakes_rejected),
        ("left", totals.handshakes_left),
        ("slow", totals.handshakes_slow),
    ];
    let other = totals.handshakes_failed.saturating_sub(named.iter().map(|(_, count)| count).sum());
    let rest = [("ok", totals.handshakes), ("unknown_name", totals.names_unknown), ("other", other)];
    page.counters(
        family(
            "freehold_edge_handshakes",
            "TLS handshakes: ok; for a name without a certificate (unknown_name); the client spoke no TLS (garbled), knows no \
             version or cipher of ours (unmatched), did not take the certificate (rejected), left, was too slow; other.",
        ),
        rest.into_iter().chain(named).map(|(result, count)| ([("result", result)], count)),
    )?;
    page.counter(
        family("freehold_edge_handshakes_resumed", "Handshakes that resumed an earlier session."),
        totals.resumed,
    )
}

fn apps(page: &mut Page<'_>, totals: &Totals) -> fmt::Result {
    page.counters(
        family(
            "freehold_edge_app_failures",
            "Requests that an app did not answer soundly, by why; inside: it was none of the app's.",
        ),
        AppFailure::ALL.map(|failure| ([("reason", failure.word())], totals.failures[failure as usize])),
    )?;
    page.counters(
        family("freehold_edge_app_requests", "Requests sent to apps, on a new connection or on one that was there."),
        [("new", totals.connected), ("reused", totals.reused)].map(|(kind, count)| ([("connection", kind)], count)),
    )?;
    page.counter(
        family("freehold_edge_app_retries", "Requests sent to an app a second time, on a new connection."),
        totals.retried,
    )
}

/// Writes what is counted of the cache; it has so many octets and answers.
pub(super) fn cache(page: &mut Page<'_>, totals: &Totals, (size, answers): (u64, u64)) -> fmt::Result {
    page.counters(
        family(
            "freehold_edge_cache_requests",
            "Requests of routes with a cache: answered with what was kept and fresh (hit), or no longer fresh (stale), or with what \
             another one had fetched (coalesced); an app was asked (miss); not for the cache (passed).",
        ),
        [
            ("hit", totals.cache_hits),
            ("stale", totals.cache_stale),
            ("coalesced", totals.cache_coalesced),
            ("miss", totals.cache_misses),
            ("passed", totals.cache_passed),
        ]
        .map(|(result, count)| ([("result", result)], count)),
    )?;
    page.counter(
        family("freehold_edge_cache_revalidated", "Answers of which an app said that they are still good."),
        totals.cache_revalidated,
    )?;
    page.counter(family("freehold_edge_cache_evicted", "Answers that made room for others."), totals.cache_evicted)?;
    page.gauge(family("freehold_edge_cache_answers", "What is kept."), answers)?;
    page.gauge(family("freehold_edge_cache_size", "Memory of what is kept.").bytes(), size)
}

/// Writes which addresses of the edge are well, where it is looked at.
pub(super) fn addresses(page: &mut Page<'_>, addresses: &[AddressReport]) -> fmt::Result {
    let known = addresses.iter().filter_map(|report| Some((report.address.to_string(), report.up?)));
    let known: Vec<(String, bool)> = known.collect();
    page.gauges(
        family(
            "freehold_edge_address_up",
            "Whether an address of the edge was found well, so that DNS tells clients of it.",
        ),
        known.iter().map(|(address, up)| ([("address", address.as_str())], *up)),
    )
}

/// Writes what is counted of each of these routes: its id in the store, and as it is shown.
pub(super) fn routes(
    page: &mut Page<'_>,
    routes: &[(&str, String)],
    totals: &HashMap<Box<str>, RouteTotals>,
) -> fmt::Result {
    let none = RouteTotals::default();
    let of: Vec<(&str, &RouteTotals)> =
        routes.iter().map(|(id, shown)| (shown.as_str(), totals.get(*id).unwrap_or(&none))).collect();
    page.counters(
        family("freehold_route_requests", "Requests of a route, by the class of the status."),
        of.iter().flat_map(|(route, totals)| {
            let row = |(class, count): (&'static str, u64)| ([("route", *route), ("status", class)], count);
            CLASSES.into_iter().zip(totals.answers).map(row)
        }),
    )?;
    page.histograms(
        family("freehold_route_request_duration", "Time from the head of a request to the last octet of its answer.")
            .seconds(),
        &TIMES,
        of.iter().map(|(route, totals)| ([("route", *route)], totals.times.clone())),
    )?;
    for (name, meaning, count) in [
        ("freehold_route_received", "Bodies of requests.", (|totals| totals.received) as fn(&RouteTotals) -> u64),
        ("freehold_route_sent", "Answers, heads not counted.", |totals| totals.sent),
    ] {
        page.counters(
            family(name, meaning).bytes(),
            of.iter().map(|(route, totals)| ([("route", *route)], count(totals))),
        )?;
    }
    page.counters(
        family("freehold_route_app_failures", "Requests that an app of the route did not answer soundly."),
        of.iter().map(|(route, totals)| ([("route", *route)], totals.app_failures())),
    )?;
    page.counters(
        family("freehold_route_upgrades", "Connections turned over to WebSocket or another protocol."),
        of.iter().map(|(route, totals)| ([("route", *route)], totals.upgrades)),
    )?;
    page.counters(
        family("freehold_route_passed", "Connections passed on to an app unopened."),
        of.iter().map(|(route, totals)| ([("route", *route)], totals.passed)),
    )
}
