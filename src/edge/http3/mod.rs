//! HTTP/3 (RFC 9114) on quinn: QUIC and its TLS are quinn's, the little that HTTP/3 puts on top is here, and a request goes the way of
//! every other one from `proxy.rs` on.
//!
//! One thread serves it, with pools of its own: the packets of a connection have to meet wherever they come from, also when a client
//! changes its address, and the kernel deals packets out by address. Rejected: a socket for each thread, which would lose whoever moves
//! unless the kernel is taught to look at connection identifiers.
//!
//! Nothing is answered that could be replayed (0-RTT is off), no answer is pushed, WebSocket goes over the other versions (RFC 9220 is not
//! offered, so clients know), and clients are asked for certificates there as well: routes that want one say 421 here, upon which
//! a client comes back over TCP.

mod code;
mod connection;
mod control;
mod frame;
mod head;
mod inflow;
mod outflow;
mod qpack;
mod request;

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use quinn::{ConnectionError, Endpoint, EndpointConfig, Incoming, ServerConfig, TokioRuntime, TransportConfig};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::timeout;

use super::client::{Client, Place};
use super::tls::{Secure, Spoken, quic_name};
use super::worker::Worker;
use crate::limits::{CLIENT_CONNECTION_WINDOW, CLIENT_STREAM_WINDOW};
use code::Code;
pub(super) use inflow::Inflow;

/// Handshakes with addresses that may be forged; a further newcomer has to prove its own first (RFC 9000, section 8.1.2), which takes
/// no memory of ours. So forged packets take no places from the networks that they claim to be from.
const UNPROVEN_MAX: u32 = 32;
/// Newcomers that wait to be looked at, and octets that they may have sent meanwhile.
const INCOMING_MAX: usize = 1_024;
const INCOMING_SIZE_MAX: u64 = 8 << 10;
/// Streams of a client that are no requests: one for control, two for QPACK, and some that nobody knows.
const OTHER_STREAMS_MAX: u32 = 8;
/// Octets of answers that a connection keeps until the client has them: 160 Mbit/s over 50 ms.
const SEND_WINDOW: u64 = 1 << 20;
/// How long a client may be silent until it is given up.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How often a silent client is asked whether it is there: browsers give up after 30 s, and a stream of events may be silent for longer.
const PING_EVERY: Duration = Duration::from_secs(12);
/// How long the last packets may take to leave when the edge stops.
const DRAIN_MAX: Duration = Duration::from_millis(500);
/// What TLS says when there is no certificate for a name (RFC 9001, section 4.8: 0x100 and the alert `access_denied`).
const NO_CERTIFICATE: u64 = 0x100 + 49;

/// A socket that is served.
pub(super) struct Entrance {
    endpoint: Endpoint,
    accepting: JoinHandle<()>,
}

impl Entrance {
    /// Serves a socket.
    pub(super) fn open(worker: &Rc<Worker>, socket: UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let (local, config) = (socket.local_addr()?, config(worker)?);
        let endpoint = Endpoint::new(EndpointConfig::default(), Some(config), socket, Arc::new(TokioRuntime))?;
        let door = Rc::new(Door { worker: Rc::clone(worker), local, unproven: Cell::new(0) });
        let accepting = spawn_local(accept(door, endpoint.clone()));
        Ok(Self { endpoint, accepting })
    }

    /// Lets nobody in any more.
    pub(super) fn shut(&self) {
        self.accepting.abort();
        self.endpoint.set_server_config(None);
    }

    /// Lets the last packets leave.
    pub(super) async fn close(self) {
        self.endpoint.close(Code::NoError.into(), b"");
        let _ = timeout(DRAIN_MAX, self.endpoint.wait_idle()).await; // a client that is gone is not waited for
    }
}

fn config(worker: &Worker) -> io::Result<ServerConfig> {
    let tls = worker.shared.tls.for_quic()?;
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(worker.shared.settings.clients.streams_max.into())
        .max_concurrent_uni_streams(OTHER_STREAMS_MAX.into())
        .stream_receive_window(CLIENT_STREAM_WINDOW.into())
        .receive_window(CLIENT_CONNECTION_WINDOW.into())
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(Some(SILENCE_MAX.try_into().map_err(io::Error::other)?))
        .keep_alive_interval(Some(PING_EVERY));
    let mut config = ServerConfig::with_crypto(Arc::new(tls));
    config
        .transport_config(Arc::new(transport))
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_SIZE_MAX)
        .incoming_buffer_size_total(INCOMING_SIZE_MAX * INCOMING_MAX as u64);
    Ok(config)
}

/// Takes newcomers for ever.
async fn accept(door: Rc<Door>, endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        door.admit(incoming);
    }
    // Who stops the edge ends this task before.
    tracing::error!(address = %door.local, "HTTP/3 is not served any more: its socket fails. A restart opens it again");
}

/// Where newcomers of one socket come in.
struct Door {
    worker: Rc<Worker>,
    local: SocketAddr,
    /// Handshakes under way with addresses that may be forged.
    unproven: Cell<u32>,
}

impl Door {
    /// Gives a newcomer a place and a task, has it prove its address, or sends it away.
    fn admit(self: &Rc<Self>, incoming: Incoming) {
        let (address, proven) = (incoming.remote_address(), incoming.remote_address_validated());
        if !proven && self.unproven.get() >= UNPROVEN_MAX && incoming.may_retry() {
            let _ = incoming.retry(); // it may be, as was just asked
            return;
        }
        let settings = &self.worker.shared.settings;
        // A proxy that only passes octets on cannot say here whose they are.
        let nameless = settings.is_announced(address.ip().to_canonical());
        let place = if nameless { None } else { Place::take(&self.worker, address, self.local) };
        let Some(place) = place else { return incoming.refuse() };
        let unproven = (!proven).then(|| Unproven::count(self));
        spawn_local(shake_hands(Rc::clone(&self.worker), incoming, place, unproven));
    }
}

/// One handshake with an address that may be forged.
struct Unproven(Rc<Door>);

impl Unproven {
    fn count(door: &Rc<Door>) -> Self {
        door.unproven.set(door.unproven.get() + 1);
        Self(Rc::clone(door))
    }
}

impl Drop for Unproven {
    fn drop(&mut self) {
        self.0.unproven.set(self.0.unproven.get() - 1);
    }
}

async fn shake_hands(worker: Rc<Worker>, incoming: Incoming, place: Place, unproven: Option<Unproven>) {
    let stats = worker.stats();
    let shaken = match incoming.accept() {
        Ok(connecting) => timeout(worker.shared.settings.clients.handshake, connecting).await,
        Err(fault) => Ok(Err(fault)),
    };
    drop(unproven);
    let connection = match shaken {
        Ok(Ok(connection)) => connection,
        Ok(Err(fault)) => return count_failure(&worker, &fault),
        Err(_) => {
            stats.handshakes_failed.add(1);
            stats.handshakes_slow.add(1);
            return stats.timed_out.add(1);
        }
    };
    stats.handshakes.add(1);
    stats.http3.add(1);
    let name = quic_name(&connection).or_else(|| worker.shared.settings.default_server_name.clone());
    let secure = Secure {
        server_name: name.unwrap_or_default().to_ascii_lowercase().into(),
        spoken: Spoken::Http3,
        version: "TLSv1.3",
        resumed: false, // quinn does not say
        shown: None,
    };
    connection::serve(connection, Client::new(&worker, place, Some(secure))).await;
}

fn count_failure(worker: &Worker, fault: &ConnectionError) {
    let stats = worker.stats();
    match fault {
        ConnectionError::TransportError(fault) if u64::from(fault.code) == NO_CERTIFICATE => {
            return stats.names_unknown.add(1);
        }
        // The numbers of alerts of TLS (RFC 9001, section 4.8).
        ConnectionError::ConnectionClosed(close) if (0x100..0x200).contains(&u64::from(close.error_code)) => {
            stats.handshakes_rejected.add(1);
        }
        ConnectionError::ConnectionClosed(_) | ConnectionError::TimedOut | ConnectionError::Reset => {
            stats.handshakes_left.add(1);
        }
        ConnectionError::VersionMismatch
        | ConnectionError::TransportError(_)
        | ConnectionError::ApplicationClosed(_)
        | ConnectionError::LocallyClosed
        | ConnectionError::CidsExhausted => (),
    }
    stats.handshakes_failed.add(1);
}
