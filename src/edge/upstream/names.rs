//! The addresses of an app that is given by name.
//!
//! They are asked of the system (getaddrinfo), because what names an app is often no DNS: `/etc/hosts`, a container network, mDNS.
//! The system tells no TTL, so what it says is believed for ten seconds, which is no longer than what tools that move apps by DNS
//! set; then it is asked again behind the back of requests, which go on with what is known. So only the first request has to wait
//! for a name, and only where the route has no other app: elsewhere an app whose name is not known yet is asked last. A name that
//! cannot be resolved any more leaves its addresses in use until none of them takes a connection. When an address goes,
//! no connection from before is used again.
//!
//! Rejected: a resolver of our own, which would know the TTL and nothing of the rest.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use tokio::net::lookup_host;
use tokio::sync::Notify;
use tokio::task::spawn_local;

use super::Pool;
use crate::edge::failure::Failure;
use crate::edge::watch::Tick;
use crate::route::{Address, Server};

/// Ticks for which the addresses of a name are believed: ten seconds.
const RESOLVED_FOR: Tick = 40;
/// Addresses of one name that are used.
const ADDRESSES_MAX: usize = 32;

/// What is known of a name.
#[derive(Default)]
pub(super) struct Names {
    /// Never changed, but replaced.
    addresses: RefCell<Rc<[SocketAddr]>>,
    /// Until when they are believed.
    until: Cell<Tick>,
    /// Whether they are being asked for.
    asking: Cell<bool>,
    asked: Notify,
    /// Which of them is tried first.
    turn: Cell<usize>,
}

impl Names {
    /// They are to be asked for anew, and until then not to be used.
    pub(super) fn doubt(&self) {
        self.addresses.take();
        self.until.set(0);
    }

    /// All that is known, each time another first.
    fn in_turn(&self) -> impl Iterator<Item = SocketAddr> + use<> {
        let (addresses, turn) = (Rc::clone(&self.addresses.borrow()), self.turn.get());
        self.turn.set(turn.wrapping_add(1));
        (0..addresses.len()).map(move |step| addresses[(turn % addresses.len() + step) % addresses.len()])
    }
}

impl Pool {
    /// Whether it is known where to connect to. If not, it is being found out.
    pub(in crate::edge) fn is_resolved(self: &Rc<Self>) -> bool {
        let Address::Tcp { server: Server::Name(name), port } = &self.app.address else { return true };
        self.ask(name, *port);
        !self.names.addresses.borrow().is_empty()
    }

    /// The addresses of the name, each time another first.
    pub(super) async fn resolve(
        self: &Rc<Self>,
        name: &str,
        port: u16,
    ) -> Result<impl Iterator<Item = SocketAddr> + use<>, Failure> {
        self.ask(name, port);
        while self.names.addresses.borrow().is_empty() {
            if !self.names.asking.get() {
                return Err(Failure::AppNameUnknown);
            }
            self.names.asked.notified().await;
        }
        Ok(self.names.in_turn())
    }

    /// Asks for the addresses if it is time to, once for all who want to know.
    fn ask(self: &Rc<Self>, name: &str, port: u16) {
        if self.now.get() < self.names.until.get() || self.names.asking.replace(true) {
            return;
        }
        let (pool, name) = (Rc::clone(self), name.to_owned());
        spawn_local(async move {
            let _asking = Asking(Rc::clone(&pool));
            let found = lookup_host((&*name, port)).await.map(addresses);
            pool.learn(found);
        });
    }

    fn learn(&self, found: io::Result<Vec<SocketAddr>>) {
        let names = &self.names;
        let Some(found) = found.ok().filter(|found| !found.is_empty()) else {
            // Not at once, or each request would ask; soon, for a name that is not there may be on its way.
            return names.until.set(self.now.get() + super::DOWN / 2);
        };
        names.until.set(self.now.get() + RESOLVED_FOR);
        if names.addresses.borrow().iter().any(|known| !found.contains(known)) {
            self.moves.set(self.moves.get() + 1);
            self.idle.borrow_mut().clear();
            self.resting.borrow_mut().clear();
            self.shared.borrow_mut().clear();
        }
        names.addresses.replace(found.into());
    }
}

/// While it exists, a name is being asked for.
struct Asking(Rc<Pool>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.names.asking.set(false);
        self.0.names.asked.notify_waiters();
    }
}

/// Each once, in an order that does not change by itself.
fn addresses(found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let plain = |address: SocketAddr| SocketAddr::new(IpAddr::to_canonical(&address.ip()), address.port());
    let mut found: Vec<_> = found.map(plain).take(ADDRESSES_MAX).collect();
    let mut known = std::collections::HashSet::new();
    found.retain(|address| known.insert(*address));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_first_in_its_turn() {
        let names = Names::default();
        assert_eq!(names.in_turn().count(), 0);
        let found = ["[::ffff:192.0.2.1]:1", "192.0.2.1:1", "192.0.2.2:1"].map(|text| text.parse().unwrap());
        names.addresses.replace(addresses(found.into_iter()).into());
        let firsts: Vec<_> = (0..4).map(|_| names.in_turn().next().unwrap().to_string()).collect();
        assert_eq!(names.in_turn().count(), 2, "the same address in two forms is one");
        assert!(firsts[0] != firsts[1] && firsts[0] == firsts[2] && firsts[1] == firsts[3], "{firsts:?}");
        names.doubt();
        assert_eq!(names.in_turn().count(), 0);
    }
}
