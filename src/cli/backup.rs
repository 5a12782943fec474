//! Backup, and its way back.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hyper::Method;
use serde::Serialize;

use super::arguments::{Options, Output};
use super::door::{Door, Place, is_serving, question};
use super::json;
use super::save::{Readers, save};
use super::stop::{Exit, Stop};
use super::terminal::{Progress, count};
use crate::store::{self, Snapshot};

/// `freehold backup FILE`
pub(super) async fn backup(place: &Place, file: &Path, options: &Options) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    let progress = Progress::new();
    progress.begin("backup", 0);
    let answer = door.ask(question(Method::GET, "/v1/backup", "")?).await?;
    let octets = save(answer, file, Readers::Owner, &progress).await?;
    door.close().await?;
    if options.output == Output::Json && file != Path::new("-") {
        json(&Written { file: file.to_owned(), octets })?;
    }
    Ok(Exit::Done)
}

/// `freehold restore FILE`
pub(super) async fn restore(place: &Place, file: &Path, dry_run: bool, options: &Options) -> Result<Exit, Stop> {
    let place = place.local("restore")?;
    let directory = &place.store.directory;
    if is_serving(place).await && !dry_run {
        let message = format!("a server runs on the data directory {}", directory.display());
        return Err(Stop::failed(message, "stop it, move the directory aside, then restore"));
    }
    let progress = Progress::new();
    progress.begin(format!("restoring {}", file.display()), 0);
    let snapshot = match dry_run {
        true => store::backup::inspect(file),
        false => store::backup::restore(file, directory),
    };
    drop(progress);
    let snapshot = snapshot.map_err(|fault| Stop::line(Exit::Failed, &fault.to_string()))?;
    let restored = Restored::new(file, directory, dry_run, &snapshot);
    match options.output {
        Output::Json => json(&restored)?,
        Output::Table => writeln!(io::stdout(), "{}", restored.line())?,
    }
    Ok(Exit::Done)
}

/// A backup, for programs.
#[derive(Serialize)]
struct Written {
    file: PathBuf,
    octets: u64,
}

/// What was restored, or would be.
#[derive(Serialize)]
struct Restored {
    file: PathBuf,
    directory: PathBuf,
    dry_run: bool,
    revision: u64,
    zones: usize,
    records: usize,
}

impl Restored {
    fn new(file: &Path, directory: &Path, dry_run: bool, snapshot: &Snapshot) -> Self {
        let records = snapshot.zones.iter().map(|zone| zone.record_count()).sum();
        let (file, directory) = (file.to_owned(), directory.to_owned());
        Self { file, directory, dry_run, revision: snapshot.revision, zones: snapshot.zones.len(), records }
    }

    fn line(&self) -> String {
        let (file, directory) = (self.file.display(), self.directory.display());
        let holds =
            format!("{}, {}, revision {}", count(self.zones, "zone"), count(self.records, "record"), self.revision);
        match self.dry_run {
            true => format!("{file} is whole: {holds}"),
            false => format!("restored {file} into {directory}: {holds}"),
        }
    }
}
