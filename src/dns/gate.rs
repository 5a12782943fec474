//! Who may ask, and how often: response rate limiting, on by default.
//!
//! A forged source address turns any name server into a cannon: small questions in, large answers out to somebody
//! who never asked. So each client network (a /24 or a /56) has a rate of replies over UDP, and beyond it every
//! second reply is a truncated one, no longer than the question, and the others are not sent. An honest
//! client that shares a network with an attacker comes back over TCP, which cannot be forged, or with a cookie
//! that proves its address; both pass always.
//!
//! The rate is kept as GCRA: one moment per network, at which its allowance would be full again. That fits one atomic
//! word together with a tag, eight of which are one cache line; the table has a fixed size, no locks, and is keyed
//! afresh in every process, so that nobody can choose addresses that collide. When a line is full, the
//! network with the most allowance left is forgotten: it loses nothing but a little history.
//!
//! Rejected: a count per second (lets through twice the rate around the turn of a second), a class per name and type as
//! in BIND and NSD (a flood of random names escapes it, and every query pays for the hash), a map behind a lock.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;

use super::cookie::CookieState;
use super::settings::RateLimit;
use super::stats::Networks;
use super::{Moment, Peer, Transport};

/// Cache lines of the table: 8,192 lines of 64 octets are 512 KiB and remember 57,344 busy networks at a time.
const LINES: usize = 8_192;
/// Networks that share a cache line. The eighth word counts the replies that were withheld.
const WAYS: usize = 7;
/// Ticks in a microsecond, so that a rate of 100,000 a second is still exact to 1 %.
const TICKS: u64 = 16;
/// Ticks that the moments of two threads may differ by: a second, far more than a batch takes.
const SKEW_MAX: u64 = 1_000_000 * TICKS;
/// Bits of a word that hold the moment; the 12 above are the tag. 52 bits of ticks last for 8.9 years of running.
const MOMENT_BITS: u32 = 52;
const MOMENT_MASK: u64 = (1 << MOMENT_BITS) - 1;

/// What happens to a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is answered.
    Pass,
    /// It is answered with an empty truncated reply: an honest client asks again over TCP.
    Slip,
    /// It is not answered.
    Drop,
}

/// The rate limit with its memory, shared by all threads.
pub struct Gate {
    /// `None`: everything passes.
    limit: Option<Limit>,
    lines: Box<[Line]>,
    keys: RandomState,
    exempt: Box<[Network]>,
}

struct Limit {
    /// Ticks that one reply uses up.
    cost: u64,
    /// Ticks that a network which was silent for long may use up at once.
    burst: u64,
    slip: u64,
    ipv4_mask: u32,
    ipv6_mask: u64,
}

/// One cache line: seven networks and a count.
#[derive(Default)]
#[repr(align(64))]
struct Line {
    networks: [AtomicU64; WAYS],
    withheld: AtomicU64,
}

impl Gate {
    /// A gate with the given limits; call [`super::Settings::check`] first.
    pub fn new(settings: &RateLimit) -> Self {
        let limit = (settings.responses_per_second > 0).then(|| Limit::new(settings));
        let lines = if limit.is_some() { LINES } else { 0 };
        Self {
            limit,
            lines: (0..lines).map(|_| Line::default()).collect(),
            keys: RandomState::new(),
            exempt: settings.exempt.clone().into(),
        }
    }

    /// Decides about one query and, when it passes, takes the reply off the allowance of its network.
    #[inline]
    pub fn admit(&self, peer: Peer, now: Moment, cookie: CookieState) -> Admission {
        let Some(limit) = &self.limit else { return Admission::Pass };
        if peer.transport != Transport::Udp || cookie == CookieState::Valid {
            return Admission::Pass;
        }
        let hash = self.keys.hash_one(limit.network(peer.address));
        let line = &self.lines[hash as usize % self.lines.len()];
        if line.take(limit, hash >> MOMENT_BITS, now.micros * TICKS) || self.is_exempt(peer.address) {
            return Admission::Pass;
        }
        let withheld = line.withheld.fetch_add(1, Ordering::Relaxed);
        if limit.slip > 0 && withheld.is_multiple_of(limit.slip) { Admission::Slip } else { Admission::Drop }
    }

    /// What it remembers at this moment, which another thread may be changing.
    pub fn networks(&self, now: Moment) -> Networks {
        let Some(limit) = &self.limit else { return Networks::default() };
        let now = now.micros * TICKS;
        let full_at = |word: &AtomicU64| word.load(Ordering::Relaxed) & MOMENT_MASK;
        let held = self.lines.iter().flat_map(|line| &line.networks).map(full_at);
        let busy = held.filter(|full_at| *full_at > now);
        let mut networks = Networks { room: (self.lines.len() * WAYS) as u64, ..Networks::default() };
        busy.for_each(|full_at| {
            networks.busy += 1;
            networks.limited += u64::from(full_at + limit.cost > now + limit.burst);
        });
        networks
    }

    /// Asked only beyond the limit, so that the list costs nothing until then.
    #[cold]
    fn is_exempt(&self, address: IpAddr) -> bool {
        self.exempt.iter().any(|network| network.contains(address))
    }
}

impl Limit {
    fn new(settings: &RateLimit) -> Self {
        let cost = 1_000_000 * TICKS / u64::from(settings.responses_per_second.max(1));
        Self {
            cost,
            burst: cost * u64::from(settings.burst.max(1)),
            slip: settings.slip.into(),
            ipv4_mask: u32::MAX.checked_shl(32 - u32::from(settings.ipv4_prefix.min(32))).unwrap_or(0),
            ipv6_mask: u64::MAX.checked_shl(64 - u32::from(settings.ipv6_prefix.min(64))).unwrap_or(0),
        }
    }

    /// IPv4 networks take numbers under 2^32, which as IPv6 networks would be in ::/32: nobody lives there.
    fn network(&self, address: IpAddr) -> u64 {
        match address {
            IpAddr::V4(address) => u64::from(address.to_bits() & self.ipv4_mask),
            IpAddr::V6(address) => (address.to_bits() >> 64) as u64 & self.ipv6_mask,
        }
    }
}

impl Line {
    /// Takes one reply off a network's allowance; false when there is none left.
    fn take(&self, limit: &Limit, tag: u64, now: u64) -> bool {
        // Three tries: whoever is overtaken that often between load and store stands in a crowd that is
        // counted anyhow; the reply then goes uncounted rather than the thread around in circles.
        for _ in 0..3 {
            let (place, held) = self.place(tag);
            let full_at = if held >> MOMENT_BITS == tag { held & MOMENT_MASK } else { 0 };
            let next_full_at = full_at.max(now) + limit.cost;
            if next_full_at > now + limit.burst {
                if full_at > now + limit.burst + SKEW_MAX {
                    // The clock went back. As if the burst had just been used, so that it heals in that time.
                    place.store(tag << MOMENT_BITS | (now + limit.burst) & MOMENT_MASK, Ordering::Relaxed);
                }
                return false;
            }
            let next = tag << MOMENT_BITS | next_full_at & MOMENT_MASK;
            if place.compare_exchange_weak(held, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return true;
            }
        }
        true
    }

    /// The word of the network with this tag, or else the one whose network loses least by being forgotten.
    fn place(&self, tag: u64) -> (&AtomicU64, u64) {
        let mut best = (&self.networks[0], self.networks[0].load(Ordering::Relaxed));
        for place in &self.networks {
            let held = place.load(Ordering::Relaxed);
            if held >> MOMENT_BITS == tag && held != 0 {
                return (place, held);
            }
            if held & MOMENT_MASK < best.1 & MOMENT_MASK {
                best = (place, held);
            }
        }
        best
    }
}

/// A network in CIDR notation, such as `192.0.2.0/24`; a lone address is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The addresses that never leave the machine, and so cannot be forged from outside.
    pub fn this_machine() -> [Self; 2] {
        [
            Self { address: Ipv4Addr::new(127, 0, 0, 0).into(), prefix: 8 },
            Self { address: Ipv6Addr::LOCALHOST.into(), prefix: 128 },
        ]
    }

    /// Whether the address lies in this network.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                masked(address, self.prefix) == self.address
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// The address with all bits after the first `prefix` cleared.
pub(super) fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is not a network; write it as 192.0.2.0/24 or 2001:db8::/32");
        let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = if text.contains('/') { prefix.parse().map_err(|_| wrong())? } else { longest };
        if prefix > longest {
            return Err(wrong());
        }
        let first = masked(address, prefix);
        if first != address {
            return Err(format!("\"{text}\" has bits after the prefix; the network is {first}/{prefix}"));
        }
        Ok(Self { address, prefix })
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn limit(responses_per_second: u32, burst: u32, slip: u8) -> RateLimit {
        RateLimit { responses_per_second, burst, slip, exempt: Vec::new(), ..RateLimit::default() }
    }

    fn udp(address: &str) -> Peer {
        Peer { address: address.parse().unwrap(), transport: Transport::Udp }
    }

    fn at(micros: u64) -> Moment {
        Moment { unix_seconds: 0, micros }
    }

    /// Asks `count` times from `start`, evenly over `micros`; how many passed, slipped, were dropped.
    fn flood(gate: &Gate, address: &str, start: u64, micros: u64, count: u64) -> [u64; 3] {
        let mut outcome = [0; 3];
        for i in 0..count {
            match gate.admit(udp(address), at(start + micros * i / count), CookieState::Absent) {
                Admission::Pass => outcome[0] += 1,
                Admission::Slip => outcome[1] += 1,
                Admission::Drop => outcome[2] += 1,
            }
        }
        outcome
    }

    #[test]
    fn the_rate_holds_over_time_and_the_burst_at_once() {
        for (rate, burst) in [(1, 1), (200, 400), (1_000, 10), (10_000, 1)] {
            let gate = Gate::new(&limit(rate, burst, 2));
            let start = 5 * SECOND;
            assert_eq!(
                flood(&gate, "192.0.2.1", start, 0, 10 * u64::from(burst))[0],
                u64::from(burst),
                "burst of {rate}"
            );
            let passed = flood(&gate, "192.0.2.1", start, 10 * SECOND, 200_000)[0];
            let wanted = 10 * u64::from(rate);
            assert!(passed.abs_diff(wanted) <= 1 + wanted / 100, "{passed} passed at {rate} a second");
        }
    }

    #[test]
    fn under_the_rate_nothing_is_ever_withheld() {
        let gate = Gate::new(&limit(200, 2, 2));
        assert_eq!(flood(&gate, "192.0.2.1", 0, 60 * SECOND, 60 * 199), [60 * 199, 0, 0]);
    }

    #[test]
    fn every_slipth_reply_beyond_the_limit_is_a_truncated_one() {
        for (slip, slipped) in [(0, 0), (1, 10_000), (2, 5_000), (3, 3_334)] {
            let gate = Gate::new(&limit(1, 1, slip));
            assert_eq!(flood(&gate, "192.0.2.1", 0, 0, 10_001), [1, slipped, 10_000 - slipped], "slip {slip}");
        }
    }

    #[test]
    fn a_network_shares_its_allowance_and_no_other_does() {
        let gate = Gate::new(&limit(1, 5, 2));
        let addresses = ["192.0.2.1", "192.0.2.255", "2001:db8:0:100::1", "2001:db8:0:1ff:ffff::1"];
        let passed: Vec<_> = addresses.iter().map(|address| flood(&gate, address, 0, 0, 50)[0]).collect();
        assert_eq!(passed, [5, 0, 5, 0]);
        for neighbour in ["192.0.3.1", "192.0.1.255", "2001:db8:0:200::1", "2001:db8::1"] {
            assert_eq!(flood(&gate, neighbour, 0, 0, 50)[0], 5, "{neighbour}");
        }
    }

    #[test]
    fn tcp_cookies_and_exempt_networks_pass() {
        let gate = Gate::new(&RateLimit { exempt: vec!["192.0.2.0/28".parse().unwrap()], ..limit(1, 1, 2) });
        assert_eq!(flood(&gate, "192.0.2.1", 0, 0, 100), [100, 0, 0]);
        assert_eq!(flood(&gate, "192.0.2.77", 0, 0, 101), [0, 51, 50], "not exempt, though of the same /24");
        let tcp = Peer { transport: Transport::Tcp, ..udp("192.0.2.77") };
        assert_eq!(gate.admit(tcp, at(0), CookieState::Absent), Admission::Pass);
        assert_eq!(gate.admit(udp("192.0.2.77"), at(0), CookieState::Valid), Admission::Pass);
        for cookie in [CookieState::Absent, CookieState::ClientOnly, CookieState::Invalid, CookieState::Malformed] {
            assert_ne!(gate.admit(udp("192.0.2.77"), at(0), cookie), Admission::Pass, "{cookie:?}");
        }
        assert_eq!(flood(&Gate::new(&limit(0, 1, 2)), "192.0.2.1", 0, 0, 1_000), [1_000, 0, 0], "off");
    }

    #[test]
    fn a_clock_that_goes_back_shuts_nobody_out() {
        let gate = Gate::new(&limit(100, 10, 2));
        assert_eq!(flood(&gate, "192.0.2.1", 3_600 * SECOND, 0, 100)[0], 10);
        assert_eq!(flood(&gate, "192.0.2.1", SECOND, 0, 100)[0], 0, "as if the burst had just been used");
        let healed = flood(&gate, "192.0.2.1", SECOND, 10 * SECOND, 10_000)[0];
        assert!(healed.abs_diff(1_000) <= 1, "{healed} passed in 10 seconds from then on");
    }

    #[test]
    fn a_million_forged_networks_do_not_disturb_an_honest_one() {
        let gate = Gate::new(&limit(200, 400, 2));
        let mut honest = 0;
        for i in 0..1_000_000_u32 {
            let forged = Peer { address: Ipv4Addr::from_bits(i << 8).into(), transport: Transport::Udp };
            gate.admit(forged, at(u64::from(i)), CookieState::Absent);
            if i % 10_000 == 0 {
                honest +=
                    u32::from(gate.admit(udp("2001:db8::1"), at(i.into()), CookieState::Absent) == Admission::Pass);
            }
        }
        assert_eq!(honest, 100, "100 queries in a second, while a million other networks ask once");
    }

    #[test]
    fn a_flood_is_still_held_while_others_fill_the_table() {
        let gate = Gate::new(&limit(200, 400, 2));
        let mut passed = 0;
        for i in 0..1_000_000_u32 {
            let forged = Peer { address: Ipv4Addr::from_bits(i << 8).into(), transport: Transport::Udp };
            gate.admit(forged, at(u64::from(i)), CookieState::Absent);
            passed += u32::from(gate.admit(udp("2001:db8::1"), at(i.into()), CookieState::Absent) == Admission::Pass);
        }
        assert!(passed <= 650, "{passed} of a million passed");
    }

    #[test]
    fn the_memory_tells_who_is_busy_and_who_is_held_back() {
        let gate = Gate::new(&limit(1, 5, 2));
        assert_eq!(gate.networks(at(0)), Networks { room: 57_344, busy: 0, limited: 0 });
        flood(&gate, "192.0.2.1", SECOND, 0, 1);
        flood(&gate, "2001:db8::1", SECOND, 0, 50);
        assert_eq!(gate.networks(at(SECOND)), Networks { room: 57_344, busy: 2, limited: 1 });
        assert_eq!(gate.networks(at(3 * SECOND)), Networks { room: 57_344, busy: 1, limited: 0 });
        assert_eq!(gate.networks(at(6 * SECOND)).busy, 0, "full again");
        assert_eq!(Gate::new(&limit(0, 1, 2)).networks(at(0)), Networks::default(), "off");
    }

    #[test]
    fn the_table_is_made_of_cache_lines() {
        assert_eq!((size_of::<Line>(), align_of::<Line>()), (64, 64));
    }

    #[test]
    fn networks_are_read_strictly() {
        for good in ["192.0.2.0/24", "0.0.0.0/0", "::/0", "2001:db8::/32", "192.0.2.1/32", "::1/128"] {
            assert_eq!(good.parse::<Network>().unwrap().to_string(), good);
        }
        assert_eq!("192.0.2.1".parse::<Network>().unwrap().to_string(), "192.0.2.1/32");
        for wrong in ["", "/", "192.0.2.0/33", "192.0.2.0/", "192.0.2/24", "::/129", "192.0.2.0/-1", "example.org"] {
            assert!(wrong.parse::<Network>().unwrap_err().contains("is not a network"), "{wrong}");
        }
        assert!("192.0.2.1/24".parse::<Network>().unwrap_err().ends_with("the network is 192.0.2.0/24"));
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("255.1.2.3".parse().unwrap()) && !all.contains("::1".parse().unwrap()));
    }
}
