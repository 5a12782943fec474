//! The settings file, `freehold.toml`: where it is looked for, and what it may hold.
//!
//! Each section is the `Settings` of the folder that uses it; this page only puts them together. Zones are not in
//! it: they live in the store, so that there is one master and never two.

use std::env;
use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

mod fault;

use super::logging;
use crate::acme;
use crate::api;
use crate::api::system_reason;
use crate::cert::Subject;
use crate::dns;
use crate::edge;
use crate::store;
use crate::zone::Fault;
use crate::zone::text::{self, Source};

/// Where the settings file is looked for when the command line names none.
const USUAL_FILES: [&str; 2] = ["freehold.toml", "/etc/freehold/freehold.toml"];
/// The environment's word for the data directory.
const DATA_VARIABLE: &str = "FREEHOLD_DATA";
/// The data directory of development mode.
const DEVELOPMENT_DATA: &str = "./freehold-data";
/// The DNS port of development mode: nobody needs rights for it.
const DEVELOPMENT_PORT: u16 = 5300;
/// Its port of DNS over TLS and over QUIC, and the name of the server there.
const DEVELOPMENT_ENCRYPTED_PORT: u16 = 8853;
const DEVELOPMENT_NAME: &str = "dns.home.example";
/// Its ports of HTTP and HTTPS.
const DEVELOPMENT_HTTP_PORT: u16 = 8080;
const DEVELOPMENT_HTTPS_PORT: u16 = 8443;

/// What to do about a settings file that cannot be read.
const FILE_CURES: [(io::ErrorKind, &str); 3] = [
    (io::ErrorKind::NotFound, "check the path, or leave --config out"),
    (io::ErrorKind::PermissionDenied, "let the user that runs freehold read it"),
    (io::ErrorKind::InvalidData, "save it as UTF-8 text"),
];

/// All settings.
#[derive(Clone, Default)]
pub struct Settings {
    /// `[store]`
    pub store: store::Settings,
    /// `[dns]`
    pub dns: dns::Settings,
    /// `[admin]`
    pub admin: api::Settings,
    /// `[edge]`; without this section there is none.
    pub edge: Option<edge::Settings>,
    /// `[acme]`
    pub acme: acme::Settings,
    /// `[log]`
    pub log: logging::Settings,
}

/// Settings, and where they came from.
pub struct Loaded {
    /// The settings, with what the command line and the environment say on top.
    pub settings: Settings,
    /// The file; none is development mode.
    pub file: Option<PathBuf>,
    /// What the file says, word for word: so that a second reading can tell what is different.
    table: toml::Table,
}

/// What goes before the settings file: the command line.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--data`; the environment's `FREEHOLD_DATA` comes next.
    pub data: Option<PathBuf>,
    /// `--listen`
    pub listen: Vec<SocketAddr>,
    /// `--admin-listen`
    pub admin: Vec<SocketAddr>,
    /// `--http-listen`
    pub http: Vec<SocketAddr>,
    /// `--https-listen`
    pub https: Vec<SocketAddr>,
}

/// Settings that are no good: a text to show as it is.
#[derive(Debug)]
pub struct Bad(String);

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Finds and reads the settings. Without a file they are those of development mode.
pub fn load(chosen: &Chosen) -> Result<Loaded, Bad> {
    let file = find(chosen.config.as_deref());
    let (mut settings, table) = match &file {
        Some(path) => read_file(path)?,
        None => (development(), toml::Table::new()),
    };
    if let Some(data) = chosen.data.clone().or_else(|| env::var_os(DATA_VARIABLE).map(PathBuf::from)) {
        settings.store.directory = data;
    }
    if !chosen.listen.is_empty() {
        settings.dns.listen = chosen.listen.iter().copied().map(dns::settings::Listen).collect();
        if file.is_none() {
            settings.dns.encrypted = development_encrypted(&chosen.listen);
        }
    }
    if !chosen.admin.is_empty() {
        settings.admin.listen = Some(chosen.admin.iter().copied().map(api::Listen).collect());
    }
    for (chosen, is_secure) in [(&chosen.http, false), (&chosen.https, true)] {
        if !chosen.is_empty() {
            let listen = chosen.iter().map(|address| edge::settings::Listen(address.ip(), Some(address.port())));
            let edge = settings.edge.get_or_insert_with(nowhere);
            *(if is_secure { &mut edge.listen_https } else { &mut edge.listen_http }) = listen.collect();
        }
    }
    Ok(Loaded { settings, file, table })
}

/// An edge for what the command line alone names.
fn nowhere() -> edge::Settings {
    edge::Settings { listen_http: Vec::new(), listen_https: Vec::new(), ..edge::Settings::default() }
}

fn find(config: Option<&Path>) -> Option<PathBuf> {
    let usual = || USUAL_FILES.iter().map(PathBuf::from).find(|path| path.exists());
    config.map(PathBuf::from).or_else(usual)
}

/// This machine only, and nothing that needs rights.
fn development() -> Settings {
    let mut settings = Settings::default();
    settings.store.directory = DEVELOPMENT_DATA.into();
    let has_ipv6 = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    let ipv6 = has_ipv6.then(|| SocketAddr::from((Ipv6Addr::LOCALHOST, DEVELOPMENT_PORT)));
    let ipv4 = SocketAddr::from((Ipv4Addr::LOCALHOST, DEVELOPMENT_PORT));
    settings.dns.listen = [Some(ipv4), ipv6].into_iter().flatten().map(dns::settings::Listen).collect();
    let addresses: Vec<IpAddr> = [Some(ipv4), ipv6].into_iter().flatten().map(|address| address.ip()).collect();
    settings.dns.encrypted = development_encrypted(&[Some(ipv4), ipv6].into_iter().flatten().collect::<Vec<_>>());
    let at = |port| addresses.iter().map(|address| edge::settings::Listen(*address, Some(port))).collect();
    let (listen_http, listen_https) = (at(DEVELOPMENT_HTTP_PORT), at(DEVELOPMENT_HTTPS_PORT));
    settings.edge = Some(edge::Settings { listen_http, listen_https, addresses, ..edge::Settings::default() });
    settings
}

/// Encrypted DNS beside these addresses: at a port of its own, or at a free one where a free one was wanted.
fn development_encrypted(listen: &[SocketAddr]) -> Option<dns::settings::Encrypted> {
    let mut addresses: Vec<_> = listen
        .iter()
        .map(|address| (address.ip(), if address.port() == 0 { 0 } else { DEVELOPMENT_ENCRYPTED_PORT }))
        .collect();
    addresses.sort();
    addresses.dedup_by_key(|(address, _)| *address);
    let listen: Vec<_> = addresses.into_iter().map(|place| dns::settings::Listen(place.into())).collect();
    let name: Subject = DEVELOPMENT_NAME.parse().ok()?;
    let https = dns::settings::Https { host: name.clone(), path: "/dns-query".into() };
    Some(dns::settings::Encrypted { names: vec![name], tls: listen.clone(), quic: listen, https: Some(https) })
}

fn read_file(path: &Path) -> Result<(Settings, toml::Table), Bad> {
    let text = fs::read_to_string(path).map_err(|fault| unreadable(path, &fault))?;
    read(&text).map_err(|faults| {
        let file = Source { label: path.to_string_lossy().into(), text: text.as_bytes().into() };
        Bad(text::show(&[file], &faults, false))
    })
}

fn unreadable(path: &Path, fault: &io::Error) -> Bad {
    let cure = FILE_CURES.iter().find(|(kind, _)| *kind == fault.kind());
    let cure = cure.map_or("check the path and its permissions", |(_, cure)| cure);
    let reason = system_reason(fault);
    Bad(format!("error: cannot read the settings file {}: {reason}\n = cure: {cure}\n", path.display()))
}

/// Reads the text of a settings file; reports at most one fault a section.
fn read(text: &str) -> Result<(Settings, toml::Table), Vec<Fault>> {
    let root = DeTable::parse(text).map_err(|error| vec![fault::of(&error, text)])?.into_inner();
    let mut settings = Settings::default();
    let mut faults = Vec::new();
    for (name, value) in &root {
        let value = value.clone();
        let result = match name.get_ref().as_ref() {
            "store" => section(value, &mut settings.store),
            "dns" => section(value, &mut settings.dns),
            "admin" => section(value, &mut settings.admin),
            "edge" => section(value, settings.edge.get_or_insert_default()),
            "acme" => section(value, &mut settings.acme),
            "log" => section(value, &mut settings.log),
            unknown => {
                faults.push(fault::unknown_section(unknown, name.span(), text));
                continue;
            }
        };
        faults.extend(result.err().map(|error| fault::of(&error, text)));
    }
    let edge = settings.edge.as_ref().map(edge::Settings::check).unwrap_or_default();
    let unsound = [settings.dns.check(), settings.admin.check(), settings.acme.check(), edge].concat();
    faults.extend(unsound.iter().map(|line| fault::of_check(line, &root, text)));
    faults.sort_by_key(|fault| fault.place);
    if !faults.is_empty() {
        return Err(faults);
    }
    let table = text.parse::<toml::Table>().map_err(|error| vec![fault::of(&error, text)])?;
    Ok((settings, table))
}

fn section<'text, T: Deserialize<'text>>(value: Spanned<DeValue<'text>>, place: &mut T) -> Result<(), toml::de::Error> {
    *place = T::deserialize(ValueDeserializer::from(value))?;
    Ok(())
}

impl Loaded {
    /// The keys whose values are not the same in `other`, such as `dns.listen`.
    pub(super) fn different_from(&self, other: &Self) -> Vec<String> {
        let sections = self.table.keys().chain(other.table.keys());
        let mut different: Vec<String> = sections
            .flat_map(|section| {
                let keys = |table: &toml::Table| table.get(section).and_then(toml::Value::as_table).cloned();
                let (mine, theirs) = (keys(&self.table).unwrap_or_default(), keys(&other.table).unwrap_or_default());
                let all: Vec<String> = mine.keys().chain(theirs.keys()).cloned().collect();
                all.into_iter()
                    .filter(move |key| mine.get(key) != theirs.get(key))
                    .map(move |key| format!("{section}.{key}"))
            })
            .collect();
        different.sort();
        different.dedup();
        different
    }
}

#[cfg(test)]
mod tests;
