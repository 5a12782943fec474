//! How many connections there are, in all and from each client. Asked only when one comes or goes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use super::client::network;
use super::settings::Clients;

/// The connections of all threads.
pub(super) struct Census {
    total: AtomicU32,
    total_max: u32,
    per_client_max: u32,
    clients: Mutex<HashMap<IpAddr, u32>>,
}

/// Whether a connection may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entrance {
    /// It may.
    Open,
    /// It may if another makes room.
    Full,
    /// Its client has enough of them.
    Refused,
}

impl Census {
    pub(super) fn new(limits: &Clients) -> Self {
        Self {
            total: AtomicU32::new(0),
            total_max: limits.connections_max,
            per_client_max: limits.connections_per_client_max,
            clients: Mutex::default(),
        }
    }

    /// One more; unless it is refused, [`Census::leave`] has to be called when it goes. Trusted proxies speak for many and have no
    /// limit of their own.
    pub(super) fn enter(&self, address: IpAddr, trusted: bool) -> Entrance {
        if !trusted {
            let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
            let count = clients.entry(network(address)).or_default();
            if *count >= self.per_client_max {
                return Entrance::Refused;
            }
            *count += 1;
        }
        let before = self.total.fetch_add(1, Ordering::Relaxed);
        if before >= self.total_max { Entrance::Full } else { Entrance::Open }
    }

    /// One less.
    pub(super) fn leave(&self, address: IpAddr, trusted: bool) {
        self.total.fetch_sub(1, Ordering::Relaxed);
        if trusted {
            return;
        }
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = clients.get_mut(&network(address)) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&network(address));
            }
        }
    }

    /// What an idle time is divided by: the fuller it is, the more.
    pub(super) fn haste(&self) -> u32 {
        let (total, max) = (u64::from(self.total.load(Ordering::Relaxed)), u64::from(self.total_max));
        match total * 4 / max {
            0..2 => 1,
            2 => 3,
            _ => 10,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_and_all_of_them_have_a_limit() {
        let limits = Clients { connections_max: 4, connections_per_client_max: 2, ..Clients::default() };
        let census = Census::new(&limits);
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(census.enter(address("2001:db8::1"), false), Entrance::Open);
        assert_eq!(census.enter(address("2001:db8::2"), false), Entrance::Open);
        assert_eq!((census.enter(address("2001:db8::3"), false), census.haste()), (Entrance::Refused, 3));
        assert_eq!(census.enter(address("192.0.2.1"), true), Entrance::Open);
        assert_eq!((census.enter(address("192.0.2.1"), true), census.haste()), (Entrance::Open, 10));
        assert_eq!(census.enter(address("192.0.2.1"), true), Entrance::Full);
        for _ in 0..3 {
            census.leave(address("192.0.2.1"), true);
        }
        census.leave(address("2001:db8::9"), false);
        census.leave(address("2001:db8::9"), false);
        assert_eq!(census.haste(), 1);
        assert!(census.clients.lock().unwrap().is_empty());
    }
}
