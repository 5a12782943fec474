//! `freehold route show` and `freehold route test`: how a route stands, and where a visit to it fails.

use std::collections::HashSet;
use std::io::{self, Write};

use hyper::Method;

use super::target;
use crate::api::{RouteSummary, RouteTest, RouteTestStep};
use crate::cli::arguments::{Options, Output};
use crate::cli::door::{Door, Place, question};
use crate::cli::json;
use crate::cli::stop::{Exit, Stop};
use crate::cli::terminal::table;

/// `freehold route show`
pub(super) async fn show(place: &Place, path: &str, options: &Options) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    let route: RouteSummary = door.ask_json(question(Method::GET, path, "")?).await?;
    door.close().await?;
    if options.output == Output::Json {
        json(&route)?;
    } else {
        io::stdout().lock().write_all(page(&route).as_bytes())?;
    }
    Ok(Exit::Done)
}

/// Whether somebody should look at it.
pub(super) fn is_unwell(route: &RouteSummary) -> bool {
    let misled = route.delegation.as_ref().is_some_and(|found| found.state == "wrong");
    let down = route.apps.iter().any(|app| matches!(app.state.as_str(), "down" | "ejected" | "lost"));
    let out = route.addresses.iter().any(|address| address.state == "down");
    misled
        || down
        || out
        || route.certificate.last_error.is_some()
        || matches!(route.certificate.state.as_str(), "ended")
}

fn page(route: &RouteSummary) -> String {
    let mut page = format!("{}\n", route.id);
    let mut say = |name: &str, value: String| {
        if !value.is_empty() {
            page += &format!("  {name:13}{value}\n");
        }
    };
    let certificate = &route.certificate;
    say("leads to", target(&route.target));
    for app in route.apps.iter().filter(|app| app.state != "unknown") {
        let since = app.since.as_deref().map(|at| format!(" since {} UTC", time(at))).unwrap_or_default();
        let reason = app.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        say("app", format!("{} {}{since}{reason}", app.url, app.state));
    }
    say("zone", route.zone.clone().unwrap_or_default());
    let answer = match (route.answer.state.as_str(), route.answer.records.is_empty()) {
        ("elsewhere", _) => "others answer for this name".to_owned(),
        (_, true) => "no address here".to_owned(),
        (_, false) => route.answer.records.join(", "),
    };
    say("name", answer);
    for address in route.addresses.iter().filter(|address| address.state != "unknown") {
        let since = address.since.as_deref().map(|at| format!(" since {} UTC", time(at))).unwrap_or_default();
        let reason = address.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        say("address", format!("{} {}{since}{reason}", address.address, address.state));
    }
    if let Some(found) = &route.delegation {
        let looked = found.looked_at.as_deref().map(|at| format!(" (looked at {} UTC)", time(at))).unwrap_or_default();
        say("delegation", format!("{}: {}{looked}", found.state, found.message));
        say("cure", found.cure.clone().unwrap_or_default());
    }
    let issuer = certificate.issuer.as_ref().map(|issuer| format!(", {issuer}")).unwrap_or_default();
    say("certificate", format!("{}{issuer}", certificate_word(&certificate.state)));
    say("serial", certificate.serial.clone().unwrap_or_default());
    say("until", certificate.valid_until.as_deref().map(|at| format!("{} UTC", time(at))).unwrap_or_default());
    let failures = match certificate.failures {
        0 => String::new(),
        failures => format!(" (attempt {})", failures + 1),
    };
    say(
        "next",
        certificate.next_attempt.as_deref().map(|at| format!("{} UTC{failures}", time(at))).unwrap_or_default(),
    );
    if let Some(error) = &certificate.last_error {
        say("error", error.message.clone());
        say("cure", error.cure.clone());
    }
    page
}

/// The state of a certificate, as people read it.
pub(super) fn certificate_word(state: &str) -> &str {
    if state == "app" { "the app's own" } else { state }
}

fn time(moment: &str) -> String {
    moment.trim_end_matches('Z').replace('T', " ")
}

/// `freehold route test`
pub(super) async fn test(place: &Place, path: &str, options: &Options) -> Result<Exit, Stop> {
    let Some(mut door) = Door::running(place).await? else {
        return Err(Stop::new(
            Exit::Unreachable,
            "no server runs that could be visited",
            "start it with `freehold serve`",
        ));
    };
    let test: RouteTest = door.ask_json(question(Method::POST, &format!("{path}/test"), "")?).await?;
    door.close().await?;
    let exit = if test.well { Exit::Done } else { Exit::Failed };
    if options.output == Output::Json {
        json(&test)?;
        return Ok(exit);
    }
    let mut out = io::stdout().lock();
    table(&mut out, &["STEP", "VIEW", "MS", "", "FOUND"], &rows(&test.steps))?;
    // Both views often find the same.
    let mut told = HashSet::new();
    for step in test.steps.iter().filter(|step| step.cure.is_some() && told.insert((&step.message, &step.cure))) {
        let kind = if step.outcome == "wrong" { "wrong" } else { "unknown" };
        writeln!(out, "{kind}: {}\n = cure: {}", step.message, step.cure.as_deref().unwrap_or_default())?;
    }
    Ok(exit)
}

/// A row for each step; what stands already in the row above is left out.
fn rows(steps: &[RouteTestStep]) -> Vec<Vec<String>> {
    let mut before = "";
    let row = |step: &RouteTestStep| {
        vec![step.view.clone(), format!("{:6.1}", step.took_ms), step.outcome.clone(), step.message.clone()]
    };
    let mut rows = Vec::new();
    for step in steps {
        let name = if step.step == before { "" } else { step.step.as_str() };
        rows.push([vec![name.to_owned()], row(step)].concat());
        before = &step.step;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{
        CertificateError, NewRoute, RouteAddressState, RouteAnswer, RouteApp, RouteAppState, RouteCertificate,
        RouteDelegation,
    };

    fn summary() -> RouteSummary {
        let app = RouteApp { url: "http://127.0.0.1:3000".into(), drained: false, weight: 1, backup: false };
        RouteSummary {
            id: "app.example.org/".into(),
            host: "app.example.org".into(),
            path: "/".into(),
            target: NewRoute { apps: Some(vec![app]), ..NewRoute::default() },
            zone: Some("example.org".into()),
            answer: RouteAnswer { state: "addresses".into(), records: vec!["A 192.0.2.80".into()] },
            delegation: Some(RouteDelegation {
                zone: "example.org".into(),
                state: "wrong".into(),
                message: "org delegates example.org to ns.other.test".into(),
                cure: Some("at the registrar, enter ns1.example.org".into()),
                name_servers: vec!["ns.other.test".into()],
                looked_at: Some("2026-11-21T15:00:00Z".into()),
            }),
            certificate: RouteCertificate {
                state: "local".into(),
                issuer: Some("Freehold local CA".into()),
                serial: Some("04:ab".into()),
                valid_until: Some("2027-02-19T15:00:00Z".into()),
                next_attempt: Some("2026-11-21T15:10:00Z".into()),
                failures: 2,
                last_error: Some(CertificateError { message: "the CA says: no".into(), cure: "ask another".into() }),
            },
            apps: vec![RouteAppState {
                url: "http://127.0.0.1:3000".into(),
                state: "down".into(),
                since: Some("2026-11-21T15:00:00Z".into()),
                reason: Some("/health answers 503".into()),
                ejections: 0,
            }],
            addresses: vec![RouteAddressState {
                address: "192.0.2.81".into(),
                state: "down".into(),
                since: Some("2026-11-21T15:00:00Z".into()),
                reason: Some("nobody listens".into()),
            }],
        }
    }

    #[test]
    fn a_page_tells_all_that_is_known() {
        let expected = "\
app.example.org/
  leads to     http://127.0.0.1:3000
  app          http://127.0.0.1:3000 down since 2026-11-21 15:00:00 UTC: /health answers 503
  zone         example.org
  name         A 192.0.2.80
  address      192.0.2.81 down since 2026-11-21 15:00:00 UTC: nobody listens
  delegation   wrong: org delegates example.org to ns.other.test (looked at 2026-11-21 15:00:00 UTC)
  cure         at the registrar, enter ns1.example.org
  certificate  local, Freehold local CA
  serial       04:ab
  until        2027-02-19 15:00:00 UTC
  next         2026-11-21 15:10:00 UTC (attempt 3)
  error        the CA says: no
  cure         ask another
";
        assert_eq!(page(&summary()), expected);
        assert!(is_unwell(&summary()));
    }
}
