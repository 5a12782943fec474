//! Commands that only look: list, export, status.

use std::io::{self, Write};
use std::path::Path;

use hyper::Method;

use super::arguments::{Options, Output};
use super::door::{Door, Place, question, zone_path};
use super::json;
use super::save::{Readers, save};
use super::stop::{Exit, Stop};
use super::terminal::{Progress, count, table};
use crate::api::{Status, ZoneList};
use crate::wire::Name;

/// `freehold zone list`
pub(super) async fn list(place: &Place, options: &Options) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    let list: ZoneList = door.ask_json(question(Method::GET, "/v1/zones", "")?).await?;
    door.close().await?;
    if options.output == Output::Json {
        json(&list.zones)?;
        return Ok(Exit::Done);
    }
    if list.zones.is_empty() {
        writeln!(io::stderr(), "no zones yet: freehold zone import FILE brings the first")?;
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = list
        .zones
        .iter()
        .map(|zone| vec![zone.name.clone(), zone.names.to_string(), zone.records.to_string(), zone.serial.to_string()])
        .collect();
    table(&mut io::stdout().lock(), &["ZONE", "NAMES", "RECORDS", "SERIAL"], &rows)?;
    Ok(Exit::Done)
}

/// `freehold zone export ZONE [FILE]`
pub(super) async fn export(place: &Place, zone: &Name, file: Option<&Path>) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    let answer = door.ask(question(Method::GET, &zone_path(zone, "/file"), "")?).await?;
    let progress = Progress::new();
    progress.begin("export", 0);
    save(answer, file.unwrap_or(Path::new("-")), Readers::Usual, &progress).await?;
    door.close().await?;
    Ok(Exit::Done)
}

/// `freehold status`
pub(super) async fn status(place: &Place, options: &Options) -> Result<Exit, Stop> {
    let Some(mut door) = Door::running(place).await? else {
        let directory = &place.local("status")?.store.directory;
        let message = format!("no server runs on the data directory {}", directory.display());
        return Err(Stop::new(Exit::Unreachable, message, "start it with `freehold serve`"));
    };
    let status: Status = door.ask_json(question(Method::GET, "/v1/status", "")?).await?;
    if options.output == Output::Json {
        json(&status)?;
        return Ok(Exit::Done);
    }
    let mut out = io::stdout().lock();
    writeln!(out, "freehold {}, up {}", status.version, uptime(status.uptime_seconds))?;
    writeln!(
        out,
        "{}, {}, revision {}",
        count(status.zones, "zone"),
        count(status.records, "record"),
        status.revision
    )?;
    for address in &status.addresses {
        writeln!(out, "answers at {address}")?;
    }
    Ok(Exit::Done)
}

fn uptime(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_is_rounded_down_to_what_matters() {
        let texts = [0, 59, 60, 3_599, 3_600, 86_399, 86_400, 1_000_000].map(uptime);
        assert_eq!(texts, ["0 s", "59 s", "1 min", "59 min", "1 h 0 min", "23 h 59 min", "1 d 0 h", "11 d 13 h"]);
    }
}
