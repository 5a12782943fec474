//! Development mode: sample zones come into an empty store, and the first words to the user.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::admin::Places;
use super::edge::Edge;
use super::settings::Settings;
use super::{Failure, Hands, encrypted};
use crate::api::{FIRST_TOKEN_FILE, ZoneSummary, plain};
use crate::dns;
use crate::store::{Actor, Change, Snapshot, Store};

/// Where the sample zones are looked for.
const ZONES: &str = "zones";
/// Zones that are shown at the start; the rest is counted.
const ZONES_SHOWN_MAX: usize = 20;

/// Imports the zone files of `zones/` if the store is empty. A file with faults is shown and left out, because a
/// developer wants the others served meanwhile.
pub(super) fn import(store: &Store, hands: &Hands) -> io::Result<()> {
    if !store.snapshot().zones.is_empty() {
        return Ok(());
    }
    for path in zone_files(Path::new(ZONES))? {
        let refused = match (hands.read_zone)(&path) {
            Ok(zone) => store
                .commit_blocking(Change::PutZone { zone }, Actor::new("development", ""))
                .err()
                .map(|fault| fault.to_string()),
            Err(shown) => Some(shown),
        };
        if let Some(refused) = refused {
            writeln!(io::stderr(), "{}: left out\n{refused}", path.display())?;
        }
    }
    Ok(())
}

fn zone_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "zone"));
    files.sort();
    Ok(files)
}

/// The edge, or why there is none.
pub(super) struct Web<'a> {
    pub(super) edge: Option<&'a Edge>,
    pub(super) trouble: Option<&'a Failure>,
}

/// The name server, and why it does not answer over TLS and QUIC.
pub(super) struct Names<'a> {
    pub(super) dns: &'a dns::Handle,
    pub(super) trouble: Option<&'a Failure>,
}

/// Says what is served, and what to try.
pub(super) fn greet(
    snapshot: &Snapshot,
    settings: &Settings,
    names: &Names<'_>,
    web: &Web<'_>,
    admin: &Places,
    hands: &Hands,
) -> io::Result<()> {
    let (addresses, data) = (names.dns.addresses(), settings.store.directory.as_path());
    let mut out = io::stdout().lock();
    writeln!(out, "Freehold {}, development mode: answers on this machine only.\n", env!("CARGO_PKG_VERSION"))?;
    let rows: Vec<Vec<String>> =
        snapshot.zones.iter().take(ZONES_SHOWN_MAX).map(|zone| row(&ZoneSummary::of(zone))).collect();
    if rows.is_empty() {
        writeln!(out, "No zones yet: there are no zone files in ./{ZONES}.")?;
    } else {
        (hands.table)(&mut out, &["ZONE", "NAMES", "RECORDS", "SERIAL"], &rows)?;
    }
    if let Some(more) = snapshot.zones.len().checked_sub(ZONES_SHOWN_MAX).filter(|&more| more > 0) {
        writeln!(out, "... and {more} more")?;
    }
    writeln!(out)?;
    names.tell(&mut out)?;
    web.tell(&mut out)?;
    if !admin.urls.is_empty() {
        writeln!(out, "Admin  {}", admin.urls.join(", "))?;
    }
    for (message, cure) in &admin.missing {
        writeln!(out, "Admin  {message}\n       = cure: {cure}")?;
    }
    writeln!(out, "Data   {}\n\nTry:", data.display())?;
    let call = admin.urls.first().and_then(|url| call(url, &data.join(FIRST_TOKEN_FILE)));
    let visit = web.edge.zip(addresses.first()).and_then(|(edge, dns)| edge.visit(*dns, data));
    let encrypted = encrypted::try_it(settings, names.dns, data);
    for command in commands(snapshot, addresses).into_iter().chain(encrypted).chain(visit).chain(call) {
        writeln!(out, "  {command}")?;
    }
    writeln!(out, "\nCtrl-C stops it; the next start serves the same zones from the data directory.")?;
    out.flush()
}

impl Names<'_> {
    fn tell(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "DNS    {} (UDP and TCP)", list(self.dns.addresses()))?;
        let (tls, quic) = (self.dns.tls_addresses(), self.dns.quic_addresses());
        if tls == quic && !tls.is_empty() {
            writeln!(out, "       {} (TLS and QUIC)", list(tls))?;
        } else {
            for (addresses, what) in [(tls, "TLS"), (quic, "QUIC")].iter().filter(|(some, _)| !some.is_empty()) {
                writeln!(out, "       {} ({what})", list(addresses))?;
            }
        }
        match self.trouble {
            Some(failure) => writeln!(out, "       {}\n       = cure: {}", failure.message, failure.cure),
            None => Ok(()),
        }
    }
}

fn list(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Web<'_> {
    fn tell(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(edge) = self.edge {
            for (what, addresses) in [("HTTPS", edge.https()), ("HTTP ", edge.http())] {
                if !addresses.is_empty() {
                    writeln!(out, "{what}  {}", list(addresses))?;
                }
            }
            if !edge.http3().is_empty() {
                writeln!(out, "HTTP/3 {} (UDP)", list(edge.http3()))?;
            }
        }
        match self.trouble {
            Some(failure) => writeln!(out, "HTTPS  {}\n       = cure: {}", failure.message, failure.cure),
            None => Ok(()),
        }
    }
}

/// A call of the API, if there is a token for it.
fn call(url: &str, token: &Path) -> Option<String> {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"/._-".contains(&octet);
    let token = token.to_str().filter(|path| path.bytes().all(plain) && Path::new(path).exists())?;
    Some(format!("curl -H \"Authorization: Bearer $(cat {token})\" {url}/v1/zones"))
}

fn row(zone: &ZoneSummary) -> Vec<String> {
    vec![zone.name.clone(), zone.names.to_string(), zone.records.to_string(), zone.serial.to_string()]
}

/// Commands that work as they stand: names that exist, the port that answers, the path this program was started by.
fn commands(snapshot: &Snapshot, addresses: &[SocketAddr]) -> Vec<String> {
    let mut commands = Vec::new();
    let has_sample =
        "home.example".parse::<crate::wire::Name>().is_ok_and(|apex| snapshot.zones.get(apex.borrow()).is_some());
    let first = snapshot.zones.iter().next().map(|zone| format!("{} SOA", plain(zone.apex())));
    let name = if has_sample { Some("www.home.example".to_owned()) } else { first };
    if let (Some(address), Some(name)) = (addresses.first(), name) {
        commands.push(format!("dig @{} -p {} {name}", address.ip(), address.port()));
    }
    let program = std::env::args().next().unwrap_or_else(|| "freehold".into());
    commands.push(format!("{program} zone list"));
    commands
}
