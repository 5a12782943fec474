//! Commands that only look: list, export.

use std::io::{self, Write};
use std::path::Path;

use hyper::Method;

use super::arguments::{Options, Output};
use super::door::{Door, Place, escaped, question, zone_path};
use super::json;
use super::save::{Readers, save};
use super::stop::{Exit, Stop};
use super::terminal::{Progress, table};
use crate::api::ZoneList;
use crate::wire::Name;

/// `freehold zone list`
pub(super) async fn list(place: &Place, options: &Options) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    let (mut zones, mut query) = (Vec::new(), String::new());
    loop {
        let page: ZoneList = door.ask_json(question(Method::GET, "/v1/zones", &query)?).await?;
        zones.extend(page.zones);
        let Some(next) = page.next else { break };
        query = format!("cursor={}", escaped(&next));
    }
    door.close().await?;
    if options.output == Output::Json {
        json(&zones)?;
        return Ok(Exit::Done);
    }
    if zones.is_empty() {
        writeln!(io::stderr(), "no zones yet: freehold zone import FILE brings the first")?;
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = zones
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
