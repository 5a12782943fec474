//! What Freehold knows, durable and in memory.
//!
//! Three layers, each with one job. The **journal** is what is durable: append-only, checksummed, one
//! `fdatasync` a batch before anybody is told "done". **sled** follows behind and holds the current state,
//! so that a start is quick; it may be damaged or deleted at any time, because a **checkpoint** (the same file as a [`backup`]) and the
//! journal since then give the same state. The **[`Snapshot`]** in memory is what answers.
//!
//! ```text
//! commit ─> writer: apply ─> journal (sync) ─> publish ─> answer the caller
//!                                        └─> follower: fold into sled, write checkpoints, let the journal forget
//! ```
//!
//! The journal is also the [`History`]: it is read beside the writer, and an undo is made from it.
//!
//! The data directory holds `lock`, `journal/` with a segment a file, `journal.newest` (which segment is the newest,
//! so that its loss is noticed), `sled/` and `checkpoint`. Which of them is believed at start-up is decided in `open.rs`.

mod addresses;
mod anything;
mod apply;
pub mod backup;
mod change;
mod codec;
mod derive;
mod disk;
mod entry;
mod fault;
mod follower;
mod history;
mod journal;
mod lock;
mod medium;
mod open;
mod owner;
mod pending;
mod reaper;
mod replay;
mod settings;
mod snapshot;
pub mod stats;
mod undo;
mod writer;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot, watch};

pub use addresses::EdgeAddresses;
pub use anything::decode_anything;
pub use change::{Actor, Change, Decision, Done, DoneItem, DoneZone};
pub use entry::{SetChange, Shape};
pub use fault::{OpenFault, Refused};
pub use history::{CannotUndo, Event, History, HistoryFault, ItemEvent, Page, Since, Wanted, ZoneEvent};
pub use medium::{Step, Witness};
pub use owner::as_owner;
pub use settings::Settings;
pub use snapshot::{Item, ItemKey, Shelf, Snapshot, Zones};
pub use undo::Undo;

use disk::Disk;
use follower::{Follower, Shared};
use lock::Lock;
use medium::Medium;
use open::Opened;
use pending::Pending;
use reaper::Reaper;
use stats::Stats;
use writer::{Message, Request, Writer};

/// How long the writer is given to make room in its queue for the word to stop.
const STOP_RETRY_AFTER: Duration = Duration::from_millis(1);

/// The open store. It is closed when it is dropped.
pub struct Store {
    snapshots: Arc<ArcSwap<Snapshot>>,
    revisions: watch::Receiver<u64>,
    queue: mpsc::Sender<Message>,
    shared: Arc<Shared>,
    stats: Arc<Stats>,
    history: History,
    directory: PathBuf,
    running: Mutex<Option<Running>>,
}

/// What ends when the store is closed.
struct Running {
    writer: JoinHandle<()>,
    follower: JoinHandle<()>,
    _lock: Lock,
}

impl Store {
    /// Opens the data directory, or makes a new one; verifies everything it loads.
    pub fn open(settings: &Settings) -> Result<Self, OpenFault> {
        Self::open_on(settings, Medium::default())
    }

    /// As [`Store::open`], with somebody watching what becomes durable. For tests of just that.
    pub fn open_watched(settings: &Settings, witness: Witness) -> Result<Self, OpenFault> {
        Self::open_on(settings, Medium::watched(witness))
    }

    fn open_on(settings: &Settings, medium: Medium) -> Result<Self, OpenFault> {
        let directory = &settings.directory;
        let open = || {
            open::prepare(directory)?;
            let lock = Lock::take(directory).map_err(|refused| refused.fault(directory))?;
            let disk = Disk::new(directory.join("sled"), medium.clone(), settings.sled_cache_size);
            let opened = open::open(settings, &medium, &disk)?;
            Self::run(settings, medium, disk, opened, lock).map_err(OpenFault::io("start threads for", directory))
        };
        as_owner(directory, open).map_err(OpenFault::io("work as the owner of", directory))?
    }

    fn run(settings: &Settings, medium: Medium, disk: Disk, opened: Opened, lock: Lock) -> io::Result<Self> {
        let Opened { snapshot, journal, folded, touched, checkpoint, checkpoint_due } = opened;
        let snapshot = Arc::new(snapshot);
        let snapshots = Arc::new(ArcSwap::new(snapshot.clone()));
        let shared = Arc::new(Shared::new(Pending {
            unfolded: folded.map_or(0, |revision| journal.size_after(revision)),
            unchecked: journal.size_after(checkpoint.map_or(0, |(revision, _)| revision)),
            since: (!touched.is_empty()).then(Instant::now),
            snapshot,
            touched,
            closing: false,
        }));
        let stats = Arc::new(Stats::default());
        stats.writer.journal(journal.size());
        let (queue, receiver) = writer::queue();
        let follower = Follower {
            disk,
            medium,
            settings: settings.clone(),
            shared: shared.clone(),
            writer: queue.clone(),
            folded,
            checkpoint,
            checkpoint_due,
            retry_at: None,
            stats: stats.clone(),
        };
        let (publish, revisions) = watch::channel(snapshots.load().revision);
        let writer = Writer {
            journal,
            snapshots: snapshots.clone(),
            revisions: publish,
            shared: shared.clone(),
            reaper: Reaper::start()?,
            history_size_max: settings.history_size_max,
            failing: false,
            stats: stats.clone(),
        };
        let running = Running { writer: writer.start(receiver)?, follower: follower.start()?, _lock: lock };
        let history = History::new(settings.directory.join("journal"), snapshots.clone());
        let directory = settings.directory.clone();
        let running = Mutex::new(Some(running));
        Ok(Self { snapshots, revisions, queue, shared, stats, history, directory, running })
    }

    /// The data directory, which is this store's alone.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The current state.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.load_full()
    }

    /// Where the current state always is, for those who look often.
    pub fn snapshots(&self) -> Arc<ArcSwap<Snapshot>> {
        self.snapshots.clone()
    }

    /// The revision that is published, for those who wait for the next one.
    pub fn revisions(&self) -> watch::Receiver<u64> {
        self.revisions.clone()
    }

    /// Who changed what and when.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Makes a change. When this is `Ok`, the change is on disk and served. Dropped before that, it may or may not happen.
    pub async fn commit(&self, change: Change, actor: Actor) -> Result<Done, Refused> {
        let (answer, answered) = oneshot::channel();
        let request = Message::Commit(Request { change, actor, answer });
        self.queue.send(request).await.map_err(|_| Refused::Closed)?;
        answered.await.unwrap_or(Err(Refused::Closed))
    }

    /// As [`Store::commit`], for a thread that may wait; not to be called from a task.
    pub fn commit_blocking(&self, change: Change, actor: Actor) -> Result<Done, Refused> {
        let (answer, answered) = oneshot::channel();
        let request = Message::Commit(Request { change, actor, answer });
        self.queue.blocking_send(request).map_err(|_| Refused::Closed)?;
        answered.blocking_recv().unwrap_or(Err(Refused::Closed))
    }

    /// Writes everything as one file: the state, and as much of the past as the journal keeps. With all its secrets, so
    /// nobody else should be able to read it.
    pub fn backup(&self, out: &mut dyn Write) -> io::Result<()> {
        backup::write(&self.snapshot(), Some(self.history.directory()), out)
    }

    /// Whether the writer is alive, whatever the disk does.
    pub async fn answers(&self) -> bool {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Message::Answer(answer)).await.is_ok() && answered.await.is_ok()
    }

    /// Whether a change would be taken at present, or why not: the writer is asked, and looks for room on the disk. After
    /// a refusal it is also how the store finds out that changes are possible again.
    pub async fn check(&self) -> Result<(), Refused> {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Message::Check(answer)).await.map_err(|_| Refused::Closed)?;
        answered.await.unwrap_or(Err(Refused::Closed))
    }

    /// What was counted since the store was opened.
    pub fn report(&self) -> stats::Report {
        self.stats.report(&self.shared.lock(), Instant::now())
    }

    /// Finishes what is under way, brings sled up to date, and lets go of the directory. Closing twice is closing once.
    pub fn close(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(running) = running else { return };
        stop(&self.queue);
        let _ = running.writer.join();
        self.shared.lock().closing = true;
        self.shared.wake();
        let _ = running.follower.join();
    }
}

/// Tells the writer to finish, from any thread, a task's too: a full queue is tried again until the writer has made room.
fn stop(queue: &mpsc::Sender<Message>) {
    while let Err(mpsc::error::TrySendError::Full(_)) = queue.try_send(Message::Stop) {
        std::thread::sleep(STOP_RETRY_AFTER);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store(revision {})", self.snapshot().revision)
    }
}
