//! Zones that are added and deleted; and how any change of a zone is told.

use std::io::{self, Write};

use hyper::Method;

use super::arguments::{Options, Output};
use super::door::{Door, Place, question, with_json, zone_path};
use super::json;
use super::stop::{Exit, Stop};
use super::terminal::{ask, can_ask, count};
use crate::api::{NewZone, ZoneChange, ZoneSummary};
use crate::wire::Name;

pub(super) const DRY_RUN: &str = "dry_run=1";

/// Each record that goes or comes, a line.
pub(super) fn differences(change: &ZoneChange, options: &Options) -> io::Result<()> {
    let colours = Colours::of(options);
    let mut out = io::BufWriter::new(io::stdout().lock());
    for difference in &change.differences {
        colours.write(&mut out, difference.sign, &difference.record)?;
    }
    out.flush()
}

/// `freehold zone add ZONE`
pub(super) async fn add(
    place: &Place,
    zone: &Name,
    new: &NewZone,
    dry_run: bool,
    options: &Options,
) -> Result<Exit, Stop> {
    let question = question(Method::PUT, &zone_path(zone, ""), if dry_run { DRY_RUN } else { "" })?;
    let mut door = Door::open(place, !dry_run).await?;
    let change: ZoneChange = door.ask_json(with_json(question, new)?).await?;
    door.close().await?;
    match options.output {
        Output::Json => json(&change)?,
        Output::Table => writeln!(io::stdout(), "{}", summary(&change))?,
    }
    warnings(&change, options)
}

/// Tells what somebody should look at although it is done; a program finds it in the JSON. How the command ends.
pub(super) fn warnings(change: &ZoneChange, options: &Options) -> Result<Exit, Stop> {
    if options.output == Output::Table {
        for warning in &change.warnings {
            writeln!(io::stderr(), "warning: {}\n = cure: {}", warning.message, warning.cure)?;
        }
    }
    Ok(if change.warnings.is_empty() { Exit::Done } else { Exit::Warnings })
}

/// Whether the lines of a difference have colour.
pub(super) struct Colours(bool);

impl Colours {
    /// As the options say for standard output.
    pub(super) fn of(options: &Options) -> Self {
        Self(options.color.on(&io::stdout()))
    }

    /// Writes a record that goes (`-`, red) or comes (`+`, green).
    pub(super) fn write(&self, out: &mut impl Write, sign: char, record: &str) -> io::Result<()> {
        match (self.0, sign) {
            (true, '-') => writeln!(out, "\x1b[31m-{record}\x1b[0m"),
            (true, _) => writeln!(out, "\x1b[32m+{record}\x1b[0m"),
            (false, sign) => writeln!(out, "{sign}{record}"),
        }
    }
}

/// What a change did, in one line.
pub(super) fn summary(change: &ZoneChange) -> String {
    let ZoneChange { zone, added, altered, removed, .. } = change;
    let would = |verb: &str| if change.dry_run { format!("would {verb} ") } else { String::new() };
    match (change.changed, change.serial_before, change.serial_after) {
        (false, ..) => format!("{zone}: nothing changed"),
        (true, Some(before), Some(after)) => {
            let would = would("have");
            format!("{zone}: {would}{added} added, {altered} changed, {removed} removed, serial {before} -> {after}")
        }
        (true, None, Some(after)) => format!("{zone}: {}new, {}, serial {after}", would("be"), count(*added, "record")),
        (true, _, None) => format!("{zone}: {}deleted, {}", would("be"), count(*removed, "record")),
    }
}

/// Whether a deletion is meant.
pub(super) struct Consent {
    /// Given on the command line.
    pub(super) yes: bool,
    /// Not needed.
    pub(super) dry_run: bool,
}

/// `freehold zone delete ZONE`
pub(super) async fn delete(place: &Place, zone: &Name, consent: Consent, options: &Options) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    let path = zone_path(zone, "");
    if !consent.yes && !consent.dry_run {
        let summary: ZoneSummary = door.ask_json(question(Method::GET, &path, "")?).await?;
        confirm(&summary)?;
    }
    let query = if consent.dry_run { DRY_RUN } else { "" };
    let change: ZoneChange = door.ask_json(question(Method::DELETE, &path, query)?).await?;
    door.close().await?;
    match options.output {
        Output::Json => json(&change)?,
        Output::Table => writeln!(io::stdout(), "{}", summary(&change))?,
    }
    Ok(Exit::Done)
}

fn confirm(zone: &ZoneSummary) -> Result<(), Stop> {
    if !can_ask() {
        let message = format!("{} would be deleted, and there is no terminal to ask at", zone.name);
        return Err(Stop::new(Exit::Usage, message, "add --yes if you mean it"));
    }
    match ask(&format!("Delete {} and its {}? [y/N]", zone.name, count(zone.records, "record")))?.as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Stop::failed("nothing was deleted", "")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(before: Option<u32>, after: Option<u32>, dry_run: bool) -> ZoneChange {
        ZoneChange {
            zone: "home.example".into(),
            changed: true,
            dry_run,
            revision: 7,
            serial_before: before,
            serial_after: after,
            added: 3,
            altered: 1,
            removed: 2,
            differences: Vec::new(),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn a_change_is_told_in_one_line() {
        let told = |before, after, dry_run| summary(&change(before, after, dry_run));
        assert_eq!(told(Some(5), Some(6), false), "home.example: 3 added, 1 changed, 2 removed, serial 5 -> 6");
        assert_eq!(
            told(Some(5), Some(6), true),
            "home.example: would have 3 added, 1 changed, 2 removed, serial 5 -> 6"
        );
        assert_eq!(told(None, Some(6), false), "home.example: new, 3 records, serial 6");
        assert_eq!(told(Some(5), None, false), "home.example: deleted, 2 records");
        assert_eq!(
            summary(&ZoneChange { changed: false, ..change(Some(5), Some(5), false) }),
            "home.example: nothing changed"
        );
    }
}
