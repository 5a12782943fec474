//! Follows the journal behind: folds it into sled, writes checkpoints, and says what the journal may forget.
//!
//! None of it is needed for a change to be durable or served, so failures (a full disk, most likely) are logged and
//! tried again. The journal since the last checkpoint is never given up, so that damage to sled can always be healed.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::mpsc::Sender;
use tracing::{debug, warn};

use super::backup;
use super::disk::{Disk, DiskFault, Size};
use super::medium::Medium;
use super::pending::{Pending, TouchedParts};
use super::settings::Settings;
use super::snapshot::Snapshot;
use super::stats::Stats;
use super::writer::Message;

/// How long to wait after a failure.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// What the writer and the follower share.
pub(super) struct Shared {
    pending: Mutex<Pending>,
    wake: Condvar,
}

impl Shared {
    pub(super) fn new(pending: Pending) -> Self {
        Self { pending: Mutex::new(pending), wake: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the follower look again.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }
}

/// The thread's own.
pub(super) struct Follower {
    pub(super) disk: Disk,
    pub(super) medium: Medium,
    pub(super) settings: Settings,
    pub(super) shared: Arc<Shared>,
    pub(super) writer: Sender<Message>,
    /// The revision that sled has; `None` if it has to be written anew.
    pub(super) folded: Option<u64>,
    /// Revision and size of the last checkpoint.
    pub(super) checkpoint: Option<(u64, u64)>,
    /// Whether the next checkpoint does not wait for the journal to grow.
    pub(super) checkpoint_due: bool,
    /// Nothing is tried before this.
    pub(super) retry_at: Option<Instant>,
    pub(super) stats: Arc<Stats>,
}

/// What is to be done.
struct Work {
    fold: bool,
    checkpoint: bool,
    closing: bool,
}

impl Follower {
    pub(super) fn start(self) -> io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("store-follower".to_owned()).spawn(move || self.run())
    }

    fn run(mut self) {
        self.verify_checkpoint();
        self.tell_what_is_there();
        loop {
            self.tell_what_is_covered();
            let work = self.wait();
            let mut failed = false;
            if work.fold {
                failed |= !self.fold();
            }
            if work.checkpoint && !work.closing {
                failed |= !self.write_checkpoint();
            }
            self.retry_at = failed.then(|| Instant::now() + RETRY_AFTER);
            if work.closing {
                return;
            }
        }
    }

    /// A checkpoint is only of use if it is sound when sled is not; so look while there is still another state.
    fn verify_checkpoint(&mut self) {
        let path = self.path();
        if self.checkpoint.is_none() {
            return;
        }
        if let Err(fault) = backup::verify(&path) {
            warn!(file = %path.display(), reason = %fault, "the checkpoint is damaged; it is being written anew");
            (self.checkpoint, self.checkpoint_due) = (None, true);
        }
    }

    /// What an earlier process left, for the counters.
    fn tell_what_is_there(&self) {
        self.stats.follower.sled(self.disk.occupied());
        let written = std::fs::metadata(self.path()).and_then(|data| data.modified());
        if let (Some((revision, size)), Ok(written)) = (self.checkpoint, written) {
            self.stats.follower.checkpoint(revision, size, written);
        }
    }

    fn path(&self) -> PathBuf {
        self.settings.directory.join("checkpoint")
    }

    fn wait(&self) -> Work {
        let mut pending = self.shared.lock();
        loop {
            let now = Instant::now();
            let (work, look_at) = self.look(&pending, now);
            if work.closing || work.fold || work.checkpoint {
                return work;
            }
            pending = match look_at {
                None => self.shared.wake.wait(pending).unwrap_or_else(PoisonError::into_inner),
                Some(time) => {
                    let waited = self.shared.wake.wait_timeout(pending, time.saturating_duration_since(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// What is due now, or when to look again.
    fn look(&self, pending: &Pending, now: Instant) -> (Work, Option<Instant>) {
        let stale = self.folded.is_none() || !pending.touched.is_empty();
        let late = pending.since.map(|since| since + Duration::from_secs(self.settings.fold_after_seconds));
        let grown = pending.unfolded >= self.settings.fold_after_size;
        let fold = stale && (self.folded.is_none() || grown || late.is_some_and(|time| time <= now));
        let limit = self.settings.checkpoint_after_size.max(self.checkpoint.map_or(0, |(_, size)| size));
        let checkpoint = self.checkpoint_due || pending.unchecked >= limit;
        let may = self.retry_at.is_none_or(|time| time <= now);
        let closing = pending.closing;
        let work = Work { fold: if closing { stale } else { fold && may }, checkpoint: checkpoint && may, closing };
        (work, if may { late.filter(|_| stale) } else { self.retry_at })
    }

    /// Brings sled up to date; `false` if that failed.
    fn fold(&mut self) -> bool {
        let (snapshot, touched, unfolded, since) = {
            let mut pending = self.shared.lock();
            let unfolded = std::mem::take(&mut pending.unfolded);
            (pending.snapshot.clone(), std::mem::take(&mut pending.touched), unfolded, pending.since.take())
        };
        let outcome = self.try_fold(&snapshot, &touched);
        self.stats.follower.folded(outcome.is_ok());
        match outcome {
            Ok(size) => {
                self.stats.follower.sled(size.occupied);
                self.folded = (!size.is_wasteful()).then_some(snapshot.revision);
                debug!(revision = snapshot.revision, ?size, "folded into sled");
                true
            }
            Err(fault) => {
                warn!(file = %self.disk.directory().display(), reason = %fault, "could not bring sled up to date");
                let is_room_missing = matches!(fault, DiskFault::Io(_));
                self.folded = self.folded.filter(|_| is_room_missing);
                let mut pending = self.shared.lock();
                pending.touched.merge(touched);
                pending.unfolded += unfolded;
                pending.since = pending.since.or(since).or_else(|| Some(Instant::now()));
                false
            }
        }
    }

    fn try_fold(&self, snapshot: &Snapshot, touched: &TouchedParts) -> Result<Size, DiskFault> {
        match self.folded {
            Some(from) => self.disk.fold(from, touched, snapshot),
            None => self.disk.rewrite(snapshot),
        }
    }

    /// Writes a checkpoint; `false` if that failed.
    fn write_checkpoint(&mut self) -> bool {
        let (snapshot, before) = {
            let pending = self.shared.lock();
            (pending.snapshot.clone(), pending.unchecked)
        };
        let outcome = backup::write_checkpoint(&self.medium, &self.settings.directory, &snapshot);
        self.stats.follower.checkpointed(outcome.is_ok());
        match outcome {
            Ok(size) => {
                self.stats.follower.checkpoint(snapshot.revision, size, SystemTime::now());
                self.checkpoint = Some((snapshot.revision, size));
                self.checkpoint_due = false;
                self.shared.lock().unchecked -= before;
                debug!(revision = snapshot.revision, size, "wrote a checkpoint");
                true
            }
            Err(error) => {
                warn!(file = %self.path().display(), reason = %error, "could not write a checkpoint");
                false
            }
        }
    }

    /// The journal up to here is in sled and in the checkpoint.
    fn tell_what_is_covered(&self) {
        if let (Some(folded), Some((checkpoint, _))) = (self.folded, self.checkpoint) {
            let _ = self.writer.try_send(Message::Covered(folded.min(checkpoint))); // if it is busy, next time
        }
    }
}
