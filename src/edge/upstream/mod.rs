//! Connections to apps: each thread has its own, so no request waits for a lock.
//!
//! An idle HTTP/1.1 connection is used again, the one used last first, so that the others can go. An app may close it in the
//! very moment in which we use it; then the request goes out again on a new connection, if that is safe: nothing of it was
//! sent, or it changes nothing and has no body.
//!
//! A request for which it would not be safe gets an idle connection only of an app that has shown that it keeps them
//! ([`Habit`]), and only one that was used within the last second and is still open after the thread has looked at what the
//! network brought. Every other time it gets a new one: so no app's timeout, and no app that hangs up as it likes, costs a
//! client an answer. Rejected: to conclude from what TCP has acknowledged that an app never saw a request (octets may have
//! been read before they are acknowledged), and a new connection for each POST (it would run out of ports under load).
//! HTTP/2 is spoken on few connections with many requests each.

mod bare;
mod connect;
mod link;
mod names;
mod stream;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use hyper::client::conn::{http1, http2};
use tokio::sync::Notify;

use super::answer::Upload;
use super::failure::Failure;
use super::settings;
use super::tls::AppTls;
use super::watch::{Tick, ticks};
use crate::route::{Address, App, Protocol};

pub(super) use bare::Bare;
use bare::Resting;
pub(super) use link::{Home, Link, LocalTasks, Unsent};
use names::Names;
pub(super) use stream::Stream;

/// Ticks since its last use within which a connection is good enough for a request that must not be sent twice.
const FRESH: Tick = 4;
/// Ticks for which an app that closed a connection right after its use is not trusted to keep one: ten minutes.
const DISTRUST: Tick = 2_400;
/// Ticks for which an app that did not take a connection is asked after the others.
const DOWN: Tick = 8;
/// Ticks without use after which nothing is remembered about an app.
const FORGET_AFTER: Tick = 2_400;
/// Requests at once on one HTTP/2 connection, which is what most servers allow: more are spread over more connections.
const STREAMS_MAX: usize = 100;
/// HTTP/2 connections to one app.
const SHARED_MAX: usize = 16;

/// All apps that a thread knows.
pub(super) struct Apps {
    settings: Rc<settings::Apps>,
    tls: Rc<AppTls>,
    now: Rc<Cell<Tick>>,
    pools: RefCell<HashMap<(Protocol, Address), Rc<Pool>>>,
}

/// The connections of a thread to one app.
pub(super) struct Pool {
    app: App,
    settings: Rc<settings::Apps>,
    tls: Rc<AppTls>,
    now: Rc<Cell<Tick>>,
    /// What each connection begins with, in front of all else.
    greeting: Box<[u8]>,
    idle: RefCell<Vec<Idle>>,
    habit: Cell<Habit>,
    resting: RefCell<Vec<Resting>>,
    shared: RefCell<Vec<Shared>>,
    /// Whether an HTTP/2 connection is on its way; whoever needs one waits for it.
    opening: Cell<bool>,
    opened: Notify,
    /// Why none came of the last one.
    missed: RefCell<Option<Failure>>,
    /// Whether the app agreed to HTTP/2 when it was asked last; at first that is hoped for.
    shares: Cell<bool>,
    names: Rc<Names>,
    /// How often an address of the app's name has gone: what was connected before that is not used again.
    moves: Cell<u32>,
    down_until: Cell<Tick>,
    used: Cell<Tick>,
}

/// What an app does with idle connections, as far as this thread has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// Not known yet.
    Unknown,
    /// One rested for [`FRESH`] ticks and was still open.
    Keeps,
    /// It closed one sooner than that; believed until then.
    Closes(Tick),
}

struct Idle {
    sender: http1::SendRequest<Upload>,
    since: Tick,
}

/// An HTTP/2 connection, and how many requests are under way on it.
struct Shared {
    sender: http2::SendRequest<Upload>,
    live: Rc<Cell<usize>>,
}

impl Apps {
    pub(super) fn new(settings: settings::Apps) -> Result<Self, String> {
        let tls = AppTls::new().map_err(|fault| fault.to_string())?;
        Ok(Self { settings: Rc::new(settings), tls: Rc::new(tls), now: Rc::default(), pools: RefCell::default() })
    }

    /// The connections to an app.
    pub(super) fn pool(&self, app: &App) -> Rc<Pool> {
        let key = (app.protocol, app.address.clone());
        let mut pools = self.pools.borrow_mut();
        let pool =
            pools.entry(key).or_insert_with(|| Rc::new(Pool::new(app.clone(), &self.settings, &self.tls, &self.now)));
        pool.used.set(self.now.get());
        Rc::clone(pool)
    }

    /// Closes connections that were idle for long, and forgets apps that nobody asks for.
    pub(super) fn sweep(&self, now: Tick) {
        self.now.set(now);
        let keep = ticks(self.settings.keep);
        self.pools.borrow_mut().retain(|_, pool| {
            pool.idle.borrow().iter().for_each(|idle| pool.observe(idle.since, !idle.sender.is_closed()));
            pool.resting.borrow().iter().for_each(|resting| pool.observe(resting.since, resting.is_sound()));
            pool.idle.borrow_mut().retain(|idle| !idle.sender.is_closed() && now - idle.since < keep);
            pool.resting.borrow_mut().retain(|resting| resting.is_sound() && now - resting.since < keep);
            pool.shared.borrow_mut().retain(|shared| {
                let idle = shared.live.get() == 0 && now - pool.used.get() >= keep;
                !shared.sender.is_closed() && !idle
            });
            now - pool.used.get() < FORGET_AFTER || Rc::strong_count(pool) > 1
        });
    }
}

impl Pool {
    fn new(app: App, settings: &Rc<settings::Apps>, tls: &Rc<AppTls>, now: &Rc<Cell<Tick>>) -> Self {
        Self {
            app,
            settings: Rc::clone(settings),
            tls: Rc::clone(tls),
            now: Rc::clone(now),
            greeting: Box::default(),
            idle: RefCell::default(),
            habit: Cell::new(Habit::Unknown),
            resting: RefCell::default(),
            shared: RefCell::default(),
            opening: Cell::new(false),
            opened: Notify::new(),
            missed: RefCell::default(),
            shares: Cell::new(true),
            names: Rc::default(),
            moves: Cell::new(0),
            down_until: Cell::new(0),
            used: Cell::new(0),
        }
    }

    /// The same app for one request whose connection begins with these octets. Nobody else finds it, so the connection ends with
    /// the request.
    pub(super) fn greeted(&self, greeting: Vec<u8>) -> Rc<Self> {
        let pool = Self::new(self.app.clone(), &self.settings, &self.tls, &self.now);
        Rc::new(Self { greeting: greeting.into(), names: Rc::clone(&self.names), ..pool })
    }

    /// The app.
    pub(super) fn app(&self) -> &App {
        &self.app
    }

    /// Whether it took no connection a moment ago.
    pub(super) fn is_down(&self) -> bool {
        self.now.get() < self.down_until.get()
    }

    fn is_down_for_now(&self) {
        self.down_until.set(self.now.get() + DOWN);
    }

    /// A connection for one request. `fresh`: a new one. `once`: the request must not be sent twice.
    pub(super) async fn link(self: &Rc<Self>, fresh: bool, once: bool) -> Result<Link, Failure> {
        self.used.set(self.now.get());
        let may_share = match self.app.protocol {
            Protocol::Http | Protocol::Tls => false,
            Protocol::H2c => true,
            Protocol::Https | Protocol::HttpsUnchecked => self.shares.get(),
        };
        if may_share && let Some(link) = self.shared_link(fresh).await? {
            return Ok(link);
        }
        if !fresh && let Some(link) = self.idle_link(once).await {
            return Ok(link);
        }
        self.open_one().await
    }

    async fn open_one(self: &Rc<Self>) -> Result<Link, Failure> {
        match self.open().await? {
            Link::Http2 { sender, .. } => {
                self.shares.set(true);
                Ok(self.share(sender))
            }
            alone @ Link::Http1 { .. } => {
                self.shares.set(false);
                Ok(alone)
            }
        }
    }

    async fn idle_link(self: &Rc<Self>, once: bool) -> Option<Link> {
        loop {
            let idle = self.idle.borrow_mut().pop()?;
            if once && !self.is_safe_since(idle.since) {
                self.idle.borrow_mut().push(idle);
                return None;
            }
            if once {
                tokio::task::yield_now().await; // the thread looks at the network meanwhile
            }
            if idle.sender.is_ready() {
                let (sender, moves) = (idle.sender, self.moves.get());
                return Some(Link::Http1 { sender, pool: Rc::clone(self), moves, reused: true });
            }
            self.observe(idle.since, false);
        }
    }

    /// Whether a connection that was last used then is good enough for a request that must not be sent twice.
    fn is_safe_since(&self, since: Tick) -> bool {
        self.habit.get() == Habit::Keeps && self.now.get() - since < FRESH
    }

    /// Learns from an idle connection that was last used then.
    fn observe(&self, since: Tick, open: bool) {
        let now = self.now.get();
        let rested = now - since >= FRESH;
        match self.habit.get() {
            _ if !open && !rested => self.hung_up(),
            Habit::Unknown if open && rested => self.habit.set(Habit::Keeps),
            Habit::Closes(until) if now >= until => self.habit.set(Habit::Unknown),
            Habit::Unknown | Habit::Keeps | Habit::Closes(_) => (),
        }
    }

    /// The app closed a connection right after its use, or when it was used again.
    pub(in crate::edge) fn hung_up(&self) {
        self.habit.set(Habit::Closes(self.now.get() + DISTRUST));
    }

    /// A place on an HTTP/2 connection; none if it turns out that the app speaks HTTP/1.1.
    async fn shared_link(self: &Rc<Self>, mut fresh: bool) -> Result<Option<Link>, Failure> {
        loop {
            if !fresh && let Some(link) = self.least_busy() {
                return Ok(Some(link));
            }
            if let Some(_opening) = Opening::begin(self) {
                let opened = self.open_one().await;
                self.missed.replace(opened.as_ref().err().cloned());
                return opened.map(Some);
            }
            self.opened.notified().await;
            if let Some(failure) = &*self.missed.borrow() {
                return Err(failure.clone()); // what one met, all who waited for it need not meet again
            }
            if !self.shares.get() {
                return Ok(None);
            }
            fresh = false;
        }
    }

    /// The HTTP/2 connection with the fewest requests under way; none if another one should be opened.
    fn least_busy(self: &Rc<Self>) -> Option<Link> {
        let mut all = self.shared.borrow_mut();
        all.retain(|shared| !shared.sender.is_closed());
        let count = all.len();
        let shared = all.iter().min_by_key(|shared| shared.live.get())?;
        let room = shared.live.get() < STREAMS_MAX;
        (room || count >= SHARED_MAX).then(|| Link::http2(shared.sender.clone(), &shared.live, true))
    }

    fn share(&self, sender: http2::SendRequest<Upload>) -> Link {
        let live = Rc::default();
        let link = Link::http2(sender.clone(), &live, false);
        self.shared.borrow_mut().push(Shared { sender, live });
        link
    }

    /// Keeps a connection for the next request, unless its address has gone since it was made.
    fn take_home(&self, sender: http1::SendRequest<Upload>, moves: u32) {
        let mut idle = self.idle.borrow_mut();
        if moves == self.moves.get() && idle.len() < self.settings.kept_max as usize {
            idle.push(Idle { sender, since: self.now.get() });
        }
    }
}

/// While it exists, somebody opens a connection that others wait for. It may go at any moment, with its request.
struct Opening<'p>(&'p Pool);

impl<'p> Opening<'p> {
    fn begin(pool: &'p Pool) -> Option<Self> {
        (!pool.opening.replace(true)).then(|| Self(pool))
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.opening.set(false);
        self.0.opened.notify_waiters();
    }
}
