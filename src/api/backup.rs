//! All that Freehold knows, as one file, while it serves.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::{Admin, stream};
use crate::store;

/// `GET /v1/backup`
pub(super) async fn get(State(admin): State<Arc<Admin>>) -> Response {
    let snapshot = admin.store.snapshot();
    let body = stream::body(move |mut out| store::backup::write(&snapshot, &mut out));
    ([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response()
}
