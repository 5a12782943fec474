//! Whether the world reaches us for a zone: what the parent says, and whether the servers it names agree with us.

use std::net::{IpAddr, SocketAddr};

use crate::acme::ask::{Data, NO_SUCH_NAME, Reply, Resolver, ask, name_servers, rcode};
use crate::acme::own;
use crate::acme::trouble::Trouble;
use crate::store::Snapshot;
use crate::wire::{Key, Kind, Name, NameRef};

/// Servers of the parent that are asked, one after the other.
const PARENT_SERVERS_MAX: usize = 4;
/// Name servers of the zone that are looked at.
const SERVERS_MAX: usize = 13;

/// What the parent says of a zone.
struct Delegation {
    /// The parent's name.
    parent: Name,
    /// The name servers it names; none if it does not know the zone.
    hosts: Vec<Name>,
    /// The addresses it tells along with them.
    glue: Vec<(Name, IpAddr)>,
}

/// Whether a server of the zone is one of ours, follows us, or goes its own way.
enum Standing {
    Ours,
    Follows,
    /// It answers for the zone, but the zone does not name it.
    Stranger,
    /// It does not answer for the zone: why.
    Lame(String),
}

/// Stops what would fail for sure; says what it found otherwise.
pub(super) async fn check(snapshot: &Snapshot, resolver: &Resolver, zone: &Name) -> Result<String, Trouble> {
    let top = topmost(snapshot, zone);
    let told = match parent(resolver, top.borrow()).await {
        Ok(told) => told,
        Err(reason) => return Ok(format!("could not find out who the world thinks serves {top}: {reason}")),
    };
    let ours = snapshot.zones.get(top.borrow()).map(|zone| own::name_servers(zone)).unwrap_or_default();
    if told.hosts.is_empty() {
        return Err(Trouble::preflight(
            format!("the servers of {} do not know {top}: it is not delegated to anybody", told.parent),
            format!("at the registrar of {top}, enter its name servers: {}", list(&ours)),
        ));
    }
    let mut lame = Vec::new();
    let mut good = 0;
    for host in told.hosts.iter().take(SERVERS_MAX) {
        match standing(snapshot, resolver, &top, host, &told.glue, &ours).await {
            Standing::Ours | Standing::Follows => good += 1,
            Standing::Lame(reason) => lame.push(format!("{host} ({reason})")),
            Standing::Stranger => {
                return Err(Trouble::preflight(
                    format!(
                        "{} also delegates {top} to {host}, which answers for it but is none of its name servers ({})",
                        told.parent,
                        list(&ours)
                    ),
                    format!(
                        "at the registrar, take {host} out of the name servers of {top}; or make it follow this server and name it in the zone"
                    ),
                ));
            }
        }
    }
    if good == 0 {
        return Err(Trouble::preflight(
            format!(
                "{} delegates {top} to {}, and none of them is this server or follows it: {}",
                told.parent,
                list(&told.hosts),
                lame.join(", ")
            ),
            format!(
                "at the registrar, enter the name servers of {top} as the zone has them: {}; and see that port 53 is open",
                list(&ours)
            ),
        ));
    }
    Ok(match lame.is_empty() {
        true => format!("{} delegates {top} to {}", told.parent, list(&told.hosts)),
        false => format!("{} delegates {top} to {}; without use: {}", told.parent, list(&told.hosts), lame.join(", ")),
    })
}

/// The highest of our zones above this one, without a gap: what lies between is delegated by ourselves.
fn topmost(snapshot: &Snapshot, zone: &Name) -> Name {
    let mut top = zone.clone();
    while let Some(parent) = top.borrow().parent()
        && let Some((above, _)) = snapshot.zones.closest(&Key::new(parent), Kind::NS)
    {
        top = above.apex().to_name();
    }
    top
}

/// Asks the parent's servers; the resolver alone if they cannot be asked.
async fn parent(resolver: &Resolver, zone: NameRef<'_>) -> Result<Delegation, String> {
    let mut above = zone.parent().map(NameRef::to_name);
    while let Some(parent) = above {
        let hosts = resolver.name_servers(parent.borrow()).await?;
        for host in hosts.iter().take(PARENT_SERVERS_MAX) {
            for address in resolver.addresses(host.borrow()).await?.into_iter().take(2) {
                if let Ok(reply) = ask(SocketAddr::new(address, 53), zone, Kind::NS, false).await
                    && (reply.rcode == 0 || reply.rcode == NO_SUCH_NAME)
                {
                    return Ok(delegation(&reply, parent, zone));
                }
            }
        }
        if !hosts.is_empty() {
            let reply = resolver.ask(zone, Kind::NS).await?;
            return Ok(delegation(&reply, parent, zone));
        }
        above = parent.borrow().parent().map(NameRef::to_name);
    }
    Err("it has no parent".to_owned())
}

fn delegation(reply: &Reply, parent: Name, zone: NameRef<'_>) -> Delegation {
    // A server of the parent that serves the zone too answers; others refer.
    let records: Vec<_> = reply.answer.iter().chain(&reply.authority).cloned().collect();
    let glue = reply.additional.iter().filter_map(|record| match record.data {
        Data::Address(address) => Some((record.owner.clone(), address)),
        _ => None,
    });
    Delegation { parent, hosts: name_servers(&records, zone), glue: glue.collect() }
}

/// What a server that the parent names has to do with us.
async fn standing(
    snapshot: &Snapshot,
    resolver: &Resolver,
    zone: &Name,
    host: &Name,
    glue: &[(Name, IpAddr)],
    ours: &[Name],
) -> Standing {
    let mut addresses: Vec<IpAddr> =
        glue.iter().filter(|(owner, _)| owner == host).map(|(_, address)| *address).collect();
    if addresses.is_empty() {
        addresses = resolver.addresses(host.borrow()).await.unwrap_or_default();
    }
    if addresses.iter().any(|address| own::is_own(snapshot, *address)) {
        return Standing::Ours;
    }
    let mut lame = "it has no address".to_owned();
    for address in addresses {
        match ask(SocketAddr::new(address, 53), zone.borrow(), Kind::SOA, false).await {
            Ok(reply) if reply.rcode == 0 && reply.authoritative => {
                return if ours.contains(host) { Standing::Follows } else { Standing::Stranger };
            }
            Ok(reply) => lame = format!("{address} answers {} for the zone", rcode(reply.rcode)),
            Err(reason) => lame = format!("{address}: {reason}"),
        }
    }
    Standing::Lame(lame)
}

fn list(hosts: &[Name]) -> String {
    hosts.iter().map(|host| host.to_string().trim_end_matches('.').to_owned()).collect::<Vec<_>>().join(", ")
}
