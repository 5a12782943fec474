//! Zone files that become zones: `zone import`, and `zone diff`, which only says what an import would do.

use std::io::{self, Write};
use std::path::Path;

use http_body_util::Full;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, IF_MATCH};
use serde::Serialize;

use super::arguments::{Options, Output, ZoneFile, ZoneFiles};
use super::change::{DRY_RUN, differences, summary};
use super::check::{exit_of, faults, verdict};
use super::door::{Door, Place, question, zone_path};
use super::json;
use super::stop::{Exit, Stop};
use super::terminal::{Progress, count};
use super::zone_file::{self, ZoneText};
use crate::api::{Checked, Question, TEXT_DNS, ZoneChange, plain};
use crate::wire::Name;
use crate::zone::{self, Zone};

/// `freehold zone import FILE...`: each zone by itself, and one that is refused does not keep the others out.
pub(super) async fn import(place: &Place, files: &ZoneFiles, dry_run: bool, options: &Options) -> Result<Exit, Stop> {
    let paths = zone_file::expand(files)?;
    let mut importer = Importer { place, door: None, progress: Progress::new(), dry_run, options };
    let (mut worst, mut reports, mut refused) = (Exit::Done, Vec::new(), 0);
    for path in &paths {
        match importer.file(path, files.origin.clone()).await? {
            Ok((change, exit)) => {
                worst = worst.max(exit);
                match options.output {
                    Output::Json => reports.push(Report::done(path, change)),
                    Output::Table => writeln!(io::stdout(), "{}", summary(&change))?,
                }
            }
            Err(stop) if stop.exit == Exit::Unreachable || paths.len() == 1 => return Err(stop),
            Err(stop) => {
                worst = worst.max(stop.exit);
                refused += 1;
                write!(io::stderr(), "{}: not imported\n{stop}", path.display())?;
                reports.push(Report::refused(path, &stop));
            }
        }
    }
    importer.close().await?;
    if options.output == Output::Json {
        json(&reports)?;
    }
    if refused > 0 {
        writeln!(io::stderr(), "{} of {} not imported", refused, count(paths.len(), "file"))?;
    }
    Ok(worst)
}

/// `freehold zone diff FILE`
pub(super) async fn diff(place: &Place, file: &ZoneFile, options: &Options) -> Result<Exit, Stop> {
    let mut importer = Importer { place, door: None, progress: Progress::new(), dry_run: true, options };
    let (change, exit) = importer.file(&file.file, file.origin.clone()).await??;
    importer.close().await?;
    if options.output == Output::Json {
        json(&change)?;
        return Ok(exit);
    }
    differences(&change, options)?;
    writeln!(io::stderr(), "{}", summary(&change))?;
    Ok(exit)
}

/// Brings files in one after the other, through one door; it is opened when the first file is found sound.
struct Importer<'a> {
    place: &'a Place,
    door: Option<Door>,
    progress: Progress,
    dry_run: bool,
    options: &'a Options,
}

impl Importer<'_> {
    /// Checks the file here, where its lines can be shown and its includes read, then sends it. The outer fault is one
    /// that every other file would meet as well.
    async fn file(&mut self, path: &Path, origin: Option<Name>) -> Result<Result<(ZoneChange, Exit), Stop>, Stop> {
        let (question, exit) = match self.question(path, origin) {
            Ok(question) => question,
            Err(stop) => return Ok(Err(stop)),
        };
        let door = match &mut self.door {
            Some(door) => door,
            none => none.insert(Door::open(self.place, !self.dry_run).await?),
        };
        let change = door.ask_json(question).await;
        self.progress.clear();
        Ok(change.map(|change| (change, exit)))
    }

    fn question(&self, path: &Path, origin: Option<Name>) -> Result<(Question, Exit), Stop> {
        let read = zone_file::read(path, origin, &self.progress)?;
        let exit = exit_of(&read.checked);
        let zone = tell_faults(&read.checked, self.options)?;
        self.progress.begin(format!("importing {}", plain(zone.apex())), 0);
        Ok((put(&zone, &read, self.dry_run, None)?, exit))
    }

    async fn close(self) -> Result<(), Stop> {
        match self.door {
            Some(door) => door.close().await,
            None => Ok(()),
        }
    }
}

/// Shows the faults; a zone that has errors is the end of it.
pub(super) fn tell_faults(checked: &Checked, options: &Options) -> Result<std::sync::Arc<Zone>, Stop> {
    let colour = options.color.on(&io::stderr());
    write!(io::stderr(), "{}", faults(checked, colour))?;
    match &checked.zone {
        Some(zone) => Ok(zone.clone()),
        None => {
            write!(io::stderr(), "{}", verdict(checked))?;
            Err(Stop::told(Exit::Failed))
        }
    }
}

/// The request that makes a zone what was read; with a tag, only if the zone still has it.
pub(super) fn put(zone: &Zone, read: &ZoneText, dry_run: bool, tag: Option<&HeaderValue>) -> Result<Question, Stop> {
    let text = match &read.whole {
        Some(text) => Bytes::from_owner(std::sync::Arc::clone(text)),
        None => printed(zone)?.into(),
    };
    let path = zone_path(&zone.apex().to_name(), "/file");
    let mut question = question(Method::PUT, &path, if dry_run { DRY_RUN } else { "" })?;
    question.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT_DNS));
    if let Some(tag) = tag {
        question.headers_mut().insert(IF_MATCH, tag.clone());
    }
    Ok(question.map(|_| Full::new(text)))
}

/// The zone as one text, for a file that includes others: the server reads no files for a client.
fn printed(zone: &Zone) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    zone::print::zone(zone, &mut text)?;
    Ok(text)
}

/// What became of a file, for programs.
#[derive(Serialize)]
struct Report {
    file: String,
    ok: bool,
    #[serde(flatten)]
    change: Option<ZoneChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cure: Option<String>,
}

impl Report {
    fn done(path: &Path, change: ZoneChange) -> Self {
        Self { file: path.display().to_string(), ok: true, change: Some(change), message: None, cure: None }
    }

    fn refused(path: &Path, stop: &Stop) -> Self {
        let said = |text: &String| (!text.is_empty()).then(|| text.clone());
        let (message, cure) = (said(&stop.message), said(&stop.cure));
        Self { file: path.display().to_string(), ok: false, change: None, message, cure }
    }
}
