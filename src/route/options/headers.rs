//! Header fields that are set, added and removed: of the request before the app sees it, of the answer before the client does.
//!
//! Some fields are not for the taking. Those of one connection and those that say where a message ends belong to the connection; `Host` and
//! the forwarding fields say for whom and from whom a request is, and the app has to be able to believe them.

use std::collections::BTreeMap;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Fault, Given, Meaning, OptionFault, is_default};

/// Fields that one list names.
const FIELDS_MAX: usize = 64;
/// Octets of a value.
const VALUE_SIZE_MAX: usize = 4_096;

/// Which header fields are changed on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RouteHeaderRules)]
pub struct HeaderRules {
    /// Of the request, before the app sees it.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false)]
    pub request: FieldChanges,
    /// Of every answer, before the client sees it.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false)]
    pub response: FieldChanges,
}

/// Fields removed, set and added, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RouteFieldChanges)]
pub struct FieldChanges {
    /// Fields that are taken off.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false, value_type = Vec<String>, max_items = 64, examples("Server"))]
    pub remove: Vec<Given<FieldName>>,
    /// Fields that are there once, with this value.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false, value_type = BTreeMap<String, String>, examples("home"))]
    pub set: BTreeMap<Given<FieldName>, Given<FieldValue>>,
    /// Fields that are put beside those there are.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false, value_type = BTreeMap<String, String>, examples("Cookie"))]
    pub add: BTreeMap<Given<FieldName>, Given<FieldValue>>,
}

/// The name of a field.
#[derive(Clone, Debug)]
pub struct FieldName(pub HeaderName);

/// The value of a field.
#[derive(Clone, Debug)]
pub struct FieldValue(pub HeaderValue);

impl Meaning for FieldName {
    fn read(text: &str) -> Result<Self, Fault> {
        HeaderName::try_from(text).map(Self).map_err(|_| {
            Fault::new(format!("{text:?} is no name of a header field"), "write it as in \"X-Robots-Tag\"")
        })
    }
}

impl Meaning for FieldValue {
    fn read(text: &str) -> Result<Self, Fault> {
        let value = HeaderValue::try_from(text).ok().filter(|value| value.len() <= VALUE_SIZE_MAX);
        value.filter(|_| text.trim() == text).map(Self).ok_or_else(|| {
            let message = "the value of a header field has a line break, a space at an end, or more than 4096 octets";
            Fault::new(message, "write it in one line, as it is to be sent")
        })
    }
}

/// Why a field is not changed.
pub(super) fn reserved(name: &HeaderName, of_request: bool) -> Option<&'static str> {
    match name.as_str() {
        "connection"
        | "keep-alive"
        | "proxy-connection"
        | "te"
        | "trailer"
        | "upgrade"
        | "proxy-authenticate"
        | "proxy-authorization"
        | "http2-settings"
        | "expect" => Some("belongs to one connection"),
        "content-length" | "transfer-encoding" => Some("says where a message ends"),
        "host" if of_request => Some("says which site is asked for"),
        "via" if of_request => Some("shows requests that go in a circle"),
        "forwarded" | "x-real-ip" | "x-forwarded-for" | "x-forwarded-proto" | "x-forwarded-host"
        | "x-forwarded-prefix"
            if of_request =>
        {
            Some("says from whom a request is")
        }
        _ => None,
    }
}

/// Tells if a field must not be changed.
pub(super) fn check_name(
    name: &Given<FieldName>,
    of_request: bool,
    field: impl Fn() -> String,
    faults: &mut Vec<OptionFault>,
) {
    name.check(&field, faults);
    if let Some(reason) = name.meaning().and_then(|name| reserved(&name.0, of_request)) {
        let message = format!("the field {:?} {reason}, and is not changed", name.as_str());
        faults.push(OptionFault { field: field(), fault: Fault::new(message, "leave it out") });
    }
}

impl HeaderRules {
    pub(super) fn check(&self, faults: &mut Vec<OptionFault>) {
        self.request.check("/headers/request", true, faults);
        self.response.check("/headers/response", false, faults);
    }
}

impl FieldChanges {
    fn check(&self, place: &str, of_request: bool, faults: &mut Vec<OptionFault>) {
        for (word, size) in [("remove", self.remove.len()), ("set", self.set.len()), ("add", self.add.len())] {
            if size > FIELDS_MAX {
                let fault = Fault::new(format!("{size} fields are named"), format!("name at most {FIELDS_MAX}"));
                faults.push(OptionFault { field: format!("{place}/{word}"), fault });
            }
        }
        for (at, name) in self.remove.iter().enumerate() {
            check_name(name, of_request, || format!("{place}/remove/{at}"), faults);
        }
        for (word, fields) in [("set", &self.set), ("add", &self.add)] {
            for (name, value) in fields {
                let field = || format!("{place}/{word}/{}", name.as_str().replace('~', "~0").replace('/', "~1"));
                check_name(name, of_request, field, faults);
                value.check(field, faults);
            }
        }
    }

    /// Does what is asked for.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for name in self.remove.iter().filter_map(Given::meaning) {
            headers.remove(&name.0);
        }
        for (FieldName(name), FieldValue(value)) in meanings(&self.set) {
            headers.insert(name, value.clone());
        }
        for (FieldName(name), FieldValue(value)) in meanings(&self.add) {
            headers.append(name, value.clone());
        }
    }
}

fn meanings(fields: &BTreeMap<Given<FieldName>, Given<FieldValue>>) -> impl Iterator<Item = (&FieldName, &FieldValue)> {
    fields.iter().filter_map(|(name, value)| name.meaning().zip(value.meaning()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(json: &str) -> Vec<String> {
        let rules: HeaderRules = serde_json::from_str(json).unwrap();
        let mut faults = Vec::new();
        rules.check(&mut faults);
        faults.into_iter().map(|fault| format!("{} {}", fault.field, fault.fault)).collect()
    }

    #[test]
    fn fields_are_removed_then_set_then_added() {
        let rules: FieldChanges =
            serde_json::from_str(r#"{"remove":["Server","X-A"],"set":{"X-A":"1","X-B":"2"},"add":{"x-b":"3"}}"#)
                .unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in [("server", "app"), ("x-a", "old"), ("x-b", "old"), ("x-b", "older"), ("x-c", "c")] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        rules.apply(&mut headers);
        let mut left: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect();
        left.sort();
        assert_eq!(left, ["x-a=1", "x-b=2", "x-b=3", "x-c=c"]);
    }

    #[test]
    fn what_belongs_to_others_is_refused_and_all_faults_are_told() {
        let told = faults(
            r#"{"request":{"set":{"Host":"x","X-Forwarded-For":"1","a b":"x","X-Ok":"a\nb"},"remove":["Via"]},
                "response":{"set":{"Content-Length":"1","Host":"fine"},"add":{"Connection":"close"}}}"#,
        );
        let told = told.join("\n");
        for expected in [
            "/headers/request/remove/0 the field \"Via\"",
            "/headers/request/set/Host the field \"Host\" says which site",
            "/headers/request/set/X-Forwarded-For the field",
            "/headers/request/set/a b \"a b\" is no name",
            "/headers/request/set/X-Ok the value",
            "/headers/response/set/Content-Length the field \"Content-Length\" says where",
            "/headers/response/add/Connection the field",
        ] {
            assert!(told.contains(expected), "{expected}: {told}");
        }
        assert_eq!(told.lines().count(), 7, "{told}");
    }
}
