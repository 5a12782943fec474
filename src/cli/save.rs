//! An answer goes to a file: whole, or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use http_body_util::BodyExt;

use super::stop::Stop;
use super::terminal::Progress;
use crate::api::{Answer, system_reason};

/// Who may read a file.
#[derive(Clone, Copy)]
pub(super) enum Readers {
    /// Whoever the user's mask lets.
    Usual,
    /// Nobody else: there are secrets in it.
    Owner,
}

/// Writes the body of an answer to `path`, or to standard output for `-`; how many octets. A file appears, or changes,
/// only when all of it is on the disk.
pub(super) async fn save(answer: Answer, path: &Path, readers: Readers, progress: &Progress) -> Result<u64, Stop> {
    if path == Path::new("-") {
        if io::stdout().is_terminal() {
            progress.clear(); // what comes is progress enough
        }
        let mut out = io::stdout().lock();
        let octets = copy(answer, &mut out, progress).await?;
        out.flush()?;
        return Ok(octets);
    }
    let part = Part::new(path);
    let unwritable = |fault: io::Error| Stop::file("write", path, &fault);
    let mode = match readers {
        Readers::Usual => 0o666,
        Readers::Owner => 0o600,
    };
    let created = OpenOptions::new().write(true).create_new(true).mode(mode).open(&part.0);
    let mut file = created.map_err(unwritable)?;
    let octets = copy(answer, &mut file, progress).await.map_err(|fault| match fault {
        Copy::Write(fault) => unwritable(fault),
        Copy::Read(_) => fault.into(),
    })?;
    file.sync_all().and_then(|()| fs::rename(&part.0, path)).map_err(unwritable)?;
    Ok(octets)
}

/// The file under its name for the time being; what is left of it goes when it is dropped.
struct Part(PathBuf);

impl Part {
    fn new(path: &Path) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        Self(name.into())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0); // after the rename there is none
    }
}

/// Which side of a copy failed.
enum Copy {
    Read(Box<dyn std::error::Error + Send + Sync>),
    Write(io::Error),
}

impl From<Copy> for Stop {
    fn from(fault: Copy) -> Self {
        match fault {
            Copy::Write(fault) => fault.into(),
            Copy::Read(fault) => {
                let reason = fault.downcast_ref().map_or_else(|| fault.to_string(), system_reason);
                Self::failed(format!("the answer broke off: {reason}"), "look at the server's log, then try again")
            }
        }
    }
}

async fn copy(answer: Answer, out: &mut dyn Write, progress: &Progress) -> Result<u64, Copy> {
    let (mut body, mut octets) = (answer.into_body(), 0);
    while let Some(frame) = body.frame().await {
        if let Ok(chunk) = frame.map_err(Copy::Read)?.into_data() {
            out.write_all(&chunk).map_err(Copy::Write)?;
            octets += chunk.len();
            progress.at(octets);
        }
    }
    Ok(octets as u64)
}
