//! What is known of the health of apps: by looking at them from time to time (`checker.rs`), and by what comes of requests.
//!
//! All of it stands on one [`Board`] for the whole process. Threads read it by atomics; it is written by the checker, and by a
//! thread only when something changes: an app is lost, is there again, or is left out for a while. The lock of the board is taken
//! when a thread meets a route for the first time.

mod checker;
mod look;
mod standing;
mod state;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::route::Route;
pub(super) use checker::Checker;
pub(super) use standing::Standing;
use standing::{Kept, apps_of};
pub use state::{AppHealth, AppReport};

/// The health of all apps, by route.
#[derive(Debug)]
pub struct Board {
    started: Instant,
    routes: Mutex<HashMap<Box<str>, Known>>,
}

/// What is known of a route.
#[derive(Debug)]
struct Known {
    standing: Arc<Standing>,
    /// What is known of its apps, as the route is now and as it was, for as long as anybody goes by that: whoever comes with an
    /// older value of the route must not make the others forget.
    kept: Vec<Kept>,
}

impl Default for Board {
    fn default() -> Self {
        Self { started: Instant::now(), routes: Mutex::default() }
    }
}

impl Board {
    /// Milliseconds since it began; never 0.
    pub(super) fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64 + 1
    }

    /// How the apps of a route stand. What was known of them before the route changed is known still.
    pub(super) fn standing(&self, route: &Arc<Route>) -> Arc<Standing> {
        let mut routes = self.lock();
        if let Some(known) = routes.get_mut(route.id()) {
            if !Arc::ptr_eq(known.standing.route(), route) {
                known.standing = Arc::new(Standing::new(route, &mut known.kept, self.started));
            }
            return Arc::clone(&known.standing);
        }
        let mut kept = Vec::new();
        let standing = Arc::new(Standing::new(route, &mut kept, self.started));
        routes.insert(route.id().into(), Known { standing: Arc::clone(&standing), kept });
        standing
    }

    /// Forgets routes that are gone.
    pub(super) fn keep_routes(&self, is_there: impl Fn(&str) -> bool) {
        self.lock().retain(|id, _| is_there(id));
    }

    /// How each app of a route is, in the order of the route; empty if it leads elsewhere.
    pub fn report(&self, route: &Arc<Route>) -> Vec<AppReport> {
        if apps_of(route).is_empty() { Vec::new() } else { self.standing(route).report(self.now()) }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Known>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
