//! Somebody else who is asked about every request before the app sees it: Authelia, Authentik, oauth2-proxy and their like.

use std::time::Duration;

use hyper::header::HeaderValue;
use hyper::http::uri::PathAndQuery;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::headers::check_name;
use super::{Fault, FieldName, Given, Meaning, OptionFault, Seconds, is_default};
use crate::route::{Address, App, is_plain};

/// Fields that are copied.
const COPIED_MAX: usize = 32;
/// How long somebody may think about one request.
const TIME_MIN: Duration = Duration::from_millis(10);
const TIME_MAX: Duration = Duration::from_secs(60);

/// Somebody who is asked about every request before the app sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RouteForwardAuth)]
pub struct ForwardAuth {
    /// What is asked, with GET: an answer of 200 to 299 lets the request pass, any other is handed to the client.
    #[schema(value_type = String, max_length = 2048, examples("http://127.0.0.1:9091/api/authz/forward-auth"))]
    pub url: Given<GuardUrl>,
    /// Fields of that answer that the app is told, in place of what the client may have put there.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schema(required = false, value_type = Vec<String>, max_items = 32, examples("Remote-User"))]
    pub copy: Vec<Given<FieldName>>,
    /// Seconds until nothing passes because there is no answer.
    #[serde(default = "five", skip_serializing_if = "is_five")]
    #[schema(required = false, value_type = f64, minimum = 0.01, maximum = 60, default = 5, examples(2.5))]
    pub seconds: Seconds,
}

fn five() -> Seconds {
    Seconds(Duration::from_secs(5))
}

fn is_five(seconds: &Seconds) -> bool {
    *seconds == five()
}

/// Whom to ask, and for what.
#[derive(Clone, Debug)]
pub struct GuardUrl {
    /// Who answers.
    pub app: App,
    /// What goes into `Host`.
    pub host: HeaderValue,
    /// What is asked for.
    pub target: PathAndQuery,
}

impl Meaning for GuardUrl {
    fn read(text: &str) -> Result<Self, Fault> {
        let behind = text.find("://").map_or(0, |at| at + 3);
        let at = text[behind..].find(['/', '?', '#']).map_or(text.len(), |at| behind + at);
        let (server, target) = text.split_at(at);
        let app = App::parse(server)?;
        let fault = |message: &str, cure: &str| Fault::new(format!("{text:?} {message}"), cure);
        let Address::Tcp { server, port } = &app.address else {
            return Err(fault("is a socket", "write http:// with an address or name, and the path to ask for"));
        };
        let host = HeaderValue::try_from(format!("{server}:{port}"));
        let host = host.map_err(|_| fault("has no server", "write it as in \"http://127.0.0.1:9091/verify\""))?;
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        let target = PathAndQuery::try_from(target).ok().filter(|target| is_plain(target.path()));
        let target =
            target.ok_or_else(|| fault("has a path that cannot be asked for", "write it as a browser would"))?;
        Ok(Self { app, host, target })
    }
}

impl ForwardAuth {
    pub(super) fn check(&self, faults: &mut Vec<OptionFault>) {
        self.url.check(|| "/forward_auth/url".into(), faults);
        if self.copy.len() > COPIED_MAX {
            let fault =
                Fault::new(format!("{} fields are copied", self.copy.len()), format!("name at most {COPIED_MAX}"));
            faults.push(OptionFault { field: "/forward_auth/copy".into(), fault });
        }
        for (at, name) in self.copy.iter().enumerate() {
            check_name(name, true, || format!("/forward_auth/copy/{at}"), faults);
        }
        self.seconds.check(TIME_MIN..=TIME_MAX, || "/forward_auth/seconds".into(), faults);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_to_ask_is_read_from_one_line() {
        for (text, host, target) in [
            ("http://127.0.0.1:9091/api/verify?rd=x", "127.0.0.1:9091", "/api/verify?rd=x"),
            ("https://auth.home.example", "auth.home.example:443", "/"),
            ("http://[::1]:4180/oauth2/auth", "[::1]:4180", "/oauth2/auth"),
        ] {
            let url = GuardUrl::read(text).unwrap();
            assert_eq!((url.host.to_str().unwrap(), url.target.as_str()), (host, target), "{text}");
        }
        for text in
            ["127.0.0.1:9091", "unix:/run/auth.sock", "http://a/../b", "ftp://a/", "http://u:p@a/", "http://a/ b"]
        {
            assert!(GuardUrl::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_fault_is_told_at_its_place() {
        let auth: ForwardAuth =
            serde_json::from_str(r#"{"url":"a","copy":["Remote-User","Host"],"seconds":100.5}"#).unwrap();
        let mut faults = Vec::new();
        auth.check(&mut faults);
        let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["/forward_auth/url", "/forward_auth/copy/1", "/forward_auth/seconds"]);
    }
}
