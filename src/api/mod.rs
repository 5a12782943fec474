//! The admin API: HTTP under `/v1`, JSON in and out. This page is the [`table`] of all endpoints.
//!
//! # An endpoint, and its description
//!
//! The table takes handlers by `routes!`, which reads method and path from the handler's own annotation. So the router and the
//! description at `/v1/openapi.json` are made of the same lines and cannot drift apart:
//!
//! ```text
//! /// Read a zone in short                                   the summary: one line, as a command, without a full stop
//! ///
//! /// More about it, in whole sentences.                     the description (Markdown)
//! #[utoipa::path(get, path = "/v1/zones/{zone}", tag = "Zones", operation_id = "getZone",
//!     params(ZoneName, Known),                               the extractors of the signature (parameter.rs)
//!     responses(
//!         (status = 200, description = "The zone.", body = ZoneSummary, headers(("ETag"))),
//!         NoSuchZone))]                                      what it alone can answer with (problem/table.rs)
//! ```
//!
//! - What follows from an operation's shape (400, 413, 415, 500, 503) is added for all by [`description::complete`].
//! - Types in bodies derive `ToSchema`; each field has a sentence, `examples(...)`, and its range.
//! - A new type of problem is a line in `problem/table.rs`; a new tag a line in `description/mod.rs`.
//! - An endpoint without a query takes [`extract::NoQuery`], so that a key nobody knows is refused.
//! - What somebody needs who calls it is said in the table: [`endpoint::reading`], [`endpoint::writing`],
//!   [`endpoint::administering`]. The handler takes [`auth::Allowed`] and says what it is about; only so it gets at anything.
//! - Whoever needs no token ([`endpoint::open`]) says `security(())`.
//! - Afterwards `UPDATE=1 cargo test --lib api::description` writes `docs/openapi.json`, and
//!   `tests/api/schemathesis` holds the server to it.
//!
//! # Doors
//!
//! It has several doors, and all lead to the same [`Router`]: the Unix socket and the TCP addresses of a running server
//! ([`serve`]), and [`Here`], by which the command line calls it in its own process when no server runs. So there is one
//! way to change anything, and it is this one. Over the socket nobody needs a token, for the kernel says who calls;
//! otherwise [`auth`] asks for one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit};
use axum::http::{Method, Uri};
use axum::middleware;
use axum::routing::get;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use tokio::sync::Semaphore;
use tower::ServiceExt;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::acme;
use crate::dns;
use crate::edge;
use crate::route::circle::Ourselves;
use crate::store::Store;
use listen::guard;

mod auth;
mod backup;
mod caller;
mod certificates;
mod change;
mod description;
mod difference;
mod endpoint;
mod event;
mod extract;
mod first_token;
mod guesses;
mod health;
mod history;
mod listen;
mod metrics;
mod new_zone;
mod once;
mod page;
mod parameter;
mod problem;
mod process;
mod read;
mod records;
mod routes;
mod settings;
mod stats;
mod status;
mod stream;
mod tag;
mod tokens;
mod types;
mod uses;
mod zone_file;
mod zones;

pub use caller::Caller;
pub use certificates::{
    CertificateAttempt, CertificateDetails, CertificateError, CertificateList, CertificateStep, CertificateSummary,
    CertificateWindow, ImportedCertificate, NewCertificate,
};
pub use event::{Deed, History, PastChange, PastItem, PastSet, PastValues, PastZone};
pub use first_token::{FILE as FIRST_TOKEN_FILE, FirstToken, first_token};
pub use health::{Hindrance, Ready};
pub use listen::{BindFault, Bound, Doors, Socket, Tcp, Tls};
pub use problem::{Problem, ZoneFault, system_reason};
pub use read::Checked;
pub use routes::{
    NewRoute, RouteAddressState, RouteAnswer, RouteApp, RouteAppState, RouteCertificate, RouteChange, RouteDelegation,
    RouteFolder, RouteList, RoutePurge, RouteRedirect, RouteSummary, RouteTest, RouteTestStep,
};
pub use settings::{HostName, Listen, PORT, Settings};
pub use tokens::{LastUse, MadeToken, NewToken, RevokedToken, TokenList, TokenScope, TokenSummary};
pub use types::{
    Action, Difference, NewZone, Patch, PatchStep, RecordList, RecordSet, Saved, SetBody, Status, ZoneChange, ZoneList,
    ZoneSummary, plain,
};
pub use zone_file::TEXT_DNS;

use auth::Gate;
use endpoint::{Endpoint, administering, open, reading, writing};
use guesses::Guesses;
use once::Answers;
use problem::WrongMethod;
use stats::Stats;
use uses::Uses;

/// Octets of a request's body, except a zone file's.
const BODY_SIZE_MAX: usize = 1 << 20;
/// Zone files that lie in memory while they are read, at once, if each is as large as it may be.
const LARGE_ZONE_FILES_AT_ONCE_MAX: u32 = 2;
/// Zone files that lie in memory at once however small they are; those that come together share the waits for the disk.
const ZONE_FILES_AT_ONCE_MAX: u32 = 32;
/// Tests of routes at once: each opens a dozen connections.
const ROUTE_TESTS_AT_ONCE_MAX: usize = 2;

/// What the API has to know of the server that runs around it.
pub struct Live {
    /// Where DNS is answered.
    pub addresses: Vec<String>,
    /// Where this server itself listens: no route may lead there.
    pub ourselves: Ourselves,
    /// What DNS counts.
    pub dns: dns::Meter,
    /// What the keeper of certificates knows.
    pub acme: acme::Lookout,
    /// The edge, if it runs.
    pub edge: Option<LiveEdge>,
    /// Whether everything works.
    pub ready: Ready,
}

/// The edge that runs beside the API.
pub struct LiveEdge {
    /// What it counts.
    pub meter: edge::Meter,
    /// The answers that it keeps.
    pub cache: edge::Cache,
    /// Where it serves HTTPS.
    pub https: Vec<SocketAddr>,
    /// How the apps of routes are.
    pub board: Arc<edge::Board>,
    /// How its own addresses are.
    pub addresses: Arc<edge::addresses::AddressBoard>,
}

/// What every endpoint works with.
struct Admin {
    store: Arc<Store>,
    settings: Settings,
    /// The server, when one runs.
    live: Option<Live>,
    started: Instant,
    /// The same moment, as the calendar says it.
    started_at: SystemTime,
    stats: Arc<Stats>,
    /// Whose turn it is to have a zone file in memory; one of the largest takes many.
    zone_file_turns: Semaphore,
    /// Whose turn it is to test a route.
    route_test_turns: Semaphore,
    /// Wrong tokens.
    guesses: Guesses,
    /// The last use of each token.
    uses: Uses,
    /// Answers for those who ask again.
    answers: Answers,
}

impl Admin {
    fn new(store: Arc<Store>, settings: Settings, live: Option<Live>) -> Self {
        Self {
            uses: Uses::open(store.directory()),
            store,
            settings,
            live,
            started: Instant::now(),
            started_at: SystemTime::now(),
            stats: Arc::default(),
            zone_file_turns: Semaphore::new(ZONE_FILES_AT_ONCE_MAX as usize),
            route_test_turns: Semaphore::new(ROUTE_TESTS_AT_ONCE_MAX),
            guesses: Guesses::default(),
            answers: Answers::default(),
        }
    }
}

/// The table of endpoints: what each needs, and the handlers of a path.
fn table() -> Vec<Endpoint> {
    vec![
        reading(routes!(zones::list)),
        reading(routes!(zones::get)),
        writing(routes!(new_zone::create)).once(),
        writing(routes!(zones::delete)),
        reading(routes!(zone_file::get)),
        writing(routes!(zone_file::put)),
        reading(routes!(records::list)),
        writing(routes!(records::patch)),
        reading(routes!(records::get)),
        writing(routes!(records::put, records::post, records::delete)),
        reading(routes!(history::all)),
        reading(routes!(history::list)),
        reading(routes!(history::get)),
        reading(routes!(history::diff)),
        writing(routes!(history::undo)).once(),
        reading(routes!(routes::list)),
        reading(routes!(routes::get)),
        writing(routes!(routes::put, routes::delete)),
        writing(routes!(routes::trial::test)),
        writing(routes!(routes::purge::purge)),
        reading(routes!(certificates::list)),
        writing(routes!(certificates::create)),
        reading(routes!(certificates::get)),
        writing(routes!(certificates::delete)),
        writing(routes!(certificates::renew)),
        reading(routes!(certificates::chain)),
        administering(routes!(certificates::key)),
        writing(routes!(certificates::import)),
        reading(routes!(certificates::root)),
        administering(routes!(tokens::list)),
        administering(routes!(tokens::create)).once(),
        administering(routes!(tokens::get, tokens::delete)),
        reading(routes!(status::get)),
        administering(routes!(backup::get)),
        reading(routes!(metrics::get)),
        open(routes!(health::alive)),
        open(routes!(health::ready)),
        open(routes!(description::get)),
    ]
}

/// The endpoints and their description; behind the gate, or without one for the description alone.
fn endpoints(gate: Option<&Gate>) -> OpenApiRouter<Gate> {
    let empty = OpenApiRouter::with_openapi(description::frame());
    let mut endpoints = table().into_iter().fold(empty, |router, endpoint| endpoint.join(router, gate));
    description::complete(endpoints.get_openapi_mut());
    endpoints
}

/// What is described.
fn described() -> OpenApi {
    endpoints(None).into_openapi()
}

/// The endpoints with all that stands around each.
fn router(gate: Gate) -> Router {
    let (hosts, stats) = (gate.hosts(), gate.stats());
    let (router, _) = endpoints(Some(&gate)).split_for_parts();
    router
        // Pages for people, with nothing of the store in them: they need no token.
        .route("/", get(page::root))
        .route("/v1", get(page::root))
        .route("/v1/", get(page::get))
        .route("/problems/{name}", get(page::problem))
        .fallback(no_path)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(BODY_SIZE_MAX)) // zone files have their own
        .layer(middleware::from_fn_with_state(hosts, guard::admit))
        .layer(middleware::map_response(guard::dress))
        .layer(middleware::from_fn_with_state(stats, stats::count))
        .with_state(gate)
}

async fn no_path(uri: Uri) -> Problem {
    Problem::no_path(uri.path())
}

async fn no_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{method} is not possible at {}", uri.path());
    Problem::new(WrongMethod, detail, "the Allow header of this answer says what is")
}

/// Runs what reads much or waits for the disk, off the threads that must not wait.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|fault| Err(Problem::internal(&fault)))
}

/// The API of a running server, until `stop` is done; then requests under way are finished.
pub async fn serve(
    doors: Doors,
    store: Arc<Store>,
    settings: Settings,
    live: Live,
    stop: impl Future<Output = ()> + Send,
) {
    let gate = Gate::new(Admin::new(store, settings, Some(live)));
    tokio::select! {
        () = listen::serve(doors, router(gate.clone()), stop) => (),
        never = gate.write_uses() => match never {},
    }
    gate.write_uses_now().await;
}

/// A request as the command line makes it.
pub type Question = hyper::Request<Full<Bytes>>;

/// An answer, whichever door it came through.
pub type Answer = hyper::Response<UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>>;

/// The API in this very process, for when no server runs.
#[derive(Clone)]
pub struct Here(Router);

impl Here {
    /// Opens the API over a store.
    pub fn new(store: Arc<Store>, settings: Settings) -> Self {
        Self(router(Gate::new(Admin::new(store, settings, None))))
    }

    /// Answers as a server would, on behalf of the user this process runs as.
    pub async fn answer(&self, question: Question) -> Answer {
        let mut request = question.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(Caller::here()));
        let Ok(response) = self.0.clone().oneshot(request).await;
        response.map(|body| body.map_err(Into::into).boxed_unsync())
    }
}

#[cfg(test)]
mod tests;
