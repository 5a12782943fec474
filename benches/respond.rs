//! What one answer costs: nanoseconds and heap allocations by kind of question, with 100, 100,000 and 1,000,000 names.
//!
//! Run with `cargo bench --bench respond`. Names are asked in random order, so that at the larger sizes every answer
//! misses the cache as it would under a real resolver's load. The fastest of several rounds is told: on a busy machine
//! the others measure the neighbours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "who cannot go on here should stop")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use freehold::dns::respond::respond;
use freehold::dns::stats::Stats;
use freehold::dns::{Moment, Peer, Policy, Settings, Transport, Verdict};
use freehold::store::Snapshot;
use freehold::wire::{Kind, Name};
use freehold::zone::{Draft, Place, Zone};

const ROUNDS: usize = 7;
const QUERIES: usize = 50_000;
const PLACE: Place = Place { file: 0, line: 1, column: 1, width: 0 };

fn main() {
    println!("{:<24} {:>12} {:>12} {:>12}", "ns per answer", "100 names", "100,000", "1,000,000");
    let sizes = [100, 100_000, 1_000_000].map(World::new);
    for (what, kind, form) in KINDS {
        let costs = sizes.each_ref().map(|world| world.measure(*kind, form));
        let shown = costs.map(|cost| match cost.allocations {
            0 => format!("{:.0}", cost.nanoseconds),
            some => format!("{:.0} ({some} alloc)", cost.nanoseconds),
        });
        println!("{what:<24} {:>12} {:>12} {:>12}", shown[0], shown[1], shown[2]);
    }
    println!("no answer may allocate: {}", if sizes.iter().all(World::is_frugal) { "none does" } else { "SOME DO" });
    assert!(sizes.iter().all(World::is_frugal));
}

/// The kinds of questions: `#` becomes a number below the number of names, `?` a number that no name has.
const KINDS: &[(&str, Kind, &str)] = &[
    ("A", Kind::A, "h#"),
    ("no data", Kind::AAAA, "h#"),
    ("no such name", Kind::A, "x?"),
    ("alias and its target", Kind::A, "c#"),
    ("MX and addresses", Kind::MX, "m#"),
    ("referral with glue", Kind::A, "www.d#"),
    ("wildcard", Kind::A, "any.w#"),
    ("not our zone", Kind::A, "h#.else.test."),
];

struct World {
    names: usize,
    snapshot: Snapshot,
    policy: Policy,
}

struct Cost {
    nanoseconds: f64,
    allocations: u64,
}

impl World {
    /// A zone in which every tenth name is of a rarer kind.
    fn new(names: usize) -> Self {
        let origin: Name = "bench.example".parse().expect("a name");
        let mut draft = Draft::new(origin.clone());
        let mut put = |owner: &str, kind: Kind, rdata: &[u8]| {
            let owner = Name::parse(owner.as_bytes(), Some(origin.borrow())).expect("a name");
            draft.push(owner.borrow(), kind, 300, rdata, PLACE).expect("room");
        };
        let target =
            |label: &str| Name::parse(label.as_bytes(), Some(origin.borrow())).expect("a name").as_bytes().to_vec();
        let timers: Vec<u8> = [1_u32, 3600, 900, 1_209_600, 300].iter().flat_map(|timer| timer.to_be_bytes()).collect();
        put("@", Kind::SOA, &[target("ns1"), target("hostmaster"), timers].concat());
        put("@", Kind::NS, &target("ns1"));
        put("ns1", Kind::A, &[192, 0, 2, 1]);
        for n in 0..names {
            put(&format!("h{n}"), Kind::A, &[10, (n >> 16) as u8, (n >> 8) as u8, n as u8]);
            if n % 10 == 0 {
                put(&format!("c{n}"), Kind::CNAME, &target(&format!("h{n}")));
                put(&format!("m{n}"), Kind::MX, &[&[0, 10][..], &target(&format!("h{n}"))].concat());
                put(&format!("d{n}"), Kind::NS, &target(&format!("ns.d{n}")));
                put(&format!("ns.d{n}"), Kind::A, &[192, 0, 2, 2]);
                put(&format!("*.w{n}"), Kind::A, &[192, 0, 2, 3]);
            }
        }
        let zone = Zone::build(draft).zone.expect("a sound zone");
        let snapshot = Snapshot { revision: 1, zones: [Arc::new(zone)].into_iter().collect(), ..Snapshot::default() };
        Self { names, snapshot, policy: Policy::new(&Settings::default(), &[7; 16]) }
    }

    fn queries(&self, kind: Kind, form: &str) -> Vec<Vec<u8>> {
        let origin: Name = "bench.example".parse().expect("a name");
        let mut random = 88_172_645_463_325_252_u64;
        let queries = (0..QUERIES).map(|_| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let number = (random % self.names as u64 / 10 * 10).to_string();
            let name = form.replace('#', &number).replace('?', &random.to_string());
            let name = Name::parse(name.as_bytes(), Some(origin.borrow())).expect("a name");
            let head = [random as u8, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            [&head[..], name.as_bytes(), &kind.0.to_be_bytes(), &[0, 1]].concat()
        });
        queries.collect()
    }

    fn ask_all(&self, queries: &[Vec<u8>]) {
        let (stats, mut reply) = (Stats::default(), [0; 1232]);
        let peer = Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), transport: Transport::Udp };
        let now = Moment::now();
        for query in queries {
            let verdict = respond(query, peer, now, &self.snapshot, &self.policy, &stats, &mut reply);
            assert!(matches!(verdict, Verdict::Reply(size) if size > 20));
        }
    }

    fn measure(&self, kind: Kind, form: &str) -> Cost {
        let queries = self.queries(kind, form);
        let rounds = (0..ROUNDS).map(|_| {
            let start = Instant::now();
            self.ask_all(&queries);
            start.elapsed().as_nanos() as f64 / QUERIES as f64
        });
        let nanoseconds = rounds.fold(f64::INFINITY, f64::min);
        let allocations = allocation_counter::measure(|| self.ask_all(&queries)).count_total;
        Cost { nanoseconds, allocations }
    }

    fn is_frugal(&self) -> bool {
        KINDS.iter().all(|(_, kind, form)| {
            let queries = self.queries(*kind, form);
            allocation_counter::measure(|| self.ask_all(&queries)).count_total == 0
        })
    }
}
