//! Whether the world reaches us for a zone: what the parent says, and whether the servers it names agree with us.

use std::net::{IpAddr, SocketAddr};

use crate::acme::ask::{Data, NO_SUCH_NAME, Reply, Resolver, ask, name_servers, rcode};
use crate::acme::own::{self, shown};
use crate::acme::trouble::Trouble;
use crate::store::Snapshot;
use crate::wire::{Key, Kind, Name, NameRef};

/// Servers of the parent that are asked, one after the other.
const PARENT_SERVERS_MAX: usize = 4;
/// Name servers of the zone that are looked at.
const SERVERS_MAX: usize = 13;

/// What the world thinks of a zone of ours, as of one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// The zone; of nested zones the topmost, because what lies between is delegated by ourselves.
    pub zone: String,
    /// Whether it leads here.
    pub verdict: Verdict,
    /// What was found, in words.
    pub message: String,
    /// What to do about it; empty where nothing is to be done.
    pub cure: String,
    /// The name servers that the parent names.
    pub servers: Vec<String>,
    /// When it was looked at, in seconds since 1970.
    pub looked_at: u64,
}

/// Whether a delegation leads here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The parent names us, or servers that follow us.
    Right,
    /// The parent does not know the zone, or leads elsewhere.
    Wrong,
    /// Nobody could be asked.
    Unknown,
    /// Only its own network knows such a name: nobody is asked.
    Private,
}

/// What the parent says of a zone.
struct Referral {
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
    let found = look(snapshot, resolver, &topmost(snapshot, zone), 0).await;
    match found.verdict {
        Verdict::Wrong => Err(Trouble::preflight(found.message, found.cure)),
        Verdict::Right | Verdict::Unknown | Verdict::Private => Ok(found.message),
    }
}

/// Looks at the delegation of the topmost of our zones.
pub(in crate::acme) async fn look(snapshot: &Snapshot, resolver: &Resolver, top: &Name, now: u64) -> Delegation {
    let told = match parent(resolver, top.borrow()).await {
        Ok(told) => told,
        Err(reason) => return Delegation::unknown(top, &reason, now),
    };
    let (verdict, message, cure) = judge(snapshot, resolver, top, &told).await;
    Delegation {
        zone: shown(top),
        verdict,
        message,
        cure,
        servers: told.hosts.iter().map(shown).collect(),
        looked_at: now,
    }
}

impl Delegation {
    /// Nobody could be asked, for this reason.
    pub(in crate::acme) fn unknown(zone: &Name, reason: &str, now: u64) -> Self {
        let zone = shown(zone);
        Self {
            verdict: Verdict::Unknown,
            message: format!("could not find out who the world thinks serves {zone}: {reason}"),
            cure: "look at this machine's network, or name resolvers with `resolvers` below [acme]".to_owned(),
            servers: Vec::new(),
            looked_at: now,
            zone,
        }
    }

    /// The zone is one of those that only their own network knows.
    pub(in crate::acme) fn private(zone: &Name, now: u64) -> Self {
        let zone = shown(zone);
        Self {
            verdict: Verdict::Private,
            message: format!("{zone} is a private name: the world delegates it to nobody, so nobody was asked"),
            cure: String::new(),
            servers: Vec::new(),
            looked_at: now,
            zone,
        }
    }
}

/// Compares what the parent says with what is: the verdict, what was found, and the cure.
async fn judge(snapshot: &Snapshot, resolver: &Resolver, top: &Name, told: &Referral) -> (Verdict, String, String) {
    let (zone, parent) = (shown(top), shown(&told.parent));
    let ours = snapshot.zones.get(top.borrow()).map(|zone| own::name_servers(zone)).unwrap_or_default();
    if told.hosts.is_empty() {
        return (
            Verdict::Wrong,
            format!("the servers of {parent} do not know {zone}: it is not delegated to anybody"),
            format!("at the registrar of {zone}, enter its name servers: {}", list(&ours)),
        );
    }
    let (mut good, mut strangers, mut lame) = (0, Vec::new(), Vec::new());
    for host in told.hosts.iter().take(SERVERS_MAX) {
        match standing(snapshot, resolver, top, host, &told.glue, &ours).await {
            Standing::Ours | Standing::Follows => good += 1,
            Standing::Stranger => strangers.push(host.clone()),
            Standing::Lame(reason) => lame.push(format!("{} ({reason})", shown(host))),
        }
    }
    let (hosts, lame) = (list(&told.hosts), lame.join(", "));
    match (good, strangers.is_empty(), lame.is_empty()) {
        (0, _, no_reason) => (
            Verdict::Wrong,
            format!(
                "{parent} delegates {zone} to {hosts}, and none of them is this server or follows it{}{lame}",
                if no_reason { "" } else { ": " }
            ),
            format!("at the registrar, enter the name servers of {zone} as the zone has them: {}", list(&ours)),
        ),
        (_, false, _) => (
            Verdict::Wrong,
            format!(
                "{parent} also delegates {zone} to {}, which answers for it but does not follow this server",
                list(&strangers)
            ),
            format!("at the registrar, let the name servers of {zone} be those of the zone: {}", list(&ours)),
        ),
        (_, true, true) => (Verdict::Right, format!("{parent} delegates {zone} to {hosts}"), String::new()),
        (_, true, false) => (
            Verdict::Right,
            format!("{parent} delegates {zone} to {hosts}; without use: {lame}"),
            "let these servers answer for the zone, or take them out at the registrar".to_owned(),
        ),
    }
}

/// The highest of our zones above this one, without a gap: what lies between is delegated by ourselves.
pub(in crate::acme) fn topmost(snapshot: &Snapshot, zone: &Name) -> Name {
    let mut top = zone.clone();
    while let Some(parent) = top.borrow().parent()
        && let Some((above, _)) = snapshot.zones.closest(&Key::new(parent), Kind::NS)
    {
        top = above.apex().to_name();
    }
    top
}

/// Asks the parent's servers; the resolver alone if they cannot be asked.
async fn parent(resolver: &Resolver, zone: NameRef<'_>) -> Result<Referral, String> {
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

fn delegation(reply: &Reply, parent: Name, zone: NameRef<'_>) -> Referral {
    // A server of the parent that serves the zone too answers; others refer.
    let records: Vec<_> = reply.answer.iter().chain(&reply.authority).cloned().collect();
    let glue = reply.additional.iter().filter_map(|record| Some((record.owner.clone(), record.data.address()?)));
    Referral { parent, hosts: name_servers(&records, zone), glue: glue.collect() }
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
    addresses.sort_by_key(|address| !own::is_own(snapshot, *address));
    let mut lame = "it has no address".to_owned();
    for address in addresses {
        let is_own = own::is_own(snapshot, address);
        // Not every router leads its own address back inside, so that one need not answer; but this machine may have more
        // than one name server, and it can be asked which of them has the address.
        if is_own && !own::is_here(address) {
            return Standing::Ours;
        }
        match ask(SocketAddr::new(address, 53), zone.borrow(), Kind::SOA, false).await {
            Ok(reply) if reply.rcode == 0 && reply.authoritative => {
                return match () {
                    () if is_own && starts_alike(snapshot, zone, &reply) => Standing::Ours,
                    () if ours.contains(host) => Standing::Follows,
                    () => Standing::Stranger,
                };
            }
            Ok(reply) => lame = format!("{address} answers {} for the zone", rcode(reply.rcode)),
            Err(_) if is_own => return Standing::Ours, // the router leads port 53 to another one here
            Err(reason) => lame = format!("{address}: {reason}"),
        }
    }
    Standing::Lame(lame)
}

/// Whether a server names the primary of the zone that we name.
fn starts_alike(snapshot: &Snapshot, zone: &Name, reply: &Reply) -> bool {
    let primary = snapshot.zones.get(zone.borrow()).and_then(|zone| own::primary(zone)).map(Data::Start);
    primary.is_some_and(|primary| reply.answer.iter().any(|record| record.data == primary))
}

fn list(hosts: &[Name]) -> String {
    hosts.iter().map(shown).collect::<Vec<_>>().join(", ")
}
