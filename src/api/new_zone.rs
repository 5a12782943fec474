//! A zone made of its name and its name servers.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::auth::Allowed;
use super::extract::{Body, DryRun, ZoneName};
use super::once::IdempotencyKey;
use super::problem::{BadValues, BadZone, Exists, InProgress, KeyReused};
use super::records::read_ttl;
use super::types::{NewZone, ZoneChange, plain};
use super::{Checked, Problem, ZoneFault, blocking, change, tag};
use crate::access::Object;
use crate::store::{Change, Decision, Refused};
use crate::wire::{Name, NameRef};
use crate::zone::{Fault, text};

/// Seconds that the first records of a zone may be kept.
const TTL: u64 = 3_600;
/// Refresh, retry, expire and minimum of a new SOA: a secondary asks every four hours, tries again after one, serves for
/// four weeks without us; that a name does not exist is kept for ten minutes.
const TIMES: &str = "14400 3600 2419200 600";

/// Make a new zone
///
/// Its SOA and NS records are made of the name servers. A zone that is there is never touched.
#[utoipa::path(put, path = "/v1/zones/{zone}", tag = "Zones", operation_id = "createZone",
    params(ZoneName, DryRun, IdempotencyKey), request_body = NewZone,
    responses(
        (status = 201, description = "The zone is made, and DNS answers it.", body = ZoneChange, headers(("ETag"))),
        (status = 200, description = "A dry run: what would be made.", body = ZoneChange, headers(("ETag"))),
        Exists, BadZone, BadValues, InProgress, KeyReused))]
pub(super) async fn create(
    allowed: Allowed,
    ZoneName(apex): ZoneName,
    DryRun(dry_run): DryRun,
    Body(body): Body<NewZone>,
) -> Result<Response, Problem> {
    let admin = allowed.to(Object::WholeZone(apex.borrow()))?;
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let checked = Checked::request(zone_text(&apex, &body, since_1970)?.into_bytes(), &apex);
    let warnings = ZoneFault::list(&checked.faults, &[]);
    let Some(zone) = checked.zone else {
        return Err(Problem::bad_zone(&plain(apex.borrow()), warnings));
    };
    let actor = allowed.actor();
    blocking(move || {
        let tag = tag::of_zone(&zone);
        let name = plain(apex.borrow());
        let new = apex.clone();
        let decision = Decision::new(zone.record_count(), move |now| match now.zones.get(new.borrow()) {
            Some(_) => Err(Refused::Present(format!("the zone {name}"))),
            None => Ok(Change::PutZone { zone: Arc::clone(&zone) }),
        });
        let made = change::make_blocking(&admin.store, &apex, Change::Decide(decision), dry_run, actor)?;
        let status = if dry_run { StatusCode::OK } else { StatusCode::CREATED };
        let mut report = made.report(&apex);
        report.warnings.splice(0..0, warnings);
        Ok((status, tag::header(&tag), Json(report)).into_response())
    })
    .await
}

/// The zone as a zone file. Every name in it was read before and is printed with its escapes.
fn zone_text(apex: &Name, new: &NewZone, since_1970: Duration) -> Result<String, Problem> {
    let mut faults = Vec::new();
    let mut note = |field: String, fault: &Fault| faults.push(ZoneFault::in_field(field, fault));
    let mut servers = Vec::new();
    for (number, server) in new.name_servers.iter().enumerate() {
        match text::name(server, NameRef::root()) {
            Ok(name) => servers.push(name),
            Err(fault) => note(format!("/name_servers/{number}"), &fault),
        }
    }
    if new.name_servers.is_empty() {
        let fault = Fault::error(None, "there are no name servers", "name at least one, better two");
        note("/name_servers".to_owned(), &fault);
    }
    let ttl = read_ttl(new.ttl.unwrap_or(TTL)).unwrap_or_else(|fault| {
        note("/ttl".to_owned(), &fault);
        0
    });
    let contact = contact(apex, new.email.as_deref()).unwrap_or_else(|fault| {
        note("/email".to_owned(), &fault);
        Name::root()
    });
    let (true, Some(primary)) = (faults.is_empty(), servers.first()) else {
        return Err(Problem::bad_values(faults));
    };
    let mut text = format!("@ {ttl} SOA {primary} {contact} {} {TIMES}\n", serial_of_day(since_1970));
    servers.iter().for_each(|server| text += &format!("@ {ttl} NS {server}\n"));
    Ok(text)
}

/// A mail address as SOA records write it: the dots before the `@` escaped, the `@` a dot (RFC 1035, section 8).
fn contact(apex: &Name, email: Option<&str>) -> Result<Name, Fault> {
    let cure = "write it as in anna@example.org";
    let Some(email) = email else { return text::name("hostmaster", apex.borrow()) };
    let Some((user, host)) = email.rsplit_once('@').filter(|(user, _)| !user.is_empty()) else {
        return Err(Fault::error(None, format!("`{email}` is not a mail address"), cure));
    };
    let host = text::name(host, NameRef::root())?;
    let user: String = user.bytes().map(|octet| format!("\\{octet:03}")).collect();
    Name::parse(user.as_bytes(), Some(host.borrow()))
        .map_err(|fault| Fault::error(None, format!("`{email}` is not a mail address: {fault}"), cure))
}

/// The serial people expect to see: the day as `YYYYMMDD`, and 01 (RFC 1912, section 2.2). The day is that of UTC.
fn serial_of_day(since_1970: Duration) -> u32 {
    let days = since_1970.as_secs() / 86_400;
    // Days of the Gregorian calendar, in eras of 400 years that begin with a March (H. Hinnant's algorithm).
    let from_era = days + 719_468;
    let (era, day) = (from_era / 146_097, from_era % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + next_year;
    u32::try_from(((year * 100 + month) * 100 + day) * 100 + 1).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serial_is_the_day() {
        for (seconds, serial) in [
            (0, 1_970_010_101),
            (951_782_399, 2_000_022_801),
            (951_782_400, 2_000_022_901),
            (951_868_800, 2_000_030_101),
            (1_795_219_200, 2_026_112_101),
            (4_102_444_799, 2_099_123_101),
        ] {
            assert_eq!(serial_of_day(Duration::from_secs(seconds)), serial);
        }
    }

    #[test]
    fn a_mail_address_becomes_a_name() {
        let apex: Name = "home.example".parse().unwrap();
        let contact = |email| contact(&apex, email).map(|name| name.to_string()).map_err(|fault| fault.message);
        assert_eq!(contact(None).as_deref(), Ok("hostmaster.home.example."));
        assert_eq!(contact(Some("anna.b@bücher.example")).as_deref(), Ok("anna\\.b.xn--bcher-kva.example."));
        for wrong in ["anna", "@example.org", "anna@a..b", &format!("{}@example.org", "a".repeat(64))] {
            assert!(contact(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
