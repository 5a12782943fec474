//! All that Freehold knows, as one file, while it serves.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::extract::NoQuery;
use super::{Admin, stream};

/// Download a backup
///
/// One checksummed file with all that Freehold knows at this moment, its history, token hashes and private keys included;
/// `freehold restore` takes it.
#[utoipa::path(get, path = "/v1/backup", tag = "Server", operation_id = "getBackup",
    responses((status = 200, description = "The backup.", content(("application/octet-stream")))))]
pub(super) async fn get(State(admin): State<Arc<Admin>>, _: NoQuery) -> Response {
    let body = stream::body(move |out| admin.store.backup(out));
    ([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response()
}
