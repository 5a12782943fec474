//! The command line: each command a thin client of the admin API, except what needs no server: `zone check`, `restore`,
//! `completions` and `man`. (`serve` is the daemon's.)
//!
//! Results go to standard output, everything else to standard error, so that pipes hold results only.

use std::io::{self, Write};
use std::process::ExitCode;

mod arguments;
mod backup;
mod cert;
mod change;
mod check;
mod complete;
mod door;
mod edit;
mod history;
mod import;
mod init;
mod manual;
mod read;
mod record;
mod remote;
mod route;
mod save;
mod status;
mod stop;
mod terminal;
mod token;
mod zone_file;

pub use arguments::{
    Arguments, Cert, ChangedRoute, Color, Command, NewRoute, NewToken, Options, Output, Owner, Past, Record, Records,
    Route, Serve, Shell, Token, Zone, ZoneFile, ZoneFiles,
};
pub use check::import_check;
pub use complete::{FindPlaceFor, complete};
pub use door::{Local, Place};
pub use remote::Remote;
pub use terminal::table;

use crate::api::NewZone;
use hyper::Method;
use stop::{Exit, Stop};

/// Finds out where the store and its server are, or says (already shown in full) why the settings are no good.
type FindPlace<'a> = &'a dyn Fn() -> Result<Place, String>;

/// Runs a command to its end.
pub fn run(command: &Command, options: &Options, find_place: FindPlaceFor) -> ExitCode {
    match start(command, options, find_place) {
        Ok(exit) => exit.into(),
        Err(stop) => {
            let _ = write!(io::stderr(), "{stop}");
            stop.exit.into()
        }
    }
}

fn start(command: &Command, options: &Options, find_place_for: FindPlaceFor) -> Result<Exit, Stop> {
    if let (Some(name), true) = (stays_here(command), options.server.is_some()) {
        return Err(door::stays_here(name, "and --server is said"));
    }
    let find_place: FindPlace<'_> = &|| {
        let place = place(options, &|| find_place_for(options))?;
        if let Place::Remote(remote) = &place {
            let _ = remote.warn();
        }
        Ok(place)
    };
    match command {
        Command::Zone(Zone::Check(files)) => check::check(files, options),
        Command::Completions { shell } => complete::script(*shell),
        Command::Man { command, directory } => manual::man(command, directory.as_deref()),
        Command::Init => init::init(options, find_place_for),
        Command::Serve(_) => Err(Stop::new(Exit::Usage, "serve is not a command of the client", "")),
        Command::Status => at_place(find_place, async |place| status::status(place, options).await),
        Command::Log(past) => at_place(find_place, async |place| history::list(place, None, past, options).await),
        Command::Backup { file } => at_place(find_place, async |place| backup::backup(place, file, options).await),
        Command::Restore { file, dry_run } => {
            at_place(find_place, async |place| backup::restore(place, file, *dry_run, options).await)
        }
        Command::Zone(command) => at_place(find_place, async |place| zone(place, command, options).await),
        Command::Record(command) => at_place(find_place, async |place| record(place, command, options).await),
        Command::Route(Route::Password { user }) => route::password(user),
        Command::Route(command) => at_place(find_place, async |place| route::route(place, command, options).await),
        Command::Cert(command) => at_place(find_place, async |place| cert::cert(place, command, options).await),
        Command::Token(command) => at_place(find_place, async |place| token(place, command, options).await),
    }
}

/// The server somewhere else that is named, or else what is here.
fn place(options: &Options, here: FindPlace<'_>) -> Result<Place, String> {
    match Remote::chosen(options) {
        Ok(Some(remote)) => Ok(Place::Remote(remote)),
        Ok(None) => here(),
        Err(stop) => Err(stop.to_string()),
    }
}

/// What a command is called that needs no server, or must not have one.
fn stays_here(command: &Command) -> Option<&'static str> {
    match command {
        Command::Serve(_) => Some("serve"),
        Command::Init => Some("init"),
        Command::Restore { .. } => Some("restore"),
        Command::Zone(Zone::Check(_)) => Some("zone check"),
        Command::Route(Route::Password { .. }) => Some("route password"),
        Command::Status | Command::Log(_) | Command::Backup { .. } => None,
        Command::Zone(_) | Command::Record(_) | Command::Route(_) | Command::Cert(_) | Command::Token(_) => None,
        Command::Completions { .. } | Command::Man { .. } => None,
    }
}

fn at_place(find_place: FindPlace<'_>, command: impl AsyncFnOnce(&Place) -> Result<Exit, Stop>) -> Result<Exit, Stop> {
    let place = find_place().map_err(|shown| Stop::shown(&shown))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(command(&place));
    // A question at the terminal may still wait for its answer.
    runtime.shutdown_background();
    ended
}

async fn zone(place: &Place, command: &Zone, options: &Options) -> Result<Exit, Stop> {
    match command {
        Zone::Check(files) => check::check(files, options),
        Zone::List => read::list(place, options).await,
        Zone::Add { zone, name_servers, email, dry_run } => {
            let name_servers = name_servers.iter().map(ToString::to_string).collect();
            let new = NewZone { name_servers, email: email.clone(), ttl: None };
            change::add(place, zone, &new, *dry_run, options).await
        }
        Zone::Export { zone, file } => read::export(place, zone, file.as_deref()).await,
        Zone::Import { files, dry_run } => import::import(place, files, *dry_run, options).await,
        Zone::Edit { zone, yes, dry_run } => {
            edit::edit(place, zone, change::Consent { yes: *yes, dry_run: *dry_run }, options).await
        }
        Zone::Diff(file) => import::diff(place, file, options).await,
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

async fn token(place: &Place, command: &Token, options: &Options) -> Result<Exit, Stop> {
    match command {
        Token::List => token::list(place, options).await,
        Token::Create(new) => token::create(place, new, options).await,
        Token::Revoke { token, yes } => token::revoke(place, token, *yes, options).await,
    }
}

/// Prints a result as JSON.
fn json(value: &impl serde::Serialize) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}
