//! The past: who changed what and when, and taking it back. A zone that is gone still has its history.

use std::io;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::caller::Caller;
use super::change;
use super::difference;
use super::event::{History, PastChange};
use super::extract::{DryRun, ZoneName, ZoneRevision};
use super::types::{ZoneChange, plain};
use super::{Admin, Problem, ZoneFault, blocking, stream};
use crate::store::{CannotUndo, HistoryFault, Since, Wanted};
use crate::wire::Name;
use crate::zone::Count;

/// Changes on a page, by default.
const LIMIT: usize = 50;
/// Changes on a page, at most.
const LIMIT_MAX: usize = 500;

/// The query `?limit=50&before=17`.
pub(super) struct Paging {
    limit: usize,
    before: Option<u64>,
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut paging = Self { limit: LIMIT, before: None };
        for pair in parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let number = |text: &str| text.parse::<u64>().ok();
            match pair.split_once('=').map(|(key, value)| (key, number(value))) {
                Some(("limit", Some(limit @ 1..))) if limit <= LIMIT_MAX as u64 => paging.limit = limit as usize,
                Some(("before", Some(before))) => paging.before = Some(before),
                Some(_) | None => {
                    let detail = format!("the query `{pair}` is not known here");
                    let hint = "this endpoint takes limit (1 to 500) and before (a revision)";
                    return Err(Problem::bad_request(detail, hint));
                }
            }
        }
        Ok(paging)
    }
}

/// `GET /v1/history[?limit=&before=]`
pub(super) async fn all(State(admin): State<Arc<Admin>>, paging: Paging) -> Result<Json<History>, Problem> {
    blocking(move || page(&admin, None, &paging).map(Json)).await
}

/// `GET /v1/zones/{zone}/history[?limit=&before=]`
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    ZoneName(apex): ZoneName,
    paging: Paging,
) -> Result<Json<History>, Problem> {
    blocking(move || {
        let history = page(&admin, Some(&apex), &paging)?;
        let unheard_of = history.changes.is_empty() && history.next.is_none() && paging.before.is_none();
        match unheard_of && admin.store.snapshot().zones.get(apex.borrow()).is_none() {
            true => Err(Problem::no_zone(&apex)),
            false => Ok(Json(history)),
        }
    })
    .await
}

fn page(admin: &Admin, zone: Option<&Name>, paging: &Paging) -> Result<History, Problem> {
    let wanted = Wanted { zone: zone.map(Name::borrow), before: paging.before, limit: paging.limit };
    admin.store.history().page(&wanted).map(History::from).map_err(|fault| unknown(&fault))
}

/// `GET /v1/zones/{zone}/history/{revision}`
pub(super) async fn get(
    State(admin): State<Arc<Admin>>,
    ZoneRevision(apex, revision): ZoneRevision,
) -> Result<Json<PastChange>, Problem> {
    blocking(move || find(&admin, &apex, revision).map(Json)).await
}

/// `GET /v1/zones/{zone}/history/{revision}/diff`: every record that went (`-`) and came (`+`), a line each.
pub(super) async fn diff(
    State(admin): State<Arc<Admin>>,
    ZoneRevision(apex, revision): ZoneRevision,
) -> Result<Response, Problem> {
    let known = Arc::clone(&admin);
    blocking(move || find(&known, &apex, revision)).await?;
    let body = stream::body(move |out| {
        admin.store.history().sets(revision, &mut |change| {
            let mut written = Ok(());
            change.records(&mut Count::default(), &mut |sign, ttl, rdata| {
                let line = difference::line(change.name.borrow(), ttl, change.kind, rdata);
                if written.is_ok() {
                    written = writeln!(out, "{sign}{line}");
                }
            });
            written as io::Result<()>
        })
    });
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response())
}

fn find(admin: &Admin, apex: &Name, revision: u64) -> Result<PastChange, Problem> {
    let event = admin.store.history().find(revision).map_err(|fault| unknown(&fault))?;
    match event.zone == *apex {
        true => Ok(PastChange::of(&event)),
        false => Err(refusal(&CannotUndo::OtherZone { revision, zone: event.zone })),
    }
}

/// What to take back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    revision: u64,
}

/// `POST /v1/zones/{zone}/undo[?dry_run=1]` with `{"revision": 17}`
pub(super) async fn undo(
    State(admin): State<Arc<Admin>>,
    ZoneName(apex): ZoneName,
    DryRun(dry_run): DryRun,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ZoneChange>, Problem> {
    let revision = which(&headers, body)?;
    blocking(move || {
        let change = admin.store.history().undo(&apex, revision).map_err(|cannot| refusal(&cannot))?;
        let made = change::make_blocking(&admin.store, &apex, change, dry_run, caller.actor())?;
        Ok(Json(made.report(&apex)))
    })
    .await
}

fn which(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<u64, Problem> {
    const HINT: &str = "send {\"revision\": N}, with a revision out of the zone's history";
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("none");
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        let (status, detail) = (StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("the content type is {kind}"));
        let hint = "send the header Content-Type: application/json";
        return Err(Problem::new(status, "content-type", "Wrong content type", detail, hint));
    }
    let body = body.map_err(|fault| match fault.status() {
        status @ StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(status, "too-large", "The request is too large", fault.body_text(), HINT)
        }
        _ => Problem::bad_request(fault.body_text(), HINT),
    })?;
    match serde_json::from_slice::<Which>(&body) {
        Ok(which) => Ok(which.revision),
        Err(fault) => Err(Problem::bad_request(format!("the body is not understood: {fault}"), HINT)),
    }
}

fn unknown(fault: &HistoryFault) -> Problem {
    let hint = "`freehold zone history ZONE`, or GET /v1/zones/{zone}/history, shows what is known";
    match fault {
        HistoryFault::Unknown { .. } => {
            Problem::new(StatusCode::NOT_FOUND, "no-such-revision", "No such revision", fault.to_string(), hint)
        }
        HistoryFault::Unreadable { .. } => Problem::internal(fault),
    }
}

fn refusal(cannot: &CannotUndo) -> Problem {
    let (kind, title) = ("cannot-undo", "This cannot be taken back");
    match cannot {
        CannotUndo::History(fault) => unknown(fault),
        CannotUndo::OtherZone { revision, zone } => {
            let detail = format!("revision {revision} is a change of {}", plain(zone.borrow()));
            let hint = "look for it in the history of that zone";
            Problem::new(StatusCode::NOT_FOUND, "no-such-revision", "No such revision", detail, hint)
        }
        CannotUndo::ChangedSince { what, revision } => {
            let (what, by_hand) = since(what);
            let detail = match revision {
                Some(later) => format!("{what}, by revision {later}"),
                None => what,
            };
            let hint = match revision {
                Some(later) => format!("undo revision {later} first, or {by_hand}"),
                None => by_hand.to_owned(),
            };
            Problem::new(StatusCode::CONFLICT, kind, title, detail, &hint)
        }
        CannotUndo::Nothing { .. } => {
            let hint = "serials only ever move forward";
            Problem::new(StatusCode::CONFLICT, kind, title, cannot.to_string(), hint)
        }
        CannotUndo::Unsound(faults) => Problem::bad_zone("the zone", ZoneFault::list(faults, &[])),
    }
}

/// What was changed since, and what a person can do by hand.
fn since(what: &Since) -> (String, &'static str) {
    match what {
        Since::Set(name, kind) => {
            (format!("{kind} {} was changed again since", plain(name.borrow())), "set the record as it shall be")
        }
        Since::Gone(zone) => (format!("{} was deleted since", plain(zone.borrow())), "import the zone"),
        Since::Back(zone) => (format!("{} was created again since", plain(zone.borrow())), "import the zone"),
        Since::Grown(zone) => (format!("{} was changed since it was created", plain(zone.borrow())), "delete the zone"),
    }
}
