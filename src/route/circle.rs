//! Targets that lead back to ourselves: refused when the route is made, because each request would go round until
//! something gives way; and the admin listener, which is not to be had from outside by way of a route.
//!
//! What this cannot see (a name that resolves to us, a proxy in between) is caught at the request: the edge knows its own
//! mark in `Via`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::{Address, App, Fault, Route, Routes, Server, Target};

/// How many redirects are followed in search of a circle.
const REDIRECTS_MAX: usize = 10;

/// Where we listen ourselves.
#[derive(Clone, Debug, Default)]
pub struct Ourselves {
    /// The listeners of the edge; `0.0.0.0` and `::` stand for all of `addresses`.
    pub edge: Vec<SocketAddr>,
    /// The listeners of the admin API.
    pub admin: Vec<SocketAddr>,
    /// The socket of the admin API.
    pub admin_socket: Option<PathBuf>,
    /// The listeners of DNS, encrypted or not.
    pub dns: Vec<SocketAddr>,
    /// The addresses of this machine and those it is known by outside; loopback need not be among them.
    pub addresses: Vec<IpAddr>,
}

/// The addresses of a name that are known without asking anybody.
pub type Known<'k> = dyn Fn(&str) -> Vec<IpAddr> + 'k;

/// Why a route may not lead where it does; `routes` are those there are beside it.
pub fn check(route: &Route, routes: &Routes, ourselves: &Ourselves, known: &Known<'_>) -> Result<(), Fault> {
    match route.target() {
        Target::Apps(apps) => apps.iter().try_for_each(|app| check_app(app, routes, ourselves, known)),
        Target::Redirect(_) => check_redirects(route, routes),
        Target::Folder(_) => Ok(()),
    }
}

fn check_app(app: &App, routes: &Routes, ourselves: &Ourselves, known: &Known<'_>) -> Result<(), Fault> {
    let admin =
        || Err(Fault::new(format!("{app} is the admin API of Freehold"), "it is not for the internet; name the app"));
    let edge =
        || Err(Fault::new(format!("{app} leads back to Freehold itself"), "name the address of the app behind it"));
    let dns = || Err(Fault::new(format!("{app} is where Freehold answers DNS"), "name the address of the app"));
    let has = |listeners: &[SocketAddr], server: &Server, port| ourselves.has(listeners, server, port, known);
    match &app.address {
        Address::Unix(path) if ourselves.admin_socket.as_deref() == Some(path) => admin(),
        Address::Unix(_) => Ok(()),
        Address::Tcp { server, port } if has(&ourselves.admin, server, *port) => admin(),
        Address::Tcp { server, port } if has(&ourselves.edge, server, *port) => edge(),
        Address::Tcp { server, port } if has(&ourselves.dns, server, *port) => dns(),
        Address::Tcp { server: Server::Name(name), port }
            if routes.knows(name) && ourselves.edge.iter().any(|listener| listener.port() == *port) =>
        {
            edge()
        }
        Address::Tcp { .. } => Ok(()),
    }
}

impl Ourselves {
    fn has(&self, listeners: &[SocketAddr], server: &Server, port: u16, known: &Known<'_>) -> bool {
        let is = |address: IpAddr| {
            let mine = address.is_loopback() || self.addresses.contains(&address);
            listeners.iter().any(|listener| {
                listener.port() == port && (listener.ip() == address || (listener.ip().is_unspecified() && mine))
            })
        };
        match server {
            Server::Ip(address) => is(*address),
            Server::Name(name) if &**name == "localhost" => {
                is(IpAddr::from([127, 0, 0, 1])) || is(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]))
            }
            Server::Name(name) => known(name).into_iter().any(is),
        }
    }
}

fn check_redirects(route: &Route, routes: &Routes) -> Result<(), Fault> {
    let mut host = route.host().as_str().to_owned();
    let (mut at, mut seen) = (route, vec![route.id()]);
    for _ in 0..REDIRECTS_MAX {
        let Target::Redirect(redirect) = at.target() else { return Ok(()) };
        let path = match redirect.goal()? {
            Some((Server::Name(name), path)) => {
                host = name.into();
                path
            }
            Some((Server::Ip(_), _)) => return Ok(()),
            None => &redirect.url,
        };
        let path = path.split('?').next().filter(|path| !path.is_empty()).unwrap_or("/");
        at = match routes.find(&host, path).map(|found| &**found.route) {
            _ if leads_to(route, &host, path, routes) => route,
            Some(next) => next,
            None => return Ok(()),
        };
        if seen.contains(&at.id()) {
            let message = format!("the redirect of {} ends where it began", route.id());
            return Err(Fault::new(message, "redirect to an address that is not redirected itself"));
        }
        seen.push(at.id());
    }
    Err(Fault::new(format!("{} begins a chain of {REDIRECTS_MAX} redirects", route.id()), "redirect to where it ends"))
}

/// Whether a request for this would meet `route` once that stands among the others.
fn leads_to(route: &Route, host: &str, path: &str, routes: &Routes) -> bool {
    let covers = route.host().as_str() == host || route.host().covers(host);
    let Some(rest) = route.path().rest(path).filter(|_| covers) else { return false };
    routes.find(host, path).is_none_or(|other| {
        let same_host = other.route.host() == route.host();
        (same_host && other.rest.len() >= rest.len()) || (!same_host && !route.host().is_wildcard())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Host, PathPrefix};

    fn route(id: &str, target: &str) -> Route {
        let (host, path) = id.split_at(id.find('/').unwrap());
        Route::new(Host::parse(host).unwrap(), PathPrefix::parse(path).unwrap(), Target::parse(target).unwrap())
            .unwrap()
    }

    fn told(route: &Route, others: &[Route]) -> String {
        let ourselves = Ourselves {
            edge: ["0.0.0.0:443", "[::]:443", "127.0.0.5:80"].map(|address| address.parse().unwrap()).into(),
            admin: vec!["127.0.0.1:8053".parse().unwrap()],
            admin_socket: Some("/run/freehold/admin.socket".into()),
            dns: vec!["0.0.0.0:53".parse().unwrap()],
            addresses: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
        };
        let routes = others.iter().cloned().map(std::sync::Arc::new).collect();
        let known = |name: &str| match name {
            "inside.example" => vec!["192.0.2.1".parse().unwrap()],
            "app.example" => vec!["192.0.2.9".parse().unwrap()],
            _ => Vec::new(),
        };
        check(route, &routes, &ourselves, &known).map_or_else(|fault| fault.message, |()| "fine".into())
    }

    #[test]
    fn apps_that_are_ourselves_are_refused() {
        for (app, verdict) in [
            ("http://127.0.0.1:3000", "fine"),
            ("http://127.0.0.1:443", "http://127.0.0.1:443 leads back to Freehold itself"),
            ("https://[::1]", "https://[::1] leads back to Freehold itself"),
            ("https://192.0.2.1", "https://192.0.2.1 leads back to Freehold itself"),
            ("https://192.0.2.2", "fine"),
            ("http://127.0.0.5", "http://127.0.0.5 leads back to Freehold itself"),
            ("http://127.0.0.6", "fine"),
            ("https://localhost", "https://localhost leads back to Freehold itself"),
            ("http://127.0.0.1:8053", "http://127.0.0.1:8053 is the admin API of Freehold"),
            ("http://127.0.0.1:53", "http://127.0.0.1:53 is where Freehold answers DNS"),
            ("https://inside.example", "https://inside.example leads back to Freehold itself"),
            ("https://app.example", "fine"),
            ("http://localhost:8053", "http://localhost:8053 is the admin API of Freehold"),
            ("unix:/run/freehold/admin.socket", "unix:/run/freehold/admin.socket is the admin API of Freehold"),
            ("unix:/run/app.socket", "fine"),
            ("https://b.example", "https://b.example leads back to Freehold itself"),
            ("http://b.example:3000", "fine"),
        ] {
            assert_eq!(told(&route("a.example/", app), &[route("b.example/", "http://127.0.0.1:1")]), verdict, "{app}");
        }
    }

    #[test]
    fn redirects_in_a_circle_are_refused() {
        let circle = "the redirect of a.example/ ends where it began";
        let b = [route("b.example/", "redirect:https://a.example")];
        assert_eq!(told(&route("a.example/", "redirect:https://a.example/x"), &[]), circle);
        assert_eq!(told(&route("a.example/", "redirect:/x"), &[]), circle);
        assert_eq!(told(&route("a.example/", "redirect:/x"), &[route("a.example/x", "http://127.0.0.1:1")]), "fine");
        assert_eq!(told(&route("a.example/", "redirect:https://b.example/y?z"), &b), circle);
        assert_eq!(told(&route("a.example/", "redirect:https://c.example"), &b), "fine");
        assert_eq!(told(&route("a.example/", "redirect:https://192.0.2.7/"), &b), "fine");
        assert_eq!(told(&route("a.example/old", "redirect:/new"), &[]), "fine");
        assert!(told(&route("*.example/", "redirect:https://www.example/"), &[]).contains("ends where it began"));
        assert_eq!(
            told(&route("*.example/", "redirect:https://www.example/"), &[route("www.example/", "/srv/www")]),
            "fine"
        );
    }
}
