//! `freehold zone check`: every fault of a zone file, and the verdict.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::arguments::{Options, Output, ZoneFile};
use super::json;
use super::stop::{Exit, Stop};
use super::terminal::count;
use super::zone_file;
use crate::api::{Checked, ZoneFault, ZoneSummary, plain};
use crate::zone::{Zone, text};

/// `freehold zone check FILE`
pub(super) fn check(file: &ZoneFile, options: &Options) -> Result<Exit, Stop> {
    let checked = zone_file::check(&file.file, file.origin.clone())?;
    match options.output {
        Output::Json => json(&Report::of(&checked))?,
        Output::Table => {
            let mut out = io::stdout().lock();
            let colour = options.color.on(&out);
            write!(out, "{}{}", faults(&checked, colour), verdict(&checked))?;
        }
    }
    Ok(match &checked.zone {
        None => Exit::Failed,
        Some(_) if checked.faults.is_empty() => Exit::Done,
        Some(_) => Exit::Warnings,
    })
}

/// Reads a zone file for an import: the zone, or all its faults and the verdict as a text to show.
pub fn import_check(path: &Path) -> Result<Arc<Zone>, String> {
    let checked = zone_file::check(path, None).map_err(|stop| stop.to_string())?;
    match &checked.zone {
        Some(zone) => Ok(Arc::clone(zone)),
        None => Err(faults(&checked, false) + &verdict(&checked)),
    }
}

/// All faults, each with its line and the place marked.
pub(super) fn faults(checked: &Checked, colour: bool) -> String {
    text::show(&checked.files, &checked.faults, colour)
}

/// The last line.
pub(super) fn verdict(checked: &Checked) -> String {
    let errors = checked.error_count();
    let warnings = match checked.faults.len() - errors {
        0 => String::new(),
        number => format!(", {}", count(number, "warning")),
    };
    match &checked.zone {
        None => format!("{}{warnings}: not ready to be served\n", count(errors, "error")),
        Some(zone) => format!(
            "ok: {}, {}, {}, serial {}{warnings}\n",
            plain(zone.apex()),
            count(zone.name_count(), "name"),
            count(zone.record_count(), "record"),
            zone.serial()
        ),
    }
}

/// The verdict for programs.
#[derive(Serialize)]
struct Report {
    ok: bool,
    zone: Option<ZoneSummary>,
    faults: Vec<ZoneFault>,
}

impl Report {
    fn of(checked: &Checked) -> Self {
        Self {
            ok: checked.zone.is_some(),
            zone: checked.zone.as_deref().map(ZoneSummary::of),
            faults: ZoneFault::list(&checked.faults, &checked.files),
        }
    }
}
