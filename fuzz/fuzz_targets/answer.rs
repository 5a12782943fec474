//! Any packet, over UDP and TCP, through the whole path to the answer: no panic, and a reply that is a reply.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};

use freehold::dns::respond::respond;
use freehold::dns::stats::Stats;
use freehold::dns::{Moment, Peer, Policy, Settings, Transport, Verdict};
use freehold::store::Snapshot;
use freehold::zone::{Zone, text};
use libfuzzer_sys::fuzz_target;

const ZONE: &[u8] = include_bytes!("../../zones/home.example.zone");

static WORLD: LazyLock<(Snapshot, Policy)> = LazyLock::new(|| {
    let mut load = |_: &str, _: &str| Err(std::io::ErrorKind::NotFound.into());
    let reading = text::read(ZONE.into(), "home.example.zone", None, &mut load, &mut |_| ());
    let zone = Zone::build(reading.draft).zone.expect("the sample zone is sound");
    let snapshot = Snapshot { revision: 1, zones: [Arc::new(zone)].into_iter().collect(), ..Snapshot::default() };
    (snapshot, Policy::new(&Settings::default(), &[1; 16]))
});

fuzz_target!(|packet: &[u8]| {
    let (snapshot, policy) = &*WORLD;
    let (stats, now) = (Stats::default(), Moment { unix_seconds: 1_800_000_000, micros: 1 });
    let mut buffer = vec![0; 65_535];
    for (transport, size_max) in [(Transport::Udp, 1_232), (Transport::Tcp, 65_535), (Transport::Tls, 65_535)] {
        let peer = Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), transport };
        if let Verdict::Reply(size) = respond(packet, peer, now, snapshot, policy, &stats, &mut buffer) {
            assert!((12..=size_max).contains(&size), "{size} octets");
            assert_eq!(buffer[..2], packet[..2], "the identifier is repeated");
            assert!(packet[2] & 0x80 == 0 && buffer[2] & 0x80 != 0, "a response is never answered");
        }
    }
});
