//! Whole messages, against an independent codec: hickory-proto writes the queries and reads the replies.
//!
//! Every set of the sample zone is asked, over UDP and TCP, with and without EDNS; what hickory reads must be what the zone
//! holds, octet for octet. And whatever a mutated query is answered with, hickory can read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "who cannot go on here should stop")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};

use freehold::dns::respond::respond;
use freehold::dns::stats::Stats;
use freehold::dns::{Moment, Peer, Policy, Settings, Transport, Verdict};
use freehold::store::Snapshot;
use freehold::wire::NameRef;
use freehold::zone::{Zone, text};
use hickory_proto::op::{DEFAULT_MAX_PAYLOAD_LEN, Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinEncodable};
use proptest::prelude::*;

const SAMPLE: &[u8] = include_bytes!("../zones/home.example.zone");

static WORLD: LazyLock<(Snapshot, Policy)> = LazyLock::new(|| {
    let mut load = |_: &str, _: &str| Err(std::io::ErrorKind::NotFound.into());
    let reading = text::read(SAMPLE.into(), "home.example.zone", None, &mut load, &mut |_| ());
    let zone = Zone::build(reading.draft).zone.expect("the sample zone is sound");
    let snapshot = Snapshot { revision: 1, zones: [Arc::new(zone)].into_iter().collect(), ..Snapshot::default() };
    (snapshot, Policy::new(&Settings::default(), &[1; 16]))
});

fn ask(packet: &[u8], transport: Transport) -> Option<Vec<u8>> {
    let (snapshot, policy) = &*WORLD;
    let mut buffer = vec![0; 65_535];
    let peer = Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), transport };
    match respond(packet, peer, Moment::now(), snapshot, policy, &Stats::default(), &mut buffer) {
        Verdict::Reply(size) => Some(buffer[..size].to_vec()),
        Verdict::Silence => None,
    }
}

fn query(name: NameRef<'_>, kind: u16, edns: bool) -> Vec<u8> {
    let mut message = Message::new(0xbeef, MessageType::Query, OpCode::Query);
    let labels: Vec<&[u8]> = name.labels().collect();
    let name = Name::from_labels(labels).expect("a name");
    message.add_query(Query::query(name, RecordType::from(kind)));
    if edns {
        let mut opt = Edns::new();
        opt.set_max_payload(DEFAULT_MAX_PAYLOAD_LEN);
        message.set_edns(opt);
    }
    message.to_vec().expect("a query")
}

/// The data as hickory writes it when nothing is compressed.
fn uncompressed(record: &hickory_proto::rr::Record) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut encoder = hickory_proto::serialize::binary::BinEncoder::new(&mut octets);
    encoder.set_name_encoding(hickory_proto::serialize::binary::NameEncoding::Uncompressed);
    record.data.emit(&mut encoder).expect("data");
    octets
}

#[test]
fn every_set_is_read_as_the_zone_holds_it() {
    let zone = WORLD.0.zones.iter().next().expect("one zone").clone();
    let mut asked = 0;
    for node in zone.nodes() {
        let below_cut =
            zone.nodes().any(|cut| cut.has_ns() && cut.name() != zone.apex() && node.name().is_within(cut.name()));
        if below_cut || node.name().is_wildcard() {
            continue; // a referral is no copy of a set, and hickory reads a wildcard as an owner of its own kind
        }
        for set in node.sets() {
            for (transport, edns) in [(Transport::Udp, false), (Transport::Udp, true), (Transport::Tcp, true)] {
                let reply = ask(&query(node.name(), set.kind().0, edns), transport).expect("a reply");
                let message = Message::from_vec(&reply).expect("hickory reads it");
                assert_eq!(message.metadata.response_code, ResponseCode::NoError, "{} {}", node.name(), set.kind());
                assert!(message.metadata.authoritative && message.metadata.id == 0xbeef);
                if message.metadata.truncation {
                    continue;
                }
                let mut data: Vec<_> = message.answers.iter().map(uncompressed).collect();
                data.sort();
                let held: Vec<_> = set.rdatas().map(<[u8]>::to_vec).collect();
                assert_eq!(data, held, "{} {}", node.name(), set.kind());
                assert!(message.answers.iter().all(|record| record.ttl == set.ttl()));
                asked += 1;
            }
        }
    }
    assert!(asked > 90, "the sample zone has something to ask: {asked}");
}

proptest! {
    /// Flipped, cut and spliced queries get a reply that can be read, or none; never a panic.
    #[test]
    fn replies_to_mutated_queries_can_be_read(
        at in 0..40_usize, kind in prop::sample::select(vec![1_u16, 2, 5, 6, 15, 16, 28, 33, 65, 255]), edns: bool,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6), cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let zone = WORLD.0.zones.iter().next().expect("one zone").clone();
        let node = zone.nodes().cycle().nth(at).expect("a node");
        let mut packet = query(node.name(), kind, edns);
        for (index, value) in flips {
            let at = index.index(packet.len());
            packet[at] ^= value;
        }
        if let Some(cut) = cut {
            packet.truncate(cut.index(packet.len() + 1));
        }
        for transport in [Transport::Udp, Transport::Tcp] {
            if let Some(reply) = ask(&packet, transport) {
                prop_assert!(Message::from_bytes(&reply).is_ok(), "{packet:02x?} -> {reply:02x?}");
            }
        }
    }
}

/// The longest question, the longest identity and a cookie together are more than 512 octets: the identity gives way.
#[test]
fn the_longest_identity_never_makes_a_reply_too_long() {
    let settings = Settings { identity: Some("i".repeat(255)), ..Settings::default() };
    let policy = Policy::new(&settings, &[1; 16]);
    let label = [&[63][..], &[b'a'; 63]].concat();
    let name = [&label[..], &label, &label, &[47], &[b'a'; 47], b"\x04home\x07example\0"].concat();
    assert_eq!(name.len(), 254);
    let head = [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    let options = [&[0, 3, 0, 0, 0, 10, 0, 8][..], &[7; 8]].concat(); // NSID, and a client's cookie
    let opt = [&[0, 0, 41, 2, 0, 0, 0, 0, 0, 0, options.len() as u8][..], &options].concat();
    let packet = [&head[..], &name, &[0, 1, 0, 1], &opt].concat();
    let mut buffer = [0; 1232];
    let peer = Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), transport: Transport::Udp };
    let verdict = respond(&packet, peer, Moment::now(), &WORLD.0, &policy, &Stats::default(), &mut buffer);
    let Verdict::Reply(size) = verdict else { panic!("no reply") };
    assert!(size <= 512, "{size} octets");
    let message = Message::from_bytes(&buffer[..size]).expect("hickory reads it");
    assert!(message.edns.is_some_and(|edns| edns.option(hickory_proto::rr::rdata::opt::EdnsCode::Cookie).is_some()));
}
