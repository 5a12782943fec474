//! How many connections there are, in all and from each network, over all threads.
//!
//! The lock is taken when a connection comes and when it goes, never for a query.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::gate;
use super::settings::Settings;

/// Counts connections and knows the limits.
pub(super) struct Census {
    /// How many there are; changed only under the lock, read without it.
    open: AtomicU32,
    networks: Mutex<HashMap<IpAddr, u32>>,
    open_max: u32,
    network_max: u32,
    ipv4_prefix: u8,
    ipv6_prefix: u8,
    idle: Duration,
}

/// Whether one more connection may stay.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entrance {
    /// There is room.
    Free,
    /// It is counted, and it is one too many: another one has to go.
    Crowded,
    /// Its network has all it may have; it is not counted.
    Refused,
}

impl Census {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            open: AtomicU32::new(0),
            networks: Mutex::default(),
            open_max: settings.tcp.connections_max,
            network_max: settings.tcp.connections_per_client_max,
            ipv4_prefix: settings.rate_limit.ipv4_prefix,
            ipv6_prefix: settings.rate_limit.ipv6_prefix,
            idle: settings.tcp.idle,
        }
    }

    /// Counts a connection that has come.
    pub(super) fn enter(&self, address: IpAddr) -> Entrance {
        let mut networks = self.lock();
        let count = networks.entry(self.network(address)).or_insert(0);
        if *count >= self.network_max {
            return Entrance::Refused;
        }
        *count += 1;
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        if open > self.open_max { Entrance::Crowded } else { Entrance::Free }
    }

    /// Counts a connection that is over, or for which no room was found.
    pub(super) fn leave(&self, address: IpAddr) {
        let mut networks = self.lock();
        if let Entry::Occupied(mut network) = networks.entry(self.network(address)) {
            *network.get_mut() -= 1;
            if *network.get() == 0 {
                network.remove();
            }
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How long a connection may wait for its next query: less, the fewer are left (RFC 7766, section 6.2.3).
    pub(super) fn idle(&self) -> Duration {
        let (open, all) = (u64::from(self.open.load(Ordering::Relaxed)), u64::from(self.open_max));
        let share = match 8 * open {
            used if used < 4 * all => 1,
            used if used < 6 * all => 3,
            used if used < 7 * all => 10,
            _ => 30,
        };
        self.idle / share
    }

    fn network(&self, address: IpAddr) -> IpAddr {
        let prefix = if address.is_ipv4() { self.ipv4_prefix } else { self.ipv6_prefix };
        gate::masked(address, prefix)
    }

    /// A thread that panicked with the lock held left the counts whole: no step between them can fail.
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::settings::Tcp;

    fn census(connections_max: u32, connections_per_client_max: u32) -> Census {
        let tcp = Tcp { connections_max, connections_per_client_max, ..Tcp::default() };
        Census::new(&Settings { tcp, ..Settings::default() })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_has_its_limit_and_all_together_have_theirs() {
        let census = census(4, 2);
        assert_eq!(census.enter(address("192.0.2.1")), Entrance::Free);
        assert_eq!(census.enter(address("192.0.2.2")), Entrance::Free);
        assert_eq!(census.enter(address("192.0.2.3")), Entrance::Refused);
        assert_eq!(census.enter(address("2001:db8::1")), Entrance::Free);
        assert_eq!(census.enter(address("2001:db8:0:ff::1")), Entrance::Free);
        assert_eq!(census.enter(address("2001:db8:0:fe::1")), Entrance::Refused);
        assert_eq!(census.enter(address("192.0.3.1")), Entrance::Crowded);
        census.leave(address("192.0.3.1"));
        census.leave(address("192.0.2.1"));
        assert_eq!(census.enter(address("192.0.2.3")), Entrance::Free);
        for gone in ["192.0.2.3", "192.0.2.2", "2001:db8::1", "2001:db8::1"] {
            census.leave(address(gone));
        }
        assert!(census.lock().is_empty(), "networks without connections are forgotten");
        assert_eq!(census.open.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_fuller_the_shorter() {
        let census = census(8, 100);
        let mut seconds = vec![census.idle().as_secs()];
        for _ in 0..8 {
            census.enter(address("192.0.2.1"));
            seconds.push(census.idle().as_secs());
        }
        assert_eq!(seconds, [30, 30, 30, 30, 10, 10, 3, 1, 1]);
    }
}
