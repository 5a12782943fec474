//! Zone files that become zones: `zone import`, and `zone diff`, which only says what an import would do.

use std::io::{self, Write};
use std::path::Path;

use http_body_util::Full;
use hyper::Method;
use hyper::body::{Body, Bytes};
use hyper::header::{CONTENT_TYPE, HeaderValue, IF_MATCH};
use serde::Serialize;
use tokio::task::JoinSet;

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

/// Zones that are sent together, so that they share the waits for the disk.
const TOGETHER_MAX: usize = 32;
/// Octets of the zones that are sent together; a larger one goes alone.
const TOGETHER_SIZE_MAX: usize = 4 << 20;

/// `freehold zone import FILE...`: each zone by itself, and one that is refused does not keep the others out.
pub(super) async fn import(place: &Place, files: &ZoneFiles, dry_run: bool, options: &Options) -> Result<Exit, Stop> {
    let paths = zone_file::expand(files)?;
    let mut importer = Importer::new(place, dry_run, options);
    let mut tally = Tally { options, alone: paths.len() == 1, worst: Exit::Done, refused: 0, reports: Vec::new() };
    let mut group = Group::default();
    for path in &paths {
        let file = importer.read(path, files.origin.clone());
        if !group.takes(&file) {
            tally.add(importer.send(std::mem::take(&mut group)).await?)?;
        }
        group.add(file);
    }
    tally.add(importer.send(group).await?)?;
    importer.close().await?;
    tally.tell(paths.len())
}

/// Files that are sent together. Each zone is there once, so that of two files for the same the later one counts.
#[derive(Default)]
struct Group<'p> {
    files: Vec<File<'p, Sound>>,
    octets: usize,
}

/// A file, and how far it has come.
struct File<'p, T> {
    path: &'p Path,
    /// Its faults, as they are shown.
    faults: String,
    state: Result<T, Stop>,
}

/// A file that was found sound, and the request that brings it.
struct Sound {
    apex: Name,
    octets: usize,
    question: Question,
    exit: Exit,
}

/// A file that was sent: what the server did, and how the command would end if it were the only one.
type Sent = (ZoneChange, Exit);

impl<'p> Group<'p> {
    fn takes(&self, new: &File<'_, Sound>) -> bool {
        let Ok(new) = &new.state else { return true };
        let is_here = |file: &File<'_, Sound>| file.state.as_ref().is_ok_and(|file| file.apex == new.apex);
        let fits = self.files.len() < TOGETHER_MAX && self.octets + new.octets <= TOGETHER_SIZE_MAX;
        self.files.is_empty() || fits && !self.files.iter().any(is_here)
    }

    fn add(&mut self, file: File<'p, Sound>) {
        self.octets += file.state.as_ref().map_or(0, |file| file.octets);
        self.files.push(file);
    }
}

/// What became of the files so far.
struct Tally<'a> {
    options: &'a Options,
    /// Whether there is but one file, whose fault is that of the command.
    alone: bool,
    worst: Exit,
    refused: usize,
    reports: Vec<Report>,
}

impl Tally<'_> {
    fn add(&mut self, files: Vec<File<'_, Sent>>) -> Result<(), Stop> {
        for File { path, faults, state } in files {
            write!(io::stderr(), "{faults}")?;
            match state {
                Ok((change, exit)) => {
                    self.worst = self.worst.max(exit);
                    match self.options.output {
                        Output::Json => self.reports.push(Report::done(path, change)),
                        Output::Table => writeln!(io::stdout(), "{}", summary(&change))?,
                    }
                }
                Err(stop) if stop.exit == Exit::Unreachable || self.alone => return Err(stop),
                Err(stop) => {
                    self.worst = self.worst.max(stop.exit);
                    self.refused += 1;
                    write!(io::stderr(), "{}: not imported\n{stop}", path.display())?;
                    self.reports.push(Report::refused(path, &stop));
                }
            }
        }
        Ok(())
    }

    fn tell(self, files: usize) -> Result<Exit, Stop> {
        if self.options.output == Output::Json {
            json(&self.reports)?;
        }
        if self.refused > 0 {
            writeln!(io::stderr(), "{} of {} not imported", self.refused, count(files, "file"))?;
        }
        Ok(self.worst)
    }
}

/// `freehold zone diff FILE`
pub(super) async fn diff(place: &Place, file: &ZoneFile, options: &Options) -> Result<Exit, Stop> {
    let mut importer = Importer::new(place, true, options);
    let mut group = Group::default();
    group.add(importer.read(&file.file, file.origin.clone()));
    let files = importer.send(group).await?;
    importer.close().await?;
    let Some(File { faults, state, .. }) = files.into_iter().next() else { return Ok(Exit::Done) };
    write!(io::stderr(), "{faults}")?;
    let (change, exit) = state?;
    if options.output == Output::Json {
        json(&change)?;
        return Ok(exit);
    }
    differences(&change, options)?;
    writeln!(io::stderr(), "{}", summary(&change))?;
    Ok(exit)
}

/// Brings files in through doors to the same place; the first is opened when the first file is found sound.
struct Importer<'a> {
    place: &'a Place,
    /// Doors that nobody uses at present: each takes one request at a time.
    idle: Vec<Door>,
    /// The store, if it is open here.
    here: Option<Door>,
    progress: Progress,
    dry_run: bool,
    options: &'a Options,
}

impl<'a> Importer<'a> {
    fn new(place: &'a Place, dry_run: bool, options: &'a Options) -> Self {
        Self { place, idle: Vec::new(), here: None, progress: Progress::new(), dry_run, options }
    }

    /// Checks the file here, where its lines can be shown and its includes read.
    fn read<'p>(&self, path: &'p Path, origin: Option<Name>) -> File<'p, Sound> {
        match zone_file::read(path, origin, &self.progress) {
            Ok(read) => {
                let (faults, zone) = shown_faults(&read.checked, self.options);
                File { path, faults, state: zone.and_then(|zone| self.request(&zone, &read)) }
            }
            Err(stop) => File { path, faults: String::new(), state: Err(stop) },
        }
    }

    fn request(&self, zone: &Zone, read: &ZoneText) -> Result<Sound, Stop> {
        let question = put(zone, read, self.dry_run, None)?;
        let octets = question.body().size_hint().exact().map_or(usize::MAX, |octets| octets as usize);
        Ok(Sound { apex: zone.apex().to_name(), octets, question, exit: exit_of(&read.checked) })
    }

    /// Sends files, all at once; what became of each, in their order. The fault is one that every other file would meet as
    /// well; the faults of the files are told before it.
    async fn send<'p>(&mut self, group: Group<'p>) -> Result<Vec<File<'p, Sent>>, Stop> {
        let (mut files, mut sending) = (Vec::with_capacity(group.files.len()), JoinSet::new());
        for (at, File { path, faults, state }) in group.files.into_iter().enumerate() {
            let state = match state {
                Ok(Sound { apex, question, exit, .. }) => {
                    let mut door = match self.door().await {
                        Ok(door) => door,
                        Err(stop) => {
                            files
                                .iter()
                                .try_for_each(|file: &File<'_, Sent>| write!(io::stderr(), "{}", file.faults))?;
                            write!(io::stderr(), "{faults}")?;
                            return Err(stop);
                        }
                    };
                    self.progress.begin(format!("importing {}", plain(apex.borrow())), 0);
                    sending.spawn(async move {
                        let change = door.ask_json(question).await;
                        (at, change.map(|change| (change, exit)), door)
                    });
                    Err(Stop::failed("the import broke off", "")) // until the answer is there
                }
                Err(stop) => Err(stop),
            };
            files.push(File { path, faults, state });
        }
        while let Some(sent) = sending.join_next().await {
            let (at, state, door) = sent.map_err(|fault| Stop::failed(format!("the import broke off: {fault}"), ""))?;
            files[at].state = state;
            self.idle.push(door);
        }
        self.progress.clear();
        Ok(files)
    }

    async fn door(&mut self) -> Result<Door, Stop> {
        if let Some(door) = self.idle.pop().or_else(|| self.here.as_ref()?.again()) {
            return Ok(door);
        }
        let door = Door::open(self.place, !self.dry_run).await?;
        self.here = door.again();
        Ok(door)
    }

    async fn close(self) -> Result<(), Stop> {
        match self.here {
            Some(door) => door.close().await,
            None => Ok(()),
        }
    }
}

/// Shows the faults; a zone that has errors is the end of it.
pub(super) fn tell_faults(checked: &Checked, options: &Options) -> Result<std::sync::Arc<Zone>, Stop> {
    let (shown, zone) = shown_faults(checked, options);
    write!(io::stderr(), "{shown}")?;
    zone
}

/// The faults as they are shown, and the zone if it has no errors.
fn shown_faults(checked: &Checked, options: &Options) -> (String, Result<std::sync::Arc<Zone>, Stop>) {
    let shown = faults(checked, options.color.on(&io::stderr()));
    match &checked.zone {
        Some(zone) => (shown, Ok(zone.clone())),
        None => (shown + &verdict(checked), Err(Stop::told(Exit::Failed))),
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
