//! All that Freehold knows, as one file, while it serves.

use std::time::SystemTime;

use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::auth::Allowed;
use super::extract::NoQuery;
use super::stats::Backup;
use super::{Problem, stream};
use crate::access::Object;

/// Download a backup
///
/// One checksummed file with all that Freehold knows at this moment, its history, token hashes and private keys included;
/// `freehold restore` takes it.
#[utoipa::path(get, path = "/v1/backup", tag = "Server", operation_id = "getBackup",
    responses((status = 200, description = "The backup.", content(("application/octet-stream")))))]
pub(super) async fn get(allowed: Allowed, _: NoQuery) -> Result<Response, Problem> {
    let admin = allowed.to(Object::Everything)?;
    let body = stream::body(move |mut out| {
        let revision = admin.store.snapshot().revision; // what comes meanwhile is in it as well
        admin.store.backup(&mut out)?;
        out.flush()?;
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        admin.stats.backed_up(Backup { revision, time });
        Ok(())
    });
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}
