//! Looks at apps from time to time: one task for the whole process, on a thread of its own, so that a busy edge does not make an
//! app look slow. Only so many looks are under way at once; a look that is due while another at the same app goes on is left
//! out. Where no route asks for looks, it wakes once a second to see whether one does now.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::Board;
use super::look::Glance;
use super::standing::{Standing, apps_of};
use super::state::AppState;
use crate::edge::random::Random;
use crate::route::Route;
use crate::store::Snapshot;

/// Looks at once.
const AT_ONCE_MAX: usize = 64;
/// How often it is looked whether the routes are still the same.
const REFRESH: Duration = Duration::from_secs(1);

/// The thread that looks. It ends when this goes.
pub(in crate::edge) struct Checker {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Checker {
    /// Begins.
    pub(in crate::edge) fn start(snapshots: Arc<ArcSwap<Snapshot>>, board: Arc<Board>) -> io::Result<Self> {
        let (stop, mut stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut round = Round::new(snapshots, board)?;
        let work = move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped.wait_for(|stopped| *stopped) => (),
                    () = round.go_on() => (),
                }
            });
            runtime.shutdown_background(); // a name that is being looked up must not hold up the end
        };
        let thread = thread::Builder::new().name("edge health".into()).spawn(work)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that looks at apps had ended in a panic. This is a bug: please report it");
        }
    }
}

/// An app of a route: the route's id, and the app's address.
type Id = (Box<str>, String);

/// An app that is looked at.
struct Patient {
    standing: Arc<Standing>,
    state: Arc<AppState>,
    glance: Glance,
    due: Instant,
    /// Looks in a row that were all alike, and whether they were good.
    row: (u16, bool),
    /// Whether a look is under way.
    looking: bool,
}

/// All that are looked at.
struct Round {
    snapshots: Arc<ArcSwap<Snapshot>>,
    board: Arc<Board>,
    random: Random,
    /// As of the last refresh.
    seen: Option<Arc<Snapshot>>,
    patients: HashMap<Id, Patient>,
    looks: JoinSet<(Id, Result<(), String>)>,
}

impl Round {
    fn new(snapshots: Arc<ArcSwap<Snapshot>>, board: Arc<Board>) -> io::Result<Self> {
        let random = Random::new()?;
        Ok(Self { snapshots, board, random, seen: None, patients: HashMap::new(), looks: JoinSet::new() })
    }

    async fn go_on(&mut self) {
        loop {
            self.refresh();
            let next = self.begin_looks();
            let idle = self.looks.is_empty();
            tokio::select! {
                () = sleep_until(next) => (),
                Some(looked) = self.looks.join_next(), if !idle => self.note(looked),
            }
        }
    }

    /// Whom to look at, if the routes have changed.
    fn refresh(&mut self) {
        let snapshot = self.snapshots.load_full();
        if self.seen.as_ref().is_some_and(|seen| seen.routes.is_same(&snapshot.routes)) {
            return;
        }
        let mut wanted = HashSet::new();
        for route in snapshot.routes.iter() {
            self.take_on(route, &mut wanted);
        }
        self.patients.retain(|id, _| wanted.contains(id));
        self.board.keep_routes(|id| snapshot.routes.get(id).is_some());
        self.seen = Some(snapshot);
    }

    fn take_on(&mut self, route: &Arc<Route>, wanted: &mut HashSet<Id>) {
        let health = &route.options().health;
        let Some(look) = health.look() else { return };
        let standing = self.board.standing(route);
        for (app, state) in apps_of(route).iter().zip(standing.apps()) {
            let id: Id = (route.id().into(), app.to_string());
            wanted.insert(id.clone());
            if self.patients.get(&id).is_some_and(|known| Arc::ptr_eq(known.standing.route(), route)) {
                continue;
            }
            let glance = Glance::new(app, route.host().as_str(), &look, health.timeout());
            // Not all at once: the first look comes within a fifth of the interval.
            let due = Instant::now() + part(health.interval() / 5, self.random.next());
            let (standing, state) = (Arc::clone(&standing), Arc::clone(state));
            let known = self.patients.get(&id).filter(|known| Arc::ptr_eq(&known.state, &state));
            let (row, looking, due) =
                known.map_or(((0, true), false, due), |known| (known.row, known.looking, known.due));
            self.patients.insert(id, Patient { standing, state, glance, due, row, looking });
        }
    }

    /// Begins the looks that are due, as many as may be; when to do so again.
    fn begin_looks(&mut self) -> Instant {
        let now = Instant::now();
        let mut next = now + REFRESH;
        for (id, patient) in &mut self.patients {
            if patient.looking {
                continue;
            }
            if patient.due > now {
                next = next.min(patient.due);
                continue;
            }
            if self.looks.len() >= AT_ONCE_MAX {
                break; // there is room again when a look ends, which wakes us
            }
            patient.looking = true;
            patient.due = now + jittered(patient.standing.route().options().health.interval(), self.random.next());
            let (id, glance) = (id.clone(), patient.glance.clone());
            self.looks.spawn(async move { (id, glance.look().await) });
        }
        next
    }

    fn note(&mut self, looked: Result<(Id, Result<(), String>), JoinError>) {
        let (id, found) = match looked {
            Ok(looked) => looked,
            Err(fault) => {
                tracing::error!(%fault, "a look at an app had ended in a panic. This is a bug: please report it");
                self.patients.values_mut().for_each(|patient| patient.looking = false);
                return;
            }
        };
        let Some(patient) = self.patients.get_mut(&id) else { return }; // the route is gone
        patient.looking = false;
        patient.learn(found, self.board.now());
    }
}

impl Patient {
    fn learn(&mut self, found: Result<(), String>, now: u64) {
        let well = found.is_ok();
        self.state.looked(well);
        let (count, before) = self.row;
        self.row = (if before == well { count.saturating_add(1) } else { 1 }, well);
        let health = &self.standing.route().options().health;
        let known = self.state.found();
        // What was never known is believed at once if it is good.
        let enough = match (known, well) {
            (None, true) => 1,
            (_, true) => health.rise,
            (_, false) => health.fall,
        };
        if known == Some(well) || self.row.0 < enough {
            return;
        }
        let (route, app) = (self.standing.route().id(), self.glance.app.to_string());
        match &found {
            Ok(()) if known.is_some() => tracing::info!(route, app, "the app is well again"),
            Ok(()) => (),
            Err(reason) => {
                tracing::warn!(route, app, reason, "the app is down: it gets no requests while others are up")
            }
        }
        self.state.find(found, now);
    }
}

/// A part of a time, by lot.
fn part(time: Duration, lot: u64) -> Duration {
    time.mul_f64((lot >> 11) as f64 / (1_u64 << 53) as f64)
}

/// A time, give or take a tenth.
fn jittered(time: Duration, lot: u64) -> Duration {
    time * 9 / 10 + part(time / 5, lot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::health::AppHealth;

    fn patient(fall: u16, rise: u16) -> Patient {
        let options = serde_json::json!({"health": {"path": "/up", "fall": fall, "rise": rise}});
        let route = serde_json::json!({"host": "*.a.test", "apps": ["http://127.0.0.1:1"], "options": options});
        let route: Arc<Route> = Arc::new(serde_json::from_value(route).unwrap());
        let standing = Board::default().standing(&route);
        let health = &route.options().health;
        let glance = Glance::new(&apps_of(&route)[0], "*.a.test", &health.look().unwrap(), health.timeout());
        assert_eq!(glance.host, "a.test");
        let state = Arc::clone(&standing.apps()[0]);
        Patient { standing, state, glance, due: Instant::now(), row: (0, true), looking: false }
    }

    #[test]
    fn an_app_goes_down_and_up_only_after_so_many_looks_in_a_row() {
        let mut patient = patient(3, 2);
        let mut say = |good: bool| {
            patient.learn(if good { Ok(()) } else { Err("no".into()) }, 9);
            patient.state.found()
        };
        assert_eq!([false, false, true].map(&mut say), [None, None, Some(true)]);
        assert_eq!([false, false, true, false, false].map(&mut say), [Some(true); 5]);
        assert_eq!([false, true, false, true].map(&mut say), [Some(false); 4]);
        assert_eq!(say(true), Some(true));
        let told = patient.state.report("a".into(), false, 9);
        assert_eq!((told.health, told.looks, patient.state.back_since()), (AppHealth::Up, (13, 8), Some(9)));
    }

    #[test]
    fn looks_are_spread_by_a_tenth() {
        let interval = Duration::from_secs(5);
        assert_eq!(jittered(interval, 0), Duration::from_millis(4_500));
        let latest = jittered(interval, u64::MAX);
        assert!(latest > Duration::from_millis(5_499) && latest <= Duration::from_millis(5_500), "{latest:?}");
    }
}
