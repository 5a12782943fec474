//! Where requests come from: the Unix socket, and TCP with or without TLS. All take the same way, [`connection`], which
//! bounds what a client may do before anybody knows who it is.
//!
//! `axum::serve` would be shorter, but it can neither limit connections, nor end those that hang, nor speak TLS.
//!
//! A connection takes a place ([`places`]) until it ends. The Unix socket has places of its own: whatever happens in the
//! network, the machine's own commands get through.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

mod body;
mod connection;
pub(super) mod guard;
mod places;
mod pulse;
mod socket;
mod tcp;
mod tls;

#[cfg(test)]
mod tests;

pub(super) use body::Stalled;
pub use socket::Socket;
pub use tcp::{BindFault, Bound, Tcp};
pub use tls::Tls;

use super::caller::Caller;
use crate::limits;
use connection::Desk;
use places::{Place, Places, Welcome};
use pulse::Times;

/// How long to wait after a failed accept, which means that file descriptors or memory ran out.
const ACCEPT_RETRY_AFTER: Duration = Duration::from_millis(100);

/// Where the API is reached.
pub struct Doors {
    /// The Unix socket.
    pub socket: Socket,
    /// Addresses over TCP.
    pub tcp: Vec<Tcp>,
    /// For those of them that are not loopback; without it they stay shut.
    pub tls: Option<Tls>,
}

/// What all connections share.
#[derive(Clone)]
struct House {
    router: Router,
    times: Times,
    /// Whether the server stops. A connection holds it as long as it lives.
    stop: watch::Receiver<bool>,
}

/// Serves until `stop` is done; then requests under way are finished.
pub(super) async fn serve(doors: Doors, router: Router, stop: impl Future<Output = ()> + Send) {
    serve_within(doors, router, Times::default(), stop).await;
}

async fn serve_within(doors: Doors, router: Router, times: Times, stop: impl Future<Output = ()> + Send) {
    let Doors { socket, tcp, tls } = doors;
    let (stopping, told) = watch::channel(false);
    let house = House { router, times, stop: told };
    let local = Places::new(limits::ADMIN_SOCKET_CONNECTIONS_MAX, usize::MAX, limits::ADMIN_REFUSALS_MAX);
    let network = Places::new(
        limits::ADMIN_CONNECTIONS_MAX,
        limits::ADMIN_CONNECTIONS_PER_CLIENT_MAX,
        limits::ADMIN_REFUSALS_MAX,
    );
    let tls = tls.map(Arc::new);
    tokio::spawn(accept_local(socket, local, house.clone()));
    for tcp in tcp {
        let tls = tls.clone().filter(|_| tcp.is_secure());
        if tcp.is_secure() && tls.is_none() {
            continue; // never in the clear
        }
        tokio::spawn(accept_network(tcp, tls, Arc::clone(&network), house.clone()));
    }
    drop(house);
    stop.await;
    stopping.send_replace(true);
    stopping.closed().await;
}

/// Hands out what `accept` brings until the server stops.
async fn until_stop<T>(
    stop: &mut watch::Receiver<bool>,
    accept: impl Future<Output = io::Result<T>>,
) -> Option<io::Result<T>> {
    tokio::select! {
        _ = stop.changed() => None,
        accepted = accept => Some(accepted),
    }
}

async fn accept_local(socket: Socket, places: Arc<Places>, mut house: House) {
    while let Some(accepted) = until_stop(&mut house.stop, socket.accept()).await {
        match accepted {
            Ok((stream, Some(caller))) => enter(places.take(None), stream, caller, &house),
            Ok((_, None)) => (), // not for them
            Err(fault) => after(&fault).await,
        }
    }
}

async fn accept_network(tcp: Tcp, tls: Option<Arc<Tls>>, places: Arc<Places>, mut house: House) {
    while let Some(accepted) = until_stop(&mut house.stop, tcp.accept()).await {
        let (stream, peer, local) = match accepted {
            Ok(accepted) => accepted,
            Err(fault) => {
                after(&fault).await;
                continue;
            }
        };
        let (welcome, caller) = (places.take(Some(peer)), Caller::Network { peer, local });
        match &tls {
            None => enter(welcome, stream, caller, &house),
            Some(_) if matches!(welcome, Welcome::Nothing) => (),
            Some(tls) => {
                let (tls, house) = (Arc::clone(tls), house.clone());
                tokio::spawn(async move {
                    match tokio::time::timeout(house.times.head, tls.accept(stream, local)).await {
                        Ok(Ok(stream)) => enter(welcome, stream, caller, &house),
                        Ok(Err(fault)) => tracing::debug!(%peer, %fault, "no TLS with a client of the admin API"),
                        Err(_) => tracing::debug!(%peer, "a TLS handshake with the admin API took too long"),
                    }
                });
            }
        }
    }
}

/// Serves a connection as far as there is a place for it.
fn enter<S>(welcome: Welcome, stream: S, caller: Caller, house: &House)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let House { router, times, stop } = house.clone();
    let serve = |place: Place, desk: Desk| async move {
        connection::serve(stream, caller, desk, times, stop).await;
        drop(place);
    };
    match welcome {
        Welcome::Place(place) => drop(tokio::spawn(serve(place, Desk::Open(router)))),
        Welcome::Refusal(place) => {
            tracing::warn!("too many connections to the admin API");
            drop(tokio::spawn(serve(place, Desk::Full)));
        }
        Welcome::Nothing => (),
    }
}

/// What to do when a connection could not be accepted: nothing, if it was gone already; else wait, for the machine lacks
/// something.
async fn after(fault: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, NotConnected};
    if !matches!(fault.kind(), ConnectionAborted | ConnectionReset | NotConnected) {
        tracing::warn!(%fault, "the admin API cannot accept; trying again");
        tokio::time::sleep(ACCEPT_RETRY_AFTER).await;
    }
}
