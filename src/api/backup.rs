//! All that Freehold knows, as one file, while it serves.

use std::time::SystemTime;

use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::auth::Allowed;
use super::extract::NoQuery;
use super::stats::Backup;
use super::{Problem, stream};
use crate::access::Object;
use crate::store;

/// Download a backup
///
/// One checksummed file with all that Freehold knows at this moment; `freehold restore` takes it.
#[utoipa::path(get, path = "/v1/backup", tag = "Server", operation_id = "getBackup",
    responses((status = 200, description = "The backup.", content(("application/octet-stream")))))]
pub(super) async fn get(allowed: Allowed, _: NoQuery) -> Result<Response, Problem> {
    let admin = allowed.to(Object::Everything)?;
    let snapshot = admin.store.snapshot();
    let body = stream::body(move |mut out| {
        store::backup::write(&snapshot, &mut out)?;
        out.flush()?;
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        admin.stats.backed_up(Backup { revision: snapshot.revision, time });
        Ok(())
    });
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}
