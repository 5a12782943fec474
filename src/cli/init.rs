//! `freehold init`: everything in place for the first start, and what to do next. What is there already stays as it is, so
//! it may be run again, also to see what there is.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::FindPlaceFor;
use super::arguments::{Options, Output};
use super::door::{Door, Local, Place, is_serving};
use super::json;
use super::stop::{Exit, Stop};
use super::terminal::{ask_for, can_ask, count};
use crate::api::{Caller, FIRST_TOKEN_FILE, FirstToken, first_token};

/// Every setting, with its default and what it means.
const SAMPLE: &str = include_str!("sample.toml");
/// The line of the sample that holds the data directory.
const DIRECTORY: &str = "directory = \"/var/lib/freehold\"";
/// Where the settings are written if nothing else is said.
const SETTINGS: &str = "freehold.toml";

/// What was found or made.
#[derive(Debug, Serialize)]
struct Found {
    settings: PathBuf,
    /// Whether the settings file was made now.
    settings_are_new: bool,
    data: PathBuf,
    /// Whether the data directory was made now.
    data_is_new: bool,
    /// The file with the first token; none if there are tokens but not this file.
    token_file: Option<PathBuf>,
    /// Whether the first token was made now.
    token_is_new: bool,
    /// How many tokens there are.
    tokens: usize,
    /// Whether a server runs.
    is_serving: bool,
}

/// `freehold init`
pub(super) fn init(options: &Options, find_place: FindPlaceFor) -> Result<Exit, Stop> {
    let (place, is_new) = settings(options, find_place)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(look(&place, is_new))?;
    match options.output {
        Output::Json => json(&found)?,
        Output::Table => tell(&found)?,
    }
    let has_token = found.tokens > 0 || found.is_serving;
    Ok(if has_token { Exit::Done } else { Exit::Warnings })
}

// ----- Settings -------------------------------------------------------------------------------------------

/// Reads the settings file, or writes one first; and whether it is new.
fn settings(options: &Options, find_place: FindPlaceFor) -> Result<(Local, bool), Stop> {
    let find = |options: &Options| match find_place(options) {
        Ok(place) => place.local("init").cloned(),
        Err(shown) => Err(Stop::shown(&shown)),
    };
    let file = match &options.config {
        Some(file) if !file.exists() => file.clone(),
        Some(_) | None => match find(options)? {
            place if place.file.is_some() => return Ok((place, false)),
            _ => SETTINGS.into(),
        },
    };
    write_sample(&file, &directory(options)?)?;
    Ok((find(&Options { config: Some(file), ..options.clone() })?, true))
}

/// The data directory that the settings shall name.
fn directory(options: &Options) -> Result<PathBuf, Stop> {
    let usual = Path::new("/var/lib/freehold");
    if let Some(data) = &options.data {
        return Ok(data.clone());
    }
    if !can_ask() {
        return Ok(usual.to_owned());
    }
    let answer = ask_for(&format!("Where shall Freehold keep its data? [{}]", usual.display()))?;
    Ok(if answer.is_empty() { usual.to_owned() } else { answer.into() })
}

fn write_sample(path: &Path, directory: &Path) -> Result<(), Stop> {
    let directory = std::path::absolute(directory).map_err(|fault| Stop::file("find", directory, &fault))?;
    let Some(text) = directory.to_str() else {
        let message = format!("the path {} is not UTF-8, and a settings file is", directory.display());
        return Err(Stop::new(Exit::Usage, message, "name another directory with --data"));
    };
    let text = SAMPLE.replacen(DIRECTORY, &format!("directory = {}", toml::Value::from(text)), 1);
    let written = OpenOptions::new().write(true).create_new(true).open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|fault| Stop::file("write", path, &fault))
}

// ----- Data directory and token ---------------------------------------------------------------------------

async fn look(place: &Local, settings_are_new: bool) -> Result<Found, Stop> {
    let data = place.store.directory.clone();
    let data_is_new = !data.exists();
    must_be_ours(&data)?;
    let here = Place::Local(place.clone());
    let is_serving = is_serving(place).await;
    let (token, tokens) = if is_serving { (FirstToken::Present(0), 0) } else { make_token(&here).await? };
    let file = data.join(FIRST_TOKEN_FILE);
    Ok(Found {
        settings: place.file.clone().unwrap_or_default(),
        settings_are_new,
        data,
        data_is_new,
        token_file: file.exists().then_some(file),
        token_is_new: matches!(token, FirstToken::Made(_)),
        tokens,
        is_serving,
    })
}

/// What root makes in the directory of another user that user's server cannot write.
fn must_be_ours(data: &Path) -> Result<(), Stop> {
    let (Ok(theirs), Ok(ours)) = (fs::metadata(data), fs::metadata("/proc/self")) else { return Ok(()) };
    if theirs.uid() == ours.uid() {
        return Ok(());
    }
    let message = format!("the data directory {} belongs to another user", data.display());
    let cure = "run this as that user: sudo -u freehold freehold init";
    Err(Stop::failed(message, cure))
}

async fn make_token(place: &Place) -> Result<(FirstToken, usize), Stop> {
    let Door::Here(_, store) = Door::open(place, true).await? else {
        return Ok((FirstToken::Present(0), 0)); // a server has just started: it makes the token itself
    };
    let made = tokio::task::spawn_blocking(move || {
        let made = first_token(&store, Caller::here().actor());
        let tokens = store.snapshot().tokens.len();
        store.close();
        made.map(|made| (made, tokens))
    });
    let broke_off = |fault: &dyn std::fmt::Display| {
        Stop::failed(
            format!("the first token cannot be made: {fault}"),
            "look at the data directory and its permissions",
        )
    };
    made.await.map_err(|fault| broke_off(&fault))?.map_err(|fault| broke_off(&fault))
}

// ----- What is said ---------------------------------------------------------------------------------------

fn tell(found: &Found) -> io::Result<()> {
    let Found { settings, data, token_file, tokens, .. } = found;
    let mut out = io::stdout().lock();
    let state = |is_new: bool| if is_new { "new" } else { "was there" };
    writeln!(out, "settings  {} ({})", settings.display(), state(found.settings_are_new))?;
    writeln!(out, "data      {} ({})", data.display(), state(found.data_is_new))?;
    match (token_file, *tokens, found.is_serving) {
        (Some(file), _, _) if found.token_is_new => {
            writeln!(out, "token     {} (new: it may do everything)", file.display())?
        }
        (Some(file), _, true) => writeln!(out, "token     {} (was there)", file.display())?,
        (None, _, true) => writeln!(out, "token     a server runs: freehold token list shows which there are")?,
        (Some(file), 0, false) => {
            let file = file.display();
            writeln!(out, "token     none, and {file} is of one that was revoked: move it away, then run this again")?;
        }
        (_, tokens, false) => writeln!(out, "token     {} (were there)", count(tokens, "token"))?,
    }
    let settings = settings.display();
    writeln!(out, "\nNext:")?;
    writeln!(out, "  1. read {settings}: at which addresses shall it answer?")?;
    if found.is_serving {
        writeln!(out, "  2. it serves already: freehold status --config {settings}")?;
    } else {
        writeln!(out, "  2. freehold serve --config {settings}")?;
    }
    writeln!(out, "  3. freehold zone import --config {settings} FILE, or zone add ZONE --name-server NAME...")
}
