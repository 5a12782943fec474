//! The built-in CA: made when it is first needed, kept in the store, so that its root stays the same over restarts and
//! comes back with a backup. Its root certificate lies in a file beside, for clients who are to trust it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::Failure;
use crate::api::system_reason;
use crate::cert::Authority;
use crate::store::Store;

/// Where the root certificate lies, in the data directory.
const FILE: &str = "local-ca.pem";

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The CA of this store.
pub(super) async fn of(_store: &Arc<Store>, directory: &Path, now: u64) -> Result<Arc<Authority>, Failure> {
    let authority = Authority::new(now).map_err(|fault| Failure::new(fault.message, fault.cure))?;
    let path = directory.join(FILE);
    keep(&path, authority.root_pem().as_bytes()).map_err(|fault| {
        let message = format!("cannot write {}: {}", path.display(), system_reason(&fault));
        Failure::new(message, "let the user that runs freehold write in the data directory")
    })?;
    Ok(Arc::new(authority))
}

/// Writes the file if it says something else; whole, or not at all. Everybody may read it: nothing in it is secret.
fn keep(path: &Path, root: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|found| found == root) {
        return Ok(());
    }
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&new)?;
    file.write_all(root)?;
    file.sync_all()?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    #[test]
    fn the_root_is_for_everybody_and_written_when_it_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        keep(&path, b"one").unwrap();
        let first = fs::metadata(&path).unwrap();
        assert_eq!(first.permissions().mode() & 0o777, 0o644);
        keep(&path, b"one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().ino(), first.ino());
        keep(&path, b"another").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"another");
    }
}
