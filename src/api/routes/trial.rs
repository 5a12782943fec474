//! A route tried step by step, from the name to the app: how we see it ourselves, and how a stranger does. Each step says how
//! long it took, and where it fails, what to do.
//!
//! Both views are taken at the same time, each within its time, and few tests run at once: each opens a dozen connections. Only what
//! a visitor could ask for is asked for, but for the app, which is also asked without the edge in between.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use axum::Json;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::ToSchema;

use super::state::{RouteAnswer, RouteDelegation, RouteState, Sources};
use super::view;
use super::{RouteId, may_see};
use crate::access::Object;
use crate::acme::{Lookout, Seen};
use crate::api::auth::{Allowed, unix_seconds};
use crate::api::extract::NoQuery;
use crate::api::problem::Busy;
use crate::api::{Admin, Problem};
use crate::cert::{Facts, date};
use crate::edge::visit::{self, Shown};
use crate::route::{App, Fault, Route, Target};
use crate::store::Snapshot;
use crate::wire::Name;

/// How long one view may take, whatever happens in it.
const VIEW_TIME: Duration = Duration::from_secs(20);
/// How long somebody waits for a turn.
const TURN_TIME: Duration = Duration::from_secs(10);
/// Apps of a route that are asked.
const APPS_MAX: usize = 3;
/// Addresses of a name that are tried.
const ADDRESSES_MAX: usize = 2;
/// Where the world looks for a site.
const HTTPS: u16 = 443;

/// A route tried step by step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RouteTest {
    /// The host that was asked for.
    #[schema(examples("app.home.example"))]
    pub host: String,
    /// The path that was asked for.
    #[schema(examples("/"))]
    pub path: String,
    /// The route that takes it; null if none does.
    #[schema(examples("app.home.example/"))]
    pub route: Option<String>,
    /// Whether nothing is wrong.
    #[schema(examples(true))]
    pub well: bool,
    /// The steps, in the order of a visit; each as this server sees it itself, then as a stranger does.
    pub steps: Vec<RouteTestStep>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RouteTestStep {
    /// `route`, `delegation`, `name`, `address`, `certificate`, `app` or `page`.
    #[schema(pattern = "^(route|delegation|name|address|certificate|app|page)$", examples("certificate"))]
    pub step: String,
    /// `direct`, as this server sees it itself, or `public`, as a stranger does.
    #[schema(pattern = "^(direct|public)$", examples("direct"))]
    pub view: String,
    /// `well`, `wrong`, `unknown`: it could not be found out, or `skipped`: there is nothing to look at.
    #[schema(pattern = "^(well|wrong|unknown|skipped)$", examples("well"))]
    pub outcome: String,
    /// Milliseconds that it took.
    #[schema(minimum = 0, examples(1.4))]
    pub took_ms: f64,
    /// What was found, in words.
    #[schema(examples("Let's Encrypt E7 vouches until 2027-02-19"))]
    pub message: String,
    /// What to do about it; null where nothing is to be done.
    pub cure: Option<String>,
}

/// What a step came to.
enum Finding {
    Well(String),
    Wrong(String, String),
    Unknown(String, String),
    Skipped(String),
}

impl From<Fault> for Finding {
    fn from(fault: Fault) -> Self {
        Self::Wrong(fault.message, fault.cure)
    }
}

/// The steps of one view so far.
struct View {
    name: &'static str,
    steps: Vec<RouteTestStep>,
    started: Instant,
}

impl View {
    fn new(name: &'static str) -> Self {
        Self { name, steps: Vec::new(), started: Instant::now() }
    }

    /// Notes a step that began when the one before ended.
    fn note(&mut self, step: &str, finding: Finding) {
        let took = self.started.elapsed().as_secs_f64() * 1_000.0;
        let (outcome, message, cure) = match finding {
            Finding::Well(message) => ("well", message, String::new()),
            Finding::Wrong(message, cure) => ("wrong", message, cure),
            Finding::Unknown(message, cure) => ("unknown", message, cure),
            Finding::Skipped(message) => ("skipped", message, String::new()),
        };
        self.steps.push(RouteTestStep {
            step: step.to_owned(),
            view: self.name.to_owned(),
            outcome: outcome.to_owned(),
            took_ms: (took * 10.0).round() / 10.0,
            message,
            cure: (!cure.is_empty()).then_some(cure),
        });
        self.started = Instant::now();
    }
}

/// What is tried.
struct Trial<'a> {
    admin: &'a Admin,
    snapshot: &'a Snapshot,
    host: &'a str,
    path: &'a str,
    route: Option<&'a Route>,
    answer: RouteAnswer,
    /// Whether a zone of ours answers for the host.
    is_ours: bool,
}

/// Test a route
///
/// Looks at each step of a visit, from the name to the app, as this server sees it itself and as a stranger does: what is
/// wrong, what to do, and how long it took. The id is the host and path that a visitor would ask for; a host without a route can be
/// tested too. It takes some seconds where somebody does not answer.
#[utoipa::path(post, path = "/v1/routes/{id}/test", tag = "Routes", operation_id = "testRoute",
    params(RouteId),
    responses((status = 200, description = "What was found.", body = RouteTest)))]
pub(in crate::api) async fn test(allowed: Allowed, id: RouteId, _: NoQuery) -> Result<Json<RouteTest>, Problem> {
    let admin = allowed.to(Object::Server)?;
    let snapshot = admin.store.snapshot();
    may_see(&allowed, &snapshot, &id.host)?;
    if id.host.is_wildcard() {
        let hint = format!("name a host that it covers, as in test.{}", id.host.base());
        return Err(Problem::bad_request(format!("nobody visits {} itself", id.host), &hint));
    }
    let Ok(Ok(_turn)) = timeout(TURN_TIME, admin.route_test_turns.acquire()).await else {
        let detail = "as many routes are being tested as can be at once".to_owned();
        return Err(Problem { retry_after_seconds: Some(5), ..Problem::new(Busy, detail, "try again in a moment") });
    };
    let (host, path) = (id.host.as_str(), id.path.as_str());
    let sources = Sources { snapshot: &snapshot, lookout: None, board: None, addresses: None, now: unix_seconds() };
    let RouteState { zone, answer, .. } = RouteState::of(host, &sources);
    let route = snapshot.routes.find(host, path).map(|found| &**found.route);
    let trial = Trial { admin: &admin, snapshot: &snapshot, host, path, route, answer, is_ours: zone.is_some() };
    let (direct, public) = tokio::join!(
        within(VIEW_TIME, View::new("direct"), async |view| trial.direct(view).await),
        within(VIEW_TIME, View::new("public"), async |view| trial.public(view).await),
    );
    let steps = in_order(direct, public);
    Ok(Json(RouteTest {
        host: host.to_owned(),
        path: path.replace('%', "%25"),
        route: route.map(view::id),
        well: steps.iter().all(|step| step.outcome != "wrong"),
        steps,
    }))
}

/// A view, cut off after its time with what it has by then.
async fn within(time: Duration, mut view: View, look: impl AsyncFnOnce(&mut View)) -> Vec<RouteTestStep> {
    let looked = timeout(time, look(&mut view)).await;
    if looked.is_err() {
        let message = format!("it was given up after {} s", time.as_secs());
        view.note("page", Finding::Unknown(message, "try again".to_owned()));
    }
    view.steps
}

/// The steps of a visit, both views of each beside the other.
fn in_order(direct: Vec<RouteTestStep>, public: Vec<RouteTestStep>) -> Vec<RouteTestStep> {
    const ORDER: [&str; 7] = ["route", "delegation", "name", "address", "certificate", "app", "page"];
    let mut steps: Vec<_> = direct.into_iter().chain(public).collect();
    steps.sort_by_key(|step| ORDER.iter().position(|name| *name == step.step)); // it keeps the order otherwise
    steps
}

// ----- How we see it ourselves --------------------------------------------------------------------------

impl Trial<'_> {
    async fn direct(&self, view: &mut View) {
        view.note("route", self.route());
        view.note("name", self.own_answer());
        self.app(view).await;
        let listener = self.admin.live.as_ref().and_then(|live| live.edge.as_ref()).and_then(|edge| edge.https.first());
        match listener {
            Some(listener) => self.visit(view, reachable(*listener)).await,
            None => {
                let cure = "give the settings file a section [edge], and start the server".to_owned();
                view.note("address", Finding::Wrong("no edge runs here that serves HTTPS".to_owned(), cure));
            }
        }
    }

    fn route(&self) -> Finding {
        match self.route {
            Some(route) => Finding::Well(format!("{} leads to {}", view::id(route), route.target())),
            None if self.snapshot.routes.knows(self.host) => Finding::Wrong(
                format!("no route of {} takes {}", self.host, self.path),
                format!("`freehold route add {} TARGET` makes one for all that the others do not take", self.host),
            ),
            None => Finding::Wrong(
                format!("there is no route for {}", self.host),
                format!("`freehold route add {} TARGET` makes one", self.host),
            ),
        }
    }

    fn own_answer(&self) -> Finding {
        let records = self.answer.records.join(", ");
        match self.answer.state.as_str() {
            "addresses" | "alias" => Finding::Well(records),
            "none" => Finding::Wrong(
                format!("our zone has no address for {}", self.host),
                format!(
                    "set `addresses` below [edge], and every route has them; or `freehold record set {} A ADDRESS`",
                    self.host
                ),
            ),
            _ => Finding::Skipped(format!("{} lies in no zone of this server", self.host)),
        }
    }

    /// What the route leads to, without the edge in between.
    async fn app(&self, view: &mut View) {
        match self.route.map(Route::target) {
            None => (),
            Some(Target::Redirect(redirect)) => {
                view.note("app", Finding::Well(format!("visitors are sent to {}", redirect.url)));
            }
            Some(Target::Folder(folder)) => {
                let found = tokio::fs::read_dir(&folder.path).await;
                let shown = folder.path.display();
                view.note(
                    "app",
                    match found {
                        Ok(_) => Finding::Well(format!("the folder {shown} is there")),
                        Err(fault) => Finding::Wrong(
                            format!("the folder {shown} cannot be read: {}", crate::api::system_reason(&fault)),
                            "make it, and let the user that runs freehold read it".to_owned(),
                        ),
                    },
                );
            }
            Some(Target::Apps(apps)) if apps.iter().all(|app| app.drained) => {
                let cure =
                    format!("`freehold route drain {} TARGET --undo` gives one of them requests again", self.host);
                view.note("app", Finding::Wrong("all apps of the route are drained".to_owned(), cure));
            }
            Some(Target::Apps(apps)) => {
                for app in apps.iter().filter(|app| !app.drained).take(APPS_MAX) {
                    if app.is_passed() {
                        view.note("app", self.passed_app(app).await);
                        continue;
                    }
                    let finding = match visit::ask_app(app, self.host, self.path).await {
                        Ok(status @ 500..) => {
                            let message = format!("{app} answers {status}");
                            Finding::Wrong(message, "the app's own log says why".to_owned())
                        }
                        Ok(status) => Finding::Well(format!("{app} answers {status}")),
                        Err(fault) => fault.into(),
                    };
                    view.note("app", finding);
                }
            }
        }
    }

    /// An app that shakes hands itself.
    async fn passed_app(&self, app: &App) -> Finding {
        if self.route.is_some_and(|route| route.options().proxy_protocol.is_some()) {
            let message = format!("{app} wants the PROXY protocol in front, so it is tried through the edge only");
            return Finding::Skipped(message);
        }
        match visit::shake_hands_with_app(app, self.host, self.snapshot.authority.as_deref()).await {
            Ok(shown) => Finding::Well(format!("{app} answers with a certificate of {}", shown.facts().issuer)),
            Err(fault) => fault.into(),
        }
    }

    /// From an address to the page.
    async fn visit(&self, view: &mut View, address: SocketAddr) {
        let stream = match visit::connect(address).await {
            Ok(stream) => stream,
            Err(fault) => return view.note("address", self.unreached(view.name, address, fault)),
        };
        view.note("address", Finding::Well(format!("{address} takes connections")));
        let shown = match visit::shake_hands(stream, self.host, self.snapshot.authority.as_deref()).await {
            Ok(shown) => shown,
            Err(fault) => return view.note("certificate", self.no_handshake(fault)),
        };
        view.note("certificate", self.certificate(&shown));
        if self.route.is_some_and(Route::is_passed) {
            let message =
                "what is spoken behind it is between the visitor and the app: the connection is passed on unopened";
            return view.note("page", Finding::Skipped(message.to_owned()));
        }
        let finding = match visit::ask(shown, self.host, self.path).await {
            Ok(status @ 500..) => Finding::Wrong(
                format!("https://{}{} answers {status}", self.host, self.path),
                "the step of the app says why, or the app's own log".to_owned(),
            ),
            Ok(status) => Finding::Well(format!("https://{}{} answers {status}", self.host, self.path)),
            Err(fault) => fault.into(),
        };
        view.note("page", finding);
    }

    fn unreached(&self, view: &str, address: SocketAddr, fault: Fault) -> Finding {
        if view == "public" {
            let cure = "let port 443 through the firewall, and have the router forward it here; some routers do not lead their \
                        own address back inside, so try from outside as well";
            return Finding::Unknown(format!("{}, as seen from this machine", fault.message), cure.to_owned());
        }
        Finding::Wrong(fault.message, format!("look into the log: the edge should listen at {address}"))
    }

    fn no_handshake(&self, fault: Fault) -> Finding {
        let cure = match self.snapshot.certificates.for_server_name(self.host, unix_seconds()) {
            _ if self.route.is_some_and(Route::is_passed) => {
                "the app shakes hands itself: look at its own log, and at the step of the app"
            }
            Some(_) => "look into the log",
            None => "there is no certificate for the name yet: it comes within a second of the route",
        };
        Finding::Wrong(fault.message, cure.to_owned())
    }

    fn certificate(&self, shown: &Shown) -> Finding {
        let Facts { issuer, serial, not_after, .. } = shown.facts();
        let told = format!("{issuer} vouches until {}, serial {serial}", date(*not_after));
        let held = self.snapshot.certificates.for_server_name(self.host, unix_seconds());
        let is_ours = held.is_some_and(|held| held.serial() == serial);
        let why = format!("`freehold cert why {}` tells how it came to this", self.host);
        if self.route.is_some_and(Route::is_passed) {
            return match shown.doubt() {
                Some(doubt) => Finding::Unknown(
                    format!("{told}, shown by the app itself; {doubt}"),
                    "if visitors are to take it, give the app another one: this server has none for the host"
                        .to_owned(),
                ),
                None => Finding::Well(format!("{told}, shown by the app itself")),
            };
        }
        match shown.doubt() {
            Some(doubt) if is_ours => Finding::Wrong(format!("{told}; {doubt}"), why),
            Some(doubt) => Finding::Wrong(
                format!("{told}; {doubt}, and it is none of this server's"),
                "somebody else answers at this address: look at it".to_owned(),
            ),
            None if held.is_some_and(|held| *held.origin() == crate::cert::Origin::Local) && is_ours => {
                Finding::Well(format!("{told}; it is the built-in CA, which browsers do not know"))
            }
            None => Finding::Well(told),
        }
    }
}

/// Where a listener is reached from this machine.
fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, listener.port())
}

// ----- How a stranger sees it ---------------------------------------------------------------------------

impl Trial<'_> {
    async fn public(&self, view: &mut View) {
        let Some(live) = &self.admin.live else {
            return view.note("name", Finding::Skipped("no server runs that could ask".to_owned()));
        };
        let Ok(name) = self.host.parse::<Name>() else { return };
        if self.is_ours {
            self.delegation(view, &live.acme, &name).await;
        }
        if live.acme.is_private(self.host) {
            let message = format!("{} is a private name: strangers are told that there is none", self.host);
            return view.note("name", Finding::Skipped(message));
        }
        let seen = match live.acme.see(name.borrow()).await {
            Ok(seen) => seen,
            Err(reason) => {
                let cure = "look at this machine's network, or name resolvers with `resolvers` below [acme]".to_owned();
                return view.note("name", Finding::Unknown(reason, cure));
            }
        };
        view.note("name", self.judge(&seen, &live.acme));
        for address in seen.addresses.iter().take(ADDRESSES_MAX) {
            self.visit(view, SocketAddr::new(*address, HTTPS)).await;
        }
    }

    async fn delegation(&self, view: &mut View, lookout: &Lookout, name: &Name) {
        let Some(zone) = self.snapshot.home(name.borrow()).map(|zone| zone.apex().to_name()) else { return };
        let found = RouteDelegation::found(&*lookout.look_at_delegation(self.snapshot, &zone).await);
        let cure = found.cure.unwrap_or_default();
        view.note(
            "delegation",
            match found.state.as_str() {
                "right" if cure.is_empty() => Finding::Well(found.message),
                "right" => Finding::Unknown(found.message, cure),
                "wrong" => Finding::Wrong(found.message, cure),
                "private" => Finding::Skipped(found.message),
                _ => Finding::Unknown(found.message, cure),
            },
        );
    }

    /// What a stranger is told, beside what we say.
    fn judge(&self, seen: &Seen, lookout: &Lookout) -> Finding {
        let shown: Vec<String> = seen.addresses.iter().map(ToString::to_string).collect();
        let shown = [seen.aliases.iter().map(|alias| format!("CNAME {alias}")).collect(), shown].concat().join(", ");
        if seen.addresses.is_empty() {
            let what = if seen.exists { "has no address" } else { "is not a name that the world knows" };
            let cure = if self.is_ours {
                "see the step of the delegation"
            } else {
                "give it an A or AAAA record that leads here"
            };
            return Finding::Wrong(format!("{} {what}", self.host), cure.to_owned());
        }
        let own: Vec<IpAddr> = self.answer.addresses().collect();
        if self.is_ours && !own.is_empty() && seen.addresses.iter().any(|address| !own.contains(address)) {
            return Finding::Wrong(
                format!("strangers are told {shown}, and this server says {}", self.answer.records.join(", ")),
                "wait until resolvers have forgotten what was there before; if it stays so, see the delegation"
                    .to_owned(),
            );
        }
        if !self.is_ours && !seen.addresses.iter().any(|address| lookout.is_own(self.snapshot, *address)) {
            return Finding::Unknown(
                format!("{shown}, none of which is known to be this server's"),
                "if it should lead here, correct it where the name is kept, or `addresses` below [edge]".to_owned(),
            );
        }
        Finding::Well(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_views_of_a_step_stand_beside_each_other() {
        let (mut direct, mut public) = (View::new("direct"), View::new("public"));
        for step in ["route", "name", "app", "address"] {
            direct.note(step, Finding::Well(String::new()));
        }
        for step in ["delegation", "name", "address", "address"] {
            public.note(step, Finding::Wrong("x".into(), "y".into()));
        }
        let steps = in_order(direct.steps, public.steps);
        let told: Vec<_> = steps.iter().map(|step| format!("{} {}", step.step, &step.view[..1])).collect();
        let expected = ["route d", "delegation p", "name d", "name p", "address d", "address p", "address p", "app d"];
        assert_eq!(told, expected);
    }

    #[tokio::test]
    async fn a_view_that_hangs_is_cut_off_with_what_it_has() {
        let steps = within(Duration::ZERO, View::new("public"), async |view: &mut View| {
            view.note("name", Finding::Well(String::new()));
            std::future::pending::<()>().await;
        })
        .await;
        assert_eq!((steps.len(), steps[1].outcome.as_str()), (2, "unknown"));
        assert_eq!(steps[1].message, "it was given up after 0 s");
    }
}
