//! How much a client may send along a route, and how patiently its apps and clients are waited for.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{OptionFault, Seconds};

/// The range of a time.
const TIME_MIN: Duration = Duration::from_millis(10);
const TIME_MAX: Duration = Duration::from_secs(86_400);

/// How patiently apps and clients of a route are waited for, in place of what the settings say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RouteTimes)]
pub struct Times {
    /// Seconds until an app takes a connection; longer than the settings say is as long as they say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = Option<f64>, minimum = 0.01, maximum = 86400, examples(0.5))]
    pub connect: Option<Seconds>,
    /// Seconds until an answer begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = Option<f64>, minimum = 0.01, maximum = 86400, examples(120.5))]
    pub answer: Option<Seconds>,
    /// Seconds for which an answer or a WebSocket may be silent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = Option<f64>, minimum = 0.01, maximum = 86400, examples(90.5))]
    pub silence: Option<Seconds>,
    /// Seconds within which a part of a request's body has to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = Option<f64>, minimum = 0.01, maximum = 86400, examples(30.5))]
    pub body: Option<Seconds>,
}

impl Times {
    pub(super) fn check(&self, faults: &mut Vec<OptionFault>) {
        for (word, time) in
            [("connect", self.connect), ("answer", self.answer), ("silence", self.silence), ("body", self.body)]
        {
            if let Some(time) = time {
                time.check(TIME_MIN..=TIME_MAX, || format!("/times/{word}"), faults);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_of_seconds_within_a_range() {
        let times: Times = serde_json::from_str(r#"{"connect":0.25,"answer":600}"#).unwrap();
        assert_eq!(times.connect, Some(Seconds(Duration::from_millis(250))));
        assert_eq!(serde_json::to_string(&times).unwrap(), r#"{"connect":0.25,"answer":600}"#);
        let mut faults = Vec::new();
        times.check(&mut faults);
        assert_eq!(faults, []);
        let times: Times = serde_json::from_str(r#"{"connect":0,"answer":-5,"silence":86401,"body":1e99}"#).unwrap();
        times.check(&mut faults);
        assert_eq!(faults.len(), 4, "{faults:?}");
        assert_eq!(faults[2].fault.message, "the time is 86401 s");
    }
}
