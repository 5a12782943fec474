//! `/livez` and `/readyz`: for whoever has to know whether to restart the server, or to send it clients.
//!
//! Neither needs a token, for neither tells more than that. What to look at, and how often, is the daemon's to know: it hands
//! the API a function.

use std::pin::Pin;
use std::sync::Arc;

use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::auth::Allowed;
use super::extract::NoQuery;
use super::problem::{NotReady, Problem};
use crate::access::Object;

/// What keeps the server from doing what it is there for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hindrance {
    /// What is wrong, such as `the disk is full`.
    pub what: String,
    /// What to do about it.
    pub cure: String,
}

/// Finds out what hinders the server at present: nothing, if it is ready.
pub type Ready = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Vec<Hindrance>> + Send>> + Send + Sync>;

/// Find out whether the server is alive
///
/// Whoever gets no answer may restart it. It says nothing about DNS or the disk: see `/readyz`.
#[utoipa::path(get, path = "/livez", tag = "Server", operation_id = "getLivez", security(()),
    responses((status = 200, description = "It is alive.", body = String, content_type = "text/plain; charset=utf-8")))]
pub(super) async fn alive(_: NoQuery) -> Response {
    ok()
}

/// Find out whether the server is ready
///
/// It is when all zones are loaded, DNS has answered the server's own questions at every address over UDP and TCP, and the
/// disk takes changes. It is looked at once a second at most, however often it is asked for.
#[utoipa::path(get, path = "/readyz", tag = "Server", operation_id = "getReadyz", security(()),
    responses((status = 200, description = "It is ready.", body = String, content_type = "text/plain; charset=utf-8"),
        NotReady))]
pub(super) async fn ready(allowed: Allowed, _: NoQuery) -> Result<Response, Problem> {
    let admin = allowed.to(Object::Health)?;
    let Some(live) = &admin.live else {
        return Err(Problem::new(NotReady, "no server runs".into(), "start it with `freehold serve`"));
    };
    let hindrances = (live.ready)().await;
    if hindrances.is_empty() { Ok(ok()) } else { Err(not_ready(&hindrances)) }
}

fn ok() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], "ok\n").into_response()
}

/// All of them in one sentence each.
fn not_ready(hindrances: &[Hindrance]) -> Problem {
    let all = |text: fn(&Hindrance) -> &str| hindrances.iter().map(text).collect::<Vec<_>>().join("; ");
    Problem::new(NotReady, all(|hindrance| &hindrance.what), &all(|hindrance| &hindrance.cure))
}
