//! What the world sees of a name, through resolvers that somebody else runs.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::{Data, NO_SUCH_NAME, Record, Reply, ask};
use crate::wire::{Kind, Name, NameRef};

/// Where the system says which resolvers it uses.
const SYSTEM_FILE: &str = "/etc/resolv.conf";
/// Octets of that file that are looked at.
const SYSTEM_FILE_SIZE_MAX: u64 = 64 << 10;
/// Resolvers that are asked, one after the other.
const SERVERS_MAX: usize = 3;

/// Resolvers to ask.
#[derive(Clone, Debug)]
pub(crate) struct Resolver(Vec<SocketAddr>);

impl Resolver {
    /// These; or the system's if there are none.
    pub(crate) fn new(settings: &[SocketAddr]) -> Self {
        let servers = if settings.is_empty() { of_the_system(Path::new(SYSTEM_FILE)) } else { settings.to_vec() };
        Self(servers.into_iter().take(SERVERS_MAX).collect())
    }

    /// What the first that has something to say answers. "No such name" is an answer, "I could not find out" is none.
    pub(crate) async fn ask(&self, name: NameRef<'_>, kind: Kind) -> Result<Reply, String> {
        let mut fault = "no resolver is known".to_owned();
        for server in &self.0 {
            match ask(*server, name, kind, true).await {
                Ok(reply) if reply.rcode == 0 || reply.rcode == NO_SUCH_NAME => return Ok(reply),
                Ok(reply) => fault = format!("the resolver {server} could not find out ({})", rcode(reply.rcode)),
                Err(reason) => fault = format!("the resolver {server}: {reason}"),
            }
        }
        Err(fault)
    }

    /// The addresses of a host.
    pub(crate) async fn addresses(&self, host: NameRef<'_>) -> Result<Vec<IpAddr>, String> {
        let mut found = Vec::new();
        let mut fault = None;
        for kind in [Kind::A, Kind::AAAA] {
            match self.ask(host, kind).await {
                Ok(reply) => found.extend(reply.answer.iter().filter_map(|record| record.data.address())),
                Err(reason) => fault = Some(reason),
            }
        }
        match fault {
            Some(reason) if found.is_empty() => Err(reason),
            _ => Ok(found),
        }
    }

    /// The name servers of a zone; none if it is no zone.
    pub(crate) async fn name_servers(&self, zone: NameRef<'_>) -> Result<Vec<Name>, String> {
        let reply = self.ask(zone, Kind::NS).await?;
        Ok(name_servers(&reply.answer, zone))
    }
}

/// The name servers that these records give to a zone, sorted.
pub(crate) fn name_servers(records: &[Record], zone: NameRef<'_>) -> Vec<Name> {
    let mut found: Vec<Name> = records
        .iter()
        .filter(|record| record.owner.borrow().same(zone))
        .filter_map(|record| if let Data::NameServer(host) = &record.data { Some(host.clone()) } else { None })
        .collect();
    found.sort_by(|a, b| a.borrow().canonical_cmp(b.borrow()));
    found.dedup();
    found
}

/// An rcode as people know it.
pub(crate) fn rcode(code: u8) -> String {
    match code {
        1 => "FORMERR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        3 => "NXDOMAIN".to_owned(),
        4 => "NOTIMP".to_owned(),
        5 => "REFUSED".to_owned(),
        9 => "NOTAUTH".to_owned(),
        other => format!("rcode {other}"),
    }
}

fn of_the_system(file: &Path) -> Vec<SocketAddr> {
    let is_small = fs::metadata(file).is_ok_and(|data| data.len() <= SYSTEM_FILE_SIZE_MAX);
    let text = if is_small { fs::read_to_string(file).unwrap_or_default() } else { String::new() };
    let address = |line: &str| {
        let mut words = line.split_whitespace();
        let is_server = words.next() == Some("nameserver");
        words.next().filter(|_| is_server)?.parse::<IpAddr>().ok()
    };
    text.lines().filter_map(address).map(|address| SocketAddr::new(address, 53)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resolvers_of_the_system_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("resolv.conf");
        fs::write(
            &file,
            "# local\nsearch x\nnameserver 192.0.2.1\nnameserver  ::1 \nnameserver fe80::1%eth0\noptions a\n",
        )
        .unwrap();
        assert_eq!(of_the_system(&file), ["192.0.2.1:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
        assert_eq!(of_the_system(&folder.path().join("none")), []);
    }
}
