//! Which of the edge's addresses are well, so that DNS tells clients of those only.
//!
//! Each of `edge.addresses` is visited from here from time to time: it has to take a connection at the port of HTTPS and shake hands
//! for a host of ours, whatever its certificate is. After so many looks that agree (`judge.rs`) the store is told in one change by
//! `health`, and what DNS answers follows from that there: so transfers, the history and every other server that serves the zone see it.
//!
//! Off unless it is asked for: an address behind a router is often not to be reached from inside, and then a look says nothing.
//! Rejected: an overlay on what DNS answers (secondaries and transfers would say something else), and to go by the health of
//! apps (an app that is down is down at every edge).

mod judge;
mod look;
mod settings;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

use crate::store::{Actor, Change, Decision, EdgeAddresses, Item, Snapshot, Store};
use judge::Judge;
use look::{Look, port};
pub use settings::AddressHealth;

/// Addresses that are looked at, at once; a set of addresses that DNS answers is far smaller.
const ADDRESSES_MAX: usize = 64;

/// How an address is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressReport {
    /// The address.
    pub address: IpAddr,
    /// Whether clients are told of it as one that is well; `None`: it was not looked at often enough yet.
    pub up: Option<bool>,
    /// Since when, in seconds since 1970, where that is known.
    pub since: Option<u64>,
    /// Why it is not well, or was not at the last look.
    pub reason: Option<String>,
}

/// What is known of all addresses; empty where nobody looks.
#[derive(Debug, Default)]
pub struct AddressBoard(Mutex<Vec<AddressReport>>);

impl AddressBoard {
    /// How each address is, in the order in which DNS has them.
    pub fn report(&self) -> Vec<AddressReport> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<AddressReport>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins to look, if the settings say so; for as long as the task runs. `https_port` is that which the world finds HTTPS at.
pub fn watch(
    store: &Arc<Store>,
    settings: AddressHealth,
    https_port: Option<u16>,
) -> (Arc<AddressBoard>, Option<JoinHandle<()>>) {
    let board = Arc::<AddressBoard>::default();
    if !settings.check {
        return (board, None);
    }
    let watch = Watch { store: Arc::clone(store), settings, https_port, board: Arc::clone(&board) };
    (board, Some(tokio::spawn(watch.go_on())))
}

struct Watch {
    store: Arc<Store>,
    settings: AddressHealth,
    https_port: Option<u16>,
    board: Arc<AddressBoard>,
}

impl Watch {
    async fn go_on(self) {
        let snapshots: Arc<ArcSwap<Snapshot>> = self.store.snapshots();
        let mut clock = interval(Duration::from_secs(self.settings.interval_seconds.into()));
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut judge = Judge::new(self.settings.rise, self.settings.fall);
        loop {
            clock.tick().await;
            let snapshot = snapshots.load_full();
            let Some(addresses) = snapshot.addresses.clone() else { continue };
            judge.keep(&addresses);
            for (address, found) in self.look_round(&snapshot, &addresses).await {
                judge.learn(address, found, unix_seconds());
            }
            *self.board.lock() = judge.report(&addresses);
            if judge.down() != addresses.down() {
                self.tell(judge.down()).await;
            }
        }
    }

    /// Looks at all addresses at once.
    async fn look_round(&self, snapshot: &Snapshot, addresses: &EdgeAddresses) -> Vec<(IpAddr, Result<(), String>)> {
        let time = Duration::from_secs(self.settings.timeout_seconds.into());
        let mut looks = JoinSet::new();
        for address in addresses.all().take(ADDRESSES_MAX) {
            let look = Look::new(SocketAddr::new(address, port(self.https_port)), snapshot, self.https_port.is_some());
            looks.spawn(async move { (address, look.within(time).await) });
        }
        looks.join_all().await
    }

    /// The store learns which addresses are down. Where records by hand stand in the way, the log says so, and the next round tries
    /// again.
    async fn tell(&self, down: &[IpAddr]) {
        let found: Vec<IpAddr> = down.to_vec();
        let decision = Decision::new(1, move |now: &Snapshot| {
            Ok(match &now.addresses {
                Some(addresses) => Change::PutItem(Item::Addresses(Arc::new(
                    EdgeAddresses::clone(addresses).with_down(found.iter().copied()),
                ))),
                None => Change::Many(Vec::new()),
            })
        });
        if let Err(refused) = self.store.commit(Change::Decide(decision), Actor::new("health", "")).await {
            tracing::error!(%refused, "the addresses of the edge that are down cannot be taken out of DNS");
        }
    }
}

fn unix_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
}
