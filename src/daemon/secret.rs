//! The secret of the DNS cookies: a file in the data directory, so that cookies outlive a restart. Servers that share
//! an address share a copy of it (RFC 9018, section 5).

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::store::as_owner;

const SIZE: usize = 16;
const FILE: &str = "cookie.secret";

/// The secret in the data directory, made at the first start. Where it cannot be kept, it is made for this run, and the
/// log says so: cookies are a courtesy, not a reason to stay silent.
pub(super) fn cookie_secret(directory: &Path) -> io::Result<[u8; SIZE]> {
    let path = directory.join(FILE);
    match fs::read(&path) {
        Ok(octets) => match octets.try_into() {
            Ok(secret) => return Ok(secret),
            Err(_) => tracing::warn!(file = %path.display(), "does not hold 16 octets; a new secret takes its place"),
        },
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => (),
        Err(fault) => tracing::warn!(file = %path.display(), %fault, "cannot be read; a new secret takes its place"),
    }
    let mut secret = [0; SIZE];
    getrandom::fill(&mut secret).map_err(io::Error::other)?;
    if let Err(fault) = as_owner(directory, || keep(&path, &secret)).flatten() {
        tracing::warn!(file = %path.display(), %fault, "cannot be written; cookies end with this run");
    }
    Ok(secret)
}

/// Puts a file that nobody else may read in place of what is there, as a whole or not at all.
pub(super) fn keep(path: &Path, secret: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(secret)?;
    file.sync_all()?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_made_once_and_kept_private() {
        let directory = tempfile::tempdir().unwrap();
        let first = cookie_secret(directory.path()).unwrap();
        assert_eq!(cookie_secret(directory.path()).unwrap(), first);
        assert_ne!(first, [0; SIZE]);
        let mode = fs::metadata(directory.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn half_a_secret_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(FILE), b"short").unwrap();
        let made = cookie_secret(directory.path()).unwrap();
        assert_eq!(fs::read(directory.path().join(FILE)).unwrap(), made);
    }
}
