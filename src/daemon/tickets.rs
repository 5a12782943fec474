//! The keys of TLS session tickets: a file in the data directory, so that clients resume their sessions after a restart.
//!
//! They are no part of the store: nobody wants them in the history, in a backup or brought back by an undo.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Weak;
use std::time::Duration;

use super::secret::keep;
use crate::edge::{self, TicketKeys};
use crate::store::as_owner;

const FILE: &str = "ticket.keys";
/// How often it is looked whether a new key is due; see [`TicketKeys::renewed`].
const LOOK_AFTER: Duration = Duration::from_secs(600);

/// The keys in a data directory.
pub(super) struct Tickets {
    directory: PathBuf,
    keys: TicketKeys,
}

impl Tickets {
    /// Reads the keys, and makes a new one if that is due. Where they cannot be read or kept, the log says so: a session that
    /// is not resumed costs its client a handshake and nothing else.
    pub(super) fn open(directory: &Path, now: u64) -> Self {
        let path = directory.join(FILE);
        let keys = match fs::read(&path) {
            Ok(octets) => serde_json::from_slice(&octets).unwrap_or_else(|_| {
                tracing::warn!(file = %path.display(), "does not hold ticket keys; new ones take their place");
                TicketKeys::default()
            }),
            Err(fault) => {
                if fault.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(file = %path.display(), %fault, "cannot be read; new ticket keys take its place");
                }
                TicketKeys::default()
            }
        };
        let mut tickets = Self { directory: directory.to_owned(), keys };
        tickets.renew(now);
        tickets
    }

    /// The keys.
    pub(super) fn keys(&self) -> TicketKeys {
        self.keys.clone()
    }

    /// Makes a new key if that is due; whether it was.
    fn renew(&mut self, now: u64) -> bool {
        let Some(keys) = self.keys.renewed(now) else { return false };
        self.keys = keys;
        let path = self.directory.join(FILE);
        let kept = serde_json::to_vec(&self.keys)
            .map_err(io::Error::from)
            .and_then(|octets| as_owner(&self.directory, || keep(&path, &octets)).flatten());
        if let Err(fault) = kept {
            tracing::warn!(file = %path.display(), %fault, "cannot be written; sessions end with this run");
        }
        true
    }

    /// Renews the keys when that is due, for as long as the edge runs.
    pub(super) async fn keep_fresh(mut self, edge: Weak<edge::Handle>, now: fn() -> u64) {
        loop {
            tokio::time::sleep(LOOK_AFTER).await;
            let Some(edge) = edge.upgrade() else { return };
            if self.renew(now()) {
                edge.put_ticket_keys(&self.keys);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn text(tickets: &Tickets) -> String {
        serde_json::to_string(&tickets.keys).unwrap()
    }

    #[test]
    fn keys_outlive_a_restart_and_are_private() {
        let directory = tempfile::tempdir().unwrap();
        let first = text(&Tickets::open(directory.path(), 1_000));
        assert_eq!(text(&Tickets::open(directory.path(), 1_001)), first);
        let file = directory.path().join(FILE);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let later = text(&Tickets::open(directory.path(), 1_000 + 9 * 3_600));
        assert!(
            later != first && later.contains(first.trim_matches(['[', ']'])),
            "a new key, and the old one behind it"
        );
    }

    #[test]
    fn a_file_that_is_no_good_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(FILE);
        fs::write(&file, b"keys").unwrap();
        let made = text(&Tickets::open(directory.path(), 1_000));
        assert_eq!(fs::read_to_string(&file).unwrap(), made);
    }
}
