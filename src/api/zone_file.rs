//! A whole zone as a zone file (`text/dns`, RFC 4027): give and take.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use http_body_util::{BodyExt, Limited};

use super::auth::Allowed;
use super::change;
use super::extract::{DryRun, NoQuery, ZoneName};
use super::listen::Stalled;
use super::problem::{BadZone, NameTaken, NoSuchZone, Stale, TooLarge, TooSlow};
use super::tag::{self, Conditions, Known};
use super::types::{ZoneChange, plain};
use super::{
    Admin, Checked, LARGE_ZONE_FILES_AT_ONCE_MAX, Problem, ZONE_FILES_AT_ONCE_MAX, ZoneFault, blocking, stream,
};
use crate::access::Object;
use crate::store::{Actor, Change};
use crate::wire::Name;
use crate::zone;

/// How long a zone file may take to arrive: it is somebody's turn meanwhile, and others wait.
const BODY_TIME_MAX: Duration = Duration::from_secs(300);

/// The media type of zone files.
pub const TEXT_DNS: &str = "text/dns";

/// A zone file, for the description.
const EXAMPLE: &str = "$TTL 3600
@    SOA  ns1 hostmaster 2026112101 14400 3600 2419200 600
@    NS   ns1
ns1  A    192.0.2.53
www  A    192.0.2.10
";

/// Export a zone as a zone file
///
/// BIND, NSD and Knot all read it. The same zone is always the same text.
#[utoipa::path(get, path = "/v1/zones/{zone}/file", tag = "Zones", operation_id = "getZoneFile",
    params(ZoneName, Known),
    responses(
        (status = 200, description = "The zone file.", headers(("ETag")),
            body = String, content_type = "text/dns", example = json!(EXAMPLE)),
        (status = 304, description = "It is what you have.", headers(("ETag"))),
        NoSuchZone))]
pub(super) async fn get(
    allowed: Allowed,
    ZoneName(apex): ZoneName,
    _: NoQuery,
    known: Known,
) -> Result<Response, Problem> {
    let snapshot = allowed.to(Object::WholeZone(apex.borrow()))?.store.snapshot();
    let zone = Arc::clone(snapshot.zones.get(apex.borrow()).ok_or_else(|| Problem::no_zone(&apex))?);
    let tag = tag::of_zone(&zone);
    let body = stream::body(move |out| zone::print::zone(&zone, out));
    Ok(known.answer(&tag, ([(header::CONTENT_TYPE, TEXT_DNS)], body)))
}

/// Import a zone file
///
/// The zone becomes exactly what the file says, or nothing changes. A zone that is not there is made. The serial takes care
/// of itself: it moves forward whatever the file says. `$INCLUDE` is refused.
#[utoipa::path(put, path = "/v1/zones/{zone}/file", tag = "Zones", operation_id = "putZoneFile",
    params(ZoneName, DryRun, Conditions),
    request_body(content = String, content_type = "text/dns", description = "The zone file.", example = json!(EXAMPLE)),
    responses(
        (status = 200, description = "The zone is what the file says, and DNS answers it.", body = ZoneChange),
        NameTaken, Stale, BadZone, TooSlow))]
pub(super) async fn put(
    allowed: Allowed,
    ZoneName(apex): ZoneName,
    DryRun(dry_run): DryRun,
    conditions: Conditions,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ZoneChange>, Problem> {
    let admin = allowed.to(Object::WholeZone(apex.borrow()))?;
    must_be_text_dns(&headers)?;
    let turns = turns(body.size_hint().upper(), admin.settings.zone_file_size_max);
    let Ok(_turn) = admin.zone_file_turns.acquire_many(turns).await else {
        return Err(Problem::internal(&"the turns for zone files are closed"));
    };
    let text = collect(body, admin.settings.zone_file_size_max).await?;
    let admin = Arc::clone(&admin);
    blocking(move || import(&admin, &apex, text, conditions, (dry_run, allowed.actor())).map(Json)).await
}

/// How many turns a zone file takes that has at most so many octets.
fn turns(size: Option<u64>, size_max: u64) -> u32 {
    const LARGEST: u64 = (ZONE_FILES_AT_ONCE_MAX / LARGE_ZONE_FILES_AT_ONCE_MAX) as u64;
    let size = size.unwrap_or(size_max).min(size_max);
    (u128::from(size) * u128::from(LARGEST)).div_ceil(u128::from(size_max.max(1))).max(1) as u32
}

fn import(
    admin: &Admin,
    apex: &Name,
    text: Vec<u8>,
    conditions: Conditions,
    (dry_run, actor): (bool, Actor),
) -> Result<ZoneChange, Problem> {
    let checked = Checked::request(text, apex);
    let warnings = ZoneFault::list(&checked.faults, &checked.files);
    let Some(zone) = checked.zone else {
        return Err(Problem::bad_zone(&plain(apex.borrow()), warnings));
    };
    let change = change::on(conditions, apex, zone.record_count(), Change::PutZone { zone });
    let made = change::make_blocking(&admin.store, apex, change, dry_run, actor)?;
    let mut report = made.report(apex);
    report.warnings.splice(0..0, warnings);
    Ok(report)
}

fn must_be_text_dns(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("none");
    let bare = kind.split(';').next().unwrap_or_default().trim();
    if bare.eq_ignore_ascii_case(TEXT_DNS) {
        return Ok(());
    }
    Err(Problem::content_type(kind, TEXT_DNS))
}

async fn collect(body: Body, size_max: u64) -> Result<Vec<u8>, Problem> {
    let limit = usize::try_from(size_max).unwrap_or(usize::MAX);
    let Ok(read) = tokio::time::timeout(BODY_TIME_MAX, Limited::new(body, limit).collect()).await else {
        let detail = format!("the zone file did not arrive within {} s", BODY_TIME_MAX.as_secs());
        return Err(Problem::new(TooSlow, detail, "send it again"));
    };
    match read {
        Ok(whole) => Ok(whole.to_bytes().into()),
        Err(fault) if fault.is::<http_body_util::LengthLimitError>() => {
            let detail = format!("the zone file is larger than {size_max} octets");
            let hint = "raise zone_file_size_max below [admin] in the settings file";
            Err(Problem::new(TooLarge, detail, hint))
        }
        Err(fault) if Stalled::caused(&*fault) => {
            Err(Problem::new(TooSlow, "the zone file did not get on".into(), "send it again"))
        }
        Err(fault) => Err(Problem::bad_request(format!("the request broke off: {fault}"), "send it again")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_files_come_in_together_and_large_ones_in_twos() {
        let max = 256 << 20;
        assert_eq!((turns(Some(0), max), turns(Some(300), max)), (1, 1));
        assert_eq!(turns(Some(max / 2), max), 8);
        for large in [Some(max), Some(max * 2), None] {
            assert_eq!(turns(large, max), 16, "{large:?}");
        }
        assert_eq!(turns(None, 0), 1);
    }
}
