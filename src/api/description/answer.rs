//! The answers of an operation, completed: problems joined by their status, headers told in full.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};

use super::{ROWS, Row};

/// Joins the problems that the operation names with those of its shape. Each answer goes into `shared`, under a name made
/// of its problems, and the operation refers to it: many operations have the same.
pub(super) fn complete(operation: &mut Operation, implied: Vec<Row>, shared: &mut BTreeMap<String, Response>) {
    let answers = &mut operation.responses.responses;
    let mut problems = BTreeMap::<u16, BTreeSet<usize>>::new();
    let named = |name: &str| ROWS.iter().position(|row| row.name == name);
    let own: Vec<usize> = answers.keys().filter_map(|key| named(key.split_once(' ')?.1)).collect();
    for place in own.into_iter().chain(implied.iter().filter_map(|row| named(row.name))) {
        problems.entry(ROWS[place].status.as_u16()).or_default().insert(place);
    }
    answers.retain(|key, _| !key.contains(' '));
    for answer in answers.values_mut() {
        if let RefOr::T(answer) = answer {
            complete_headers(answer);
        }
    }
    for (status, places) in problems {
        let rows: Vec<&Row> = places.iter().map(|place| &ROWS[*place]).collect();
        let name = rows.iter().map(|row| row.name).collect::<Vec<_>>().join(".");
        answers.insert(status.to_string(), Ref::from_response_name(&name).into());
        shared.entry(name).or_insert_with(|| problem(&rows));
    }
}

/// One answer for all these types of problems, which have one status.
fn problem(rows: &[&Row]) -> Response {
    let said = rows.iter().map(|row| format!("- `{}`: {}", row.name, row.when));
    let description = match rows {
        [one] => one.when.to_owned(),
        _ => said.collect::<Vec<_>>().join("\n"),
    };
    let status = rows.first().map(|row| row.status.as_u16());
    let types = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(rows.iter().map(|row| row.address())));
    let status_schema = ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some(status));
    let narrowed = ObjectBuilder::new().property("type", types).property("status", status_schema);
    let schema = AllOfBuilder::new().item(Ref::from_schema_name("Problem")).item(narrowed);
    let content = Content::new(Some(RefOr::T(schema.build().into())));
    let stale = rows.iter().any(|row| row.name == "stale");
    let answer = ResponseBuilder::new().description(description).content("application/problem+json", content);
    let header = match status {
        _ if stale => Some("ETag"),
        Some(401 | 403) => Some("WWW-Authenticate"),
        Some(429) => Some("Retry-After"),
        Some(_) | None => None,
    };
    let answer = header.into_iter().fold(answer, |answer, name| answer.header(name, Header::default()));
    let mut answer = answer.build();
    complete_headers(&mut answer);
    answer
}

/// Tells in full what the annotations only name.
fn complete_headers(answer: &mut Response) {
    for (name, header) in &mut answer.headers {
        let (description, example) = match name.as_str() {
            "ETag" => {
                ("The tag of what is there now: send it in `If-Match` to change only that.", json!("\"2026112102\""))
            }
            "WWW-Authenticate" => ("How to ask (RFC 6750).", json!("Bearer realm=\"freehold\"")),
            "Location" => ("Where it is.", json!("/v1/")),
            "Retry-After" => ("Seconds until a new try can succeed.", json!("1")),
            _ => continue,
        };
        let schema = ObjectBuilder::new().schema_type(Type::String);
        let told = HeaderBuilder::new().schema(Some(schema)).description(Some(description)).example(Some(example));
        *header = RefOr::T(told.build());
    }
}
