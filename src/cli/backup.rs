//! Backup, and its way back.

use std::io::{self, Write};
use std::path::Path;

use hyper::Method;

use super::door::{Door, Place, is_serving, question};
use super::save::{Readers, save};
use super::stop::{Exit, Stop};
use crate::store;

/// `freehold backup FILE`
pub(super) async fn backup(place: &Place, file: &Path) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    let answer = door.ask(question(Method::GET, "/v1/backup", "")?).await?;
    save(answer, file, Readers::Owner).await?;
    door.close().await?;
    Ok(Exit::Done)
}

/// `freehold restore FILE`
pub(super) async fn restore(place: &Place, file: &Path) -> Result<Exit, Stop> {
    let directory = &place.store.directory;
    if is_serving(place).await {
        let message = format!("a server runs on the data directory {}", directory.display());
        return Err(Stop::failed(message, "stop it, move the directory aside, then restore"));
    }
    store::backup::restore(file, directory).map_err(|fault| Stop::line(Exit::Failed, &fault.to_string()))?;
    writeln!(io::stderr(), "restored {} into {}", file.display(), directory.display())?;
    Ok(Exit::Done)
}
