//! The command line: each command a thin client of the admin API, except what needs no server: `zone check` and
//! `restore`. (`serve` is the daemon's.)
//!
//! Results go to standard output, everything else to standard error, so that pipes hold results only.

use std::io::{self, Write};
use std::process::ExitCode;

mod arguments;
mod backup;
mod change;
mod check;
mod door;
mod history;
mod read;
mod record;
mod save;
mod status;
mod stop;
mod terminal;
mod zone_file;

pub use arguments::{Arguments, Color, Command, Options, Output, Owner, Past, Record, Records, Serve, Zone, ZoneFile};
pub use check::import_check;
pub use door::Place;
pub use terminal::table;

use crate::api::NewZone;
use hyper::Method;
use stop::{Exit, Stop};

/// Finds out where the store and its server are, or says (already shown in full) why the settings are no good.
pub type FindPlace<'a> = &'a dyn Fn() -> Result<Place, String>;

/// Runs a command to its end.
pub fn run(command: &Command, options: &Options, find_place: FindPlace<'_>) -> ExitCode {
    match start(command, options, find_place) {
        Ok(exit) => exit.into(),
        Err(stop) => {
            let _ = write!(io::stderr(), "{stop}");
            stop.exit.into()
        }
    }
}

fn start(command: &Command, options: &Options, find_place: FindPlace<'_>) -> Result<Exit, Stop> {
    if let Command::Zone(Zone::Check(file)) = command {
        return check::check(file, options);
    }
    let place = find_place().map_err(|shown| {
        let _ = write!(io::stderr(), "{shown}");
        Stop::told(Exit::Usage)
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Serve(_) => Err(Stop::new(Exit::Usage, "serve is not a command of the client", "")),
            Command::Status => status::status(&place, options).await,
            Command::Log(past) => history::list(&place, None, past, options).await,
            Command::Backup { file } => backup::backup(&place, file).await,
            Command::Restore { file } => backup::restore(&place, file).await,
            Command::Zone(command) => zone(&place, command, options).await,
            Command::Record(command) => record(&place, command, options).await,
        }
    })
}

async fn zone(place: &Place, command: &Zone, options: &Options) -> Result<Exit, Stop> {
    match command {
        Zone::Check(file) => check::check(file, options),
        Zone::List => read::list(place, options).await,
        Zone::Add { zone, name_servers, email, dry_run } => {
            let name_servers = name_servers.iter().map(ToString::to_string).collect();
            let new = NewZone { name_servers, email: email.clone(), ttl: None };
            change::add(place, zone, &new, *dry_run, options).await
        }
        Zone::Export { zone, file } => read::export(place, zone, file.as_deref()).await,
        Zone::Import { file, dry_run } => change::import(place, file, *dry_run, options).await,
        Zone::Diff(file) => change::diff(place, file, options).await,
        Zone::History { zone, revision: None, past } => history::list(place, Some(zone), past, options).await,
        Zone::History { zone, revision: Some(revision), .. } => history::show(place, zone, *revision, options).await,
        Zone::Undo { zone, revision, dry_run } => history::undo(place, zone, *revision, *dry_run, options).await,
        Zone::Delete { zone, yes, dry_run } => {
            change::delete(place, zone, change::Consent { yes: *yes, dry_run: *dry_run }, options).await
        }
    }
}

async fn record(place: &Place, command: &Record, options: &Options) -> Result<Exit, Stop> {
    match command {
        Record::List { zone, name, kind } => record::list(place, zone, name.as_deref(), *kind, options).await,
        Record::Set(records) => record::put(place, Method::PUT, records, options).await,
        Record::Add(records) => record::put(place, Method::POST, records, options).await,
        Record::Delete { owner, kind, values, dry_run } => {
            let doomed = record::Doomed { kind: *kind, values, dry_run: *dry_run };
            record::delete(place, owner, doomed, options).await
        }
    }
}

/// Prints a result as JSON.
fn json(value: &impl serde::Serialize) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}
