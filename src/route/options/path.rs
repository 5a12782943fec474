//! The path as the app sees it: without the route's own, behind another, or both.
//!
//! What is left behind the route's path always begins with exactly one slash: `/api//evil.example` must not become
//! `//evil.example`, which apps send browsers to. Nothing else of the path is touched, so signed URLs and `%2F` stay whole.
//! What the app writes into `Location` and cookies is left alone: it is told the prefix, and who rewrites answers
//! sooner or later rewrites what was meant. Rejected: regular expressions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Fault, Given, Meaning, OptionFault};
use crate::route::path::{behind_slashes, is_plain};

/// Octets of what is put in front of a path.
const PREFIX_SIZE_MAX: usize = 1_024;

/// The path as the app sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RoutePathRule)]
pub struct PathRule {
    /// Whether the route's own path is taken off. The app is told it in `X-Forwarded-Prefix`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false, default = false, examples(true))]
    pub strip: bool,
    /// What is put in front of the path, or of what is left of it: `/v2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = Option<String>, max_length = 1024, examples("/v2"))]
    pub prefix: Option<Given<Prefix>>,
}

/// What is put in front of a path. It begins with a slash and does not end with one.
#[derive(Clone, Debug)]
pub struct Prefix(Box<str>);

impl Meaning for Prefix {
    fn read(text: &str) -> Result<Self, Fault> {
        let fault = |message: &str, cure: &str| Err(Fault::new(format!("the prefix {text:?} {message}"), cure));
        if !text.starts_with('/') || text.len() > PREFIX_SIZE_MAX {
            return fault("is no path", "write it as in \"/v2\", with at most 1024 octets");
        }
        let ordinary = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@%/".contains(&octet);
        if !text.bytes().all(ordinary) || text.contains("//") || !is_plain(text) {
            return fault(
                "cannot stand in a path",
                "write it as a browser would send it, without \"//\", \"..\" and \"?\"",
            );
        }
        Ok(Self(text.trim_end_matches('/').into()))
    }
}

impl PathRule {
    pub(super) fn check(&self, faults: &mut Vec<OptionFault>) {
        if let Some(prefix) = &self.prefix {
            prefix.check(|| "/path/prefix".into(), faults);
        }
    }

    /// The target of a request (its path and query) as the app gets it. Behind `rest` octets begins what the route's own path
    /// leaves. None if what comes of it would lead elsewhere than it says.
    pub fn rewrite(&self, target: &str, rest: usize) -> Option<String> {
        let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
        let prefix = self.prefix.as_ref().and_then(Given::meaning).map_or("", |prefix| &prefix.0);
        let path = match self.strip {
            true => format!("{prefix}/{}", behind_slashes(path.get(rest..)?)),
            false => format!("{prefix}{path}"),
        };
        is_plain(&path).then(|| path + query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::PathPrefix;

    fn rewritten(route: &str, strip: bool, prefix: &str, target: &str) -> String {
        let prefix = (!prefix.is_empty()).then(|| Given::from(prefix));
        let path = target.split('?').next().unwrap();
        let rest = path.len() - PathPrefix::parse(route).unwrap().rest(path).unwrap().len();
        PathRule { strip, prefix }.rewrite(target, rest).unwrap_or_default()
    }

    #[test]
    fn the_app_sees_what_was_meant() {
        for (route, strip, prefix, target, seen) in [
            ("/api", true, "", "/api", "/"),
            ("/api", true, "", "/api?x=/api", "/?x=/api"),
            ("/api", true, "", "/api/", "/"),
            ("/api", true, "", "/api/v1/a%2Fb?q", "/v1/a%2Fb?q"),
            ("/api", true, "/v2", "/api/a", "/v2/a"),
            ("/api", true, "/v2/", "/api", "/v2/"),
            ("/api", false, "/v2", "/api/a", "/v2/api/a"),
            ("/", true, "/app", "/a", "/app/a"),
            ("/", true, "", "/a", "/a"),
            ("/café", true, "", "/caf%C3%A9/menu", "/menu"),
        ] {
            assert_eq!(rewritten(route, strip, prefix, target), seen, "{target}");
        }
    }

    #[test]
    fn no_trick_with_slashes_makes_another_host_or_another_path() {
        for (target, seen) in [
            ("/api//evil.example", "/evil.example"),
            ("/api/%2fevil.example", "/evil.example"),
            ("/api%2f%2fevil.example", "/evil.example"),
            ("/api\\\\evil.example", "/evil.example"),
            ("//api/x", "/x"),
            ("/%61pi/x", "/x"),
            ("/api;x=1/y", "/;x=1/y"),
            ("/api;..", "/;.."),
        ] {
            assert_eq!(rewritten("/api", true, "", target), seen, "{target}");
        }
        // What the door refuses is refused here as well.
        assert_eq!(PathRule { strip: true, prefix: None }.rewrite("/api/..%2fx", 4), None);
    }

    #[test]
    fn what_is_no_prefix_is_told() {
        for text in ["", "v2", "/a//b", "/../x", "/a?b", "/a b", "/%2e%2e/x", "/é", "/a;b", "//"] {
            assert!(Prefix::read(text).is_err(), "{text}");
        }
    }
}
