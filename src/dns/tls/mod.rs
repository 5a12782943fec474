//! DNS over TLS (RFC 7858): a thread for each worker, a small task for each connection. Who may stay, and for how long, is
//! as over TCP ([`super::tcp`]); the time for the first query begins with the connection, so that a handshake has no more than that.
//!
//! Rejected: one runtime for all threads (work that is stolen costs more than the answer), a task for each query.

mod connection;

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{self, IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use rustls::ServerConfig;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle, spawn_local};
use tokio::time::{self, MissedTickBehavior, sleep};
use tokio_rustls::TlsAcceptor;

use super::answers::Answers;
use super::census::Entrance;
use super::seats::{Seats, Waiting};
use super::settings::Tcp;
use super::{Moment, Transport};
use connection::{Buffers, Place};

/// How long no connection is accepted after the kernel could not hand one over: at 100 tries a second, each of which
/// frees a descriptor, a server that has run out of them still serves newcomers.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
/// How long connections may take to get rid of their last replies when the server stops.
const DRAIN_MAX: Duration = Duration::from_millis(500);
/// How often it is looked whether they have.
const DRAIN_STEP: Duration = Duration::from_millis(5);

/// Tells all servers to stop, once.
pub(super) struct Stop(watch::Sender<bool>);

impl Stop {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(super) fn listen(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }

    pub(super) fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// The connections of one worker.
pub(super) struct Server {
    pub(super) listeners: Vec<net::TcpListener>,
    pub(super) answers: Answers,
    pub(super) limits: Tcp,
    /// How TLS is spoken.
    pub(super) tls: Arc<ServerConfig>,
    pub(super) stop: watch::Receiver<bool>,
}

impl Server {
    /// Answers until it is told to stop. Says first whether it could be set up.
    pub(super) fn serve(self, ready: &SyncSender<io::Result<()>>) {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build_local(LocalOptions::default());
        let outcome = match runtime {
            Ok(runtime) => runtime.block_on(self.run(ready)),
            Err(fault) => Err(fault),
        };
        if let Err(fault) = outcome {
            _ = ready.send(Err(fault)); // whoever started us is told, or has gone and does not care
        }
    }

    async fn run(mut self, ready: &SyncSender<io::Result<()>>) -> io::Result<()> {
        let listeners: Vec<_> = self.listeners.drain(..).map(listener).collect::<Result<_, _>>()?;
        let worker = Rc::new(Worker::new(self.answers, self.tls));
        let accepting: Vec<_> =
            listeners.into_iter().map(|listener| spawn_local(accept(Rc::clone(&worker), listener))).collect();
        _ = ready.send(Ok(()));
        let mut tick = time::interval(self.limits.tick());
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => worker.sweep(&self.limits),
                _ = self.stop.wait_for(|stop| *stop) => break,
            }
        }
        accepting.iter().for_each(JoinHandle::abort);
        worker.drain().await;
        Ok(())
    }
}

/// What is set here is inherited by every accepted connection, and costs no system call there.
fn listener(listener: net::TcpListener) -> io::Result<TcpListener> {
    SockRef::from(&listener).set_tcp_nodelay(true)?; // replies are written together; holding them back gains nothing
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Takes connections from one socket for ever: whatever happens to one of them, the next is accepted.
async fn accept(worker: Rc<Worker>, listener: TcpListener) {
    let mut complained = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => worker.admit(stream, peer),
            // The client has gone while it waited: no reason to wait ourselves.
            Err(fault) if fault.kind() == io::ErrorKind::ConnectionAborted => (),
            Err(fault) => {
                worker.answers.borrow().stats().accept_failed.add(1);
                if !std::mem::replace(&mut complained, true) {
                    tracing::error!(%fault, "cannot accept DNS connections over TLS; trying on. Too few file descriptors? See LimitNOFILE=");
                }
                worker.make_room();
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// What the connections of one thread share.
struct Worker {
    answers: RefCell<Answers>,
    buffers: RefCell<Buffers>,
    seats: RefCell<Seats<AbortHandle>>,
    stopping: Cell<bool>,
    tls: TlsAcceptor,
}

impl Worker {
    fn new(answers: Answers, tls: Arc<ServerConfig>) -> Self {
        Self {
            tls: TlsAcceptor::from(tls),
            answers: RefCell::new(answers),
            buffers: RefCell::default(),
            seats: RefCell::default(),
            stopping: Cell::new(false),
        }
    }

    /// Gives a connection a seat and a task, or closes it.
    fn admit(self: &Rc<Self>, stream: TcpStream, peer: SocketAddr) {
        let address = peer.ip().to_canonical();
        let entrance = self.answers.borrow().policy().census(Transport::Tls).enter(address);
        let room = match entrance {
            Entrance::Free => true,
            Entrance::Crowded => {
                let made = self.make_room();
                if !made {
                    self.answers.borrow().policy().census(Transport::Tls).leave(address);
                }
                made
            }
            Entrance::Refused => false,
        };
        let answers = self.answers.borrow();
        if !room {
            answers.stats().refused.add(1);
            connection::reset(&stream);
            return;
        }
        answers.stats().accepted.add(1);
        let seat = self.seats.borrow_mut().take(Moment::now().micros);
        let place = Place::new(Rc::clone(self), address, seat);
        let task = spawn_local(connection::serve(self.tls.clone(), stream, place));
        self.seats.borrow_mut().occupy(seat, task.abort_handle());
    }

    /// Ends the connection that has waited longest.
    fn make_room(&self) -> bool {
        let made = self.seats.borrow_mut().end_longest(&[Waiting::Query, Waiting::Message]);
        self.answers.borrow().stats().evicted.add(made.into());
        made
    }

    /// A connection is over.
    fn leave(&self, seat: u32, address: IpAddr) {
        self.seats.borrow_mut().leave(seat);
        let answers = self.answers.borrow();
        answers.policy().census(Transport::Tls).leave(address);
        answers.stats().closed.add(1);
    }

    /// Ends the connections whose time is up.
    fn sweep(&self, limits: &Tcp) {
        let mut answers = self.answers.borrow_mut();
        answers.refresh();
        let now = Moment::now().micros;
        let before = |limit: Duration| now.saturating_sub(limit.as_micros() as u64);
        let mut seats = self.seats.borrow_mut();
        let ended = seats.end_before(Waiting::Query, before(answers.policy().idle(Transport::Tls)))
            + seats.end_before(Waiting::Message, before(limits.message))
            + seats.end_before(Waiting::Reader, before(limits.write));
        answers.stats().timed_out.add(ended);
    }

    /// Answers what has arrived, lets the clients read it, and closes all connections.
    async fn drain(&self) {
        self.stopping.set(true);
        sleep(DRAIN_STEP).await; // whoever has something to read has its turn, and is over after it
        let all = [Waiting::Query, Waiting::Message];
        all.iter().for_each(|waiting| _ = self.seats.borrow_mut().end_before(*waiting, u64::MAX));
        let steps = DRAIN_MAX.as_millis() / DRAIN_STEP.as_millis();
        for _ in 0..steps {
            if self.seats.borrow().is_empty() {
                break;
            }
            sleep(DRAIN_STEP).await;
        }
    }
}
