//! The description of the API as a page for people, at `/v1/`: made here, of the very description that programs read.
//!
//! It is one HTML text with its style and without any script, so that it works in every browser, without the network
//! beyond this server, and under the strictest policy. Rejected: Swagger UI and its like, which are megabytes of script
//! in the binary, or fetched from somebody else at each visit.

use std::fmt::Write;
use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::Path;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Bytes;
use serde_json::{Map, Value};

mod markdown;
mod operation;
mod schema;
#[cfg(test)]
mod tests;

use super::Problem;
use super::problem::ROWS;
use markdown::{escape, html, inline};
use operation::{Operation, figure};
use schema::{Schemas, coloured};

const STYLE: &str = include_str!("style.css");
/// A hash sign on green, as the icon of the page.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect \
    width='16' height='16' rx='4' fill='%230b7a55'/%3E%3Cpath d='M5 12V4h6M5 8h5' stroke='white' stroke-width='2' \
    fill='none'/%3E%3C/svg%3E";

/// `GET /v1/`: the page. It stands outside of the description, for it is none of the API.
pub(super) async fn get() -> Result<Response, Problem> {
    let page = PAGE.as_ref().map_err(|fault| Problem::internal(fault))?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, page.policy.as_str()),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    Ok((headers, page.text.clone()).into_response())
}

/// `GET /` leads to the page.
pub(super) async fn root() -> Redirect {
    Redirect::to("/v1/")
}

/// `GET /problems/{name}`, the `type` of a problem document, leads to what the page says of it.
pub(super) async fn problem(Path(name): Path<String>) -> Result<Redirect, Problem> {
    match ROWS.iter().find(|row| row.name == name) {
        Some(row) => Ok(Redirect::to(&format!("/v1/#problem-{}", row.name))),
        None => Err(Problem::no_path(&format!("/problems/{name}"))),
    }
}

struct Page {
    text: Bytes,
    /// Lets the browser take this very style, the icon, and nothing else.
    policy: String,
}

static PAGE: LazyLock<Result<Page, serde_json::Error>> = LazyLock::new(|| {
    let document = serde_json::to_value(super::described())?;
    let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    Ok(Page { text: page(&document).into(), policy })
});

fn page(document: &Value) -> String {
    let nothing = Map::new();
    let schemas = Schemas(document["components"]["schemas"].as_object().unwrap_or(&nothing));
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap_or(&nothing) {
        for (method, told) in methods.as_object().unwrap_or(&nothing) {
            operations.push(Operation { method, path, told, schemas: &schemas });
        }
    }
    let info = &document["info"];
    let title = escape(&schema::plain(&info["title"]));
    let about = html(info["description"].as_str().unwrap_or_default());
    let (mut list, mut body) = (String::new(), String::new());
    for tag in document["tags"].as_array().into_iter().flatten() {
        let (name, told) = (schema::plain(&tag["name"]), tag["description"].as_str().unwrap_or_default());
        let here = operations.iter().filter(|operation| operation.told["tags"].get(0) == Some(&tag["name"]));
        let (links, articles): (String, String) = here.map(|one| (one.link(), one.article())).unzip();
        let _ = write!(list, "<h2><a href=\"#{name}\">{name}</a></h2><ul>{links}</ul>");
        let _ = write!(
            body,
            "<section id=\"{name}\"><header><h2>{name}</h2><p>{}</p></header>{articles}</section>",
            inline(told)
        );
    }
    list += "<h2><a href=\"#problems\">Problems</a></h2><h2><a href=\"#types\">Types</a></h2>";
    body += &problems();
    body += &types(&schemas);
    let version = escape(&schema::plain(&info["version"]));
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <meta name=color-scheme content=\"light dark\"><title>{title}</title><link rel=icon href=\"{ICON}\">\
         <style>{STYLE}</style>\
         <header class=top><a href=\"#\"><b>Freehold</b> admin API</a> <span>{version}</span>\
         <a class=raw href=\"/v1/openapi.json\">openapi.json</a></header>\
         <input type=checkbox id=menu><label for=menu>Contents</label><nav>{list}</nav>\
         <main><section class=about><h1>{title}</h1>{about}</section>{body}</main>"
    )
}

/// All types of problems.
fn problems() -> String {
    let mut rows = String::new();
    for row in ROWS {
        let (status, name) = (row.status.as_u16(), row.name);
        let _ = write!(
            rows,
            "<div class=row id=\"problem-{name}\"><dt><span class=\"status s{}\">{status}</span> \
             <a href=\"#problem-{name}\"><code>{name}</code></a></dt><dd><b>{}.</b> {}</dd></div>",
            status / 100,
            escape(row.title),
            inline(row.when)
        );
    }
    format!(
        "<section id=problems><header><h2>Problems</h2><p>Every failure is one of these, told as a \
         <a href=\"#type-Problem\">problem document</a> whose <code>type</code> is <code>/problems/</code> and the name \
         below.</p></header><article><dl class=wide>{rows}</dl></article></section>"
    )
}

/// All types of what bodies hold.
fn types(schemas: &Schemas<'_>) -> String {
    let mut text = "<section id=types><header><h2>Types</h2><p>What bodies hold.</p></header>".to_owned();
    for (name, schema) in schemas.0 {
        let told = inline(schema["description"].as_str().unwrap_or_default());
        let fields = schemas.fields(schema);
        let fields =
            if fields.is_empty() { format!("<p>{}</p>", schema::words(schema)) } else { format!("<dl>{fields}</dl>") };
        let example = figure("Example", &coloured(&schemas.example(schema)));
        let _ = write!(
            text,
            "<article id=\"type-{name}\"><div class=words><h3><a href=\"#type-{name}\">{name}</a></h3><p>{told}</p>{fields}\
             </div><div class=sample>{example}</div></article>"
        );
    }
    text + "</section>"
}
