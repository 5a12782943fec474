//! Commands about the past: `zone history`, `zone undo`, and `log`, which is the history of all zones.

use std::io::{self, BufWriter, Write};

use http_body_util::{BodyExt, Full};
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use super::arguments::{Options, Output, Past};
use super::change::{Colours, differences, summary};
use super::door::{Door, Place, question, zone_path};
use super::json;
use super::stop::{Exit, Stop};
use super::terminal::{count, table};
use crate::api::{Answer, Deed, History, PastChange, PastItem, PastSet, PastValues, PastZone, ZoneChange};
use crate::wire::Name;

/// Changes that are asked for at once.
const PAGE: usize = 500;
/// Characters of a change in short.
const BRIEF_SIZE_MAX: usize = 72;

/// `freehold log`, and `freehold zone history ZONE`
pub(super) async fn list(place: &Place, zone: Option<&Name>, past: &Past, options: &Options) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    let path = zone.map_or_else(|| "/v1/history".to_owned(), |zone| zone_path(zone, "/history"));
    let history = changes(&mut door, &path, past).await?;
    door.close().await?;
    if options.output == Output::Json {
        json(&history)?;
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = history.changes.iter().flat_map(|change| rows(change, zone.is_none())).collect();
    if !rows.is_empty() {
        let head: &[&str] = match zone {
            Some(_) => &["REVISION", "TIME (UTC)", "WHO", "FROM", "CHANGE"],
            None => &["REVISION", "TIME (UTC)", "WHO", "FROM", "WHAT", "CHANGE"],
        };
        table(&mut io::stdout().lock(), head, &rows)?;
    }
    match (history.next, history.known_from) {
        (Some(next), _) => writeln!(io::stderr(), "there is more: add --before {next}")?,
        (None, 0 | 1) => (),
        (None, from) => writeln!(io::stderr(), "the history begins with revision {from}; what was before is not kept")?,
    }
    Ok(Exit::Done)
}

/// As many changes as are wanted; a page may hold fewer than it could.
async fn changes(door: &mut Door, path: &str, past: &Past) -> Result<History, Stop> {
    let wanted = past.limit as usize;
    let mut whole = History { changes: Vec::new(), next: past.before, known_from: 0 };
    loop {
        let limit = wanted.saturating_sub(whole.changes.len()).clamp(1, PAGE);
        let before = whole.next.map(|next| format!("&before={next}")).unwrap_or_default();
        let page: History = door.ask_json(question(Method::GET, path, &format!("limit={limit}{before}"))?).await?;
        whole.changes.extend(page.changes);
        (whole.next, whole.known_from) = (page.next, page.known_from);
        if whole.next.is_none() || whole.changes.len() >= wanted {
            return Ok(whole);
        }
    }
}

/// `freehold zone history ZONE REVISION`
pub(super) async fn show(place: &Place, zone: &Name, revision: u64, options: &Options) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    let path = zone_path(zone, &format!("/history/{revision}"));
    let change: PastChange = door.ask_json(question(Method::GET, &path, "")?).await?;
    if options.output == Output::Json {
        json(&change)?;
    } else {
        let answer = door.ask(question(Method::GET, &(path + "/diff"), "")?).await?;
        copy_lines(answer, options).await?;
        for part in change.zones.iter().filter(|part| crate::api::plain(zone.borrow()) == part.zone) {
            writeln!(io::stderr(), "{}", headline(&change, part))?;
        }
    }
    door.close().await?;
    Ok(Exit::Done)
}

/// Copies a difference as it comes, a line at a time: it may be a zone of a million records.
async fn copy_lines(answer: Answer, options: &Options) -> Result<(), Stop> {
    let colours = Colours::of(options);
    let mut out = BufWriter::new(io::stdout());
    let (mut body, mut rest) = (answer.into_body(), Vec::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|fault| Stop::failed(format!("the answer broke off: {fault}"), "try again"))?;
        rest.extend_from_slice(&frame.into_data().unwrap_or_default());
        let end = rest.iter().rposition(|octet| *octet == b'\n').map_or(0, |at| at + 1);
        for line in String::from_utf8_lossy(&rest[..end]).lines() {
            let mut characters = line.chars();
            let sign = characters.next().unwrap_or(' ');
            colours.write(&mut out, sign, characters.as_str())?;
        }
        rest.drain(..end);
    }
    Ok(out.flush()?)
}

/// `freehold zone undo ZONE [REVISION]`
pub(super) async fn undo(
    place: &Place,
    zone: &Name,
    revision: Option<u64>,
    dry_run: bool,
    options: &Options,
) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    let revision = match revision {
        Some(revision) => revision,
        None => last(&mut door, zone).await?,
    };
    let query = if dry_run { "dry_run=1" } else { "" };
    let mut question = question(Method::POST, &zone_path(zone, "/undo"), query)?;
    question.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = format!("{{\"revision\":{revision}}}");
    let change: ZoneChange = door.ask_json(question.map(|_| Full::new(Bytes::from(body)))).await?;
    door.close().await?;
    match (options.output, dry_run) {
        (Output::Json, _) => json(&change)?,
        (Output::Table, true) => {
            differences(&change, options)?;
            writeln!(io::stderr(), "{}", summary(&change))?;
        }
        (Output::Table, false) => writeln!(io::stdout(), "{}; revision {revision} is taken back", summary(&change))?,
    }
    Ok(Exit::Done)
}

async fn last(door: &mut Door, zone: &Name) -> Result<u64, Stop> {
    let one = Past { limit: 1, before: None };
    let history = changes(door, &zone_path(zone, "/history"), &one).await?;
    history.changes.first().map(|change| change.revision).ok_or_else(|| {
        let message = format!("no change of {} is known any more", crate::api::plain(zone.borrow()));
        Stop::failed(message, "import the zone as it shall be")
    })
}

// ----- A change in short ------------------------------------------------------------------------------------

/// A row for each zone and each item. In the log of everything a column says what changed.
fn rows(change: &PastChange, of_everything: bool) -> Vec<Vec<String>> {
    let row = |what: String, how: String| {
        let mut row = vec![change.revision.to_string(), time(change), change.actor.clone(), change.from.clone()];
        match (of_everything, what.is_empty()) {
            (true, _) => row.extend([what, how]),
            (false, true) => row.push(how),
            (false, false) => row.push(format!("{what} {how}")),
        }
        row
    };
    let name = |zone: &PastZone| if of_everything { zone.zone.clone() } else { String::new() };
    let zones = change.zones.iter().map(|zone| row(name(zone), brief(zone)));
    let items = change.items.iter().map(|item| row(format!("{} {}", item.kind, item.name), brief_item(item)));
    let mut rows: Vec<_> = zones.chain(items).collect();
    let more = change.part_count.saturating_sub(rows.len());
    if more > 0 {
        rows.push(row(String::new(), format!("and {more} more")));
    }
    rows
}

/// `2026-11-21 15:04:05`: the head of the column says UTC.
fn time(change: &PastChange) -> String {
    change.time.trim_end_matches('Z').replace('T', " ")
}

fn headline(change: &PastChange, part: &PastZone) -> String {
    let PastZone { zone, deed, added, altered, removed, .. } = part;
    let tally = match deed {
        Deed::Created => format!("new, {}", count(*added, "record")),
        Deed::Deleted => format!("deleted, {}", count(*removed, "record")),
        Deed::Changed => format!("{added} added, {altered} changed, {removed} removed"),
    };
    let who = match change.from.as_str() {
        "" => change.actor.clone(),
        from => format!("{} from {from}", change.actor),
    };
    format!("{zone}: revision {}, {} UTC, {who}: {tally}", change.revision, time(change))
}

/// What a change did to an item, in a few words: `created: home.example, write`.
fn brief_item(item: &PastItem) -> String {
    let lines = match (item.deed, &item.before, &item.after) {
        (Deed::Changed, Some(before), Some(after)) if before != after => format!("{before} -> {after}"),
        (_, _, Some(line)) | (_, Some(line), None) => line.clone(),
        (_, None, None) => String::new(),
    };
    let deed = match item.deed {
        Deed::Created => "created",
        Deed::Changed => "changed",
        Deed::Deleted => "deleted",
    };
    if lines.is_empty() { deed.to_owned() } else { shortened(format!("{deed}: {lines}"), BRIEF_SIZE_MAX) }
}

/// What a change did to a zone, in a few words: `+0 ~1 -0  www A 192.0.2.1 -> 192.0.2.2`.
fn brief(change: &PastZone) -> String {
    let PastZone { added, altered, removed, .. } = change;
    match change.deed {
        Deed::Created => return format!("new, {}", count(*added, "record")),
        Deed::Deleted => return format!("deleted, {}", count(*removed, "record")),
        Deed::Changed => (),
    }
    let is_counted = |set: &&PastSet| set.kind != "SOA" || !only_serial(set);
    let Some(first) = change.sets.iter().find(is_counted) else {
        let serial = |serial: Option<u32>| serial.map_or_else(|| "none".to_owned(), |serial| serial.to_string());
        return format!("serial {} -> {}", serial(change.serial_before), serial(change.serial_after));
    };
    let silent = change.sets.iter().filter(|set| !is_counted(set)).count();
    let more = match change.set_count.saturating_sub(silent + 1) {
        0 => String::new(),
        more => format!(", {more} more"),
    };
    let what = shortened(set(first), BRIEF_SIZE_MAX.saturating_sub(more.len()));
    format!("+{added} ~{altered} -{removed}  {what}{more}")
}

/// The serial is the third word of an SOA.
fn only_serial(set: &PastSet) -> bool {
    let rest = |values: &PastValues| -> Vec<String> {
        let words = values.values.first().map(String::as_str).unwrap_or_default().split(' ').enumerate();
        words.filter(|(at, _)| *at != 2).map(|(_, word)| word.to_owned()).collect()
    };
    match (&set.before, &set.after) {
        (Some(before), Some(after)) => before.ttl == after.ttl && rest(before) == rest(after),
        (Some(_), None) | (None, _) => false,
    }
}

fn set(set: &PastSet) -> String {
    let values = |values: &Option<PastValues>| values.as_ref().map(|set| set.values.clone()).unwrap_or_default();
    let (before, after) = (values(&set.before), values(&set.after));
    let missing = |from: &[String], others: &[String]| -> Vec<String> {
        from.iter().filter(|value| !others.contains(value)).cloned().collect()
    };
    let (gone, come) = (missing(&before, &after), missing(&after, &before));
    let what = match (&gone[..], &come[..], &set.before, &set.after) {
        ([], [], Some(before), Some(after)) => format!("TTL {} -> {}", before.ttl, after.ttl),
        ([], come, ..) => format!("+{}", come.join(" +")),
        (gone, [], ..) => format!("-{}", gone.join(" -")),
        (gone, come, ..) => format!("{} -> {}", gone.join(" "), come.join(" ")),
    };
    format!("{} {} {what}", set.name, set.kind)
}

fn shortened(text: String, size_max: usize) -> String {
    match text.char_indices().nth(size_max) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(values: &[&str]) -> Option<PastValues> {
        (!values.is_empty()).then(|| PastValues { ttl: 60, values: values.iter().map(ToString::to_string).collect() })
    }

    fn a(before: &[&str], after: &[&str]) -> PastSet {
        PastSet { name: "www".into(), kind: "A".into(), before: values(before), after: values(after) }
    }

    fn soa(before: &str, after: &str) -> PastSet {
        PastSet { name: "@".into(), kind: "SOA".into(), before: values(&[before]), after: values(&[after]) }
    }

    fn change(sets: Vec<PastSet>, set_count: usize) -> PastZone {
        PastZone {
            zone: "home.example".into(),
            deed: Deed::Changed,
            serial_before: Some(1),
            serial_after: Some(2),
            added: 1,
            altered: 2,
            removed: 3,
            set_count,
            sets,
        }
    }

    #[test]
    fn a_change_of_several_things_has_a_row_for_each() {
        let items = ["route app", "token ci"].map(|name| PastItem {
            kind: name.split_once(' ').unwrap().0.into(),
            name: name.split_once(' ').unwrap().1.into(),
            deed: Deed::Created,
            before: None,
            after: Some(if name.starts_with("token") { String::new() } else { "to a port".into() }),
        });
        let change = PastChange {
            revision: 7,
            time: "2026-11-21T15:04:05Z".into(),
            actor: "ann".into(),
            from: "socket".into(),
            zones: vec![PastZone { deed: Deed::Deleted, ..change(Vec::new(), 0) }],
            items: items.into(),
            part_count: 5,
        };
        let head = ["7", "2026-11-21 15:04:05", "ann", "socket"];
        let wanted = |rows: &[&[&str]]| -> Vec<Vec<String>> {
            rows.iter().map(|row| head.iter().chain(*row).map(ToString::to_string).collect()).collect()
        };
        assert_eq!(
            rows(&change, true),
            wanted(&[
                &["home.example", "deleted, 3 records"],
                &["route app", "created: to a port"],
                &["token ci", "created"],
                &["", "and 2 more"],
            ])
        );
        assert_eq!(
            rows(&change, false),
            wanted(&[
                &["deleted, 3 records"],
                &["route app created: to a port"],
                &["token ci created"],
                &["and 2 more"],
            ])
        );
    }

    #[test]
    fn a_set_in_short() {
        assert_eq!(set(&a(&[], &["1.1.1.1", "2.2.2.2"])), "www A +1.1.1.1 +2.2.2.2");
        assert_eq!(set(&a(&["1.1.1.1", "2.2.2.2"], &["1.1.1.1"])), "www A -2.2.2.2");
        assert_eq!(set(&a(&["1.1.1.1", "2.2.2.2"], &["1.1.1.1", "3.3.3.3"])), "www A 2.2.2.2 -> 3.3.3.3");
        let mut ttl = a(&["1.1.1.1"], &["1.1.1.1"]);
        ttl.after = ttl.after.map(|set| PastValues { ttl: 300, ..set });
        assert_eq!(set(&ttl), "www A TTL 60 -> 300");
    }

    #[test]
    fn a_change_in_short() {
        let serial = soa("ns h 1 2 3 4 5", "ns h 2 2 3 4 5");
        assert_eq!(brief(&change(vec![serial.clone()], 1)), "serial 1 -> 2");
        assert_eq!(brief(&change(vec![soa("ns h 1 2 3 4 5", "ns h 2 9 3 4 5")], 1)), {
            "+1 ~2 -3  @ SOA ns h 1 2 3 4 5 -> ns h 2 9 3 4 5"
        });
        let moved = a(&["1.1.1.1"], &["2.2.2.2"]);
        assert_eq!(brief(&change(vec![serial.clone(), moved.clone()], 2)), "+1 ~2 -3  www A 1.1.1.1 -> 2.2.2.2");
        assert_eq!(brief(&change(vec![serial, moved], 9)), "+1 ~2 -3  www A 1.1.1.1 -> 2.2.2.2, 7 more");
        let long = "é".repeat(BRIEF_SIZE_MAX);
        assert_eq!(brief(&change(vec![a(&[], &[&long])], 1)).chars().count(), 10 + BRIEF_SIZE_MAX + 3);
    }
}
