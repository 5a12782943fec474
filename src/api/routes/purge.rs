//! Answers of a route's apps that the edge keeps, thrown away before their time.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{RouteId, no_route};
use crate::access::Object;
use crate::api::Problem;
use crate::api::auth::Allowed;
use crate::api::extract::Queries;
use crate::api::problem::NoSuchRoute;
use crate::edge::Purge;

/// Octets of a path or a tag.
const WORD_SIZE_MAX: usize = 8_192;

/// What was thrown away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoutePurge {
    /// What the route is found by.
    #[schema(examples("app.home.example/"))]
    pub id: String,
    /// Answers that were kept and are gone.
    #[schema(examples(3))]
    pub purged: u64,
}

/// Which answers are to go.
#[derive(Debug)]
pub(in crate::api) struct PurgeQuery {
    path: Option<String>,
    tag: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for PurgeQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let queries = Queries::from_request_parts(parts, state).await?.only(&["path", "tag"])?;
        let word = |name| queries.one(name).map(|word| word.map(str::to_owned));
        let (path, tag) = (word("path")?, word("tag")?);
        let wrong = |detail: &str, hint: &str| Err(Problem::bad_request(detail.to_owned(), hint));
        if path.is_some() && tag.is_some() {
            return wrong("both a path and a tag are named", "name one of them, or neither for all");
        }
        if path.as_ref().is_some_and(|path| !path.starts_with('/') || path.len() > WORD_SIZE_MAX) {
            return wrong(
                "what is named is no path",
                "write it from the slash on, as in /news; a star at its end means all that begin so",
            );
        }
        if tag.as_ref().is_some_and(|tag| tag.is_empty() || tag.contains([' ', ',']) || tag.len() > WORD_SIZE_MAX) {
            return wrong("what is named is no tag", "write one word of Surrogate-Key or Cache-Tag");
        }
        Ok(Self { path, tag })
    }
}

/// Purge the cache of a route
///
/// Answers that are kept are thrown away: all, those of a path, or those with a tag. What is being fetched at this moment is not kept.
#[utoipa::path(delete, path = "/v1/routes/{id}/cache", tag = "Routes", operation_id = "purgeRouteCache",
    params(RouteId, PurgeQuery),
    responses((status = 200, description = "They are gone.", body = RoutePurge), NoSuchRoute))]
pub(in crate::api) async fn purge(
    allowed: Allowed,
    id: RouteId,
    query: PurgeQuery,
) -> Result<Json<RoutePurge>, Problem> {
    let admin = allowed.to(Object::Everything)?;
    let key = id.key();
    let snapshot = admin.store.snapshot();
    let route = snapshot.routes.get(&key).ok_or_else(|| no_route(&key))?;
    let which = match (&query.path, &query.tag) {
        (Some(path), _) => Purge::Path(path),
        (None, Some(tag)) => Purge::Tag(tag),
        (None, None) => Purge::All,
    };
    let edge = admin.live.as_ref().and_then(|live| live.edge.as_ref());
    let purged = edge.map_or(0, |edge| edge.cache.purge(&key, which));
    Ok(Json(RoutePurge { id: super::view::id(route), purged }))
}
