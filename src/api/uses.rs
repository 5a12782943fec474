//! When each token was last used, and from where.
//!
//! It is known in memory and follows in a small file, at most a minute later: nobody waits for it, it is no change, and it has no
//! history. A crash forgets the last minute. A request touches no lock: each token has a place of its own, and whoever looks
//! at a place sees it whole.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use serde::{Deserialize, Serialize};

use super::system_reason;
use crate::access::Tokens;

/// The file in the data directory.
const FILE: &str = "tokens.used";
/// How often it is written, if there is something new.
pub(super) const WRITE_EVERY: Duration = Duration::from_secs(60);
const VERSION: u32 = 1;

/// A use of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Use {
    /// When, in seconds since 1970.
    pub(super) unix_seconds: u64,
    /// The address it came from, or `socket`.
    pub(super) from: String,
}

/// The last use of each token.
pub(super) struct Uses {
    places: ArcSwap<Places>,
    file: PathBuf,
    /// Whether the file is behind.
    is_behind: AtomicBool,
}

type Places = imbl::HashMap<String, Arc<ArcSwapOption<Use>>>;

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    uses: BTreeMap<String, Use>,
}

impl Uses {
    /// What is known in a data directory. A file that cannot be read is passed over, for nothing depends on it.
    pub(super) fn open(directory: &Path) -> Self {
        let file = directory.join(FILE);
        let uses = read(&file).unwrap_or_else(|fault| {
            let (file, fault) = (file.display(), system_reason(&fault));
            tracing::warn!(%file, fault, "the last use of tokens is not known");
            BTreeMap::new()
        });
        let place = |(id, last): (String, Use)| (id, Arc::new(ArcSwapOption::from_pointee(last)));
        let places = uses.into_iter().map(place).collect();
        Self { places: ArcSwap::from_pointee(places), file, is_behind: AtomicBool::new(false) }
    }

    /// A token was used.
    pub(super) fn note(&self, id: &str, last: Use) {
        if let Some(place) = self.places.load().get(id) {
            if place.load().as_deref() == Some(&last) {
                return;
            }
            place.store(Some(Arc::new(last)));
        } else {
            let place = Arc::new(ArcSwapOption::from_pointee(last));
            self.places.rcu(|places| places.update(id.to_owned(), Arc::clone(&place)));
        }
        self.is_behind.store(true, Ordering::Release);
    }

    /// The last use of a token.
    pub(super) fn last(&self, id: &str) -> Option<Arc<Use>> {
        self.places.load().get(id)?.load_full()
    }

    /// Writes the file if it is behind, and forgets tokens that are gone. Blocks.
    pub(super) fn write(&self, tokens: &Tokens) {
        if !self.is_behind.swap(false, Ordering::AcqRel) {
            return;
        }
        self.places.rcu(|places| {
            let mut kept = Places::clone(places);
            kept.retain(|id, _| tokens.get(id).is_some());
            kept
        });
        let places = self.places.load();
        let uses = places.iter().filter_map(|(id, place)| Some((id.clone(), place.load_full()?.as_ref().clone())));
        let kept = Kept { version: VERSION, uses: uses.collect() };
        if let Err(fault) = write(&self.file, &kept) {
            self.is_behind.store(true, Ordering::Release);
            let (file, fault) = (self.file.display(), system_reason(&fault));
            tracing::warn!(%file, fault, "the last use of tokens cannot be written");
        }
    }
}

fn read(file: &Path) -> io::Result<BTreeMap<String, Use>> {
    let text = match fs::read(file) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        text => text?,
    };
    let kept: Kept = serde_json::from_slice(&text)?;
    if kept.version == VERSION { Ok(kept.uses) } else { Err(io::Error::other("a newer version wrote it")) }
}

fn write(file: &Path, kept: &Kept) -> io::Result<()> {
    let new = file.with_extension("used.new");
    let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    out.write_all(&serde_json::to_vec(kept)?)?;
    out.sync_all()?;
    fs::rename(new, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Scope, Secret, Token};

    fn at(unix_seconds: u64, from: &str) -> Use {
        Use { unix_seconds, from: from.into() }
    }

    fn tokens(fills: &[u8]) -> Tokens {
        let token = |fill: &u8| {
            let secret = Secret::new(&[*fill; Secret::RANDOM_SIZE]);
            Arc::new(Token::new(&secret, "ci".into(), Scope::everything(), 0, None))
        };
        fills.iter().map(token).collect()
    }

    #[test]
    fn the_last_use_outlives_a_restart_and_goes_with_its_token() {
        let directory = tempfile::tempdir().unwrap();
        let uses = Uses::open(directory.path());
        uses.write(&tokens(&[1, 2]));
        assert!(!directory.path().join(FILE).exists(), "nothing was used, so nothing is written");
        uses.note("0101010101", at(7, "192.0.2.1"));
        uses.note("0202020202", at(8, "socket"));
        uses.note("0101010101", at(9, "2001:db8::1"));
        uses.write(&tokens(&[1, 2]));
        let again = Uses::open(directory.path());
        let last = |uses: &Uses, id: &str| uses.last(id).map(|last| last.as_ref().clone());
        assert_eq!(last(&again, "0101010101"), Some(at(9, "2001:db8::1")));
        assert_eq!(last(&again, "0202020202"), Some(at(8, "socket")));
        again.note("0202020202", at(10, "socket"));
        again.write(&tokens(&[2]));
        assert_eq!((last(&again, "0101010101"), last(&again, "0202020202")), (None, Some(at(10, "socket"))));
        assert_eq!(last(&Uses::open(directory.path()), "0101010101"), None);
    }

    #[test]
    fn a_damaged_file_is_passed_over_and_written_anew() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(FILE);
        for text in ["", "{\"version\":2,\"uses\":{}}", "[]"] {
            fs::write(&file, text).unwrap();
            let uses = Uses::open(directory.path());
            assert_eq!(uses.last("0101010101"), None);
            uses.note("0101010101", at(7, "192.0.2.1"));
            uses.write(&tokens(&[1]));
            assert!(Uses::open(directory.path()).last("0101010101").is_some());
        }
    }

    #[test]
    fn the_file_is_written_only_when_something_is_new() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(FILE);
        let uses = Uses::open(directory.path());
        uses.note("0101010101", at(7, "192.0.2.1"));
        uses.write(&tokens(&[1]));
        fs::remove_file(&file).unwrap();
        uses.note("0101010101", at(7, "192.0.2.1"));
        uses.write(&tokens(&[1]));
        assert!(!file.exists(), "the same second and address");
        uses.note("0101010101", at(8, "192.0.2.1"));
        uses.write(&tokens(&[1]));
        assert!(file.exists());
    }

    #[test]
    fn first_uses_at_once_are_all_kept() {
        let directory = tempfile::tempdir().unwrap();
        let uses = Uses::open(directory.path());
        std::thread::scope(|scope| {
            for number in 0..8_u64 {
                let uses = &uses;
                scope.spawn(move || uses.note(&number.to_string(), at(number, "192.0.2.1")));
            }
        });
        assert!(
            (0..8_u64).all(|number| uses.last(&number.to_string()).is_some_and(|last| last.unix_seconds == number))
        );
    }
}
