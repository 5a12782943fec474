//! Whether answers of the apps are kept and given again.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::OptionFault;
use crate::route::Fault;

/// Seconds of a year.
const YEAR: u32 = 31_536_000;

/// Which answers are kept, beyond what they say of themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RouteCache)]
pub struct Cache {
    /// Octets of the largest answer that is kept. 1024 to 67108864, and at most a 32nd of `edge.cache.memory_max`. Default: 1048576.
    #[serde(skip_serializing_if = "is_usual_size")]
    #[schema(required = false, default = 1_048_576, minimum = 1024, maximum = 67_108_864, examples(65536))]
    pub size_max: u32,
    /// Seconds for which answers are fresh that say nothing about it. 0 to 31536000. Default: 0, they are not kept.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false, default = 0, maximum = 31_536_000, examples(60))]
    pub default_seconds: u32,
    /// Seconds for which an answer that is not fresh any more is shown while the app fails, where it says nothing about it.
    /// 0 to 31536000. Default: 0.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false, default = 0, maximum = 31_536_000, examples(86400))]
    pub stale_if_error_seconds: u32,
    /// Whether a request with cookies gets what one without would, and its answer is kept for others. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false, default = false, examples(false))]
    pub ignore_cookies: bool,
}

/// `true`, or an object with what should be otherwise than by itself.
#[derive(ToSchema)]
#[schema(as = RouteCacheSwitch)]
#[serde(untagged)]
#[expect(dead_code, reason = "it only describes what `switch` reads and writes")]
pub(super) enum Given {
    /// On or off.
    Switch(bool),
    /// On, with this.
    With(Cache),
}

fn is_usual_size(size: &u32) -> bool {
    *size == Cache::default().size_max
}

fn is_zero(seconds: &u32) -> bool {
    *seconds == 0
}

impl Default for Cache {
    fn default() -> Self {
        Self { size_max: 1 << 20, default_seconds: 0, stale_if_error_seconds: 0, ignore_cookies: false }
    }
}

impl Cache {
    /// Every value that cannot be.
    pub(super) fn check(&self, faults: &mut Vec<OptionFault>) {
        for (field, value, range) in [
            ("size_max", self.size_max, 1_024..=64 << 20),
            ("default_seconds", self.default_seconds, 0..=YEAR),
            ("stale_if_error_seconds", self.stale_if_error_seconds, 0..=YEAR),
        ] {
            if !range.contains(&value) {
                let cure = format!("give a number from {} to {}", range.start(), range.end());
                let fault = Fault::new(format!("{field} is {value}"), cure);
                faults.push(OptionFault { field: format!("/cache/{field}"), fault });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Options;

    #[test]
    fn it_is_a_switch_or_an_object_and_within_its_ranges() {
        for json in [r#"{"cache":true}"#, r#"{"cache":{"default_seconds":60,"ignore_cookies":true}}"#] {
            let options: Options = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&options).unwrap(), json);
            assert!(!options.is_plain() && options.check().is_empty());
        }
        for (field, value) in [("size_max", 1_023), ("size_max", (64 << 20) + 1), ("default_seconds", 31_536_001)] {
            let options: Options = serde_json::from_value(serde_json::json!({ "cache": { field: value } })).unwrap();
            let faults = options.check();
            assert_eq!(faults[0].field, format!("/cache/{field}"));
            assert!(faults[0].fault.to_string().contains(&value.to_string()), "{faults:?}");
        }
    }
}
