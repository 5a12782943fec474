//! Our server with a case's zones and settings: as a function, and as a server on a loopback port.

use crate::kit::case::{Case, ZoneText};
use arc_swap::ArcSwap;
use freehold::dns::respond::respond;
use freehold::dns::settings::Listen;
use freehold::dns::stats::Stats;
use freehold::dns::{Handle, Moment, Peer, Policy, Settings, Sockets, Transport, Verdict, start};
use freehold::store::Snapshot;
use freehold::zone::{Severity, Zone, text};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// Any secret will do.
const COOKIE_SECRET: [u8; 16] = *b"sixteen octets!!";

/// `respond` with all it needs.
pub(crate) struct Function {
    snapshot: Snapshot,
    policy: Policy,
    stats: Stats,
    buffer: Vec<u8>,
}

impl Function {
    pub(crate) fn new(case: &Case) -> Result<Function, String> {
        let policy = Policy::new(&settings(&case.settings), &COOKIE_SECRET);
        let snapshot = snapshot(&case.zones)?;
        Ok(Function { snapshot, policy, stats: Stats::default(), buffer: vec![0; 65_535] })
    }

    /// The reply's octets, or silence.
    pub(crate) fn respond(&mut self, packet: &[u8], over_tcp: bool) -> Option<Vec<u8>> {
        let transport = if over_tcp { Transport::Tcp } else { Transport::Udp };
        let peer = Peer { address: Ipv4Addr::LOCALHOST.into(), transport };
        let size = if over_tcp { 65_535 } else { 1_232 };
        let reply = &mut self.buffer[..size];
        match respond(packet, peer, Moment::now(), &self.snapshot, &self.policy, &self.stats, reply) {
            Verdict::Reply(length) => Some(reply[..length].to_vec()),
            Verdict::Silence => None,
        }
    }
}

/// Starts a server for these zones on these addresses; it stops when the handle is dropped. An error tells why not.
pub(crate) fn serve(zones: &[ZoneText], settings_text: &str, addresses: &[SocketAddr]) -> Result<Handle, String> {
    let snapshots = Arc::new(ArcSwap::from_pointee(snapshot(zones)?));
    let listen = addresses.iter().copied().map(Listen).collect();
    let settings = Settings { listen, workers: 1, ..settings(settings_text) };
    let sockets = Sockets::bind(&settings).map_err(|fault| fault.to_string())?;
    start(sockets, &settings, &COOKIE_SECRET, snapshots).map_err(|fault| fault.to_string())
}

fn settings(text: &str) -> Settings {
    toml::from_str(text).unwrap()
}

/// A snapshot with these zones.
pub(crate) fn snapshot(zones: &[ZoneText]) -> Result<Snapshot, String> {
    let zones = zones.iter().map(read_zone).collect::<Result<Vec<_>, _>>()?;
    Ok(Snapshot { revision: 1, zones: zones.into_iter().map(Arc::new).collect(), ..Snapshot::default() })
}

/// Warnings are no obstacle: cases are about zones that are not as they should be.
fn read_zone(zone: &ZoneText) -> Result<Zone, String> {
    let mut no_files = |path: &str, _: &str| Err(std::io::Error::other(format!("no file {path} in a case")));
    let reading = text::read(zone.text.as_bytes().into(), &zone.name, None, &mut no_files, &mut |_| ());
    let built = Zone::build(reading.draft);
    let faults = reading.faults.into_iter().chain(built.faults);
    let errors: Vec<String> = faults
        .filter(|fault| fault.severity == Severity::Error)
        .map(|fault| format!("{:?}: {}", fault.place, fault.message))
        .collect();
    built.zone.ok_or_else(|| format!("zone {}: {errors:#?}", zone.name))
}
