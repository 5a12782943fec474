//! Whether answers are compressed on their way to the browser, and which.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::OptionFault;
use crate::route::Fault;

/// Patterns of types.
const TYPES_MAX: usize = 64;
/// Characters of one.
const TYPE_SIZE_MAX: usize = 100;
/// What becomes smaller. Events (`text/event-stream`) do too, but a stream that is open for hours would hold its tables all that time.
const TYPES: [&str; 16] = [
    "text/html",
    "text/css",
    "text/plain",
    "text/javascript",
    "text/xml",
    "text/csv",
    "text/markdown",
    "text/calendar",
    "application/javascript",
    "application/json",
    "application/xml",
    "application/wasm",
    "*+json",
    "*+xml",
    "font/ttf",
    "font/otf",
];

/// Which answers are compressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RouteCompression)]
pub struct Compress {
    /// Types of content that are compressed: `text/html`, all of a kind as in `text/*`, or all with an ending as in `*+json`. 1 to 64
    /// of them. Default: text, JavaScript, JSON, XML, SVG, WebAssembly and plain fonts.
    #[serde(skip_serializing_if = "are_usual")]
    #[schema(required = false, min_items = 1, max_items = 64, examples("text/html"))]
    pub types: Vec<String>,
    /// Octets below which it does not pay. 0 to 1000000. Default: 512.
    #[serde(skip_serializing_if = "is_usual")]
    #[schema(required = false, default = 512, maximum = 1_000_000, examples(1024))]
    pub min_size: u32,
}

/// `true`, or an object with what should be otherwise than by itself.
#[derive(ToSchema)]
#[schema(as = RouteCompressionSwitch)]
#[serde(untagged)]
#[expect(dead_code, reason = "it only describes what `switch` reads and writes")]
pub(super) enum Given {
    /// On or off.
    Switch(bool),
    /// On, with this.
    With(Compress),
}

fn are_usual(types: &[String]) -> bool {
    types == TYPES
}

fn is_usual(size: &u32) -> bool {
    *size == Compress::default().min_size
}

impl Default for Compress {
    fn default() -> Self {
        Self { types: TYPES.map(String::from).into(), min_size: 512 }
    }
}

impl Compress {
    /// Every value that cannot be.
    pub(super) fn check(&self, faults: &mut Vec<OptionFault>) {
        let mut wrong = |field: String, message: String, cure: &str| {
            faults.push(OptionFault { field, fault: Fault::new(message, cure) });
        };
        if self.types.is_empty() || self.types.len() > TYPES_MAX {
            let message = format!("{} types are named", self.types.len());
            wrong("/compress/types".into(), message, "name 1 to 64, or leave them out for the usual ones");
        }
        for (at, kind) in self.types.iter().take(TYPES_MAX).enumerate() {
            if !is_pattern(kind) {
                let message = format!("{kind:?} is no type of content");
                wrong(format!("/compress/types/{at}"), message, "write one such as text/html, text/* or *+json");
            }
        }
        if self.min_size > 1_000_000 {
            let message = format!("min_size is {}", self.min_size);
            wrong("/compress/min_size".into(), message, "give a number of octets from 0 to 1000000");
        }
    }

    /// Whether content of this type is compressed.
    pub fn covers(&self, content_type: &str) -> bool {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        self.types.iter().any(|pattern| matches(pattern, kind))
    }
}

fn is_pattern(text: &str) -> bool {
    let word = |word: &str| {
        let plain = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || b"!#$&-^_.+".contains(&octet);
        !word.is_empty() && word.bytes().all(plain)
    };
    if text.len() > TYPE_SIZE_MAX {
        return false;
    }
    match text.split_once('/') {
        Some((kind, "*")) => word(kind),
        Some((kind, sort)) => word(kind) && word(sort),
        None => text.strip_prefix("*+").is_some_and(word),
    }
}

fn matches(pattern: &str, kind: &str) -> bool {
    let kind = kind.as_bytes();
    if let Some(ending) = pattern.strip_prefix('*') {
        return kind.len() > ending.len() && kind[kind.len() - ending.len()..].eq_ignore_ascii_case(ending.as_bytes());
    }
    match pattern.strip_suffix('*') {
        Some(front) => kind.len() > front.len() && kind[..front.len()].eq_ignore_ascii_case(front.as_bytes()),
        None => kind.eq_ignore_ascii_case(pattern.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::*;

    fn read(json: &str) -> Result<Options, String> {
        serde_json::from_str(json).map_err(|fault| fault.to_string())
    }

    #[test]
    fn it_is_a_switch_or_an_object() {
        for json in [
            r#"{}"#,
            r#"{"compress":true}"#,
            r#"{"compress":{"min_size":100}}"#,
            r#"{"compress":{"types":["text/*"]}}"#,
        ] {
            let options = read(json).unwrap();
            assert_eq!(serde_json::to_string(&options).unwrap(), json);
            assert_eq!(options.is_plain(), json == "{}");
        }
        assert_eq!(read(r#"{"compress":false}"#).unwrap(), Options::default());
        assert_eq!(read(r#"{"compress":{}}"#).unwrap(), read(r#"{"compress":true}"#).unwrap());
        assert!(read(r#"{"compress":{"level":9}}"#).unwrap_err().contains("unknown field `level`"));
        assert!(read(r#"{"compress":"yes"}"#).unwrap_err().contains("true, false or an object"));
    }

    #[test]
    fn what_cannot_be_is_told_with_its_place() {
        for (json, field) in [
            (r#"{"compress":{"types":[]}}"#, "/compress/types"),
            (r#"{"compress":{"types":["text/html","html"]}}"#, "/compress/types/1"),
            (r#"{"compress":{"types":["*"]}}"#, "/compress/types/0"),
            (r#"{"compress":{"types":["Text/HTML"]}}"#, "/compress/types/0"),
            (r#"{"compress":{"min_size":1000001}}"#, "/compress/min_size"),
        ] {
            let faults = read(json).unwrap().check();
            assert_eq!(faults.iter().map(|fault| fault.field.as_str()).collect::<Vec<_>>(), [field], "{json}");
        }
        assert!(
            read(r#"{"compress":{"types":["text/*","*+json","application/vnd.x-y+xml"],"min_size":1000000}}"#)
                .unwrap()
                .check()
                .is_empty()
        );
    }

    #[test]
    fn types_are_covered_as_they_are_written() {
        let usual = Compress::default();
        for kind in
            ["text/html", "Text/HTML; charset=utf-8", "image/svg+xml", "application/ld+json", "application/wasm"]
        {
            assert!(usual.covers(kind), "{kind}");
        }
        for kind in [
            "",
            "image/png",
            "video/mp4",
            "application/zip",
            "text/event-stream",
            "application/grpc",
            "font/woff2",
            "+json",
            "xtext/html",
        ] {
            assert!(!usual.covers(kind), "{kind}");
        }
        let all_text = Compress { types: vec!["text/*".into()], ..usual };
        assert!(
            all_text.covers("text/event-stream") && !all_text.covers("text/") && !all_text.covers("application/json")
        );
    }
}
