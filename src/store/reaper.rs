//! Frees old snapshots, so that no query ever has to: a large zone takes a tenth of a second to free.
//!
//! An old snapshot waits here until nobody else holds it. (When the writer swaps a new one in, arc-swap turns what
//! readers borrow into counted references, so the count tells the truth.)

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use super::snapshot::Snapshot;

/// How long an old snapshot outlives its last reader at most.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes old snapshots. When it is dropped, whatever is still held elsewhere is left to its holders.
pub(super) struct Reaper {
    queue: SyncSender<Arc<Snapshot>>,
    /// What the queue had no room for.
    waiting: Vec<Arc<Snapshot>>,
}

impl Reaper {
    /// Starts the thread that frees.
    pub(super) fn start() -> std::io::Result<Self> {
        let (queue, old) = sync_channel(64);
        std::thread::Builder::new().name("store-reaper".to_owned()).spawn(move || run(&old))?;
        Ok(Self { queue, waiting: Vec::new() })
    }

    /// Takes a snapshot that was replaced.
    pub(super) fn retire(&mut self, old: Arc<Snapshot>) {
        self.waiting.push(old);
        while let Some(old) = self.waiting.pop() {
            match self.queue.try_send(old) {
                Ok(()) => (),
                Err(TrySendError::Full(old) | TrySendError::Disconnected(old)) => {
                    self.waiting.push(old);
                    break;
                }
            }
        }
    }
}

fn run(queue: &Receiver<Arc<Snapshot>>) {
    let mut held: Vec<Arc<Snapshot>> = Vec::new();
    loop {
        let next = match held.is_empty() {
            true => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => queue.recv_timeout(PAUSE),
        };
        match next {
            Ok(old) => held.push(old),
            Err(RecvTimeoutError::Timeout) => held.retain(|old| Arc::strong_count(old) > 1),
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if held.len() > 256 {
            held.retain(|old| Arc::strong_count(old) > 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Weak;
    use std::time::Instant;

    #[test]
    fn an_old_snapshot_goes_when_its_last_reader_has_gone() {
        let mut reaper = Reaper::start().unwrap();
        let old = Arc::new(Snapshot::default());
        let (reader, watched): (_, Weak<_>) = (old.clone(), Arc::downgrade(&old));
        reaper.retire(old);
        std::thread::sleep(PAUSE * 3);
        assert_eq!(watched.strong_count(), 2, "the reader's and the reaper's");
        drop(reader);
        let start = Instant::now();
        while watched.strong_count() > 0 {
            assert!(start.elapsed() < Duration::from_secs(20));
            std::thread::yield_now();
        }
    }
}
