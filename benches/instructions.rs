//! Instructions per answer, by kind of answer: what `benches/instructions` counts under callgrind and holds against
//! the figures in `benches/instructions.tsv`.
//!
//! An instruction count does not depend on the machine nor on who else works on it, so it tells a change that makes
//! answers dearer from a bad moment. It says nothing about waits for memory and the kernel's share: `benches/peers`
//! measures those.
//!
//! Run by itself it only checks that every answer is of the kind it is meant to be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "who cannot go on here should stop")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use freehold::dns::respond::respond;
use freehold::dns::stats::Stats;
use freehold::dns::{Moment, Peer, Policy, Settings, Transport, Verdict};
use freehold::store::Snapshot;
use freehold::wire::{Kind, Name};
use freehold::zone::{Zone, text};

/// Answers of each kind, over which the figure is a mean.
const ANSWERS: usize = 2_000;
/// Names of each kind in the zone: enough for the index to have forks.
const NAMES: usize = 500;
const TRUNCATED: u16 = 0x0200;
const RCODE: u16 = 0x000f;
const REFUSED: u16 = 5;
const NXDOMAIN: u16 = 3;
const ANY: Kind = Kind(255);

/// What a kind of answer must look like: flags and rcode under a mask, records by section.
type Form = (u16, [u16; 3]);

/// A kind of question: `#` becomes the number of a name.
struct Asked {
    what: &'static str,
    name: &'static str,
    kind: Kind,
    options: &'static [u8],
    form: Form,
}

/// An OPT record: 1,232 octets.
const OPT: &[u8] = &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
/// An OPT record with the cookie of a client that has none of ours yet.
const COOKIE: &[u8] = &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];

const ALL: &[Asked] = &[
    plain("address", "h#", Kind::A, (0, [1, 0, 0])),
    plain("alias and its target", "c#", Kind::A, (0, [2, 0, 0])),
    plain("no such name", "x#", Kind::A, (NXDOMAIN, [0, 1, 0])),
    plain("no data", "h#", Kind::AAAA, (0, [0, 1, 0])),
    plain("referral with glue", "www.d#", Kind::A, (0, [0, 2, 2])),
    plain("wildcard", "any.w#", Kind::A, (0, [1, 0, 0])),
    plain("mail with addresses", "m#", Kind::MX, (0, [1, 0, 1])),
    plain("any", "h#", ANY, (0, [1, 0, 0])),
    plain("large text, truncated", "t#", Kind::TXT, (TRUNCATED, [0, 0, 0])),
    plain("not our zone", "h#.else.test.", Kind::A, (REFUSED, [0, 0, 0])),
    Asked { options: OPT, ..plain("address, EDNS", "h#", Kind::A, (0, [1, 0, 1])) },
    Asked { options: COOKIE, ..plain("address, cookie", "h#", Kind::A, (0, [1, 0, 1])) },
];

const fn plain(what: &'static str, name: &'static str, kind: Kind, form: Form) -> Asked {
    Asked { what, name, kind, options: &[], form }
}

fn main() {
    let (snapshot, policy) = (snapshot(), Policy::new(&Settings::default(), &[7; 16]));
    for asked in ALL {
        let queries = queries(asked);
        let (stats, mut reply) = (Stats::default(), [0; 1232]);
        answer_all(&queries[..1], &snapshot, &policy, &stats, &mut reply, Some(asked));
        counted(&queries, &snapshot, &policy, &stats, &mut reply);
        println!("{ANSWERS}\t{}", asked.what);
    }
}

/// Only what happens in here is counted: callgrind is told this function's name.
#[inline(never)]
fn counted(queries: &[Vec<u8>], snapshot: &Snapshot, policy: &Policy, stats: &Stats, reply: &mut [u8]) {
    answer_all(queries, snapshot, policy, stats, reply, None);
}

#[inline(always)]
fn answer_all(
    queries: &[Vec<u8>],
    snapshot: &Snapshot,
    policy: &Policy,
    stats: &Stats,
    reply: &mut [u8],
    checked: Option<&Asked>,
) {
    let peer = Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), transport: Transport::Udp };
    let now = Moment { unix_seconds: 1_800_000_000, micros: 1 };
    for query in queries {
        let Verdict::Reply(size) = respond(black_box(query), peer, now, snapshot, policy, stats, reply) else {
            panic!("no answer");
        };
        if let Some(asked) = checked {
            let number = |at: usize| u16::from_be_bytes([reply[at], reply[at + 1]]);
            let form = (number(2) & (TRUNCATED | RCODE), [number(6), number(8), number(10)]);
            assert_eq!(form, asked.form, "{}: {:?}", asked.what, &reply[..size]);
        }
        black_box(size);
    }
}

fn queries(asked: &Asked) -> Vec<Vec<u8>> {
    let origin: Name = "bench.example".parse().unwrap();
    let query = |number: usize| {
        let name = asked.name.replace('#', &number.to_string());
        let name = Name::parse(name.as_bytes(), Some(origin.borrow())).unwrap();
        let additional = u8::from(!asked.options.is_empty());
        let head = [number as u8, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, additional];
        [&head[..], name.as_bytes(), &asked.kind.0.to_be_bytes(), &[0, 1], asked.options].concat()
    };
    (0..ANSWERS).map(|number| query(100 + number * 7 % (NAMES - 100))).collect()
}

fn snapshot() -> Snapshot {
    let mut file = String::from(
        "$ORIGIN bench.example.\n$TTL 300\n@ SOA ns1 hostmaster 1 3600 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\n",
    );
    let large = format!("\"{}\"", "x".repeat(200));
    for n in 0..NAMES {
        file += &format!("h{n} A 10.0.0.1\nc{n} CNAME h{n}\nm{n} MX 10 h{n}\n*.w{n} A 192.0.2.3\n");
        file += &format!("d{n} NS ns1.d{n}\nd{n} NS ns2.d{n}\nns1.d{n} A 192.0.2.2\nns2.d{n} A 192.0.2.4\n");
        file += &format!("t{n} TXT {large} {large} {large}\n");
    }
    let reading = text::read(file.into_bytes().into(), "zone", None, &mut |_, _| unreachable!(), &mut |_| ());
    let zone = Zone::build(reading.draft).zone.expect("a sound zone");
    Snapshot { revision: 1, zones: [Arc::new(zone)].into_iter().collect(), ..Snapshot::default() }
}
