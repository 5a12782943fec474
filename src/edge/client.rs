//! One client's connection: who it is, what it is doing, and since when.

use std::cell::{Cell, OnceCell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::{Rc, Weak};
use std::task::Context;
use std::time::Duration;

use hyper::header::HeaderValue;

use super::census::Entrance;
use super::direct::Stamp;
use super::exchange::Exchange;
use super::tls::{Secure, Spoken};
use super::upgrade::Far;
use super::watch::{Bell, Tick, Watched, ticks};
use super::worker::Worker;
use crate::limits::CLIENT_CHATTER_MAX;

/// Ticks without a request after which an HTTP/1 connection gives its buffers back.
const PARK_AFTER: Tick = 2;
/// How long a connection may take to end once it was told to.
const FAREWELL: Duration = Duration::from_secs(3);
/// How long a connection that has not asked yet is waited for when the edge stops: whoever connects just then finds no
/// closed door (RFC 9112, section 9.5: a client does not repeat a request on a connection that was new).
const FIRST_WORD: Duration = Duration::from_secs(1);
/// Requests that one connection may abandon within [`ABANDONED_WINDOW`] before they are answered: a browser that leaves
/// a page abandons dozens; floods of resets (CVE-2023-44487) abandon thousands.
const ABANDONED_MAX: u32 = 250;
/// The window in which they are counted.
const ABANDONED_WINDOW: Duration = Duration::from_secs(30);

/// How long chatter ([`CLIENT_CHATTER_MAX`]) is counted.
const CHATTER_WINDOW: Duration = Duration::from_secs(30);

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waiting for a request.
    Idle,
    /// Idle, its buffers given back.
    Parked,
    /// The head of a request has begun to arrive. HTTP/1 only.
    Head,
    /// Requests are under way.
    Busy,
    /// Told to end.
    Leaving,
}

/// What the connection's task is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Give the buffers back until something comes.
    Park,
    /// Finish what is under way and end.
    Leave,
    /// End now.
    End,
}

/// One client's connection.
pub(super) struct Client {
    pub(super) worker: Rc<Worker>,
    place: Place,
    /// What TLS agreed on; `None` on plain HTTP.
    pub(super) secure: Option<Secure>,
    phase: Cell<Phase>,
    since: Cell<Tick>,
    /// Requests under way.
    active: Cell<u32>,
    /// Whether it has asked for something yet.
    asked: Cell<bool>,
    abandoned: Cell<u32>,
    abandoned_since: Cell<Tick>,
    /// Octets over HTTP/2 or HTTP/3 since something last came of them.
    chatter: Cell<u64>,
    chatter_since: Cell<Tick>,
    order: Cell<Option<Order>>,
    tunnel: RefCell<Option<(Far, Rc<Exchange>)>>,
    stamp: OnceCell<Stamp>,
    bell: Bell,
    seat: Cell<usize>,
}

impl Client {
    pub(super) fn new(worker: &Rc<Worker>, place: Place, secure: Option<Secure>) -> Rc<Self> {
        let client = Rc::new(Self {
            worker: Rc::clone(worker),
            place,
            secure,
            phase: Cell::new(Phase::Idle),
            since: Cell::new(worker.watch.now()),
            active: Cell::new(0),
            asked: Cell::new(false),
            abandoned: Cell::new(0),
            abandoned_since: Cell::new(0),
            chatter: Cell::new(0),
            chatter_since: Cell::new(0),
            order: Cell::new(None),
            tunnel: RefCell::new(None),
            stamp: OnceCell::new(),
            bell: Bell::default(),
            seat: Cell::new(0),
        });
        let watched: Weak<dyn Watched> = Rc::downgrade(&(Rc::clone(&client) as Rc<dyn Watched>));
        client.seat.set(worker.watch.enter(watched));
        client
    }

    /// Its address, of IPv4 never in the clothes of IPv6.
    pub(super) fn address(&self) -> SocketAddr {
        self.place.address
    }

    /// The address of the listener it came to: of one for all addresses, that is none of them.
    pub(super) fn local(&self) -> SocketAddr {
        self.place.local
    }

    /// Whether its word about whom it speaks for is believed.
    pub(super) fn is_trusted(&self) -> bool {
        self.place.trusted
    }

    /// Which HTTP it speaks.
    pub(super) fn spoken(&self) -> Spoken {
        self.secure.as_ref().map_or(Spoken::Http1, |secure| secure.spoken)
    }

    /// Whether requests come one after the other, each with the whole connection to itself.
    pub(super) fn speaks_http1(&self) -> bool {
        self.spoken() == Spoken::Http1
    }

    /// What it is told if it may come over HTTP/3 as well. That is said in place of whatever an app says, which cannot know; and not
    /// where certificates of clients are asked for, as they are not over HTTP/3.
    pub(super) fn http3_offer(&self) -> Option<&HeaderValue> {
        let offer = self.worker.shared.http3_offer.as_ref()?;
        let secure = self.secure.as_ref()?;
        (secure.spoken != Spoken::Http3 && secure.shown.is_none()).then_some(offer)
    }

    /// What apps are told about it.
    pub(super) fn stamp(&self) -> &Stamp {
        self.stamp.get_or_init(|| Stamp::of(self))
    }

    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(self.worker.watch.now());
    }

    //----- What happens --------------------------------------------------------------------------------------

    /// Octets came.
    pub(super) fn heard(&self) {
        if matches!(self.phase.get(), Phase::Idle | Phase::Parked) && self.speaks_http1() {
            self.enter(Phase::Head);
        }
    }

    /// So many octets came over HTTP/2 or HTTP/3, of which nothing may come: a connection that does nothing else is ended.
    pub(super) fn chats(&self, octets: usize) {
        if self.worker.watch.now() - self.chatter_since.get() > ticks(CHATTER_WINDOW) {
            self.moves();
        }
        let before = self.chatter.get();
        self.chatter.set(before.saturating_add(octets as u64));
        if before <= CLIENT_CHATTER_MAX && self.chatter.get() > CLIENT_CHATTER_MAX {
            self.misbehaved();
            self.give(Order::End);
        }
    }

    /// Something came of it: a request, or a part of a body on its way.
    pub(super) fn moves(&self) {
        self.chatter.set(0);
        self.chatter_since.set(self.worker.watch.now());
    }

    /// Whether something has come of it since this tick.
    pub(super) fn has_moved_since(&self, tick: Tick) -> bool {
        self.chatter_since.get() >= tick && self.chatter.get() == 0
    }

    /// A request has come.
    pub(super) fn request_begins(&self) {
        self.moves();
        self.active.set(self.active.get() + 1);
        self.asked.set(true);
        if self.phase.get() != Phase::Leaving {
            self.enter(Phase::Busy);
        }
    }

    /// A request is over. `answered` tells whether the client waited for an answer.
    pub(super) fn request_ends(&self, answered: bool) {
        self.active.set(self.active.get().saturating_sub(1));
        if !answered {
            self.abandons();
        }
        if self.active.get() == 0 && self.phase.get() == Phase::Busy {
            self.enter(Phase::Idle);
        }
    }

    /// The client has begun a request that it does not wait for.
    pub(super) fn abandons(&self) {
        let now = self.worker.watch.now();
        if now - self.abandoned_since.get() > ticks(ABANDONED_WINDOW) {
            self.abandoned_since.set(now);
            self.abandoned.set(0);
        }
        self.abandoned.set(self.abandoned.get() + 1);
        if self.abandoned.get() == ABANDONED_MAX {
            self.misbehaved();
            self.give(Order::End);
        }
    }

    /// The client sent what nobody sends who means well.
    pub(super) fn misbehaved(&self) {
        self.worker.stats().misbehaved.add(1);
    }

    /// Whether it waits for a request.
    pub(super) fn is_idle(&self) -> bool {
        self.phase.get() == Phase::Idle
    }

    /// Whether it was told to end.
    pub(super) fn is_leaving(&self) -> bool {
        self.phase.get() == Phase::Leaving || self.worker.stopping.get()
    }

    /// Another protocol was agreed on: it goes on with that as soon as the answer is sent.
    pub(super) fn tunnel(&self, far: Far, exchange: &Rc<Exchange>) {
        self.tunnel.replace(Some((far, Rc::clone(exchange))));
    }

    /// The protocol to go on with, if one was agreed on.
    pub(super) fn take_tunnel(&self) -> Option<(Far, Rc<Exchange>)> {
        self.tunnel.take()
    }

    /// Its buffers were given back.
    pub(super) fn parked(&self) {
        if self.phase.get() == Phase::Idle {
            self.phase.set(Phase::Parked);
        }
    }

    //----- What is to be done --------------------------------------------------------------------------------

    /// Has the connection's task do something.
    pub(super) fn give(&self, order: Order) {
        if self.order.get() != Some(Order::End) {
            self.order.set(Some(order));
        }
        self.bell.ring();
    }

    /// What is to be done, if anything is; the task is woken when there is something new.
    pub(super) fn poll_order(&self, context: &Context<'_>) -> Option<Order> {
        self.bell.wait(context);
        self.order.take()
    }

    fn late(&self, now: Tick, limit: Duration) -> bool {
        now - self.since.get() >= ticks(limit)
    }

    fn time_out(&self, order: Order) {
        self.worker.stats().timed_out.add(1);
        self.enter(Phase::Leaving);
        self.give(order);
    }
}

impl Watched for Client {
    fn look(&self, now: Tick) {
        let limits = &self.worker.shared.settings.clients;
        match self.phase.get() {
            Phase::Idle | Phase::Parked if self.worker.stopping.get() => {
                if self.asked.get() || self.late(now, FIRST_WORD) {
                    self.enter(Phase::Leaving);
                    self.give(Order::Leave);
                }
            }
            Phase::Idle | Phase::Parked if self.late(now, self.worker.idle_limit()) => self.time_out(Order::Leave),
            Phase::Idle if self.speaks_http1() && now - self.since.get() >= PARK_AFTER => self.give(Order::Park),
            Phase::Head if self.late(now, limits.head) => self.time_out(Order::End),
            Phase::Busy if self.worker.stopping.get() => {
                self.enter(Phase::Leaving);
                self.give(Order::Leave);
            }
            // Requests under way have limits of their own.
            Phase::Leaving if self.active.get() == 0 && self.late(now, FAREWELL) => self.give(Order::End),
            Phase::Idle | Phase::Parked | Phase::Head | Phase::Busy | Phase::Leaving => (),
        }
    }

    fn idle_for(&self) -> Option<Tick> {
        let idle = matches!(self.phase.get(), Phase::Idle | Phase::Parked);
        idle.then(|| self.worker.watch.now() - self.since.get())
    }

    fn make_room(&self) {
        self.worker.stats().evicted.add(1);
        self.enter(Phase::Leaving);
        self.give(Order::End);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.worker.watch.leave(self.seat.get());
    }
}

/// A place among the connections, given back when it goes.
pub(super) struct Place {
    worker: Rc<Worker>,
    /// The client's address, of IPv4 never in the clothes of IPv6.
    address: SocketAddr,
    /// The address of the listener.
    local: SocketAddr,
    trusted: bool,
}

impl Place {
    /// The client's address, of IPv4 never in the clothes of IPv6.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the listener.
    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// A place, unless the client has too many or nobody idle makes room.
    pub(super) fn take(worker: &Rc<Worker>, address: SocketAddr, local: SocketAddr) -> Option<Self> {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let trusted = worker.shared.settings.trusts(address.ip());
        let entrance = worker.shared.census.enter(address.ip(), trusted);
        worker.stats().connections.add(1);
        if entrance == Entrance::Refused {
            worker.stats().refused.add(1);
            worker.stats().closed.add(1);
            return None;
        }
        let place = Self { worker: Rc::clone(worker), address, local, trusted };
        if entrance == Entrance::Full && !worker.watch.make_room() {
            worker.stats().refused.add(1);
            return None;
        }
        Some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.worker.stats().closed.add(1);
        self.worker.shared.census.leave(self.address.ip(), self.trusted);
    }
}

/// The network that counts as one client: of IPv6, a /64.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}
