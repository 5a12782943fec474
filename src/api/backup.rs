//! All that Freehold knows, as one file, while it serves.

use std::sync::Arc;

use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::auth::Allowed;
use super::extract::NoQuery;
use super::{Problem, stream};
use crate::access::Object;

/// Download a backup
///
/// One checksummed file with all that Freehold knows at this moment, its history, token hashes and private keys included;
/// `freehold restore` takes it.
#[utoipa::path(get, path = "/v1/backup", tag = "Server", operation_id = "getBackup",
    responses((status = 200, description = "The backup.", content(("application/octet-stream")))))]
pub(super) async fn get(allowed: Allowed, _: NoQuery) -> Result<Response, Problem> {
    let store = Arc::clone(&allowed.to(Object::Everything)?.store);
    let body = stream::body(move |out| store.backup(out));
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}
