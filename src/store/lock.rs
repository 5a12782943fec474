//! One process a data directory: a lock that the kernel drops with the process, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::fault::OpenFault;

/// Holds the directory until it is dropped.
pub(super) struct Lock {
    file: File,
}

impl Drop for Lock {
    /// Closing the file would do, unless another thread is just starting a child, which has a copy until it runs.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// Why the directory is not ours.
pub(super) enum NotLocked {
    /// Another process has it; its number, as far as it has been written.
    Held(String),
    /// The lock file cannot be made.
    Io(io::Error),
}

impl NotLocked {
    /// The same, as the person in front of it should hear it.
    pub(super) fn fault(self, directory: &Path) -> OpenFault {
        match self {
            Self::Held(process) => OpenFault::Locked { directory: directory.to_owned(), process },
            Self::Io(error) => OpenFault::io("write in", directory)(error),
        }
    }
}

impl Lock {
    /// Takes the directory, or says who has it.
    pub(super) fn take(directory: &Path) -> Result<Self, NotLocked> {
        let path = directory.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false) // it names the process that holds it, if one does
            .mode(0o600)
            .open(path)
            .map_err(NotLocked::Io)?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => return Err(NotLocked::Held(holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(NotLocked::Io(error)),
        }
        let _ = write_holder(&mut file); // a full disk must not keep a server from starting
        Ok(Self { file })
    }
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.take(16).read_to_string(&mut text);
    match text.trim() {
        "" => "unknown".to_owned(),
        number => number.to_owned(),
    }
}
