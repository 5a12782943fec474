//! The built-in CA: made when it is first needed, kept in the store, so that its root stays the same over restarts and
//! comes back with a backup. Its root certificate lies in a file beside, for clients who are to trust it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::Failure;
use crate::api::system_reason;
use crate::cert::Authority;
use crate::store::{Actor, Change, Decision, Item, Refused, Snapshot, Store, as_owner};

/// Where the root certificate lies, in the data directory.
const FILE: &str = "local-ca.pem";

/// Where the root certificate lies.
pub(super) fn root(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The CA of this store; a new one takes the place of one that has ended.
pub(super) async fn of(store: &Store, directory: &Path, now: u64) -> Result<Arc<Authority>, Failure> {
    let authority = match valid(&store.snapshot(), now) {
        Some(authority) => authority,
        None => found(store, now).await?,
    };
    let path = root(directory);
    as_owner(directory, || keep(&path, authority.root_pem().as_bytes())).flatten().map_err(|fault| {
        let message = format!("cannot write {}: {}", path.display(), system_reason(&fault));
        Failure::new(message, "let the user that runs freehold write in the data directory")
    })?;
    Ok(authority)
}

fn valid(snapshot: &Snapshot, now: u64) -> Option<Arc<Authority>> {
    snapshot.authority.clone().filter(|authority| authority.not_after() > now)
}

/// Makes a CA, unless another part of Freehold has at the same time.
async fn found(store: &Store, now: u64) -> Result<Arc<Authority>, Failure> {
    let new = Authority::new(now).map_err(|fault| Failure::new(fault.message, fault.cure))?;
    let new = Arc::new(new);
    let put = Arc::clone(&new);
    let decision = Decision::new(1, move |snapshot| match valid(snapshot, now) {
        Some(_) => Ok(Change::Many(Vec::new())),
        None => Ok(Change::PutItem(Item::Authority(Arc::clone(&put)))),
    });
    let refused = |refused: Refused| Failure::line(&format!("the local CA is not kept: {refused}"));
    store.commit(Change::Decide(decision), Actor::new("admin", "")).await.map_err(refused)?;
    Ok(valid(&store.snapshot(), now).unwrap_or(new))
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

    #[tokio::test]
    async fn it_is_made_once_and_again_when_it_has_ended() {
        let directory = tempfile::tempdir().unwrap();
        let settings = crate::store::Settings { directory: directory.path().join("data"), ..Default::default() };
        let store = Store::open(&settings).unwrap();
        let first = of(&store, directory.path(), 1_800_000_000).await.unwrap();
        let again = of(&store, directory.path(), 1_800_000_001).await.unwrap();
        assert!(Arc::ptr_eq(&first, &again) && store.snapshot().revision == 1);
        assert_eq!(fs::read_to_string(directory.path().join(FILE)).unwrap(), first.root_pem());
        let other = of(&store, directory.path(), first.not_after()).await.unwrap();
        assert_ne!(first, other);
        assert_eq!(fs::read_to_string(directory.path().join(FILE)).unwrap(), other.root_pem());
    }

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
