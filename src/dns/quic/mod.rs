//! DNS over QUIC (RFC 9250) on quinn: one thread, a small task for each connection and for each query that has not come whole.
//!
//! One thread, since the packets of a connection have to meet wherever they come from, and the kernel deals packets out by
//! address. It shakes hands some thousand times a second and answers far more queries than anybody sends this way.
//!
//! Who may stay is decided as for TCP (see [`super::tcp`]): a limit for each network, the one that has waited longest makes
//! room, idle ones go. What is different: an address may be forged until the client has answered once. When more than a few
//! handshakes with such are under way, a newcomer is sent away with a token and has to come back with it (RFC 9000, section
//! 8.1.2), which costs us no memory; so forged packets take no places from the networks they claim to be from.

mod connection;

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, EndpointConfig, Incoming, ServerConfig, TokioRuntime, TransportConfig, VarInt};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle, spawn_local};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::answers::Answers;
use super::census::Entrance;
use super::seats::{Seats, Waiting};
use super::settings::Tcp;
use super::{Moment, Transport};
use crate::limits;
use connection::Code;

/// How long the last packets may take to leave when the server stops.
const DRAIN_MAX: Duration = Duration::from_millis(500);
/// How long replies may take to leave before that.
const DRAIN_STEP: Duration = Duration::from_millis(5);
/// Handshakes with addresses that may be forged; a further newcomer has to prove its own first.
const UNPROVEN_MAX: u32 = 32;
/// Newcomers that wait to be looked at, and octets that they may have sent meanwhile.
const INCOMING_MAX: usize = 1_024;
const INCOMING_SIZE_MAX: u64 = 4 << 10;
/// Octets that a client may send before we have looked at them: of a query, of all queries of a connection.
const STREAM_WINDOW: u32 = 8 << 10;
const CONNECTION_WINDOW: u32 = 32 << 10;
/// Octets of replies that a connection keeps until the client has them; what is beyond waits with its query.
const SEND_WINDOW: u64 = 32 << 10;

/// The queries that come over QUIC.
pub(super) struct Server {
    pub(super) sockets: Vec<UdpSocket>,
    pub(super) answers: Answers,
    pub(super) limits: Tcp,
    pub(super) tls: rustls::ServerConfig,
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
        let config = config(self.tls, &self.limits)?;
        let endpoints: Vec<Endpoint> =
            self.sockets.drain(..).map(|socket| endpoint(socket, config.clone())).collect::<io::Result<_>>()?;
        let worker = Rc::new(Worker::new(self.answers, self.limits));
        let accepting: Vec<_> =
            endpoints.iter().map(|endpoint| spawn_local(accept(Rc::clone(&worker), endpoint.clone()))).collect();
        _ = ready.send(Ok(()));
        let mut tick = interval(worker.limits.tick());
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => worker.sweep(),
                _ = self.stop.wait_for(|stop| *stop) => break,
            }
        }
        accepting.iter().for_each(JoinHandle::abort);
        sleep(DRAIN_STEP).await; // what was answered leaves before the goodbye
        for endpoint in &endpoints {
            endpoint.close(Code::NoError.into(), b"");
            let _ = timeout(DRAIN_MAX, endpoint.wait_idle()).await; // a client that is gone is not waited for
        }
        Ok(())
    }
}

fn endpoint(socket: UdpSocket, config: ServerConfig) -> io::Result<Endpoint> {
    socket.set_nonblocking(true)?;
    Endpoint::new(EndpointConfig::default(), Some(config), socket, Arc::new(TokioRuntime))
}

fn config(tls: rustls::ServerConfig, limits: &Tcp) -> io::Result<ServerConfig> {
    let tls = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(limits::QUIC_QUERIES_MAX.into())
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(CONNECTION_WINDOW.into())
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(Some(limits.idle.try_into().map_err(io::Error::other)?));
    let mut config = ServerConfig::with_crypto(Arc::new(tls));
    config
        .transport_config(Arc::new(transport))
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_SIZE_MAX)
        .incoming_buffer_size_total(INCOMING_SIZE_MAX * INCOMING_MAX as u64);
    Ok(config)
}

/// Takes newcomers from one socket for ever.
async fn accept(worker: Rc<Worker>, endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        worker.admit(incoming);
    }
}

/// What the connections share.
struct Worker {
    answers: RefCell<Answers>,
    /// The buffer for a reply, used without waiting.
    reply: RefCell<Box<[u8]>>,
    seats: RefCell<Seats<AbortHandle>>,
    limits: Tcp,
    /// Handshakes under way with addresses that may be forged.
    unproven: Cell<u32>,
}

impl Worker {
    fn new(answers: Answers, limits: Tcp) -> Self {
        Self {
            answers: RefCell::new(answers),
            reply: RefCell::new(vec![0; limits::MESSAGE_SIZE_MAX].into()),
            seats: RefCell::default(),
            limits,
            unproven: Cell::new(0),
        }
    }

    /// Gives a newcomer a seat and a task, has it prove its address, or sends it away.
    fn admit(self: &Rc<Self>, incoming: Incoming) {
        let proven = incoming.remote_address_validated();
        if !proven && self.unproven.get() >= UNPROVEN_MAX && incoming.may_retry() {
            let _ = incoming.retry(); // it may be, as was just asked
            return;
        }
        let address = incoming.remote_address().ip().to_canonical();
        if !self.has_room(address) {
            self.answers.borrow().stats().refused.add(1);
            incoming.refuse();
            return;
        }
        self.answers.borrow().stats().accepted.add(1);
        let seat = self.seats.borrow_mut().take(Moment::now().micros);
        let place = Place { worker: Rc::clone(self), address, seat };
        let task = spawn_local(connection::serve(incoming, place, proven));
        self.seats.borrow_mut().occupy(seat, task.abort_handle());
    }

    /// Counts one more connection from an address, if it may stay.
    fn has_room(&self, address: IpAddr) -> bool {
        let entrance = self.answers.borrow().policy().census(Transport::Quic).enter(address);
        match entrance {
            Entrance::Free => true,
            Entrance::Refused => false,
            Entrance::Crowded => {
                let made = self.seats.borrow_mut().end_longest(&[Waiting::Query, Waiting::Message]);
                let answers = self.answers.borrow();
                answers.stats().evicted.add(made.into());
                if !made {
                    answers.policy().census(Transport::Quic).leave(address);
                }
                made
            }
        }
    }

    /// Ends the connections that have been idle for too long; all other waits have a limit of their own.
    fn sweep(&self) {
        let mut answers = self.answers.borrow_mut();
        answers.refresh();
        let idle = answers.policy().idle(Transport::Quic).as_micros() as u64;
        let ended = self.seats.borrow_mut().end_before(Waiting::Query, Moment::now().micros.saturating_sub(idle));
        answers.stats().timed_out.add(ended);
    }
}

/// The place of a connection among the others; left when this is dropped.
struct Place {
    worker: Rc<Worker>,
    address: IpAddr,
    seat: u32,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.worker.seats.borrow_mut().leave(self.seat);
        let answers = self.worker.answers.borrow();
        answers.policy().census(Transport::Quic).leave(self.address);
        answers.stats().closed.add(1);
    }
}
