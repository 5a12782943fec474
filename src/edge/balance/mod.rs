//! Which app gets a request, and which the next one if that one does not take it.
//!
//! A thread has a [`Group`] for each route it meets: the app's pools, what is known of their health, and the numbers to choose by.
//! It is found by the address of the route's value, which changes whenever the route does; so a request looks up one
//! small key, allocates nothing, and writes only to memory of its own thread. With one app there is nothing to choose.
//!
//! Who is asked: apps that are well, by the route's way to choose; then its backups; and if none of them is well, all the same
//! those that are not, because what is known of them may be old. An app that took no connection a moment ago, or whose name
//! is still being looked up, is asked after the others.

mod hold;
mod key;
mod pick;
mod slow;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::failure::Failure;
use super::health::{Board, Standing};
use super::random::Random;
use super::upstream::{Apps, Pool};
use crate::route::{App, By, Route, Target};
pub(super) use key::{Key, cookie_key, header_key, stick};
use pick::{Seat, UNIT, in_mask};

/// The groups of a thread.
pub(super) struct Groups {
    board: Arc<Board>,
    random: Random,
    /// Milliseconds since the board began, as of the last tick.
    now: Rc<Cell<u64>>,
    /// By the address of the route, which the group keeps alive.
    known: RefCell<HashMap<usize, Rc<Group>>>,
    /// Requests that wait for an app that restarts.
    held: Rc<Cell<u32>>,
}

/// The apps of a route as one thread sees them.
pub(super) struct Group {
    standing: Arc<Standing>,
    members: Box<[Member]>,
    seats: Box<[Seat]>,
    /// Those that are not drained.
    usable: u64,
    /// Those of them that are asked first.
    first: u64,
    now: Rc<Cell<u64>>,
    held: Rc<Cell<u32>>,
    used: Cell<bool>,
}

struct Member {
    pool: Rc<Pool>,
    /// Requests in a row that it failed on this thread.
    failures: Cell<u16>,
    /// What the app weighs, in parts of [`UNIT`].
    weight: u64,
}

/// One app while it has a request: counts by being there.
pub(super) struct Place {
    group: Rc<Group>,
    at: usize,
}

/// One request on its way through the apps of its route.
pub(super) struct Turn {
    group: Rc<Group>,
    key: Key,
    /// Those that were asked.
    asked: u64,
    /// The one that was asked last.
    at: usize,
    /// Whether it was asked a second time although an app may have seen it.
    repeated: bool,
    /// How often it has waited.
    waits: u32,
    waiting: Option<hold::Waiting>,
}

//----- A thread's groups ----------------------------------------------------------------------------------------

impl Groups {
    pub(super) fn new(board: Arc<Board>, random: Random) -> Self {
        let now = Rc::new(Cell::new(board.now()));
        Self { board, random, now, known: RefCell::default(), held: Rc::default() }
    }

    /// Begins with a request.
    pub(super) fn turn(&self, route: &Arc<Route>, key: Key, apps: &Apps) -> Turn {
        let group = self.group(route, apps);
        Turn { group, key, asked: 0, at: 0, repeated: false, waits: 0, waiting: None }
    }

    fn group(&self, route: &Arc<Route>, apps: &Apps) -> Rc<Group> {
        let address = Arc::as_ptr(route).addr();
        if let Some(group) = self.known.borrow().get(&address) {
            group.used.set(true);
            return Rc::clone(group);
        }
        let group = Rc::new(self.meet(route, apps));
        self.known.borrow_mut().insert(address, Rc::clone(&group));
        group
    }

    fn meet(&self, route: &Arc<Route>, apps: &Apps) -> Group {
        let all: &[App] = match route.target() {
            Target::Apps(apps) => apps,
            Target::Redirect(_) | Target::Folder(_) => &[],
        };
        let mask = |is: &dyn Fn(&App) -> bool| {
            all.iter().enumerate().filter(|(_, app)| is(app)).fold(0, |mask, (at, _)| mask | 1 << at)
        };
        let standing = self.board.standing(route);
        let member =
            |app: &App| Member { pool: apps.pool(app), failures: Cell::new(0), weight: u64::from(app.weight) * UNIT };
        Group {
            members: all.iter().map(member).collect(),
            seats: all.iter().map(|app| Seat::new(app.weight, &app.to_string())).collect(),
            usable: mask(&|app| !app.drained),
            first: mask(&|app| !app.drained && !app.backup),
            standing,
            now: Rc::clone(&self.now),
            held: Rc::clone(&self.held),
            used: Cell::new(true),
        }
    }

    /// Notes down what time it is, and every so often forgets the routes that were not used since the last time.
    pub(super) fn sweep(&self, forget: bool) {
        self.now.set(self.board.now());
        if forget {
            self.known.borrow_mut().retain(|_, group| group.used.replace(false));
        }
    }

    /// Numbers drawn by lot.
    pub(super) fn random(&self) -> &Random {
        &self.random
    }
}

//----- Who is asked ---------------------------------------------------------------------------------------------

impl Group {
    /// The next one of those that were not asked.
    fn next(&self, asked: u64, key: &Key, random: &Random) -> Option<usize> {
        let left = self.usable & !asked;
        if left & left.wrapping_sub(1) == 0 {
            return (left != 0).then(|| left.trailing_zeros() as usize); // there is nothing to choose
        }
        let well = in_mask(left).filter(|at| self.is_well(*at)).fold(0, |mask, at| mask | 1 << at);
        let among = [well & self.first, well, left & self.first, left].into_iter().find(|mask| *mask != 0)?;
        self.choose(among, key, random)
    }

    fn is_well(&self, at: usize) -> bool {
        let pool = &self.members[at].pool;
        self.standing.apps()[at].is_well(self.now.get()) && !pool.is_down() && pool.is_resolved()
    }

    fn choose(&self, among: u64, key: &Key, random: &Random) -> Option<usize> {
        let balance = &self.standing.route().options().balance;
        if balance.slow_start_seconds > 0 {
            self.weigh(u64::from(balance.slow_start_seconds) * 1_000);
        }
        match (balance.by, key.0) {
            (By::LeastConnections, _) => pick::least_busy(&self.seats, among),
            (By::TwoChoices, _) => pick::of_two(&self.seats, among, random),
            (By::Client | By::Header | By::Cookie, Some(key)) => pick::by_key(&self.seats, among, key),
            (By::RoundRobin | By::Client | By::Header | By::Cookie, _) => pick::in_turn(&self.seats, among),
        }
    }

    /// Weighs those in a slow start.
    fn weigh(&self, lasts: u64) {
        let now = self.now.get();
        for ((seat, member), state) in self.seats.iter().zip(&self.members).zip(self.standing.apps()) {
            let back_for = state.back_since().map_or(u64::MAX, |since| now.saturating_sub(since));
            seat.weight.set(slow::weight(member.weight, back_for, lasts));
        }
    }

    /// What came of a request is noted down; many failures in a row have the app left out for a while.
    fn notes(&self, at: usize, failed: bool) {
        let member = &self.members[at];
        if !failed {
            member.failures.set(0);
            return;
        }
        let failures = member.failures.get().saturating_add(1);
        let most = self.standing.route().options().health.eject_after;
        let out = self.members.len() > 1 && most > 0 && failures >= most;
        member.failures.set(if out { 0 } else { failures });
        if out {
            self.standing.eject(at, self.now.get());
        }
    }
}

impl Turn {
    /// The next app to ask; none if all were asked.
    pub(super) fn next(&mut self, random: &Random) -> Option<Place> {
        let at = self.group.next(self.asked, &self.key, random)?;
        self.asked |= 1 << at;
        self.at = at;
        Some(Place::take(&self.group, at))
    }

    /// The app that was asked last has answered.
    pub(super) fn answered(&self, status: u16) {
        self.group.standing.apps()[self.at].is_reached(self.group.now.get());
        // 501 and 505 say something about the request rather than the app.
        self.group.notes(self.at, matches!(status, 500 | 502..=504 | 506..));
    }

    /// The app that was asked last has taken a connection, of which no more will be known.
    pub(super) fn reached(&self) {
        self.group.standing.apps()[self.at].is_reached(self.group.now.get());
        self.group.notes(self.at, false);
    }

    /// The app that was asked last has not answered soundly.
    pub(super) fn failed(&self, failure: &Failure) {
        if failure.is_of_absence() {
            self.group.standing.apps()[self.at].is_missed(self.group.standing.now());
        }
        if failure.is_of_the_app() {
            self.group.notes(self.at, true);
        }
    }

    /// Whether a request may go out again that changes nothing, although an app may have seen it: once.
    pub(super) fn may_repeat(&mut self) -> bool {
        !std::mem::replace(&mut self.repeated, true)
    }

    /// Once no app has taken the request: waits a moment if one of them is likely to be back soon, and then all may be asked again.
    pub(super) async fn hold(&mut self, failure: &Failure) -> bool {
        let Some(pause) = self.pause(failure) else { return false };
        if self.waiting.is_none() {
            let Some(waiting) = hold::Waiting::begin(&self.group.held) else { return false };
            self.waiting = Some(waiting);
        }
        self.waits += 1;
        self.asked = 0;
        tokio::time::sleep(pause).await;
        true
    }

    fn pause(&self, failure: &Failure) -> Option<Duration> {
        let group = &self.group;
        if *failure == Failure::AppClosed {
            return (self.waits == 0).then(|| hold::pause(0)); // it is asked once more, and then it is lost or it is not
        }
        let (lasts, now) = (group.standing.route().options().hold_seconds.time(), group.standing.now());
        let soon = |at: usize| group.standing.apps()[at].is_awaited(now, lasts);
        (failure.is_of_absence() && in_mask(group.usable).any(soon)).then(|| hold::pause(self.waits))
    }
}

impl Place {
    fn take(group: &Rc<Group>, at: usize) -> Self {
        let busy = &group.seats[at].busy;
        busy.set(busy.get() + 1);
        Self { group: Rc::clone(group), at }
    }

    /// The connections to the app.
    pub(super) fn pool(&self) -> &Rc<Pool> {
        &self.group.members[self.at].pool
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let busy = &self.group.seats[self.at].busy;
        busy.set(busy.get() - 1);
    }
}
