//! A connection that is passed on unopened: octets from the client to an app and back, and nothing known of it but the name in its
//! hello.
//!
//! The app is chosen as for a request, and one that does not take the connection is passed over; what the client said so far waits.
//! After that the connection stays with its app whatever becomes of the route. Each side may end before the other; whoever
//! takes nothing is waited for, and then the other is not read from, so a passage holds one buffer each way at most.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Context;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::announced;
use super::balance::{self, Key};
use super::client::Place;
use super::failure::Failure;
use super::quiet::Quiet;
use super::stats::RouteStats;
use super::tls::{ACCESS_DENIED, INTERNAL_ERROR, Passed, turn_away};
use super::tunnel::{Flow, Overseer, relay};
use super::upstream::{Pool, Stream};
use super::watch::{Bell, Tick, Watched, ticks};
use super::worker::Worker;
use crate::route::options::Seconds;
use crate::route::{By, Route};

/// How long a client is heard that is turned away.
const TURN_AWAY_TIME_MAX: Duration = Duration::from_secs(2);

/// A connection that is passed on.
pub(super) struct Passage {
    worker: Rc<Worker>,
    place: Place,
    route: Arc<Route>,
    server_name: Box<str>,
    counted: Option<Arc<RouteStats>>,
    started: Instant,
    /// When octets last went.
    since: Cell<Tick>,
    ended: Cell<bool>,
    /// Octets to the app, and to the client.
    carried: Cell<(u64, u64)>,
    bell: Bell,
    seat: Cell<usize>,
}

/// What is noted down of a passage when it is over.
pub(super) struct Story<'p> {
    pub(super) client: IpAddr,
    pub(super) host: &'p str,
    pub(super) route: &'p str,
    pub(super) app: String,
    pub(super) status: u16,
    /// Octets to the app, and to the client.
    pub(super) carried: (u64, u64),
    pub(super) took: Duration,
    /// Whether both sides ended it.
    pub(super) whole: bool,
}

/// Passes a connection on until it is over.
pub(super) async fn serve(worker: Rc<Worker>, place: Place, passed: Passed) {
    let Passed { mut stream, said, server_name, route } = passed;
    let passage = Passage::begin(&worker, place, route, server_name);
    let (app, mut far, taken) = match passage.reach().await {
        Ok(reached) => reached,
        Err(failure) => {
            passage.is_refused(&failure);
            let alert = if failure == Failure::NetworkRefused { ACCESS_DENIED } else { INTERNAL_ERROR };
            let _ = timeout(TURN_AWAY_TIME_MAX, turn_away(stream, alert)).await;
            return;
        }
    };
    let flows = (Flow::new(&said), Flow::new(&[]));
    passage.begins();
    passage.carries(said.len() as u64, 0);
    drop(said);
    let whole = relay(&mut stream, &mut far, flows, &*passage).await.is_ok();
    passage.ends(app, 200, whole);
    drop(taken);
}

impl Passage {
    fn begin(worker: &Rc<Worker>, place: Place, route: Arc<Route>, server_name: Box<str>) -> Rc<Self> {
        let passage = Rc::new(Self {
            worker: Rc::clone(worker),
            place,
            counted: worker.route_stats(route.id()),
            route,
            server_name,
            started: Instant::now(),
            since: Cell::new(Tick::MAX),
            ended: Cell::new(false),
            carried: Cell::default(),
            bell: Bell::default(),
            seat: Cell::new(0),
        });
        let watched: Weak<dyn Watched> = Rc::downgrade(&(Rc::clone(&passage) as Rc<dyn Watched>));
        passage.seat.set(worker.watch.enter(watched));
        passage
    }

    /// A connection to one of the apps, and the app's place, which counts it for as long as it is there.
    async fn reach(&self) -> Result<(String, Stream, balance::Place), Failure> {
        let (options, client) = (self.route.options(), self.place.address());
        if !options.access.admits(client.ip()) {
            return Err(Failure::NetworkRefused);
        }
        let key = if options.balance.by == By::Client { Key::of_address(client.ip()) } else { Key::NONE };
        let mut turn = self.worker.turn(&self.route, key);
        let mut outcome = Failure::Drained;
        loop {
            let Some(taken) = turn.next(self.worker.groups.random()) else {
                if turn.hold(&outcome).await {
                    continue;
                }
                return Err(outcome);
            };
            match self.connect(&self.announced(taken.pool())).await {
                Ok(stream) => {
                    turn.reached();
                    self.worker.stats().connected.add(1);
                    return Ok((taken.pool().app().to_string(), stream, taken));
                }
                Err(failure) => {
                    turn.failed(&failure);
                    outcome = failure;
                }
            }
        }
    }

    /// The app as this client's connection finds it: where the route wants it, it hears first whose it is.
    fn announced(&self, app: &Rc<Pool>) -> Rc<Pool> {
        match self.route.options().proxy_protocol {
            Some(version) => app.greeted(announced::written(version, self.place.address(), self.place.local())),
            None => Rc::clone(app),
        }
    }

    async fn connect(&self, app: &Rc<Pool>) -> Result<Stream, Failure> {
        match self.route.options().times.connect {
            Some(Seconds(time)) => timeout(time, app.reach(true)).await.unwrap_or(Err(Failure::AppConnectSlow)),
            None => app.reach(true).await,
        }
    }

    fn begins(&self) {
        self.since.set(self.worker.watch.now());
        self.worker.stats().passed.add(1);
        if let Some(route) = &self.counted {
            route.passed.add(1);
        }
    }

    /// No app has it.
    fn is_refused(&self, failure: &Failure) {
        if failure.is_inside() {
            self.worker.stats().fail(failure.counted());
            if let Some(route) = &self.counted {
                route.fail(failure.counted());
            }
            if let Some(kept_back) = Quiet::speak() {
                let (host, reason) = (&self.server_name, failure.secret().unwrap_or_default());
                tracing::warn!(%host, reason, cure = failure.cure(), kept_back, "{}", failure.what());
            }
        }
        self.ends(String::new(), failure.status().as_u16(), false);
    }

    fn ends(&self, app: String, status: u16, whole: bool) {
        let story = Story {
            client: self.place.address().ip(),
            host: &self.server_name,
            route: self.route.id(),
            app,
            status,
            carried: self.carried.get(),
            took: self.started.elapsed(),
            whole,
        };
        self.worker.log.note_passage(&story, &self.worker);
    }

    fn silence(&self) -> Duration {
        let usual = self.worker.shared.settings.apps.silence;
        self.route.options().times.silence.map_or(usual, |Seconds(time)| time)
    }

    fn end(&self) {
        self.ended.set(true);
        self.bell.ring();
    }
}

impl Overseer for Passage {
    fn is_to_end(&self, context: &Context<'_>) -> bool {
        self.bell.wait(context);
        self.ended.get()
    }

    fn carries(&self, to_app: u64, to_client: u64) {
        let (before_app, before_client) = self.carried.get();
        self.carried.set((before_app + to_app, before_client + to_client));
        self.since.set(self.worker.watch.now());
        let stats = self.worker.stats();
        stats.received.add(to_app);
        stats.sent.add(to_client);
        if let Some(route) = &self.counted {
            route.received.add(to_app);
            route.sent.add(to_client);
        }
    }
}

impl Watched for Passage {
    fn look(&self, now: Tick) {
        if now.saturating_sub(self.since.get()) >= ticks(self.silence()) && !self.ended.get() {
            self.worker.stats().timed_out.add(1);
            self.end();
        }
    }

    fn idle_for(&self) -> Option<Tick> {
        let is_idle = self.since.get() != Tick::MAX && !self.ended.get();
        is_idle.then(|| self.worker.watch.now().saturating_sub(self.since.get()))
    }

    fn make_room(&self) {
        self.worker.stats().evicted.add(1);
        self.end();
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.worker.watch.leave(self.seat.get());
    }
}
