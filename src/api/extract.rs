//! What endpoints take out of a request's address; a fault becomes a problem document.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::Problem;
use crate::wire::Name;

const HINT: &str = "write it as in home.example; a slash in it is written %2F";

/// The `{zone}` of a path, in lower case.
pub(super) struct ZoneName(pub(super) Name);

impl<S: Send + Sync> FromRequestParts<S> for ZoneName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|fault| Problem::bad_request(fault.body_text(), HINT))?;
        zone_name(&text).map(Self)
    }
}

fn zone_name(text: &str) -> Result<Name, Problem> {
    let name: Name = text
        .parse()
        .map_err(|fault| Problem::bad_request(format!("`{text}` is not the name of a zone: {fault}"), HINT))?;
    Ok(name.borrow().to_lower())
}

/// The `{zone}`, in lower case, and the `{revision}` of a path.
pub(super) struct ZoneRevision(pub(super) Name, pub(super) u64);

impl<S: Send + Sync> FromRequestParts<S> for ZoneRevision {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((zone, revision)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|fault| Problem::bad_request(fault.body_text(), HINT))?;
        let number = revision.parse().map_err(|_| {
            Problem::bad_request(format!("`{revision}` is not a revision"), "a revision is a number, as in 17")
        })?;
        Ok(Self(zone_name(&zone)?, number))
    }
}

/// The query `?dry_run=1`: only say what would change.
pub(super) struct DryRun(pub(super) bool);

impl<S: Send + Sync> FromRequestParts<S> for DryRun {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match parts.uri.query().unwrap_or_default() {
            "" | "dry_run=0" | "dry_run=false" => Ok(Self(false)),
            "dry_run=1" | "dry_run=true" => Ok(Self(true)),
            // Whoever mistypes a dry run must not get the real thing.
            other => {
                let detail = format!("the query `{other}` is not known here");
                Err(Problem::bad_request(detail, "this endpoint takes dry_run=1 and nothing else"))
            }
        }
    }
}
