//! What the store counts. The writer's numbers are raised by the writer alone and the follower's by the follower, so
//! that counting takes no lock (see [`crate::tally`]).

use std::time::{Duration, Instant, SystemTime};

use super::fault::Refused;
use super::pending::Pending;
use crate::tally::{Counter, Distribution, Histogram, Scale};

const BATCH_BUCKETS: usize = 9;

/// Changes that share one sync.
pub const BATCH_SIZE: Scale<BATCH_BUCKETS> = Scale([1, 2, 4, 8, 16, 32, 64, 128, u64::MAX]);

const SAVE_BUCKETS: usize = 14;

/// Microseconds from 100 to 5,000,000.
pub const SAVE_TIME: Scale<SAVE_BUCKETS> = Scale([
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    1_000_000,
    5_000_000,
    u64::MAX,
]);

/// Why changes are refused, in the order in which they are counted.
pub const REASONS: [&str; 15] = [
    "no_such_zone",
    "no_such_item",
    "unsound",
    "unfit",
    "too_many",
    "stale",
    "present",
    "absent",
    "changed_since",
    "overtaken",
    "owned",
    "taken",
    "leads_back",
    "not_saved",
    "not_alone",
];

/// The place of a reason in [`REASONS`]. A store that is closed has no writer that could count it.
fn reason(refused: &Refused) -> Option<usize> {
    match refused {
        Refused::NoSuchZone(_) => Some(0),
        Refused::NoSuchItem(_) => Some(1),
        Refused::Unsound(_) => Some(2),
        Refused::Unfit { .. } => Some(3),
        Refused::TooMany(_) => Some(4),
        Refused::Stale { .. } => Some(5),
        Refused::Present(_) => Some(6),
        Refused::Absent(_) => Some(7),
        Refused::ChangedSince { .. } | Refused::ItemChangedSince(_) => Some(8),
        Refused::Overtaken => Some(9),
        Refused::Owned { .. } => Some(10),
        Refused::Taken { .. } => Some(11),
        Refused::LeadsBack(_) => Some(12),
        Refused::NotSaved(_) => Some(13),
        Refused::NotAlone { .. } => Some(14),
        Refused::Closed => None,
    }
}

/// The numbers themselves.
#[derive(Debug, Default)]
pub(super) struct Stats {
    pub(super) writer: WriterStats,
    pub(super) follower: FollowerStats,
}

/// What the writer counts.
#[derive(Debug, Default)]
pub(super) struct WriterStats {
    commits: Counter,
    unchanged: Counter,
    refusals: [Counter; REASONS.len()],
    batches: Histogram<BATCH_BUCKETS>,
    saves: Histogram<SAVE_BUCKETS>,
    written: Counter,
    journal: Counter,
    failing: Counter,
}

impl WriterStats {
    /// A change was made, or was none.
    pub(super) fn made(&self, changed: bool) {
        if changed { self.commits.add(1) } else { self.unchanged.add(1) }
    }

    /// A change was refused.
    pub(super) fn refused(&self, refused: &Refused) {
        if let Some(reason) = reason(refused) {
            self.refusals[reason].add(1);
        }
    }

    /// So many changes became durable together, as so many octets, and it took so long.
    pub(super) fn saved(&self, changes: usize, octets: u64, time: Duration) {
        self.batches.record(&BATCH_SIZE, changes as u64, 1);
        self.saves.record(&SAVE_TIME, time.as_micros() as u64, 1);
        self.written.add(octets);
    }

    /// The size of the journal, in octets.
    pub(super) fn journal(&self, size: u64) {
        self.journal.set(size);
    }

    /// Whether the disk refuses changes at present.
    pub(super) fn failing(&self, failing: bool) {
        self.failing.set(failing.into());
    }
}

/// What the follower counts.
#[derive(Debug, Default)]
pub(super) struct FollowerStats {
    folds: Counter,
    fold_failures: Counter,
    checkpoints: Counter,
    checkpoint_failures: Counter,
    sled: Counter,
    checkpoint_time: Counter,
    checkpoint_revision: Counter,
    checkpoint_size: Counter,
}

impl FollowerStats {
    /// The journal was folded into sled, or that failed.
    pub(super) fn folded(&self, well: bool) {
        if well { self.folds.add(1) } else { self.fold_failures.add(1) }
    }

    /// The octets of sled's files.
    pub(super) fn sled(&self, size: u64) {
        self.sled.set(size);
    }

    /// A checkpoint was written, or that failed.
    pub(super) fn checkpointed(&self, well: bool) {
        if well { self.checkpoints.add(1) } else { self.checkpoint_failures.add(1) }
    }

    /// The checkpoint that is there: its revision and size, and when it was written.
    pub(super) fn checkpoint(&self, revision: u64, size: u64, written: SystemTime) {
        self.checkpoint_revision.set(revision);
        self.checkpoint_size.set(size);
        self.checkpoint_time.set(written.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs());
    }
}

/// All of it, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Changes that were made.
    pub commits: u64,
    /// Changes that left everything as it was.
    pub unchanged: u64,
    /// Changes that were refused, by reason: one count for each of [`REASONS`].
    pub refusals: [u64; REASONS.len()],
    /// Changes that became durable together, on the scale [`BATCH_SIZE`].
    pub batches: Distribution<BATCH_BUCKETS>,
    /// Microseconds that writing and syncing a batch took, on the scale [`SAVE_TIME`].
    pub saves: Distribution<SAVE_BUCKETS>,
    /// Octets that were written to the journal.
    pub written: u64,
    /// Octets that the journal has on the disk.
    pub journal: u64,
    /// Whether the disk refused the last change that it was given.
    pub failing: bool,
    /// Times that the journal was folded into sled.
    pub folds: u64,
    /// Times that it could not be.
    pub fold_failures: u64,
    /// Octets of the journal that sled does not have yet.
    pub unfolded: u64,
    /// How long the oldest change has been waiting to be folded.
    pub unfolded_for: Duration,
    /// Octets of sled's files when they were written last.
    pub sled: u64,
    /// Checkpoints that were written.
    pub checkpoints: u64,
    /// Checkpoints that could not be.
    pub checkpoint_failures: u64,
    /// Octets of the journal since the last checkpoint.
    pub unchecked: u64,
    /// The newest checkpoint, if there is one.
    pub checkpoint: Option<Checkpoint>,
}

/// A checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The revision it holds.
    pub revision: u64,
    /// Its octets.
    pub size: u64,
    /// When it was written, in seconds since 1970.
    pub time: u64,
}

impl Stats {
    /// What was counted so far, and what waits at this moment.
    pub(super) fn report(&self, pending: &Pending, now: Instant) -> Report {
        let Self { writer, follower } = self;
        let checkpoint = Checkpoint {
            revision: follower.checkpoint_revision.read(),
            size: follower.checkpoint_size.read(),
            time: follower.checkpoint_time.read(),
        };
        Report {
            commits: writer.commits.read(),
            unchanged: writer.unchanged.read(),
            refusals: std::array::from_fn(|reason| writer.refusals[reason].read()),
            batches: writer.batches.read(),
            saves: writer.saves.read(),
            written: writer.written.read(),
            journal: writer.journal.read(),
            failing: writer.failing.read() != 0,
            folds: follower.folds.read(),
            fold_failures: follower.fold_failures.read(),
            unfolded: pending.unfolded,
            unfolded_for: pending.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since)),
            sled: follower.sled.read(),
            checkpoints: follower.checkpoints.read(),
            checkpoint_failures: follower.checkpoint_failures.read(),
            unchecked: pending.unchecked,
            checkpoint: (checkpoint.size > 0).then_some(checkpoint),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::store::{Actor, Change, Done, Settings, Step, Store};
    use crate::zone::{Draft, Edit, Place, Zone};

    fn settings(directory: &tempfile::TempDir) -> Settings {
        let small = Settings { fold_after_size: 1, checkpoint_after_size: 1, ..Settings::default() };
        Settings { directory: directory.path().join("data"), ..small }
    }

    fn zone(apex: &str) -> Change {
        let apex: crate::wire::Name = apex.parse().unwrap();
        let mut draft = Draft::new(apex.clone());
        let place = Place { file: 0, line: 1, column: 1, width: 0 };
        let timers = [1_u32, 3600, 600, 86400, 300].map(u32::to_be_bytes).concat();
        let soa = [b"\x02ns\x00\x02me\x00", &timers[..]].concat();
        draft.push(apex.borrow(), crate::wire::Kind::SOA, 300, &soa, place).unwrap();
        draft.push(apex.borrow(), crate::wire::Kind::NS, 300, b"\x02ns\x07example\x00", place).unwrap();
        Change::PutZone { zone: Arc::new(Zone::build(draft).zone.unwrap()) }
    }

    fn commit(store: &Store, change: Change) -> Result<Done, Refused> {
        store.commit_blocking(change, Actor::new("test", ""))
    }

    /// The reasons there were.
    fn refusals(report: &Report) -> Vec<(&'static str, u64)> {
        REASONS.into_iter().zip(report.refusals).filter(|(_, count)| *count > 0).collect()
    }

    fn eventually(store: &Store, wanted: impl Fn(&Report) -> bool) -> Report {
        let start = Instant::now();
        loop {
            let report = store.report();
            if wanted(&report) {
                return report;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{report:?}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_becomes_of_changes_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&settings(&directory)).unwrap();
        let empty = store.report();
        assert_eq!((empty.commits, empty.checkpoint, empty.batches.count()), (0, None, 0));
        commit(&store, zone("a.example")).unwrap();
        commit(&store, zone("b.example")).unwrap();
        commit(&store, zone("a.example")).unwrap();
        let nowhere = Change::EditZone { apex: "c.example".parse().unwrap(), edit: Edit { sets: Vec::new() } };
        commit(&store, nowhere).unwrap_err();
        let report =
            eventually(&store, |report| report.folds > 0 && report.checkpoint.is_some_and(|c| c.revision == 2));
        assert_eq!((report.commits, report.unchanged), (2, 1));
        assert_eq!(refusals(&report), [("no_such_zone", 1)]);
        assert_eq!((report.batches.count(), report.batches.sum, report.saves.count()), (2, 2, 2));
        assert!(report.written > 100 && report.journal > empty.journal && !report.failing, "{report:?}");
        assert_eq!((report.fold_failures, report.checkpoint_failures), (0, 0));
        let report = eventually(&store, |report| report.unfolded == 0 && report.sled > 0);
        assert_eq!(report.unfolded_for, Duration::ZERO);
        store.close();
        let again = Store::open(&settings(&directory)).unwrap();
        let report = eventually(&again, |report| report.checkpoint.is_some() && report.sled > 0);
        assert_eq!((report.commits, report.checkpoint.map(|found| found.revision)), (0, Some(2)));
    }

    #[test]
    fn zones_are_counted_as_they_come_and_go() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&settings(&directory)).unwrap();
        let counts = || (store.snapshot().zones.name_count(), store.snapshot().zones.record_count());
        commit(&store, zone("a.example")).unwrap();
        commit(&store, zone("b.example")).unwrap();
        assert_eq!(counts(), (2, 4));
        commit(&store, zone("a.example")).unwrap();
        assert_eq!(counts(), (2, 4), "nothing is counted twice");
        commit(&store, Change::DeleteZone { apex: "a.example".parse().unwrap() }).unwrap();
        assert_eq!(counts(), (1, 2));
        store.close();
        assert_eq!(Store::open(&settings(&directory)).unwrap().snapshot().zones.record_count(), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_disk_that_fails_shows_and_so_does_one_that_works_again() {
        static BROKEN: AtomicBool = AtomicBool::new(false);
        let witness = |step: Step<'_>| match step {
            Step::Syncing(_) if BROKEN.load(Ordering::SeqCst) => Err(io::Error::other("the disk went away")),
            Step::Syncing(_) | Step::Synced(_) | Step::DirectorySynced(_) => Ok(()),
        };
        let directory = tempfile::tempdir().unwrap();
        let quiet = Settings { fold_after_size: 1 << 40, checkpoint_after_size: 1 << 40, ..settings(&directory) };
        let store = Store::open_watched(&quiet, Arc::new(witness)).unwrap();
        assert_eq!(store.check().await, Ok(()));
        BROKEN.store(true, Ordering::SeqCst);
        assert_eq!(store.check().await, Ok(()), "asks for no sync as long as there was no failure");
        store.commit(zone("a.example"), Actor::new("test", "")).await.unwrap_err();
        assert!(store.report().failing);
        assert_eq!(refusals(&store.report()), [("not_saved", 1)]);
        assert!(matches!(store.check().await, Err(Refused::NotSaved(_))));
        assert!(store.answers().await);
        BROKEN.store(false, Ordering::SeqCst);
        assert_eq!(store.check().await, Ok(()), "no change was needed to find out");
        assert!(!store.report().failing);
        assert_eq!(std::fs::read_dir(quiet.directory.join("journal")).unwrap().count(), 1, "nothing is left behind");
        store.close();
        assert_eq!((store.check().await, store.answers().await), (Err(Refused::Closed), false));
    }
}
