//! Waiting until every name server of the zone answers the record.
//!
//! A CA asks whichever server it likes, from several places. So each is asked beforehand, over and over, until it says what
//! ours says. Servers at addresses of this machine need no question: they are us.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::Place;
use crate::acme::ask::{Data, Resolver, ask};
use crate::acme::own::{self, shown};
use crate::acme::trouble::Trouble;
use crate::store::Snapshot;
use crate::wire::{Kind, Name};

/// How long a server may take to follow.
const TIME_MAX: Duration = Duration::from_secs(60);
/// Between two questions to one server: this long first, then twice as long each time, up to ten times.
const PAUSE: Duration = Duration::from_millis(200);
/// Servers that are asked.
const SERVERS_MAX: usize = 40;

/// Waits until all of these values are answered by every name server of the zone. What it did, in words.
pub(crate) async fn everywhere(
    snapshot: &Snapshot,
    resolver: &Resolver,
    place: &Place,
    values: &[String],
) -> Result<String, Trouble> {
    let Some(zone) = snapshot.zones.get(place.zone.borrow()) else {
        return Err(Trouble::ours(
            format!("the zone {} is gone", shown(&place.zone)),
            "bring it back, or take the route away",
        ));
    };
    let mut asked = JoinSet::new();
    let deadline = Instant::now() + TIME_MAX;
    let mut count = 0;
    for host in own::name_servers(zone) {
        let mut addresses = own::addresses(snapshot, host.borrow());
        if addresses.is_empty() {
            addresses = resolver.addresses(host.borrow()).await.unwrap_or_default();
        }
        for address in addresses.into_iter().filter(|address| !own::is_own(snapshot, *address)) {
            if count < SERVERS_MAX {
                count += 1;
                asked.spawn(wait(host.clone(), address, place.owner.clone(), values.to_vec(), deadline));
            }
        }
    }
    while let Some(told) = asked.join_next().await {
        told.map_err(|_| Trouble::passing("the question to a name server failed", "nothing; it is tried again"))??;
    }
    Ok(match count {
        0 => "every name server of the zone is this one".to_owned(),
        _ => format!("{count} other name servers of the zone answer it too"),
    })
}

/// Asks one server until it answers all values.
async fn wait(host: Name, address: IpAddr, owner: Name, values: Vec<String>, deadline: Instant) -> Result<(), Trouble> {
    let mut pause = PAUSE;
    loop {
        let said = match ask(SocketAddr::new(address, 53), owner.borrow(), Kind::TXT, false).await {
            Ok(reply) => {
                let has = |value: &String| {
                    reply.answer.iter().any(|record| record.data == Data::Text(value.clone().into_bytes()))
                };
                if values.iter().all(has) {
                    return Ok(());
                }
                format!("it answers {} without it", crate::acme::ask::rcode(reply.rcode))
            }
            Err(reason) => reason,
        };
        if Instant::now() + pause > deadline {
            let seconds = TIME_MAX.as_secs();
            return Err(Trouble::preflight(
                format!(
                    "the name server {} ({address}) does not have the record of the challenge after {seconds} s: {said}",
                    shown(&host)
                ),
                "see to it that it follows changes of this zone, or take it out of the zone's NS records",
            ));
        }
        sleep(pause).await;
        pause = (2 * pause).min(10 * PAUSE);
    }
}
