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
mod save;
mod stop;
mod terminal;
mod zone_file;

pub use arguments::{Arguments, Color, Command, Options, Output, Past, Serve, Zone, ZoneFile};
pub use check::import_check;
pub use door::Place;
pub use terminal::table;

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
            Command::Status => read::status(&place, options).await,
            Command::Log(past) => history::list(&place, None, past, options).await,
            Command::Zone(Zone::History { zone, revision: None, past }) => {
                history::list(&place, Some(zone), past, options).await
            }
            Command::Zone(Zone::History { zone, revision: Some(revision), .. }) => {
                history::show(&place, zone, *revision, options).await
            }
            Command::Zone(Zone::Undo { zone, revision, dry_run }) => {
                history::undo(&place, zone, *revision, *dry_run, options).await
            }
            Command::Backup { file } => backup::backup(&place, file).await,
            Command::Restore { file } => backup::restore(&place, file).await,
            Command::Zone(Zone::Check(file)) => check::check(file, options),
            Command::Zone(Zone::List) => read::list(&place, options).await,
            Command::Zone(Zone::Export { zone, file }) => read::export(&place, zone, file.as_deref()).await,
            Command::Zone(Zone::Import { file, dry_run }) => change::import(&place, file, *dry_run, options).await,
            Command::Zone(Zone::Diff(file)) => change::diff(&place, file, options).await,
            Command::Zone(Zone::Delete { zone, yes, dry_run }) => {
                change::delete(&place, zone, change::Consent { yes: *yes, dry_run: *dry_run }, options).await
            }
        }
    })
}

/// Prints a result as JSON.
fn json(value: &impl serde::Serialize) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}
