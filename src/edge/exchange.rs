//! One request and its answer, from the head of the one to the last octet of the other: where it stands, since when, and
//! what is to be noted down about it when it is over.
//!
//! The clock of the thread looks at it ([`Watched::look`]): a body that crawls, an app that does not begin to answer or falls
//! silent, a client that takes nothing. An answer that nobody takes lets go of the app even before the client's
//! connection is closed.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::body::{Bytes, Frame};
use hyper::header::HeaderValue;

use tokio::time::timeout;

use super::announced;
use super::answer::Answer;
use super::balance::Place;
use super::client::{Client, Order};
use super::failure::Failure;
use super::log::Record;
use super::rules::Ruled;
use super::stats::{AppFailure, RouteStats};
use super::upstream::Pool;
use super::watch::{Bell, Tick, Watched, ticks};
use crate::limits::BODY_PROGRESS_MIN;
use crate::route::Options;
use crate::route::options::{Seconds, Times};

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// We are at it: nothing to wait for but what has a limit of its own.
    Ours,
    /// The app has it, or gets it; its answer has not begun.
    Asked,
    /// The answer has begun, and the client waits for more of it.
    Answering,
    /// The answer has begun, and there is more of it than the client takes.
    Taking,
    /// The two sides speak another protocol with each other.
    Tunnel,
    /// It is over.
    Over,
}

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// The client with the body of its request.
    Upload,
    /// The app with the beginning of its answer.
    Answer,
    /// The app with the rest of it.
    Silence,
    /// The client with taking it.
    Taking,
    /// Not a time: the client sends more than the route takes.
    Size,
}

/// The body of the request on its way to the app.
#[derive(Default)]
struct Upload {
    /// Whether the client is waited for.
    waits: Cell<bool>,
    /// Whether it may take its time: a stream of messages rather than a body.
    patient: Cell<bool>,
    since: Cell<Tick>,
    /// Octets since then.
    octets: Cell<u64>,
    total: Cell<u64>,
    bell: Bell,
}

/// One request and its answer.
pub(super) struct Exchange {
    pub(super) client: Rc<Client>,
    started: Instant,
    stage: Cell<Stage>,
    since: Cell<Tick>,
    late: Cell<Option<Late>>,
    bell: Bell,
    upload: Upload,
    pub(super) answer: RefCell<Answer>,
    status: Cell<u16>,
    sent: Cell<u64>,
    route: RefCell<Option<Arc<RouteStats>>>,
    app: RefCell<Option<Place>>,
    host: RefCell<Option<HeaderValue>>,
    pub(super) record: RefCell<Record>,
    /// What its route asks of it, if that is anything.
    pub(super) ruled: OnceCell<Rc<Ruled>>,
    id: Cell<u64>,
    seat: Cell<usize>,
    /// Whether no client waits for it: it is neither counted nor noted down.
    aside: bool,
}

impl Exchange {
    pub(super) fn begin(client: &Rc<Client>) -> Rc<Self> {
        let exchange = Self::new(client, false);
        client.request_begins();
        exchange
    }

    /// An exchange with an app on behalf of the cache, because of another one and by its rules.
    pub(super) fn aside(other: &Self) -> Rc<Self> {
        let exchange = Self::new(&other.client, true);
        if let Some(ruled) = other.ruled.get() {
            let _ = exchange.ruled.set(Rc::clone(ruled));
        }
        exchange
    }

    fn new(client: &Rc<Client>, aside: bool) -> Rc<Self> {
        let watch = &client.worker.watch;
        let exchange = Rc::new(Self {
            client: Rc::clone(client),
            started: Instant::now(),
            stage: Cell::new(Stage::Ours),
            since: Cell::new(watch.now()),
            late: Cell::new(None),
            bell: Bell::default(),
            upload: Upload::default(),
            answer: RefCell::new(Answer::Nothing),
            status: Cell::new(0),
            sent: Cell::new(0),
            route: RefCell::new(None),
            app: RefCell::new(None),
            host: RefCell::new(None),
            record: RefCell::new(Record::default()),
            ruled: OnceCell::new(),
            id: Cell::new(0),
            seat: Cell::new(0),
            aside,
        });
        let watched: Weak<dyn Watched> = Rc::downgrade(&(Rc::clone(&exchange) as Rc<dyn Watched>));
        exchange.seat.set(watch.enter(watched));
        exchange
    }

    fn enter(&self, stage: Stage) {
        self.stage.set(stage);
        self.since.set(self.client.worker.watch.now());
    }

    /// The number by which the request is found again in the log. Made when somebody wants to know.
    pub(super) fn id(&self) -> u64 {
        if self.id.get() == 0 {
            self.id.set(self.client.worker.random.next().max(1));
        }
        self.id.get()
    }

    /// Whose route it is.
    pub(super) fn belongs_to(&self, route: Option<Arc<RouteStats>>) {
        *self.route.borrow_mut() = route;
    }

    /// What is asked for, and by whom.
    pub(super) fn is_about(&self, host: &HeaderValue, record: Record) {
        *self.host.borrow_mut() = Some(host.clone());
        *self.record.borrow_mut() = record;
    }

    /// The host that is asked for; empty if it is not known.
    pub(super) fn host(&self) -> String {
        let host = self.host.borrow();
        host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned()
    }

    /// Which app is asked.
    pub(super) fn is_for(&self, app: Place) {
        *self.app.borrow_mut() = Some(app);
    }

    /// The app is the one that another exchange asked, which is done with it.
    pub(super) fn takes_over_app_of(&self, other: &Self) {
        *self.app.borrow_mut() = other.app.take();
    }

    /// The address of the app that is asked; empty if there is none.
    pub(super) fn app(&self) -> String {
        self.app.borrow().as_ref().map_or_else(String::new, |place| place.pool().app().to_string())
    }

    //----- The request on its way to the app -----------------------------------------------------------------

    /// The app is asked from now on.
    pub(super) fn asks(&self, patient: bool) {
        self.upload.patient.set(patient);
        self.upload.since.set(self.client.worker.watch.now());
        self.enter(Stage::Asked);
    }

    /// The outcome of what the app is asked, unless it takes too long.
    pub(super) async fn in_time<T>(&self, answer: impl Future<Output = T>) -> Result<T, Late> {
        let mut answer = pin!(answer);
        poll_fn(|context| self.poll_in_time(context, |context| answer.as_mut().poll(context))).await
    }

    /// The same of what is no future yet.
    pub(super) fn poll_in_time<T>(
        &self,
        context: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<Result<T, Late>> {
        if let Some(late) = self.late.get() {
            return Poll::Ready(Err(late));
        }
        self.bell.wait(context);
        poll(context).map(Ok)
    }

    /// What the route asks for beyond its target.
    fn options(&self) -> Option<&Options> {
        self.ruled.get().map(|ruled| ruled.options())
    }

    /// A time of the route, else that of the settings.
    fn time(&self, own: impl Fn(&Times) -> Option<Seconds>, usual: Duration) -> Duration {
        self.options().and_then(|options| own(&options.times)).map_or(usual, |seconds| seconds.0)
    }

    /// The app as this client's request finds it: where the route wants it, its connection begins with whose request it is.
    pub(super) fn announced(&self, app: &Rc<Pool>) -> Rc<Pool> {
        let Some(ruled) = self.ruled.get() else { return Rc::clone(app) };
        let Some(version) = ruled.options().proxy_protocol else { return Rc::clone(app) };
        app.greeted(announced::written(version, ruled.source(self.client.address()), self.client.local()))
    }

    /// A connection to an app, unless the route has less patience than the settings.
    pub(super) async fn connecting<T>(&self, opening: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        match self.options().and_then(|options| options.times.connect) {
            Some(Seconds(time)) => timeout(time, opening).await.unwrap_or(Err(Failure::AppConnectSlow)),
            None => opening.await,
        }
    }

    /// The app is out of it: what follows is our own answer.
    pub(super) fn begins_anew(&self) {
        self.late.set(None);
        self.enter(Stage::Ours);
    }

    /// Another part of the body came, or none yet.
    pub(super) fn uploads<E>(&self, frame: &Poll<Option<Result<Frame<Bytes>, E>>>, context: &Context<'_>) {
        let now = self.client.worker.watch.now();
        match frame {
            Poll::Pending => {
                self.upload.bell.wait(context);
                if !self.upload.waits.replace(true) && self.upload.octets.get() == 0 {
                    self.upload.since.set(now);
                }
            }
            Poll::Ready(frame) => {
                let size = match frame {
                    Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len) as u64,
                    Some(Err(_)) | None => 0,
                };
                if size > 0 {
                    self.client.moves();
                }
                self.upload.waits.set(false);
                self.upload.octets.set(self.upload.octets.get() + size);
                self.upload.total.set(self.upload.total.get() + size);
                if self
                    .options()
                    .and_then(|options| options.body_size_max)
                    .is_some_and(|most| self.upload.total.get() > most)
                {
                    self.late.set(Some(Late::Size));
                    self.bell.ring();
                }
                if self.stage.get() == Stage::Asked {
                    self.since.set(now);
                }
            }
        }
    }

    /// What took too long, if something did.
    pub(super) fn late(&self) -> Option<Late> {
        self.late.get()
    }

    //----- The answer on its way to the client ---------------------------------------------------------------

    /// What the client gets as soon as it wants it. An answer without octets lets go of the app at once.
    pub(super) fn put_answer(&self, mut answer: Answer) {
        answer.is_over();
        self.answer.replace(answer);
    }

    /// The head of the answer goes to the client.
    pub(super) fn answers(&self, status: u16) {
        self.status.set(status);
        if self.stage.get() != Stage::Tunnel {
            self.enter(Stage::Answering);
        }
    }

    /// Whether the head of the answer went to the client.
    pub(super) fn is_answered(&self) -> bool {
        self.status.get() != 0
    }

    /// Whether nobody takes the answer; else whoever asks is woken when nobody does.
    pub(super) fn is_cut(&self, context: &Context<'_>) -> bool {
        self.bell.wait(context);
        self.late.get().is_some()
    }

    /// Another part of the answer is wanted and not there.
    pub(super) fn waits_for_app(&self, context: &Context<'_>) {
        self.bell.wait(context);
        if self.stage.get() != Stage::Answering {
            self.enter(Stage::Answering);
        }
    }

    /// The body of the request was there with its head, and is so long.
    pub(super) fn received(&self, octets: u64) {
        self.upload.total.set(octets);
    }

    /// Another part of the answer goes to the client.
    pub(super) fn gives(&self, octets: u64) {
        self.sent.set(self.sent.get() + octets);
        self.client.moves();
        self.enter(Stage::Taking);
    }

    //----- Another protocol ----------------------------------------------------------------------------------

    /// The connection is turned over to another protocol.
    pub(super) fn tunnels(&self) {
        self.client.worker.stats().upgrades.add(1);
        if let Some(route) = &*self.route.borrow() {
            route.upgrades.add(1);
        }
        self.enter(Stage::Tunnel);
    }

    /// Octets went through the tunnel.
    pub(super) fn octets_went(&self, to_app: u64, to_client: u64) {
        self.upload.total.set(self.upload.total.get() + to_app);
        self.sent.set(self.sent.get() + to_client);
        self.client.moves();
        self.since.set(self.client.worker.watch.now());
    }

    /// Whether the tunnel has been silent for too long; else whoever asks is woken when it has.
    pub(super) fn tunnel_is_late(&self, context: &Context<'_>) -> bool {
        self.bell.wait(context);
        self.late.get().is_some()
    }

    //----- The end -------------------------------------------------------------------------------------------

    /// The app did not answer soundly.
    pub(super) fn app_failed(&self, failure: AppFailure) {
        self.client.worker.stats().fail(failure);
        if let Some(route) = &*self.route.borrow() {
            route.fail(failure);
        }
    }

    /// The body of the answer is over, or its connection is. A tunnel goes on.
    pub(super) fn lets_go(&self, whole: bool) {
        if self.stage.get() != Stage::Tunnel {
            self.ends(whole);
        }
    }

    /// It is over: counted and noted down, once. `whole` tells whether the client got everything.
    pub(super) fn ends(&self, whole: bool) {
        if self.stage.replace(Stage::Over) == Stage::Over {
            return;
        }
        self.answer.replace(Answer::Nothing);
        if self.aside {
            return drop(self.app.take());
        }
        let (status, took, stats) = (self.status.get(), self.started.elapsed(), self.client.worker.stats());
        let spoken = self.client.spoken();
        stats.answer(status, spoken, took);
        stats.sent.add(self.sent.get());
        stats.received.add(self.upload.total.get());
        stats.aborted.add((!whole).into());
        if let Some(route) = &*self.route.borrow() {
            route.answer(status, spoken, took);
            route.sent.add(self.sent.get());
            route.received.add(self.upload.total.get());
        }
        self.client.worker.log.note(self, status, self.sent.get(), took, whole);
        self.app.take(); // it has a request less under way
        self.client.request_ends(status != 0);
    }

    fn is_late(&self, late: Late) {
        self.client.worker.stats().timed_out.add(1);
        self.late.set(Some(late));
        self.upload.bell.ring();
        self.bell.ring();
    }

    fn look_at_upload(&self, now: Tick) {
        let (limits, upload) = (&self.client.worker.shared.settings, &self.upload);
        let limit = match upload.patient.get() {
            true => self.time(|times| times.silence, limits.apps.silence),
            false => self.time(|times| times.body, limits.clients.body),
        };
        if now - upload.since.get() < ticks(limit) {
            return;
        }
        if upload.octets.get() < if upload.patient.get() { 1 } else { BODY_PROGRESS_MIN } {
            return self.is_late(Late::Upload);
        }
        upload.octets.set(0);
        upload.since.set(now);
    }

    /// The app is let go of. An HTTP/1 connection is of no use any more; of the others only the stream is.
    fn cut(&self) {
        self.is_late(Late::Taking);
        *self.answer.borrow_mut() = Answer::Cut;
        self.ends(false);
        if self.client.speaks_http1() {
            self.client.give(Order::End);
        }
    }
}

impl Watched for Exchange {
    fn look(&self, now: Tick) {
        let limits = &self.client.worker.shared.settings;
        let late = |limit| now - self.since.get() >= ticks(limit);
        if self.late.get().is_some() {
            return;
        }
        match self.stage.get() {
            Stage::Asked if self.upload.waits.get() => self.look_at_upload(now),
            Stage::Asked if late(self.time(|times| times.answer, limits.apps.answer)) => self.is_late(Late::Answer),
            Stage::Answering | Stage::Tunnel if late(self.time(|times| times.silence, limits.apps.silence)) => {
                self.is_late(Late::Silence);
            }
            Stage::Taking if late(limits.clients.take) => self.cut(),
            Stage::Ours | Stage::Asked | Stage::Answering | Stage::Taking | Stage::Tunnel | Stage::Over => (),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.client.worker.stats().panics.add(1);
        }
        self.ends(false);
        self.client.worker.watch.leave(self.seat.get());
    }
}

impl From<Late> for Failure {
    fn from(late: Late) -> Self {
        match late {
            Late::Upload => Self::UploadSlow,
            Late::Size => Self::BodyTooLarge,
            Late::Answer | Late::Silence | Late::Taking => Self::AppSlow,
        }
    }
}
