//! The metrics of DNS.

use std::fmt;

use super::page::{Page, family};
use crate::dns::cookie::CookieState;
use crate::dns::stats::{COOKIES, KINDS, LATENCY, Networks, RCODES, Report, Totals};
use crate::wire::Rcode;

/// What all other types are called.
const OTHER: &str = "other";

/// The codes that this server can answer with: told from the start, so that a rate can be taken of the first of them.
const KNOWN: [Rcode; 8] = [
    Rcode::NOERROR,
    Rcode::FORMERR,
    Rcode::NXDOMAIN,
    Rcode::NOTIMP,
    Rcode::REFUSED,
    Rcode::YXDOMAIN,
    Rcode::NOTAUTH,
    Rcode::BADVERS,
];

/// Writes them.
pub(super) fn write(page: &mut Page<'_>, report: &Report, networks: Networks) -> fmt::Result {
    let all = report.all();
    let by_transport = |number: fn(&Totals) -> u64| all.map(|(name, totals)| ([("transport", name)], number(totals)));
    page.counters(
        family("freehold_dns_queries", "Queries that were looked at, well-formed or not."),
        by_transport(|totals| totals.queries),
    )?;
    questions(page, report)?;
    replies(page, &all)?;
    page.counters(
        family("freehold_dns_truncated_replies", "Replies that did not fit and said so (TC)."),
        by_transport(|totals| totals.truncated),
    )?;
    page.counters(
        family("freehold_dns_malformed", "Queries that could not be read: no reply, or FORMERR or NOTIMP."),
        by_transport(|totals| totals.malformed),
    )?;
    page.histograms(
        family(
            "freehold_dns_answer_duration",
            "Time from when a query was read to when its reply was handed to the kernel. It is taken once for all queries \
             that were read together, and counts for each of them: so each took at most this long. Waiting in the \
             socket's buffer is not in it.",
        )
        .seconds(),
        &LATENCY,
        all.map(|(name, totals)| ([("transport", name)], totals.latency.clone())),
    )?;
    unanswered(page, report)?;
    page.counter(
        family("freehold_dns_panics", "Queries whose answer ended in a panic. A bug: please report it."),
        report.sum(|totals| totals.panics),
    )?;
    rate_limit(page, report, networks)?;
    connections(page, report)
}

fn questions(page: &mut Page<'_>, report: &Report) -> fmt::Result {
    let names: Vec<String> = KINDS.iter().map(ToString::to_string).chain([OTHER.to_owned()]).collect();
    let counts = (0..names.len()).map(|slot| report.sum(|totals| totals.kinds[slot]));
    page.counters(
        family("freehold_dns_questions", "Queries that could be read, by the type they ask for."),
        names.iter().map(|name| [("type", name.as_str())]).zip(counts),
    )
}

fn replies(page: &mut Page<'_>, all: &[(&'static str, &Totals)]) -> fmt::Result {
    let names: Vec<String> = (0..RCODES).map(|code| Rcode(code as u16).to_string()).collect();
    let rows = all.iter().flat_map(|(transport, totals)| {
        let known = |code: &usize| KNOWN.contains(&Rcode(*code as u16));
        let told = (0..RCODES).filter(move |code| known(code) || totals.replies[*code] > 0);
        told.map(|code| ([("transport", *transport), ("rcode", names[code].as_str())], totals.replies[code]))
    });
    page.counters(
        family(
            "freehold_dns_replies",
            "Replies by response code; without the empty ones of the rate limit, which are freehold_dns_rate_limited.",
        ),
        rows,
    )
}

fn unanswered(page: &mut Page<'_>, report: &Report) -> fmt::Result {
    let udp = &report.udp;
    let reasons = [("oversized", udp.oversized), ("unanswerable", udp.unanswerable)];
    page.counters(
        family(
            "freehold_dns_discarded",
            "Datagrams that were not looked at: longer than any query, or from a port of 0, which cannot be answered.",
        ),
        reasons.map(|(reason, count)| ([("reason", reason)], count)),
    )?;
    page.counter(
        family(
            "freehold_dns_unsent_replies",
            "Replies over UDP that the kernel refused to send: no route, a firewall.",
        ),
        udp.unsent,
    )
}

fn rate_limit(page: &mut Page<'_>, report: &Report, networks: Networks) -> fmt::Result {
    let actions = [("drop", report.udp.dropped), ("slip", report.udp.slipped)];
    page.counters(
        family(
            "freehold_dns_rate_limited",
            "Queries beyond the rate limit: left without a reply (drop), or sent to TCP by an empty one (slip).",
        ),
        actions.map(|(action, count)| ([("action", action)], count)),
    )?;
    page.gauge(
        family("freehold_dns_rate_limit_networks_busy", "Client networks that have used some of their allowance."),
        networks.busy,
    )?;
    page.gauge(
        family("freehold_dns_rate_limit_networks_limited", "Client networks that have none of their allowance left."),
        networks.limited,
    )?;
    page.gauge(
        family("freehold_dns_rate_limit_networks_max", "Client networks that can be remembered at a time."),
        networks.room,
    )?;
    let counts = (0..COOKIES.len()).map(|state| report.sum(|totals| totals.cookies[state]));
    page.counters(
        family(
            "freehold_dns_cookies",
            "Queries with a DNS cookie: a client's alone (client_only), with one of this server's that is good (valid) or \
             is not (invalid), or of a length that no cookie has (malformed).",
        ),
        COOKIES.map(|state| [("state", cookie(state))]).into_iter().zip(counts),
    )
}

fn cookie(state: CookieState) -> &'static str {
    match state {
        CookieState::Absent => "absent",
        CookieState::ClientOnly => "client_only",
        CookieState::Valid => "valid",
        CookieState::Invalid => "invalid",
        CookieState::Malformed => "malformed",
    }
}

fn connections(page: &mut Page<'_>, report: &Report) -> fmt::Result {
    type Count = fn(&Totals) -> u64;
    let with_connections = [("tcp", &report.tcp), ("tls", &report.tls), ("quic", &report.quic)];
    let rows = |count: Count| with_connections.map(|(name, totals)| ([("transport", name)], count(totals)));
    page.gauges(family("freehold_dns_connections_open", "Connections that are open now."), rows(Totals::open))?;
    let families: [(_, _, Count); 7] = [
        ("freehold_dns_connections_accepted", "Connections that were accepted.", |totals| totals.accepted),
        ("freehold_dns_connections_closed", "Connections that are over, for whatever reason.", |totals| totals.closed),
        ("freehold_dns_connections_refused", "Connections closed at once because of a limit.", |totals| totals.refused),
        ("freehold_dns_connections_evicted", "Connections closed, while idle, to make room for others.", |totals| {
            totals.evicted
        }),
        (
            "freehold_dns_connections_timed_out",
            "Connections closed because the client was idle or slow for too long.",
            |totals| totals.timed_out,
        ),
        (
            "freehold_dns_connections_failed",
            "Connections that the kernel could not hand over, such as for want of file descriptors.",
            |totals| totals.accept_failed,
        ),
        (
            "freehold_dns_handshakes_failed",
            "Connections over TLS and QUIC that ended before both sides had agreed on keys.",
            |totals| totals.handshakes_failed,
        ),
    ];
    for (name, meaning, count) in families {
        page.counters(family(name, meaning), rows(count))?;
    }
    Ok(())
}
