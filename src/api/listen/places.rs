//! How many connections there are at once: in all, from one client, and of those that are told there are too many.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places of one door.
pub(super) struct Places {
    max: usize,
    per_client_max: usize,
    refusals_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    refusals: usize,
    clients: HashMap<IpAddr, usize>,
}

/// What a connection gets.
pub(super) enum Welcome {
    /// A place.
    Place(Place),
    /// The time to be told that there is none.
    Refusal(Place),
    /// Nothing.
    Nothing,
}

impl Places {
    pub(super) fn new(max: usize, per_client_max: usize, refusals_max: usize) -> Arc<Self> {
        Arc::new(Self { max, per_client_max, refusals_max, taken: Mutex::default() })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a client, who is nobody in particular over the Unix socket.
    pub(super) fn take(self: &Arc<Self>, client: Option<IpAddr>) -> Welcome {
        let mut taken = self.taken();
        let client = client.map(network);
        let own = client.and_then(|client| taken.clients.get(&client)).copied().unwrap_or_default();
        if taken.all < self.max && own < self.per_client_max {
            taken.all += 1;
            if let Some(client) = client {
                taken.clients.insert(client, own + 1);
            }
            Welcome::Place(Place { places: Arc::clone(self), kind: Kind::Served(client) })
        } else if taken.refusals < self.refusals_max {
            taken.refusals += 1;
            Welcome::Refusal(Place { places: Arc::clone(self), kind: Kind::Refused })
        } else {
            Welcome::Nothing
        }
    }
}

/// A place, free again when this is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    kind: Kind,
}

enum Kind {
    Served(Option<IpAddr>),
    Refused,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        match self.kind {
            Kind::Refused => taken.refusals -= 1,
            Kind::Served(client) => {
                taken.all -= 1;
                let Some(client) = client else { return };
                match taken.clients.get_mut(&client) {
                    Some(own) if *own > 1 => *own -= 1,
                    Some(_) | None => drop(taken.clients.remove(&client)),
                }
            }
        }
    }
}

/// Whoever has one IPv6 address has the 2^64 beside it.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & u128::MAX << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(welcome: &Welcome) -> &'static str {
        match welcome {
            Welcome::Place(_) => "place",
            Welcome::Refusal(_) => "refusal",
            Welcome::Nothing => "nothing",
        }
    }

    #[test]
    fn places_are_limited_and_given_back() {
        let places = Places::new(3, 2, 1);
        let client = |text: &str| Some(text.parse().unwrap());
        let first = places.take(client("2001:db8::1"));
        let second = places.take(client("2001:db8::2"));
        let third = places.take(client("2001:db8::3"));
        assert_eq!([&first, &second, &third].map(told), ["place", "place", "refusal"], "one network");
        let other = places.take(client("192.0.2.1"));
        let fifth = places.take(client("192.0.2.2"));
        assert_eq!([&other, &fifth].map(told), ["place", "nothing"], "all are taken, the refusal too");
        drop((first, second, third, other));
        let Taken { all, refusals, clients } = std::mem::take(&mut *places.taken());
        assert_eq!((all, refusals, clients.len()), (0, 0, 0));
        assert_eq!(told(&places.take(None)), "place");
    }
}
