//! How the apps of one route stand.

use std::sync::{Arc, Weak};
use std::time::Instant;

use super::state::{AppReport, AppState};
use crate::route::{App, Health, Route, Target};

/// The health of the apps of one route, as the route is now.
#[derive(Debug)]
pub(in crate::edge) struct Standing {
    route: Arc<Route>,
    /// In the order of the route.
    apps: Box<[Arc<AppState>]>,
    started: Instant,
}

/// What is known of an app that is looked at in some way.
#[derive(Debug)]
pub(super) struct Kept {
    app: App,
    health: Health,
    state: Weak<AppState>,
}

impl Kept {
    fn is_of(&self, app: &App, health: &Health) -> bool {
        (&self.app.address, self.app.protocol, &self.health) == (&app.address, app.protocol, health)
    }
}

impl Standing {
    /// Of a route, which may have been another before. What the checker has found counts on as long as it looks in the same way.
    pub(super) fn new(route: &Arc<Route>, kept: &mut Vec<Kept>, started: Instant) -> Self {
        kept.retain(|kept| kept.state.strong_count() > 0);
        let health = &route.options().health;
        let state = |app: &App| {
            if let Some(known) = kept.iter().find(|kept| kept.is_of(app, health)).and_then(|kept| kept.state.upgrade())
            {
                return known;
            }
            let state = Arc::<AppState>::default();
            kept.push(Kept { app: app.clone(), health: health.clone(), state: Arc::downgrade(&state) });
            state
        };
        Self { route: Arc::clone(route), apps: apps_of(route).iter().map(state).collect(), started }
    }

    /// The route.
    pub(in crate::edge) fn route(&self) -> &Arc<Route> {
        &self.route
    }

    /// Its apps, in its order.
    pub(in crate::edge) fn apps(&self) -> &[Arc<AppState>] {
        &self.apps
    }

    /// Milliseconds since the board began.
    pub(in crate::edge) fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64 + 1
    }

    /// Leaves an app out for a while; false if more than half of all would then be out. Two threads that do so at the same
    /// moment may together go one too far: requests then go to the others, and if there are none to all.
    pub(in crate::edge) fn eject(&self, at: usize, now: u64) -> bool {
        let all = apps_of(&self.route).iter().zip(&self.apps).filter(|(app, _)| !app.drained);
        let (mut usable, mut out) = (0, 1);
        for (_, state) in all {
            usable += 1;
            out += usize::from(state.is_out(now));
        }
        let Some(state) = self.apps.get(at).filter(|state| !state.is_out(now) && out * 2 <= usable) else {
            return false;
        };
        state.eject(now);
        true
    }

    /// What is told of each.
    pub(super) fn report(&self, now: u64) -> Vec<AppReport> {
        let all = apps_of(&self.route).iter().zip(&self.apps);
        all.map(|(app, state)| state.report(app.to_string(), app.drained, now)).collect()
    }
}

/// The apps of a route; none if it leads elsewhere.
pub(super) fn apps_of(route: &Route) -> &[App] {
    match route.target() {
        Target::Apps(apps) => apps,
        Target::Redirect(_) | Target::Folder(_) => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::health::{AppHealth, Board};

    fn route(apps: &[serde_json::Value], fall: u16) -> Arc<Route> {
        let options = serde_json::json!({"health": {"path": "/up", "fall": fall}});
        let route = serde_json::json!({"host": "a.test", "apps": apps, "options": options});
        Arc::new(serde_json::from_value(route).unwrap())
    }

    #[test]
    fn never_more_than_half_of_the_apps_are_left_out() {
        for (count, most) in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (64, 32)] {
            let apps: Vec<_> = (0..count).map(|at| format!("http://10.0.0.{at}").into()).collect();
            let standing = Standing::new(&route(&apps, 3), &mut Vec::new(), Instant::now());
            let out = (0..count).filter(|at| standing.eject(*at, 1)).count();
            assert_eq!(out, most, "of {count}");
            assert!(!standing.eject(0, 1), "it is out already, or must not be");
        }
        let apps = ["http://a", "http://b", "http://c", "http://d"].map(Into::into);
        let standing = Standing::new(&route(&apps, 3), &mut Vec::new(), Instant::now());
        standing.apps()[3].find(Err("dead".into()), 1);
        assert!(standing.eject(0, 1) && !standing.eject(1, 1), "those that were found down count too");
        let drained = ["http://a".into(), serde_json::json!({"url": "http://b", "drained": true})];
        assert!(!Standing::new(&route(&drained, 3), &mut Vec::new(), Instant::now()).eject(0, 1));
    }

    #[test]
    fn what_is_known_of_an_app_outlives_a_change_of_the_route() {
        let board = Board::default();
        let (one, two) = (route(&["http://a".into(), "http://b".into()], 3), route(&["http://b".into()], 3));
        board.standing(&one).apps()[1].find(Err("dead".into()), 1);
        assert_eq!(board.report(&one)[1].health, AppHealth::Down);
        assert_eq!(board.standing(&two).apps()[0].found(), Some(false));
        let other_look = route(&["http://b".into()], 4);
        let (mine, theirs) = (board.standing(&two), board.standing(&other_look));
        assert!(!Arc::ptr_eq(&mine.apps()[0], &theirs.apps()[0]));
        assert!(Arc::ptr_eq(&mine.apps()[0], &board.standing(&two).apps()[0]), "older values do no harm");
        assert_eq!(board.standing(&other_look).apps()[0].found(), None);
        drop((mine, theirs));
        board.keep_routes(|_| false);
        assert_eq!(board.report(&two)[0].health, AppHealth::Unknown);
    }
}
