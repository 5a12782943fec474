//! The description of the API (OpenAPI 3.1), made from the table of endpoints, so that it cannot drift from it.
//!
//! Handlers annotate what is theirs: parameters, bodies, answers, and the types of problems they alone have. What follows
//! from the shape of an operation is added here, once for all of them: whoever takes a body may be sent too large a one,
//! whoever changes something may find the disk full. Problems with the same status become one answer, which says exactly
//! which types it can have; schemathesis holds the server to it (`tests/api/schemathesis`).
//!
//! `docs/openapi.json` is the same text; `UPDATE=1 cargo test --lib api::description` writes it anew.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::Bytes;
use utoipa::OpenApi as _;
use utoipa::openapi::path::{HttpMethod, Operation, PathItem};
use utoipa::openapi::{Components, OpenApi, RefOr};

use super::Problem;
use super::extract::NoQuery;
use super::problem::{
    BadRequest, BadToken, Busy, Closing, CrossSite, Forbidden, Internal, NoToken, NotSaved, ProblemType, ROWS, Row,
    TooLarge, TooManyGuesses, TooSlow, WrongContentType, WrongHost,
};

mod answer;
mod format;
#[cfg(test)]
mod tests;

/// The frame: what stands above the operations.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Freehold admin API",
        description = include_str!("about.md"),
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "Where this description came from")),
    security(("token" = [])),
    modifiers(&Token),
    tags(
        (name = "Zones", description = "Zones come whole: made of their name servers or imported as a file, exported, deleted."),
        (name = "Records", description = "Single record sets, and many as one change. When an answer leaves, DNS gives it too."),
        (name = "History", description = "Who changed what and when, and taking it back."),
        (name = "Certificates", description = "What HTTPS is served with: how it stands and why, renewed, brought, handed out."),
        (name = "Routes", description = "Which host leads to which app; records and certificates follow."),
        (name = "Tokens", description = "Who else may do what: created, listed, revoked. Their limits are told in docs/tokens.md."),
        (name = "Server", description = "What the server does, backups, and this description."),
    ),
    components(schemas(Problem)),
)]
struct Frame;

struct Token;

impl utoipa::Modify for Token {
    fn modify(&self, document: &mut OpenApi) {
        use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
        let description = "A token of `freehold token create`, as `Authorization: Bearer freehold_...`. \
                           Over the Unix socket none is needed: the kernel says who calls.";
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description));
        let components = document.components.get_or_insert_with(Components::new);
        components.add_security_scheme("token", SecurityScheme::Http(scheme.build()));
    }
}

/// What a router begins with.
pub(super) fn frame() -> OpenApi {
    Frame::openapi()
}

/// Adds what follows from the shape of each operation.
pub(super) fn complete(document: &mut OpenApi) {
    let mut answers = BTreeMap::new();
    for item in document.paths.paths.values_mut() {
        for (method, operation) in operations(item) {
            answer::complete(operation, implied(&method, operation), &mut answers);
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter {
                    parameter.schema.iter_mut().for_each(format::name);
                }
            }
        }
    }
    let components = document.components.get_or_insert_with(Components::new);
    components.schemas.values_mut().for_each(format::name);
    components.responses = answers.into_iter().map(|(name, answer)| (name, RefOr::T(answer))).collect();
}

/// The problems that come with an operation's shape.
fn implied(method: &HttpMethod, operation: &Operation) -> Vec<Row> {
    let takes_body = operation.request_body.is_some();
    let changes = !matches!(method, HttpMethod::Get | HttpMethod::Head);
    let takes_token = operation.security.is_none();
    let rows = [
        (takes_token, NoToken::ROW),
        (takes_token, BadToken::ROW),
        (takes_token, Forbidden::ROW),
        (takes_token, TooManyGuesses::ROW),
        (true, BadRequest::ROW),
        (true, CrossSite::ROW),
        (true, WrongHost::ROW),
        (true, Busy::ROW),
        (takes_body, TooSlow::ROW),
        (takes_body, TooLarge::ROW),
        (takes_body, WrongContentType::ROW),
        (true, Internal::ROW),
        (changes, NotSaved::ROW),
        (changes, Closing::ROW),
    ];
    rows.into_iter().filter_map(|(comes, row)| comes.then_some(row)).collect()
}

/// The operations of a path, in the order of the specification.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [
        (HttpMethod::Get, get),
        (HttpMethod::Put, put),
        (HttpMethod::Post, post),
        (HttpMethod::Delete, delete),
        (HttpMethod::Patch, patch),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// The text, made once.
static TEXT: LazyLock<Result<Bytes, serde_json::Error>> = LazyLock::new(|| {
    let mut text = super::described().to_pretty_json()?;
    text.push('\n');
    Ok(text.into())
});

/// Read this description
///
/// OpenAPI 3.1, as JSON. It needs no token, for it holds no secret.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "Server", operation_id = "getOpenApi", security(()),
    responses((status = 200, description = "The description.", body = Object, content_type = "application/json")))]
pub(super) async fn get(_: NoQuery) -> Result<Response, Problem> {
    let text = TEXT.as_ref().map_err(|fault| Problem::internal(fault))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text.clone()).into_response())
}
