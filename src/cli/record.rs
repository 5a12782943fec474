//! Commands about single records: list, set, add, delete.
//!
//! A name is a full name, as people know it, and its zone the longest that fits; so nobody has to know where a zone begins.

use std::io::{self, Write};

use hyper::Method;

use super::arguments::{Options, Output, Owner, Records};
use super::change::{DRY_RUN, differences, summary, warnings};
use super::door::{Door, Place, escaped, question, set_path, with_json, zone_path};
use super::json;
use super::stop::{Exit, Stop};
use super::terminal::table;
use crate::api::{Action, Patch, PatchStep, Question, RecordList, RecordSet, SetBody, ZoneChange, ZoneList};
use crate::wire::{Kind, Name, NameRef};
use crate::zone::{Fault, text};

/// `freehold record list ZONE [NAME] [TYPE]`
pub(super) async fn list(
    place: &Place,
    zone: &Name,
    name: Option<&str>,
    kind: Option<Kind>,
    options: &Options,
) -> Result<Exit, Stop> {
    let owner = name.map(|name| owner(name, Some(zone))).transpose()?;
    let mut door = Door::open(place, false).await?;
    let sets = read(&mut door, zone, owner.as_ref(), kind).await?;
    door.close().await?;
    if options.output == Output::Json {
        json(&sets)?;
        return Ok(Exit::Done);
    }
    if sets.is_empty() {
        writeln!(io::stderr(), "no such records")?;
        return Ok(Exit::Done);
    }
    let row =
        |set: &RecordSet, value: &String| vec![set.name.clone(), set.kind.clone(), set.ttl.to_string(), value.clone()];
    let rows: Vec<_> = sets.iter().flat_map(|set| set.values.iter().map(move |value| row(set, value))).collect();
    table(&mut io::BufWriter::new(io::stdout().lock()), &["NAME", "TYPE", "TTL", "VALUE"], &rows)?;
    Ok(Exit::Done)
}

/// All record sets of a zone, or of a name, or of a type, page by page.
async fn read(door: &mut Door, zone: &Name, owner: Option<&Name>, kind: Option<Kind>) -> Result<Vec<RecordSet>, Stop> {
    let mut filter = "limit=1000".to_owned();
    if let Some(owner) = owner {
        filter += &format!("&name={}", escaped(&owner.to_string()));
    }
    if let Some(kind) = kind {
        filter += &format!("&type={kind}");
    }
    let (mut sets, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = zone_path(zone, "/records");
        let page: RecordList = door.ask_json(question(Method::GET, &path, &format!("{filter}{cursor}"))?).await?;
        sets.extend(page.records);
        let Some(next) = page.next else { return Ok(sets) };
        cursor = format!("&cursor={next}");
    }
}

/// `freehold record set NAME TYPE VALUE...` (PUT) and `freehold record add NAME TYPE VALUE...` (POST)
pub(super) async fn put(place: &Place, method: Method, records: &Records, options: &Options) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    let (zone, owner) = find(&mut door, &records.owner, Some(records.kind)).await?;
    let body = SetBody { ttl: records.ttl.map(u64::from), values: records.values.clone() };
    let query = if records.dry_run { DRY_RUN } else { "" };
    let question = question(method, &set_path(&zone, &owner, records.kind), query)?;
    finish(door, with_json(question, &body)?, options).await
}

/// What to delete at a name.
pub(super) struct Doomed<'a> {
    pub(super) kind: Option<Kind>,
    pub(super) values: &'a [String],
    pub(super) dry_run: bool,
}

/// `freehold record delete NAME [TYPE] [VALUE...]`
pub(super) async fn delete(place: &Place, owner: &Owner, doomed: Doomed<'_>, options: &Options) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    let (zone, owner) = find(&mut door, owner, doomed.kind).await?;
    let mut query = String::from(if doomed.dry_run { DRY_RUN } else { "" });
    let question = match doomed.kind {
        Some(kind) => {
            for value in doomed.values {
                let and = if query.is_empty() { "" } else { "&" };
                query += &format!("{and}value={}", escaped(value));
            }
            question(Method::DELETE, &set_path(&zone, &owner, kind), &query)?
        }
        None => {
            let sets = read(&mut door, &zone, Some(&owner), None).await?;
            if sets.is_empty() {
                return Err(Stop::failed(format!("there are no records at {owner}"), "look at what is there"));
            }
            let step = |set: RecordSet| PatchStep {
                action: Action::Delete,
                name: set.name,
                kind: set.kind,
                ttl: None,
                values: Vec::new(),
            };
            let patch = Patch { changes: sets.into_iter().map(step).collect() };
            with_json(question(Method::PATCH, &zone_path(&zone, "/records"), &query)?, &patch)?
        }
    };
    finish(door, question, options).await
}

async fn finish(mut door: Door, question: Question, options: &Options) -> Result<Exit, Stop> {
    let change: ZoneChange = door.ask_json(question).await?;
    door.close().await?;
    match options.output {
        Output::Json => json(&change)?,
        Output::Table => {
            differences(&change, options)?;
            writeln!(io::stdout(), "{}", summary(&change))?;
        }
    }
    warnings(&change, options)
}

/// The zone of a name, and the name in full.
async fn find(door: &mut Door, wanted: &Owner, kind: Option<Kind>) -> Result<(Name, Name), Stop> {
    let owner = owner(&wanted.name, wanted.zone.as_ref())?;
    if let Some(zone) = &wanted.zone {
        return Ok((zone.clone(), owner));
    }
    let list: ZoneList = door.ask_json(question(Method::GET, "/v1/zones", "")?).await?;
    let zones = list.zones.iter().filter_map(|zone| zone.name.parse().ok());
    match closest(zones, owner.borrow(), kind) {
        Some(zone) => Ok((zone, owner)),
        None => {
            let cure = "`freehold zone list` shows all zones, `freehold zone add` makes a new one";
            Err(Stop::failed(format!("no zone holds {owner}"), cure))
        }
    }
}

/// The zone with the longest name that fits. DS stands in the zone above (RFC 4035, section 2.4).
fn closest(zones: impl Iterator<Item = Name>, owner: NameRef<'_>, kind: Option<Kind>) -> Option<Name> {
    zones.filter(|zone| owner.is_within(zone.borrow())).max_by_key(|zone| {
        let is_child = kind == Some(Kind::DS) && owner.is_within(zone.borrow()) && zone.borrow().is_within(owner);
        (!is_child, zone.borrow().label_count())
    })
}

/// A name in full. With a zone, one that does not end in the zone's name is relative to it.
fn owner(text: &str, zone: Option<&Name>) -> Result<Name, Stop> {
    let unreadable = |fault: Fault| Stop::new(Exit::Usage, fault.message, fault.cure);
    let full = text::name(text, NameRef::root()).map_err(unreadable);
    match zone {
        None if text == "@" => Err(Stop::new(Exit::Usage, "@ is a zone's own name, but of which?", "add --zone ZONE")),
        Some(zone)
            if text == "@"
                || (!text.ends_with('.')
                    && !full.as_ref().is_ok_and(|full| full.borrow().is_within(zone.borrow()))) =>
        {
            text::name(text, zone.borrow()).map_err(unreadable)
        }
        None | Some(_) => full,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_is_full_or_relative_to_the_zone_that_is_given() {
        let zone = name("home.example");
        let read = |text, zone| owner(text, zone).map(|name| name.to_string()).ok();
        for text in ["www", "www.home.example", "www.home.example."] {
            assert_eq!(read(text, Some(&zone)).as_deref(), Some("www.home.example."), "{text}");
        }
        assert_eq!(read("@", Some(&zone)).as_deref(), Some("home.example."));
        assert_eq!(read("www.home.example", None).as_deref(), Some("www.home.example."));
        assert_eq!(read("bücher.example", None).as_deref(), Some("xn--bcher-kva.example."));
        assert_eq!((read("@", None), read("a..b", None)), (None, None));
    }

    #[test]
    fn the_longest_zone_that_fits_holds_a_name_but_not_its_own_ds() {
        let zones = ["example", "home.example", "sub.home.example"].map(name);
        let find = |owner: &str, kind| {
            closest(zones.clone().into_iter(), name(owner).borrow(), kind).map(|zone| zone.to_string())
        };
        assert_eq!(find("www.sub.home.example", None).as_deref(), Some("sub.home.example."));
        assert_eq!(find("sub.home.example", Some(Kind::A)).as_deref(), Some("sub.home.example."));
        assert_eq!(find("sub.home.example", Some(Kind::DS)).as_deref(), Some("home.example."));
        assert_eq!(find("other.test", None), None);
    }
}
