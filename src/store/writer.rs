//! The one writer, on its own thread: take a batch, apply, save, publish, answer the callers.
//!
//! A batch is whatever has queued up while the one before was being synced, and what still comes while the batch is being
//! applied; so a lone caller never waits for others and many share one sync. Nothing is published that is not on disk. When the disk refuses, the batch is tried again
//! change by change, so that a large one that finds no room does not take small ones with it.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime};

use arc_swap::ArcSwap;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::{oneshot, watch};
use tracing::{error, info, warn};

use super::apply::apply;
use super::change::{Actor, Change, Done};
use super::entry;
use super::fault::Refused;
use super::follower::Shared;
use super::journal::Journal;
use super::pending::TouchedParts;
use super::reaper::Reaper;
use super::snapshot::Snapshot;
use super::stats::Stats;

/// Changes of a batch at most.
const BATCH_MAX: usize = 256;
/// Records of a batch at most, about; a change that is larger makes a batch of its own.
const BATCH_WEIGHT_MAX: usize = 100_000;
/// Changes that may wait for the writer; then callers wait to be let in.
const QUEUE_MAX: usize = 1_024;

/// What the writer is asked.
pub(super) enum Message {
    /// Make a change.
    Commit(Request),
    /// The journal up to this revision is in sled and in the checkpoint.
    Covered(u64),
    /// Say that you are there.
    Answer(oneshot::Sender<()>),
    /// Find out whether the disk takes changes.
    Check(oneshot::Sender<Result<(), Refused>>),
    /// Finish.
    Stop,
}

/// A change, and who waits for it.
pub(super) struct Request {
    pub(super) change: Change,
    pub(super) actor: Actor,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// The writer's own.
pub(super) struct Writer {
    pub(super) journal: Journal,
    pub(super) snapshots: Arc<ArcSwap<Snapshot>>,
    /// Tells the revision that is published to whoever waits for changes.
    pub(super) revisions: watch::Sender<u64>,
    pub(super) shared: Arc<Shared>,
    pub(super) reaper: Reaper,
    pub(super) history_size_max: u64,
    /// Whether the disk refused the last batch that it was given.
    pub(super) failing: bool,
    pub(super) stats: Arc<Stats>,
}

/// The queue before the writer.
pub(super) fn queue() -> (Sender<Message>, Receiver<Message>) {
    mpsc::channel(QUEUE_MAX)
}

type Answer = Result<Done, Refused>;

/// What waits for the writer, in the order in which it came.
struct Line<'q> {
    queue: &'q mut Receiver<Message>,
    /// What ended the search for more changes: its turn is next.
    next: Option<Message>,
}

impl Line<'_> {
    /// Whatever is next; `None` when nobody is left who could ask.
    fn wait(&mut self) -> Option<Message> {
        self.next.take().or_else(|| self.queue.blocking_recv())
    }

    /// The next change, if one waits and nothing else comes before it.
    fn change(&mut self) -> Option<Request> {
        if self.next.is_some() {
            return None;
        }
        match self.queue.try_recv().ok()? {
            Message::Commit(request) => Some(request),
            other @ (Message::Covered(_) | Message::Answer(_) | Message::Check(_) | Message::Stop) => {
                self.next = Some(other);
                None
            }
        }
    }
}

impl Writer {
    pub(super) fn start(self, mut queue: Receiver<Message>) -> io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || self.run(&mut queue))
    }

    fn run(mut self, queue: &mut Receiver<Message>) {
        let mut line = Line { queue, next: None };
        while let Some(message) = line.wait() {
            match message {
                Message::Commit(request) => self.process(vec![request], &mut || line.change()),
                Message::Covered(revision) => self.prune(revision),
                // Whoever asked may have gone away.
                Message::Answer(answer) => drop(answer.send(())),
                Message::Check(answer) => drop(answer.send(self.check())),
                Message::Stop => return,
            }
        }
    }

    fn process(&mut self, mut batch: Vec<Request>, more: &mut dyn FnMut() -> Option<Request>) {
        match self.attempt(&mut batch, more) {
            Ok(answers) => batch.into_iter().zip(answers).for_each(|(request, answer)| self.answer(request, answer)),
            Err(fault) => {
                self.journal.abandon();
                self.refuse(batch, &fault);
            }
        }
    }

    fn refuse(&mut self, batch: Vec<Request>, fault: &io::Error) {
        if batch.len() > 1 {
            return batch.into_iter().for_each(|request| self.process(vec![request], &mut || None));
        }
        let refused = self.fail(fault);
        batch.into_iter().for_each(|request| self.answer(request, Err(refused.clone())));
    }

    fn answer(&self, request: Request, answer: Answer) {
        match &answer {
            Ok(done) => self.stats.writer.made(done.changed),
            Err(refused) => self.stats.writer.refused(refused),
        }
        let _ = request.answer.send(answer); // a caller that has gone away is none of ours
    }

    /// The disk refuses; what to tell.
    fn fail(&mut self, fault: &io::Error) -> Refused {
        if !std::mem::replace(&mut self.failing, true) {
            error!(reason = %fault, "changes cannot be saved and are refused; answers go on");
        }
        self.stats.writer.failing(true);
        Refused::not_saved(fault)
    }

    /// The disk has taken something.
    fn recover(&mut self) {
        if std::mem::take(&mut self.failing) {
            info!("the disk takes changes again");
        }
        self.stats.writer.failing(false);
    }

    /// Whether the next change would find a journal in order, and room.
    fn check(&mut self) -> Result<(), Refused> {
        match self.journal.check() {
            Ok(()) => {
                self.recover();
                Ok(())
            }
            Err(fault) => Err(self.fail(&fault)),
        }
    }

    /// Applies and saves a batch, and with it what comes while it is being applied; an error means that nothing of it has
    /// happened.
    fn attempt(
        &mut self,
        batch: &mut Vec<Request>,
        more: &mut dyn FnMut() -> Option<Request>,
    ) -> io::Result<Vec<Answer>> {
        let mut state = Snapshot::clone(&self.snapshots.load_full());
        let (mut touched, mut answers, mut weight) = (TouchedParts::default(), Vec::new(), 0);
        while let Some(request) = batch.get(answers.len()) {
            weight += request.change.weight();
            answers.push(self.enter(&mut state, &mut touched, request)?);
            if answers.len() == batch.len() && batch.len() < BATCH_MAX && weight < BATCH_WEIGHT_MAX {
                batch.extend(more());
            }
        }
        if !touched.is_empty() {
            let started = Instant::now();
            let size = self.journal.commit()?;
            let changes = answers.iter().flatten().filter(|done| done.changed).count();
            self.stats.writer.saved(changes, size, started.elapsed());
            self.stats.writer.journal(self.journal.size());
            self.recover();
            self.publish(state, touched, size);
        }
        Ok(answers)
    }

    /// Applies a change and enters it into the journal.
    fn enter(&mut self, state: &mut Snapshot, touched: &mut TouchedParts, request: &Request) -> io::Result<Answer> {
        let applied = match apply(state, &request.change) {
            Ok(applied) if applied.changed() => applied,
            Ok(applied) => return Ok(Ok(applied.done(state.revision))),
            Err(refused) => return Ok(Err(refused)),
        };
        if touched.is_empty() {
            self.journal.begin()?;
        }
        let revision = self.journal.append(|out| entry::write(out, unix_seconds(), &request.actor, &applied))?;
        let done = applied.done(revision);
        touched.add(&applied);
        *state = Snapshot { revision, ..applied.state };
        Ok(Ok(done))
    }

    fn publish(&mut self, snapshot: Snapshot, touched: TouchedParts, size: u64) {
        let new = Arc::new(snapshot);
        self.reaper.retire(self.snapshots.swap(new.clone()));
        self.revisions.send_replace(new.revision);
        let mut pending = self.shared.lock();
        pending.touched.merge(touched);
        pending.snapshot = new;
        pending.unfolded += size;
        pending.unchecked += size;
        pending.since.get_or_insert_with(Instant::now);
        drop(pending);
        self.shared.wake();
    }

    fn prune(&mut self, covered: u64) {
        if let Err(fault) = self.journal.prune(covered, self.history_size_max) {
            warn!(reason = %fault, "old journal segments could not be removed");
        }
        self.stats.writer.journal(self.journal.size());
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
