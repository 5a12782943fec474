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
//! - Whoever needs no token says `security(())`.
//! - Afterwards `UPDATE=1 cargo test --lib api::description` writes `docs/openapi.json`, and
//!   `tests/api/schemathesis` holds the server to it.
//!
//! # Doors
//!
//! It has several doors, and all lead to the same [`Router`]: the Unix socket and the TCP addresses of a running server
//! ([`serve`]), and [`Here`], by which the command line calls it in its own process when no server runs. So there is one
//! way to change anything, and it is this one.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request};
use axum::http::{Method, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use tokio::sync::Semaphore;
use tower::ServiceExt;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::dns;
use crate::store::Store;
use listen::guard::{self, Hosts};
use stats::Stats;

mod backup;
mod caller;
mod change;
mod description;
mod difference;
mod event;
mod extract;
mod health;
mod history;
mod listen;
mod metrics;
mod new_zone;
mod page;
mod parameter;
mod problem;
mod process;
mod read;
mod records;
mod settings;
mod stats;
mod status;
mod stream;
mod tag;
mod types;
mod zone_file;
mod zones;

pub use caller::Caller;
pub use event::{Deed, History, PastChange, PastItem, PastSet, PastValues, PastZone};
pub use health::{Hindrance, Ready};
pub use listen::{BindFault, Bound, Doors, Socket, Tcp, Tls};
use problem::{NoToken, WrongMethod};
pub use problem::{Problem, ZoneFault, system_reason};
pub use read::Checked;
pub use settings::{HostName, Listen, PORT, Settings};
pub use types::{
    Action, Difference, NewZone, Patch, PatchStep, RecordList, RecordSet, Saved, SetBody, Status, ZoneChange, ZoneList,
    ZoneSummary, plain,
};
pub use zone_file::TEXT_DNS;

/// Octets of a request's body, except a zone file's.
const BODY_SIZE_MAX: usize = 1 << 20;
/// Zone files that lie in memory while they are read, at once.
const ZONE_FILES_AT_ONCE_MAX: usize = 2;

/// What the API has to know of the server that runs around it.
pub struct Live {
    /// Where DNS is answered.
    pub addresses: Vec<String>,
    /// What DNS counts.
    pub dns: dns::Meter,
    /// Whether everything works.
    pub ready: Ready,
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
    /// Whose turn it is to have a zone file in memory.
    zone_file_turns: Semaphore,
}

/// The table of endpoints, from which their description is made.
fn table() -> OpenApiRouter<Arc<Admin>> {
    let mut table = OpenApiRouter::with_openapi(description::frame())
        .routes(routes!(zones::list))
        .routes(routes!(zones::get, new_zone::create, zones::delete))
        .routes(routes!(zone_file::get, zone_file::put))
        .routes(routes!(records::list, records::patch))
        .routes(routes!(records::get, records::put, records::post, records::delete))
        .routes(routes!(history::all))
        .routes(routes!(history::list))
        .routes(routes!(history::get))
        .routes(routes!(history::diff))
        .routes(routes!(history::undo))
        .routes(routes!(status::get))
        .routes(routes!(backup::get))
        .routes(routes!(metrics::get))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(description::get));
    description::complete(table.get_openapi_mut());
    table
}

/// The endpoints with all that stands around each.
fn router(store: Arc<Store>, settings: Settings, live: Option<Live>) -> Router {
    let (started, started_at, stats) = (Instant::now(), SystemTime::now(), Arc::<Stats>::default());
    let hosts = Hosts::of(&settings);
    let zone_file_turns = Semaphore::new(ZONE_FILES_AT_ONCE_MAX);
    let admin = Admin { store, settings, live, started, started_at, stats: Arc::clone(&stats), zone_file_turns };
    let admin = Arc::new(admin);
    let (router, _) = table().split_for_parts();
    router
        .route("/", get(page::root))
        .route("/v1", get(page::root))
        .route("/v1/", get(page::get))
        .route("/problems/{name}", get(page::problem))
        .fallback(no_path)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(BODY_SIZE_MAX)) // zone files have their own
        .layer(middleware::from_fn(authenticate))
        .layer(middleware::from_fn_with_state(hosts, guard::admit))
        .layer(middleware::map_response(guard::dress))
        .layer(middleware::from_fn_with_state(stats, stats::count))
        .with_state(admin)
}

async fn no_path(uri: Uri) -> Problem {
    Problem::no_path(uri.path())
}

async fn no_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{method} is not possible at {}", uri.path());
    Problem::new(WrongMethod, detail, "the Allow header of this answer says what is")
}

/// Whoever comes over TCP has to show a token, and there are none.
async fn authenticate(request: Request, next: Next) -> Response {
    if let Some(ConnectInfo(Caller::Network { .. })) = request.extensions().get() {
        let detail = "a token is needed".to_owned();
        let hint = "send Authorization: Bearer, or ask at the Unix socket";
        return Problem::new(NoToken, detail, hint).into_response();
    }
    next.run(request).await
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
    listen::serve(doors, router(store, settings, Some(live)), stop).await;
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
        Self(router(store, settings, None))
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
