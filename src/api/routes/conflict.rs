//! Where a route may not lead: back to this server, or to its admin API. Decided when the change's turn comes, so that of two
//! changes that would close a circle together the second is refused.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use crate::acme::{self, Said};
use crate::api::Admin;
use crate::route::circle::{self, Ourselves};
use crate::route::{Address, App, Route, Server, Target};
use crate::store::{Change, Decision, Refused, Snapshot};
use crate::wire::{Kind, Name};

/// Where this server listens, as far as a route can lead there. Which addresses this machine has, the kernel is asked here,
/// before the decision, which does no I/O.
pub(in crate::api) fn ourselves(admin: &Admin, route: &Route) -> Ourselves {
    let mut ourselves = admin.live.as_ref().map(|live| live.ourselves.clone()).unwrap_or_default();
    let named = apps(route).iter().filter_map(|app| match &app.address {
        Address::Tcp { server: Server::Ip(address), .. } => Some(*address),
        Address::Tcp { server: Server::Name(_), .. } | Address::Unix(_) => None,
    });
    // The kernel lets a socket have an address only if the machine has it.
    ourselves.addresses.extend(named.filter(|address| UdpSocket::bind(SocketAddr::new(*address, 0)).is_ok()));
    ourselves
}

/// Refuses a route that leads back to us, as everything is now.
pub(super) fn check(route: &Arc<Route>, now: &Snapshot, ourselves: &Ourselves) -> Result<(), Refused> {
    let mut ourselves = ourselves.clone();
    if let Some(own) = &now.addresses {
        ourselves.addresses.extend(own.ipv4().iter().copied().map(IpAddr::V4));
        ourselves.addresses.extend(own.ipv6().iter().copied().map(IpAddr::V6));
    }
    let mut routes = now.routes.clone();
    routes.insert(Arc::clone(route)); // it may lead to its own host
    circle::check(route, &routes, &ourselves, &|name| resolve(now, name)).map_err(Refused::LeadsBack)
}

/// What is to stand behind another change, such as one that takes an earlier one back: every route that is other than it was
/// before must lead somewhere. It refuses the whole.
pub(in crate::api) fn guard(admin: &Arc<Admin>) -> Change {
    let (admin, before) = (Arc::clone(admin), admin.store.snapshot());
    let known = admin.live.as_ref().map(|live| live.ourselves.clone()).unwrap_or_default();
    Change::Decide(Decision::new(1, move |now| {
        let is_new = |route: &&Arc<Route>| before.routes.get(route.id()).is_none_or(|old| old != *route);
        now.routes.iter().filter(is_new).try_for_each(|route| check(route, now, &known))?;
        Ok(Change::Many(Vec::new()))
    }))
}

fn apps(route: &Route) -> &[App] {
    match route.target() {
        Target::Apps(apps) => apps,
        Target::Redirect(_) | Target::Folder(_) => &[],
    }
}

/// The addresses of a name in our own zones; none for names of others.
fn resolve(now: &Snapshot, name: &str) -> Vec<IpAddr> {
    let Ok(mut name) = name.parse::<Name>() else { return Vec::new() };
    for _ in 0..crate::limits::ALIAS_CHAIN_MAX {
        match acme::say(now, name.borrow(), Kind::A) {
            Said::Alias(target) => name = target,
            Said::NotOurs => return Vec::new(),
            said @ (Said::Data(_) | Said::Nothing) => {
                let all = [said, acme::say(now, name.borrow(), Kind::AAAA)];
                return all.iter().flat_map(Said::addresses).collect();
            }
        }
    }
    Vec::new()
}
