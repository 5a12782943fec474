//! `--option KEY=VALUE`: how the requests of a route are treated, one value at a time. The keys are those of the API's `options`,
//! put together with dots; a value is JSON where it can be read as such, and text else.

use serde_json::{Map, Value};

use crate::cli::stop::{Exit, Stop};
use crate::route::Options;

/// The options with these changes; an empty value puts one back to what it is by itself.
pub(super) fn changed(known: &Options, changes: &[String]) -> Result<Options, Stop> {
    let mut whole = serde_json::to_value(known).unwrap_or_default();
    for change in changes {
        let Some((key, value)) = change.split_once('=') else {
            let cure = "write KEY=VALUE, as in --option compress=true; docs/routes.md has them all";
            return Err(Stop::new(Exit::Usage, format!("{change:?} is no option"), cure));
        };
        put(&mut whole, key, value);
    }
    serde_json::from_value(whole).map_err(|fault| {
        let message = format!("the options cannot be: {fault}");
        Stop::new(Exit::Usage, message, "docs/routes.md has them all, with their ranges")
    })
}

fn put(whole: &mut Value, key: &str, value: &str) {
    let mut place = whole;
    let mut steps = key.split('.').peekable();
    while let Some(step) = steps.next() {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(fields) = place else { return };
        if steps.peek().is_none() && value.is_empty() {
            fields.remove(step);
            return;
        }
        place = fields.entry(step).or_insert(Value::Null);
    }
    *place = serde_json::from_str(value).unwrap_or_else(|_| value.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(known: &str, changes: &[&str]) -> String {
        let mut whole = serde_json::from_str(known).unwrap();
        for change in changes {
            let (key, value) = change.split_once('=').unwrap();
            put(&mut whole, key, value);
        }
        whole.to_string()
    }

    #[test]
    fn keys_lead_to_values() {
        assert_eq!(after("{}", &["a=true"]), r#"{"a":true}"#);
        assert_eq!(after("{}", &["a.b=/x", "a.c=3"]), r#"{"a":{"b":"/x","c":3}}"#);
        assert_eq!(after(r#"{"a":{"b":1,"c":2}}"#, &["a.b="]), r#"{"a":{"c":2}}"#);
        assert_eq!(after(r#"{"a":true}"#, &["a.b=1"]), r#"{"a":{"b":1}}"#);
        assert_eq!(after("{}", &[r#"a=["x","y"]"#]), r#"{"a":["x","y"]}"#);
    }

    #[test]
    fn what_is_no_option_is_told() {
        for (change, told) in [("compress", "is no option"), ("no.such=1", "unknown field `no`")] {
            let stop = changed(&Options::default(), &[change.to_owned()]).unwrap_err();
            assert!(stop.message.contains(told), "{}", stop.message);
        }
    }
}
