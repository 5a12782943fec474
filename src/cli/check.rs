//! `freehold zone check`: every fault of a zone file, and the verdict.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::arguments::{Options, Output, ZoneFiles};
use super::json;
use super::stop::{Exit, Stop};
use super::terminal::{Progress, count};
use super::zone_file;
use crate::api::{Checked, ZoneFault, ZoneSummary, plain};
use crate::zone::{Zone, text};

/// `freehold zone check FILE...`: the worst of them is how it ends.
pub(super) fn check(files: &ZoneFiles, options: &Options) -> Result<Exit, Stop> {
    let paths = zone_file::expand(files)?;
    let progress = Progress::new();
    let (mut worst, mut reports) = (Exit::Done, Vec::new());
    for path in &paths {
        let exit = match zone_file::check(path, files.origin.clone(), &progress) {
            Ok(checked) => {
                tell(path, &checked, paths.len() > 1, options, &mut reports)?;
                exit_of(&checked)
            }
            Err(stop) if paths.len() == 1 => return Err(stop),
            Err(stop) => {
                write!(io::stderr(), "{stop}")?;
                stop.exit
            }
        };
        worst = worst.max(exit);
    }
    if options.output == Output::Json {
        json(&reports)?;
    }
    Ok(worst)
}

fn tell(
    path: &Path,
    checked: &Checked,
    is_named: bool,
    options: &Options,
    reports: &mut Vec<Report>,
) -> Result<(), Stop> {
    if options.output == Output::Json {
        reports.push(Report::of(path, checked));
        return Ok(());
    }
    let mut out = io::stdout().lock();
    let colour = options.color.on(&out);
    let name = if is_named { format!("{}: ", path.display()) } else { String::new() };
    Ok(write!(out, "{}{name}{}", faults(checked, colour), verdict(checked))?)
}

/// How a command ends that found this.
pub(super) fn exit_of(checked: &Checked) -> Exit {
    match &checked.zone {
        None => Exit::Failed,
        Some(_) if checked.faults.is_empty() => Exit::Done,
        Some(_) => Exit::Warnings,
    }
}

/// Reads a zone file for an import: the zone, or all its faults and the verdict as a text to show.
pub fn import_check(path: &Path) -> Result<Arc<Zone>, String> {
    let checked = zone_file::check(path, None, &Progress::new()).map_err(|stop| stop.to_string())?;
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
    file: String,
    ok: bool,
    zone: Option<ZoneSummary>,
    faults: Vec<ZoneFault>,
}

impl Report {
    fn of(path: &Path, checked: &Checked) -> Self {
        Self {
            file: path.display().to_string(),
            ok: checked.zone.is_some(),
            zone: checked.zone.as_deref().map(ZoneSummary::of),
            faults: ZoneFault::list(&checked.faults, &checked.files),
        }
    }
}
