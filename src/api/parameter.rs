//! What the description says of parameters: one `IntoParams` for each extractor, so that a handler's annotation repeats
//! the types of its signature.

use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{KnownFormat, Required, SchemaFormat};

use super::certificates::CertificateName;
use super::extract::{DryRun, SetPath, ZoneName, ZoneRevision};
use super::history::{self, Paging, REVISION_MAX};
use super::once::IdempotencyKey;
use super::records::{self, DeleteQuery, Filter};
use super::routes::purge::PurgeQuery;
use super::routes::{self, RouteId, RoutePage};
use super::tag::{Conditions, Known};
use super::tokens::TokenId;
use super::zones::{self, ZonePage};

type Provider = Option<ParameterIn>;

macro_rules! parameters {
    ($($type:ty: [$($parameter:expr),*])*) => {
        $(impl IntoParams for $type {
            fn into_params(_: impl Fn() -> Provider) -> Vec<Parameter> {
                vec![$($parameter.build()),*]
            }
        })*
    };
}

parameters! {
    ZoneName: [zone()]
    ZoneRevision: [zone(), revision()]
    SetPath: [zone(), owner(), kind(ParameterIn::Path, "The type, as in `A`, `MX` or `TYPE65280`.").required(Required::True)]
    TokenId: [text("id", ParameterIn::Path, "The id of the token.", "3f9a01c2de").required(Required::True)]
    CertificateName: [
        text("name", ParameterIn::Path, "The id of the certificate, or a name that it is for.", "app.home.example")
            .required(Required::True)
    ]
    RouteId: [
        text("id", ParameterIn::Path, "The host, or host and path as one step: each slash is written `%2F`.", "app.home.example%2Fapi")
            .required(Required::True)
    ]
    DryRun: [dry_run()]
    IdempotencyKey: [pattern(
        "Idempotency-Key",
        ParameterIn::Header,
        "A word of your own, such as a UUID: sent again with it within a day, the request is not done again, and the answer \
         is the one that was given.",
        KEY
    )]
    DeleteQuery: [values(), dry_run()]
    Paging: [limit(history::LIMIT, history::LIMIT_MAX), before()]
    ZonePage: [
        limit(zones::LIMIT_DEFAULT, zones::LIMIT_MAX),
        text("cursor", ParameterIn::Query, "Where the page begins: `next` of the page before.", "office.example")
    ]
    RoutePage: [
        limit(routes::LIMIT_DEFAULT, routes::LIMIT_MAX),
        text("cursor", ParameterIn::Query, "Where the page begins: `next` of the page before.", "office.home.example/")
    ]
    Filter: [
        text("name", ParameterIn::Query, "Only this name: `@`, relative to the zone, or absolute with its final dot.", "www"),
        text("below", ParameterIn::Query, "Only this name and all below it.", "apps"),
        kind(ParameterIn::Query, "Only this type."),
        limit(records::LIMIT_DEFAULT, records::LIMIT_MAX),
        pattern("cursor", ParameterIn::Query, "Where the page begins: `next` of the page before.", CURSOR)
    ]
    PurgeQuery: [
        text(
            "path",
            ParameterIn::Query,
            "Answers of this path only, with any query; with a star at its end those of all paths that begin so.",
            "/news/*"
        ),
        text("tag", ParameterIn::Query, "Answers with this word in `Surrogate-Key` or `Cache-Tag` only.", "article-17")
    ]
    Conditions: [
        tags("If-Match", "Only if what is there has one of these tags, as in `\"2026112102\"`; `*` is anything."),
        tags("If-None-Match", "Only if what is there has none of these tags; `*`: only if nothing is there.")
    ]
    Known: [tags("If-None-Match", "The tag of what you have: if it is still that, the answer is 304, without a body.")]
}

/// A list of tags, or `*` (RFC 9110, section 8.8.3).
const TAGS: &str = r#"^(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*")*)$"#;
/// A place in a list of records, in hexadecimal.
const CURSOR: &str = "^([0-9a-f]{2}){3,257}$";
/// A word (see [`super::once`]).
const KEY: &str = "^[!-~]{1,255}$";
/// What types are made of.
const TYPE: &str = "^[A-Za-z][A-Za-z0-9-]*$";

fn text(name: &str, place: ParameterIn, description: &str, example: &str) -> ParameterBuilder {
    let schema = ObjectBuilder::new().schema_type(Type::String);
    parameter(name, place, description).schema(Some(schema)).example(Some(example.into()))
}

fn pattern(name: &str, place: ParameterIn, description: &str, pattern: &str) -> ParameterBuilder {
    let schema = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern));
    parameter(name, place, description).schema(Some(schema))
}

fn parameter(name: &str, place: ParameterIn, description: &str) -> ParameterBuilder {
    ParameterBuilder::new().name(name).parameter_in(place).description(Some(description)).required(Required::False)
}

fn zone() -> ParameterBuilder {
    let description =
        "The name of the zone, with or without its final dot, ASCII or Unicode. A slash in it is written `%2F`.";
    text("zone", ParameterIn::Path, description, "home.example").required(Required::True)
}

fn owner() -> ParameterBuilder {
    let description = "The name: `@` for the zone's own, relative to the zone, or absolute with its final dot. \
                       A relative name that ends in the zone's own is refused: the dot was forgotten.";
    text("name", ParameterIn::Path, description, "www").required(Required::True)
}

fn kind(place: ParameterIn, description: &str) -> ParameterBuilder {
    pattern("type", place, description, TYPE).example(Some("A".into()))
}

fn number(minimum: u64) -> ObjectBuilder {
    let format = SchemaFormat::KnownFormat(KnownFormat::UInt64);
    ObjectBuilder::new().schema_type(Type::Integer).format(Some(format)).minimum(Some(minimum as f64))
}

fn revision() -> ParameterBuilder {
    let schema = number(0).maximum(Some(REVISION_MAX as f64));
    parameter("revision", ParameterIn::Path, "The revision that the change made.")
        .schema(Some(schema))
        .required(Required::True)
        .example(Some(7.into()))
}

fn before() -> ParameterBuilder {
    parameter("before", ParameterIn::Query, "Only changes older than this revision: `next` of the page before.")
        .schema(Some(number(0).maximum(Some(REVISION_MAX as f64))))
        .example(Some(7.into()))
}

fn limit(default: usize, max: usize) -> ParameterBuilder {
    let schema = number(1).maximum(Some(max as f64)).default(Some(default.into()));
    parameter("limit", ParameterIn::Query, "How many at most.").schema(Some(schema)).example(Some(default.into()))
}

fn dry_run() -> ParameterBuilder {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(["1", "true", "0", "false"]))
        .default(Some("0".into()));
    parameter("dry_run", ParameterIn::Query, "`1`: only say what would change.").schema(Some(schema))
}

fn values() -> ParameterBuilder {
    let item = ObjectBuilder::new().schema_type(Type::String);
    let schema = ArrayBuilder::new().items(item);
    let description =
        "A value that goes, in presentation format; may be given several times. Without any, the whole set goes.";
    parameter("value", ParameterIn::Query, description)
        .schema(Some(schema))
        .explode(Some(true))
        .example(Some(serde_json::json!(["192.0.2.10"])))
}

fn tags(name: &str, description: &str) -> ParameterBuilder {
    pattern(name, ParameterIn::Header, description, TAGS)
}
