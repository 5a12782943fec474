//! Routes whose connections are passed on unopened: those to `tls://` apps. The edge reads which name a client wants, and from then
//! on moves octets. So such a route has the whole host, and nothing can be asked of it that would need a look inside.
//!
//! Everything that cannot be had is refused when the route is made, with its name: an option that silently does nothing is worse than
//! none.

use super::options::OptionFault;
use super::{App, By, Fault, Options, PathPrefix, Protocol, Route, Target};

impl Target {
    /// Whether connections to it are passed on unopened.
    pub fn is_passed(&self) -> bool {
        matches!(self, Self::Apps(apps) if apps.iter().any(App::is_passed))
    }
}

impl App {
    /// Whether connections to it are passed on unopened.
    pub fn is_passed(&self) -> bool {
        self.protocol == Protocol::Tls
    }
}

/// Apps of one route are either all passed on to, or none.
pub(super) fn check_apps(apps: &[App]) -> Result<(), Fault> {
    let passed = apps.iter().find(|app| app.is_passed());
    match (passed, apps.iter().find(|app| !app.is_passed())) {
        (Some(passed), Some(opened)) => Err(Fault::new(
            format!("{passed} gets connections unopened, and {opened} gets requests"),
            "give both the same kind of address, or each a host of its own",
        )),
        (Some(_), None) | (None, _) => Ok(()),
    }
}

/// A route that is passed on has its whole host.
pub(super) fn check_path(path: &PathPrefix, target: &Target) -> Result<(), Fault> {
    if target.is_passed() && *path != PathPrefix::root() {
        let message = format!("{target} gets connections unopened, so nobody sees whether a request is for {path}");
        return Err(Fault::new(message, "leave out the path, or name an app with http:// or https://"));
    }
    Ok(())
}

impl Route {
    /// Whether its connections are passed on unopened.
    pub fn is_passed(&self) -> bool {
        self.target.is_passed()
    }

    /// What it asks for that cannot be had of connections nobody opens.
    pub fn check_passed(&self) -> Vec<OptionFault> {
        if !self.is_passed() {
            return Vec::new();
        }
        let asked = unfit(&self.options).into_iter().chain([("/plain_http", self.plain_http)]);
        let fault = |(field, _): (&str, bool)| {
            let word = field.trim_start_matches("/options").trim_start_matches('/').replace('/', ".");
            let message = format!("{word} needs a connection that is opened, and {} gets it unopened", self.target);
            OptionFault::new(field, message, "leave it out, or name an app with http:// or https://")
        };
        asked.filter(|(_, is_asked)| *is_asked).map(fault).collect()
    }
}

/// Each option that needs a request to be seen, and whether it is asked for. An option that is added later is to be looked at here.
fn unfit(options: &Options) -> Vec<(&'static str, bool)> {
    let Options {
        compress,
        cache,
        balance,
        health,
        hold_seconds: _, // for a connection as for a request
        maintenance,
        path,
        headers,
        security_headers,
        access: _, // by the address, which is seen
        rate_limit,
        basic_auth,
        forward_auth,
        client_certificate,
        body_size_max,
        proxy_protocol: _, // in front of the octets
        addresses: _,      // of DNS
        times,
    } = options;
    vec![
        ("/options/compress", compress.is_some()),
        ("/options/cache", cache.is_some()),
        ("/options/balance/by", matches!(balance.by, By::Header | By::Cookie)),
        ("/options/health/path", !health.path.is_empty()),
        ("/options/maintenance", maintenance.is_on()),
        ("/options/path", *path != Default::default()),
        ("/options/headers", *headers != Default::default()),
        ("/options/security_headers", *security_headers),
        ("/options/rate_limit", rate_limit.is_some()),
        ("/options/basic_auth", basic_auth.is_some()),
        ("/options/forward_auth", forward_auth.is_some()),
        ("/options/client_certificate", client_certificate.is_some()),
        ("/options/body_size_max", body_size_max.is_some()),
        ("/options/times/answer", times.answer.is_some()),
        ("/options/times/body", times.body.is_some()),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(path: &str, apps: &[&str], options: Value) -> Result<Route, String> {
        let route = json!({"host": "mail.example.com", "path": path, "apps": apps, "options": options});
        serde_json::from_value(route).map_err(|fault| fault.to_string())
    }

    #[test]
    fn what_can_be_had_without_a_look_inside_is_taken() {
        let options = json!({"balance": {"by": "client"}, "health": {"tcp": true}, "hold_seconds": 1, "proxy_protocol": "v2",
            "access": {"deny": ["192.0.2.1"]}, "times": {"connect": 1, "silence": 60}});
        let route = read("/", &["tls://10.0.0.5:8443", "tls://10.0.0.6:8443"], options).unwrap();
        assert!(route.is_passed() && route.check_passed().is_empty());
        assert!(!read("/", &["https://10.0.0.5"], json!({})).unwrap().is_passed());
    }

    #[test]
    fn what_needs_a_look_inside_is_refused_by_name() {
        let told = read("/api", &["tls://a"], json!({})).unwrap_err();
        assert!(told.contains("for /api; leave out the path"), "{told}");
        let told = read("/", &["tls://a", "http://b"], json!({})).unwrap_err();
        assert!(told.contains("tls://a gets connections unopened, and http://b gets requests"), "{told}");
        for (options, field) in [
            (json!({"compress": true}), "compress"),
            (json!({"cache": true}), "cache"),
            (json!({"balance": {"by": "cookie"}}), "balance.by"),
            (json!({"health": {"path": "/up"}}), "health.path"),
            (json!({"maintenance": "Back soon."}), "maintenance"),
            (json!({"security_headers": true}), "security_headers"),
            (json!({"body_size_max": 1}), "body_size_max"),
            (json!({"times": {"answer": 1}}), "times.answer"),
        ] {
            let told = read("/", &["tls://a"], options).unwrap_err();
            assert!(told.contains(&format!("{field} needs a connection that is opened")), "{field}: {told}");
        }
        let plain = json!({"host": "a.example", "apps": ["tls://a"], "plain_http": true});
        let told = serde_json::from_value::<Route>(plain).unwrap_err().to_string();
        assert!(told.contains("plain_http needs a connection"), "{told}");
    }
}
