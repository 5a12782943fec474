//! Files in a data directory belong to its owner, also where root works on it: a server that runs as that owner could not
//! write what root has made.
//!
//! The thread that opens the store becomes the owner first, and all threads that it starts are that user too; so no file
//! is ever root's, not even after a crash, and no link in the directory can lead root elsewhere. Rejected: giving the
//! files away afterwards, which follows such links and is not done when the process dies; and becoming the owner as a whole,
//! which could not read a zone file that only root may read.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::panic;
use std::path::Path;
use std::thread;

use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// Does this as the directory's owner, if this process is root and the owner is not. A directory that is not there has no
/// owner.
pub fn as_owner<T: Send>(directory: &Path, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    let Some((user, group)) = owner(directory) else { return Ok(work()) };
    thread::scope(|scope| {
        let worker = thread::Builder::new().spawn_scoped(scope, move || {
            set_thread_groups(&[group])?;
            set_thread_res_gid(group, group, group)?;
            set_thread_res_uid(user, user, user)?;
            Ok(work())
        })?;
        worker.join().unwrap_or_else(|caught| panic::resume_unwind(caught))
    })
}

fn owner(directory: &Path) -> Option<(Uid, Gid)> {
    let directory = fs::metadata(directory).ok().filter(|_| geteuid().is_root())?;
    (directory.uid() != 0).then(|| (Uid::from_raw(directory.uid()), Gid::from_raw(directory.gid())))
}
