//! NSD, Knot and BIND: each started with a case's zones on a loopback port of its own.
//!
//! They are set up to answer as little as we do: no authority section on positive answers, one set for ANY,
//! UDP answers of at most 1,232 octets, no transfers, no rate limit.

use crate::kit::case::Case;
use crate::kit::exchange::exchange;
use crate::kit::name::name_octets;
use crate::kit::process::{Running, free_port};
use std::fs::write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Nsd,
    Knot,
    Bind,
}

pub(crate) const PEERS: [Peer; 3] = [Peer::Nsd, Peer::Knot, Peer::Bind];

impl Peer {
    /// As the table of differences writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Nsd => "nsd",
            Peer::Knot => "knot",
            Peer::Bind => "bind",
        }
    }
}

/// A running peer; ended on drop.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) address: SocketAddr,
    _running: Running,
    _folder: tempfile::TempDir,
}

/// Starts `peer` with the zones of `case` and waits until it answers all of them; or tells why it does not.
pub(crate) fn start(peer: Peer, case: &Case) -> Result<Started, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (index, zone) in case.zones.iter().enumerate() {
        write(path.join(format!("{index}.zone")), &zone.text).unwrap();
    }
    let port = free_port();
    let settings = path.join("settings");
    let text = match peer {
        Peer::Nsd => nsd_settings(case, path, port),
        Peer::Knot => knot_settings(case, path, port),
        Peer::Bind => bind_settings(case, path, port),
    };
    write(&settings, text).unwrap();
    let settings = settings.to_string_lossy();
    let log = path.join("log");
    let mut running = match peer {
        Peer::Nsd => Running::start("nsd", &["-d", "-c", &settings], &log),
        Peer::Knot => Running::start("knotd", &["-c", &settings], &log),
        Peer::Bind => Running::start("named", &["-g", "-c", &settings], &log),
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match wait_until_ready(case, address, &mut running) {
        Ok(()) => Ok(Started { address, _running: running, _folder: folder }),
        Err(zone) => {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(8).collect();
            Err(format!(
                "{} does not answer for zone {zone}; its log, last line first:\n{}",
                peer.name(),
                last.join("\n")
            ))
        }
    }
}

/// Asks each zone's SOA until it is answered with AA; gives back the zone that is not.
fn wait_until_ready(case: &Case, address: SocketAddr, running: &mut Running) -> Result<(), String> {
    // BIND loads its zones of class CH last: any answer about them will do, but SERVFAIL.
    let zones = case.zones.iter().map(|zone| (zone.name.as_str(), [0, 6, 0, 1]));
    let questions = zones.chain([("id.server", [0, 16, 0, 3])]);
    let deadline = Instant::now() + Duration::from_secs(10);
    for (name, kind_and_class) in questions {
        let mut packet = vec![0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        packet.extend(name_octets(name));
        packet.extend(kind_and_class);
        loop {
            let reply = exchange(address, &packet, false, Duration::from_millis(200));
            let is_ready = |reply: Vec<u8>| match kind_and_class[3] {
                1 => reply[2] & 4 != 0 && reply[3] & 15 == 0,
                _ => reply[3] & 15 != 2,
            };
            if reply.is_some_and(is_ready) {
                break;
            }
            if Instant::now() > deadline || running.has_ended() {
                return Err(name.to_owned());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

fn nsd_settings(case: &Case, folder: &Path, port: u16) -> String {
    let folder = folder.display();
    let mut text = format!(
        "server:\n  ip-address: 127.0.0.1@{port}\n  username: \"\"\n  server-count: 1\n  zonesdir: \"{folder}\"\n  \
         database: \"\"\n  pidfile: \"{folder}/pid\"\n  xfrdfile: \"{folder}/xfrd\"\n  xfrdir: \"{folder}\"\n  \
         zonelistfile: \"{folder}/zonelist\"\n  ipv4-edns-size: 1232\n  refuse-any: no\n  minimal-responses: yes\n  \
         rrl-ratelimit: 0\n  answer-cookie: yes\n"
    );
    match case.setting("identity") {
        Some(name) => text.push_str(&format!("  identity: \"{name}\"\n  nsid: \"ascii_{name}\"\n")),
        None => text.push_str("  hide-identity: yes\n"),
    }
    match case.setting("version") {
        Some(version) => text.push_str(&format!("  version: \"{version}\"\n")),
        None => text.push_str("  hide-version: yes\n"),
    }
    text.push_str("remote-control:\n  control-enable: no\n");
    for (index, zone) in case.zones.iter().enumerate() {
        text.push_str(&format!("zone:\n  name: \"{}\"\n  zonefile: \"{index}.zone\"\n", zone.name));
    }
    text
}

fn knot_settings(case: &Case, folder: &Path, port: u16) -> String {
    let folder = folder.display();
    let identity = case.setting("identity").unwrap_or_default();
    let version = case.setting("version").unwrap_or_default();
    let mut text = format!(
        "server:\n    rundir: \"{folder}\"\n    listen: 127.0.0.1@{port}\n    udp-max-payload: 1232\n    udp-workers: 1\n    \
         tcp-workers: 1\n    background-workers: 1\n    version: \"{version}\"\n    identity: \"{identity}\"\n    nsid: \"{identity}\"\n\
         mod-cookies:\n  - id: c\n\
         log:\n  - target: stderr\n    any: info\ndatabase:\n    storage: \"{folder}\"\n\
         template:\n  - id: default\n    storage: \"{folder}\"\n    semantic-checks: off\n    zonefile-load: whole\n    \
         journal-content: none\n    global-module: mod-cookies/c\nzone:\n"
    );
    for (index, zone) in case.zones.iter().enumerate() {
        text.push_str(&format!("  - domain: \"{}\"\n    file: \"{index}.zone\"\n", zone.name));
    }
    text
}

fn bind_settings(case: &Case, folder: &Path, port: u16) -> String {
    let folder = folder.display();
    let quoted = |key| case.setting(key).map_or("none".to_owned(), |value| format!("\"{value}\""));
    let (identity, version) = (quoted("identity"), quoted("version"));
    let mut text = format!(
        "options {{ directory \"{folder}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
         recursion no; minimal-responses no-auth; minimal-any yes; max-udp-size 1232; edns-udp-size 1232;\n\
         nocookie-udp-size 1232; pid-file none; session-keyfile none; allow-transfer {{ none; }}; notify no;\n\
         check-names primary ignore; check-integrity no; check-mx ignore; check-srv-cname ignore; check-sibling no;\n\
         check-wildcard no; check-spf ignore; version {version}; hostname {identity}; server-id {identity}; empty-zones-enable no;\n\
         dnssec-validation no; root-key-sentinel no; max-records-per-type 0; max-types-per-name 0; querylog no; }};\ncontrols {{ }};\n"
    );
    for (index, zone) in case.zones.iter().enumerate() {
        text.push_str(&format!("zone \"{}\" {{ type primary; file \"{index}.zone\"; }};\n", zone.name));
    }
    text
}
