//! All routes, and which of them a request is for.
//!
//! A persistent map from host to the host's routes, longest path first: a change copies one path of the map, and a look-up
//! allocates nothing. Wildcards are kept apart under the name behind their asterisk, so that two look-ups decide.

use std::fmt;
use std::sync::Arc;

use imbl::OrdMap;

use super::{Host, Route};

/// Routes by host and path; a clone shares everything.
#[derive(Clone, Default)]
pub struct Routes {
    exact: OrdMap<Box<str>, Site>,
    wildcard: OrdMap<Box<str>, Site>,
    count: usize,
    /// How many of them are passed on unopened.
    passed: usize,
}

/// The routes of one host, those with longer paths first. Never empty.
type Site = Arc<[Arc<Route>]>;

/// The route that a request is for.
#[derive(Clone, Copy, Debug)]
pub struct Match<'r, 'p> {
    /// The route.
    pub route: &'r Arc<Route>,
    /// What the request's path has behind the route's: empty, or from the next slash on.
    pub rest: &'p str,
}

impl Routes {
    /// The route for a request: `host` in lower case without port and final dot, `path` without its query.
    pub fn find<'r, 'p>(&'r self, host: &str, path: &'p str) -> Option<Match<'r, 'p>> {
        let found = |route: &'r Arc<Route>| route.path().rest(path).map(|rest| Match { route, rest });
        self.site(host)?.iter().find_map(found)
    }

    /// Whether some path of this host has a route.
    pub fn knows(&self, host: &str) -> bool {
        self.site(host).is_some()
    }

    fn site(&self, host: &str) -> Option<&Site> {
        self.exact.get(host).or_else(|| {
            let (label, base) = host.split_once('.')?;
            if label.is_empty() { None } else { self.wildcard.get(base) }
        })
    }

    /// Whether connections to any host are passed on unopened.
    pub fn passes(&self) -> bool {
        self.passed > 0
    }

    /// The route along which connections to this host are passed on unopened, if they are.
    pub fn passed(&self, host: &str) -> Option<&Arc<Route>> {
        self.site(host)?.iter().find(|route| route.is_passed())
    }

    /// The routes along which requests for this host go: its own, or those of the wildcard above it.
    pub fn of_server_name(&self, host: &str) -> &[Arc<Route>] {
        self.site(host).map_or(&[], |site| site)
    }

    /// The routes of exactly this host, those with longer paths first.
    pub fn of_host(&self, host: &Host) -> &[Arc<Route>] {
        self.sites(host).get(host.base()).map_or(&[], |site| site)
    }

    /// The routes of exactly this host, given as [`Host::as_str`] writes it; those with longer paths first.
    pub fn of_name(&self, host: &str) -> &[Arc<Route>] {
        let site = match host.strip_prefix("*.") {
            Some(base) => self.wildcard.get(base),
            None => self.exact.get(host),
        };
        site.map_or(&[], |site| site)
    }

    /// The route with this [`Route::id`].
    pub fn get(&self, id: &str) -> Option<&Arc<Route>> {
        let (host, _) = id.split_at(id.find('/')?);
        let site = match host.strip_prefix("*.") {
            Some(base) => self.wildcard.get(base),
            None => self.exact.get(host),
        };
        site?.iter().find(|route| route.id() == id)
    }

    /// Puts a route in, in place of the one of the same host and path.
    pub fn insert(&mut self, route: Arc<Route>) {
        let host = route.host().clone();
        let mut routes: Vec<_> = self.of_host(&host).iter().filter(|other| other.id() != route.id()).cloned().collect();
        let size = |route: &Route| std::cmp::Reverse(route.path().as_str().len());
        let at = routes.partition_point(|other| (size(other), other.id()) < (size(&route), route.id()));
        routes.insert(at, route);
        self.put(&host, routes);
    }

    /// Takes the route with this [`Route::id`] out; false if there was none.
    pub fn remove(&mut self, id: &str) -> bool {
        let Some(host) = self.get(id).map(|route| route.host().clone()) else { return false };
        let routes = self.of_host(&host).iter().filter(|route| route.id() != id).cloned().collect();
        self.put(&host, routes);
        true
    }

    fn put(&mut self, host: &Host, routes: Vec<Arc<Route>>) {
        let passed = |routes: &[Arc<Route>]| routes.iter().filter(|route| route.is_passed()).count();
        self.count = self.count + routes.len() - self.of_host(host).len();
        self.passed = self.passed + passed(&routes) - passed(self.of_host(host));
        let sites = if host.is_wildcard() { &mut self.wildcard } else { &mut self.exact };
        if routes.is_empty() {
            sites.remove(host.base());
        } else {
            sites.insert(host.base().into(), routes.into());
        }
    }

    fn sites(&self, host: &Host) -> &OrdMap<Box<str>, Site> {
        if host.is_wildcard() { &self.wildcard } else { &self.exact }
    }

    /// Whether these are the very same routes: seen without a look at each of them. Where it says no, they may be alike.
    pub fn is_same(&self, other: &Self) -> bool {
        self.exact.ptr_eq(&other.exact) && self.wildcard.ptr_eq(&other.wildcard)
    }

    /// As [`Routes::iter`], from the route with this id on, or from where it would stand.
    pub fn iter_from<'r>(&'r self, id: &str) -> impl Iterator<Item = &'r Arc<Route>> + use<'r> {
        let (host, path) = id.split_at(id.find('/').unwrap_or(id.len()));
        let (exact, wildcard) = match host.strip_prefix("*.") {
            Some(base) => (None, self.wildcard.range(Box::from(base)..)),
            None => (Some(self.exact.range(Box::from(host)..)), self.wildcard.range(Box::<str>::default()..)),
        };
        let (host, place) = (host.to_owned(), (std::cmp::Reverse(path.len()), id.to_owned()));
        let before = move |route: &&'r Arc<Route>| {
            let own = (std::cmp::Reverse(route.path().as_str().len()), route.id());
            route.host().as_str() == host && own < (place.0, place.1.as_str())
        };
        exact.into_iter().flatten().chain(wildcard).flat_map(|(_, site)| site.iter()).skip_while(before)
    }

    /// All routes: names in order, then wildcards; longer paths of a host first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.exact.values().chain(self.wildcard.values()).flat_map(|site| site.iter())
    }

    /// Whether the two hold the same, as far as that can be told at a glance: no change was made to either.
    pub fn is_untouched(&self, other: &Self) -> bool {
        self.exact.ptr_eq(&other.exact) && self.wildcard.ptr_eq(&other.wildcard)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl FromIterator<Arc<Route>> for Routes {
    fn from_iter<I: IntoIterator<Item = Arc<Route>>>(routes: I) -> Self {
        let mut table = Self::default();
        routes.into_iter().for_each(|route| table.insert(route));
        table
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|route| route.id())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{PathPrefix, Target};

    fn route(id: &str, target: &str) -> Arc<Route> {
        let (host, path) = id.split_at(id.find('/').unwrap());
        let (host, path) = (Host::parse(host).unwrap(), PathPrefix::parse(path).unwrap());
        Arc::new(Route::new(host, path, Target::parse(target).unwrap()).unwrap())
    }

    fn table(ids: &[&str]) -> Routes {
        ids.iter().map(|id| route(id, "http://127.0.0.1:1")).collect()
    }

    fn found<'r>(routes: &'r Routes, host: &str, path: &str) -> &'r str {
        routes.find(host, path).map_or("none", |found| found.route.id())
    }

    #[test]
    fn the_exact_host_and_the_longest_path_win() {
        let routes = table(&["a.example/", "a.example/api", "a.example/api/v2", "*.example/", "b.example/only"]);
        for (host, path, id) in [
            ("a.example", "/", "a.example/"),
            ("a.example", "/api", "a.example/api"),
            ("a.example", "/api/v2/x", "a.example/api/v2"),
            ("a.example", "/api/v22", "a.example/api"),
            ("a.example", "/apix", "a.example/"),
            ("c.example", "/api", "*.example/"),
            ("b.example", "/only/x", "b.example/only"),
            ("b.example", "/", "none"), // a host of its own hides the wildcard
            ("example", "/", "none"),
            ("x.c.example", "/", "none"),
            (".example", "/", "none"),
            ("", "/", "none"),
        ] {
            assert_eq!(found(&routes, host, path), id, "{host}{path}");
        }
        assert_eq!(routes.find("a.example", "/api/v2/x").unwrap().rest, "/x");
        assert!(routes.knows("b.example") && routes.knows("x.example") && !routes.knows("example"));
    }

    #[test]
    fn routes_come_and_go_and_old_versions_stay() {
        let mut routes = table(&["a.example/", "*.example/", "a.example/api"]);
        let before = routes.clone();
        routes.insert(route("a.example/", "http://127.0.0.1:2"));
        assert_eq!(routes.len(), 3);
        assert_eq!(routes.get("a.example/").unwrap().target().to_string(), "http://127.0.0.1:2");
        assert!(routes.remove("*.example/") && !routes.remove("*.example/") && !routes.remove("no/slash/such"));
        assert!(routes.remove("a.example/") && routes.remove("a.example/api"));
        assert!(routes.is_empty() && !routes.knows("a.example"));
        assert_eq!(before.get("a.example/").unwrap().target().to_string(), "http://127.0.0.1:1");
        assert_eq!(format!("{before:?}"), r#"["a.example/api", "a.example/", "*.example/"]"#);
        assert!(before.get("a.example").is_none());
    }

    #[test]
    fn connections_to_some_hosts_are_passed_on() {
        let mut routes = table(&["a.example/", "*.example/"]);
        assert!(!routes.passes());
        routes.insert(route("a.example/", "tls://127.0.0.1:1"));
        routes.insert(route("a.example/", "tls://127.0.0.1:2"));
        routes.insert(route("*.mail.example/", "tls://127.0.0.1:3"));
        assert!(routes.passes() && routes.passed("b.example").is_none() && routes.passed("example").is_none());
        assert_eq!(routes.passed("a.example").unwrap().target().to_string(), "tls://127.0.0.1:2");
        assert_eq!(routes.passed("x.mail.example").unwrap().id(), "*.mail.example/");
        assert!(routes.remove("a.example/") && routes.passes() && routes.remove("*.mail.example/"));
        assert!(!routes.passes());
    }

    #[test]
    fn a_look_up_allocates_nothing() {
        let routes = table(&["a.example/", "a.example/api", "*.example/"]);
        let counted = allocation_counter::measure(|| {
            for host in ["a.example", "b.example", "none.test"] {
                std::hint::black_box(routes.find(host, "/%61pi//x"));
            }
        });
        assert_eq!(counted.count_total, 0);
    }
}
