//! The past: who changed what and when, and taking it back. A zone that is gone still has its history.

use std::io;
use std::sync::Arc;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::auth::Allowed;
use super::change;
use super::difference;
use super::event::{History, PastChange};
use super::extract::{Body, DryRun, NoQuery, Queries, ZoneName, ZoneRevision};
use super::once::IdempotencyKey;
use super::problem::{
    BadZone, CannotUndo, Conflict, HostPassed, InProgress, KeyReused, LeadsBack, NameTaken, NoSuchRevision, NoSuchZone,
    OwnedByRoute,
};
use super::types::{Undo, ZoneChange, plain};
use super::{Admin, Problem, ZoneFault, blocking, routes, stream};
use crate::access::Object;
use crate::store::{self, Change, Event, HistoryFault, Shape, Since, Wanted};
use crate::wire::Name;
use crate::zone::Count;

/// Changes on a page, by default.
pub(super) const LIMIT: usize = 50;
/// Changes on a page, at most.
pub(super) const LIMIT_MAX: usize = 500;

/// A revision is never larger: whole numbers beyond it are not safe in JSON (RFC 7493, section 2.2).
pub(super) const REVISION_MAX: u64 = (1 << 53) - 1;

/// The query `?limit=50&before=17`.
pub(super) struct Paging {
    limit: usize,
    before: Option<u64>,
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let queries = Queries::from_request_parts(parts, state).await?.only(&["limit", "before"])?;
        let limit = queries.number("limit", 1..=LIMIT_MAX as u64)?.map_or(LIMIT, |limit| limit as usize);
        Ok(Self { limit, before: queries.number("before", 0..=REVISION_MAX)? })
    }
}

/// List all changes
///
/// Those of all zones, newest first, page by page.
#[utoipa::path(get, path = "/v1/history", tag = "History", operation_id = "listHistory",
    params(Paging),
    responses((status = 200, description = "A page of changes.", body = History)))]
pub(super) async fn all(allowed: Allowed, paging: Paging) -> Result<Json<History>, Problem> {
    let admin = allowed.to(Object::Everything)?;
    blocking(move || page(&admin, None, &paging).map(|page| Json(page.into()))).await
}

/// List the changes of a zone
///
/// Newest first, page by page. A zone that is gone still has its history. A page may hold fewer changes than it could and
/// not be the last.
#[utoipa::path(get, path = "/v1/zones/{zone}/history", tag = "History", operation_id = "listZoneHistory",
    params(ZoneName, Paging),
    responses((status = 200, description = "A page of changes.", body = History), NoSuchZone))]
pub(super) async fn list(allowed: Allowed, ZoneName(apex): ZoneName, paging: Paging) -> Result<Json<History>, Problem> {
    let admin = allowed.to(Object::WholeZone(apex.borrow()))?;
    blocking(move || {
        let mut page = page(&admin, Some(&apex), &paging)?;
        page.events.iter_mut().for_each(|event| without_others(&allowed, &apex, event));
        let history = History::from(page);
        let unheard_of = history.changes.is_empty() && history.next.is_none() && paging.before.is_none();
        match unheard_of && admin.store.snapshot().zones.get(apex.borrow()).is_none() {
            true => Err(Problem::no_zone(&apex)),
            false => Ok(Json(history)),
        }
    })
    .await
}

fn page(admin: &Admin, zone: Option<&Name>, paging: &Paging) -> Result<store::Page, Problem> {
    let wanted = Wanted { zone: zone.map(Name::borrow), before: paging.before, limit: paging.limit };
    admin.store.history().page(&wanted).map_err(|fault| unknown(&fault))
}

/// Whoever may not see everything sees of a change only what it did to this zone.
fn without_others(allowed: &Allowed, apex: &Name, event: &mut Event) {
    if allowed.to(Object::Everything).is_err() {
        event.items.clear();
        event.zones.retain(|part| part.zone == *apex);
        event.part_count = event.zones.len();
    }
}

/// Read a change
///
/// Who, when, and its record sets before and after: the first 1,000 of a large change. A token that is limited to names or
/// types sees it if it reaches every set of it.
#[utoipa::path(get, path = "/v1/zones/{zone}/history/{revision}", tag = "History", operation_id = "getChange",
    params(ZoneRevision),
    responses((status = 200, description = "The change.", body = PastChange), NoSuchRevision))]
pub(super) async fn get(
    allowed: Allowed,
    ZoneRevision(apex, revision): ZoneRevision,
    _: NoQuery,
) -> Result<Json<PastChange>, Problem> {
    blocking(move || {
        let (_, mut event) = find(&allowed, &apex, revision)?;
        without_others(&allowed, &apex, &mut event);
        Ok(Json(PastChange::of(&event)))
    })
    .await
}

/// Read a change record by record
///
/// Every record that went (`-`) and came (`+`), a line each, however many.
#[utoipa::path(get, path = "/v1/zones/{zone}/history/{revision}/diff", tag = "History", operation_id = "getChangeDiff",
    params(ZoneRevision),
    responses(
        (status = 200, description = "The records.", body = String, content_type = "text/plain; charset=utf-8",
            example = "-www.home.example. 300 IN A 192.0.2.10\n+www.home.example. 300 IN A 192.0.2.11\n"),
        NoSuchRevision))]
pub(super) async fn diff(
    allowed: Allowed,
    ZoneRevision(apex, revision): ZoneRevision,
    _: NoQuery,
) -> Result<Response, Problem> {
    let zone = apex.clone();
    let (admin, _) = blocking(move || find(&allowed, &zone, revision)).await?;
    let body = stream::body(move |out| {
        admin.store.history().sets(revision, apex.borrow(), &mut |change| {
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

/// A change of a zone, for somebody who reaches all that it did to that zone.
fn find(allowed: &Allowed, apex: &Name, revision: u64) -> Result<(Arc<Admin>, Event), Problem> {
    let admin = allowed.to(Object::Zone(apex.borrow()))?;
    let event = admin.store.history().find(revision).map_err(|fault| unknown(&fault))?;
    match event.of_zone(apex).map(|part| part.shape) {
        Some(Shape::Alter) if allowed.is_partial() => reach_every_set(&admin, allowed, apex, revision)?,
        Some(Shape::Alter) => (),
        Some(Shape::Create | Shape::Delete) => drop(allowed.to(Object::WholeZone(apex.borrow()))?),
        None if allowed.to(Object::Everything).is_ok() => return Err(refusal(&event.is_of_others())),
        None => {
            let detail = format!("revision {revision} is no change of {}", plain(apex.borrow()));
            return Err(Problem::new(NoSuchRevision, detail, "look for it in the history of the zone"));
        }
    }
    Ok((admin, event))
}

/// Every set that a change touched, but for an SOA whose serial only moved.
fn reach_every_set(admin: &Admin, allowed: &Allowed, apex: &Name, revision: u64) -> Result<(), Problem> {
    let mut denied = Ok(());
    let read = admin.store.history().sets(revision, apex.borrow(), &mut |change| {
        let mut count = Count::default();
        change.records(&mut count, &mut |_, _, _| ());
        if count != Count::default() {
            let object = Object::Set { zone: apex.borrow(), name: change.name.borrow(), kind: change.kind };
            denied = allowed.to(object).map(drop);
        }
        if denied.is_ok() { Ok(()) } else { Err(io::Error::other("not reached")) }
    });
    denied.and_then(|()| read.map_err(|fault| Problem::internal(&fault)))
}

/// Take a change back
///
/// An undo is a change of its own: it is in the history, the serial moves forward, and it can be undone in turn. Where
/// something newer would be lost, nothing happens. It needs the right to every set that the change touched.
#[utoipa::path(post, path = "/v1/zones/{zone}/undo", tag = "History", operation_id = "undoChange",
    params(ZoneName, DryRun, IdempotencyKey), request_body = Undo,
    responses(
        (status = 200, description = "It is taken back, and DNS answers what was before.", body = ZoneChange),
        NoSuchZone, NoSuchRevision, CannotUndo, Conflict, OwnedByRoute, NameTaken, LeadsBack, HostPassed, BadZone, InProgress, KeyReused))]
pub(super) async fn undo(
    allowed: Allowed,
    ZoneName(apex): ZoneName,
    DryRun(dry_run): DryRun,
    Body(Undo { revision }): Body<Undo>,
) -> Result<Json<ZoneChange>, Problem> {
    blocking(move || {
        let (admin, event) = find(&allowed, &apex, revision)?;
        if event.part_count > 1 {
            allowed.to(Object::Everything)?; // it is taken back as a whole, other zones too
        }
        let change = admin.store.history().undo(&apex, revision).map_err(|cannot| refusal(&cannot))?;
        let change = Change::Many(vec![change, routes::guard(&admin)]);
        let made = change::make_blocking(&admin.store, &apex, change, dry_run, allowed.actor())?;
        Ok(Json(made.report(&apex)))
    })
    .await
}

fn unknown(fault: &HistoryFault) -> Problem {
    let hint = "`freehold zone history ZONE`, or GET /v1/zones/{zone}/history, shows what is known";
    match fault {
        HistoryFault::Unknown { .. } => Problem::new(NoSuchRevision, fault.to_string(), hint),
        HistoryFault::Unreadable { .. } => Problem::internal(fault),
    }
}

fn refusal(cannot: &store::CannotUndo) -> Problem {
    match cannot {
        store::CannotUndo::History(fault) => unknown(fault),
        store::CannotUndo::OtherZone { .. } => {
            let hint = "`freehold log` shows the changes of everything";
            Problem::new(NoSuchRevision, cannot.to_string(), hint)
        }
        store::CannotUndo::ChangedSince { what, revision } => {
            let (what, by_hand) = since(what);
            let detail = match revision {
                Some(later) => format!("{what}, by revision {later}"),
                None => what,
            };
            let hint = match revision {
                Some(later) => format!("undo revision {later} first, or {by_hand}"),
                None => by_hand.to_owned(),
            };
            Problem::new(CannotUndo, detail, &hint)
        }
        store::CannotUndo::Item { key, instead } => {
            Problem::new(CannotUndo, format!("a change of the {key} is not taken back"), instead)
        }
        store::CannotUndo::Nothing { .. } => {
            let hint = "serials only ever move forward";
            Problem::new(CannotUndo, cannot.to_string(), hint)
        }
        store::CannotUndo::Unsound(faults) => Problem::bad_zone("the zone", ZoneFault::list(faults, &[])),
    }
}

/// What was changed since, and what a person can do by hand.
fn since(what: &Since) -> (String, &'static str) {
    match what {
        Since::Set(name, kind) => {
            (format!("{kind} {} was changed again since", plain(name.borrow())), "set the record as it shall be")
        }
        Since::Item(key) => (format!("the {key} was changed again since"), "change it as it shall be"),
        Since::Gone(zone) => (format!("{} was deleted since", plain(zone.borrow())), "import the zone"),
        Since::Back(zone) => (format!("{} was created again since", plain(zone.borrow())), "import the zone"),
        Since::Grown(zone) => (format!("{} was changed since it was created", plain(zone.borrow())), "delete the zone"),
    }
}
