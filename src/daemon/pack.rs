//! Keeps many names in large pages of memory, in which they are found faster.
//!
//! How that is done is the binary's business ([`super::Hands`]), which chooses the allocator; here is only when: soon after the
//! start, and now and then while zones change. Few names are in the processor's caches anyhow, and a small server stays small.
//!
//! Rejected: to do it before the server is ready, which would take a tenth of a second longer.

use std::convert::Infallible;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::store::{Snapshot, Store};

/// Fewer names, some 2 MiB, are in the caches.
const NAMES_MIN: usize = 16_384;
/// After the start, and from one time to the next.
const FIRST: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_secs(60);

/// Has memory packed whenever zones have changed; never ends.
pub(super) async fn keep(store: &Store, pack: fn()) -> Infallible {
    let mut packed = Weak::new();
    sleep(FIRST).await;
    loop {
        if is_due(&store.snapshot(), &mut packed) {
            let _ = spawn_blocking(pack).await; // should it panic, names are found all the same
        }
        sleep(PAUSE).await;
    }
}

/// Whether there are many names, and others than when it was due last.
fn is_due(snapshot: &Arc<Snapshot>, packed: &mut Weak<Snapshot>) -> bool {
    let now = Arc::downgrade(snapshot);
    snapshot.zones.name_count() >= NAMES_MIN && !std::mem::replace(packed, now.clone()).ptr_eq(&now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Kind, Name};
    use crate::zone::{Draft, Place, Zone};

    fn snapshot(names: usize) -> Arc<Snapshot> {
        let place = Place { file: 0, line: 1, column: 1, width: 0 };
        let apex: Name = "big.test".parse().unwrap();
        let mut draft = Draft::new(apex.clone());
        let soa = [apex.as_bytes(), apex.as_bytes(), &[0; 20]].concat();
        draft.push(apex.borrow(), Kind::SOA, 60, &soa, place).unwrap();
        draft.push(apex.borrow(), Kind::NS, 60, b"\x02ns\x04test\0", place).unwrap();
        for number in 1..names {
            let owner = Name::parse(format!("h{number}").as_bytes(), Some(apex.borrow())).unwrap();
            draft.push(owner.borrow(), Kind::A, 60, &[192, 0, 2, 1], place).unwrap();
        }
        let mut snapshot = Snapshot::default();
        snapshot.zones.insert(Arc::new(Zone::build(draft).zone.unwrap()));
        Arc::new(snapshot)
    }

    #[test]
    fn many_names_are_packed_once_until_they_change() {
        let mut packed = Weak::new();
        let (few, many) = (snapshot(NAMES_MIN - 1), snapshot(NAMES_MIN));
        assert!(!is_due(&few, &mut packed));
        assert!(is_due(&many, &mut packed) && !is_due(&many, &mut packed));
        assert!(is_due(&snapshot(NAMES_MIN), &mut packed));
    }
}
