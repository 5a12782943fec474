//! Routes as plain values: which host and path lead to which app. No I/O, no clock, no tasks.
//!
//! A [`Route`] is a [`Host`], a [`PathPrefix`] and a [`Target`]: apps, a redirect or a folder. [`Routes`] holds all of them and
//! finds the one for a request without allocating: the exact host before a wildcard, then the longest path. A host of its
//! own hides the wildcard altogether, as in DNS. [`circle`] finds targets that lead back to us.
//!
//! Rejected: matching by method, header or regular expression. What decides where a request goes should be seen in one line.

mod app;
pub mod circle;
mod fault;
mod host;
pub mod options;
mod passed;
mod path;
mod table;
mod target;
mod url;

use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

pub use app::{Address, App, Protocol, WEIGHT_MAX};
pub use fault::Fault;
pub use host::Host;
pub use options::{Balance, By, Cache, Compress, Health, HoldSeconds, Look, Maintenance, OptionFault, Options};
pub use path::{PathPrefix, is_plain};
pub use table::{Match, Routes};
pub use target::{Folder, Redirect, Target};
pub use url::Server;

/// Where the requests of one host, below one path, go to. It is sound and never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Route {
    host: Host,
    path: PathPrefix,
    target: Target,
    plain_http: bool,
    options: Arc<Options>,
    /// [`Options::is_plain`], which every request asks.
    plain: bool,
    id: Box<str>,
}

/// The form in JSON: `{"host": "app.example.com", "path": "/", "apps": [{"url": "http://127.0.0.1:3000"}]}`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    host: String,
    #[serde(default = "root")]
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    apps: Option<Vec<App>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redirect: Option<Redirect>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    folder: Option<Folder>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    plain_http: bool,
    #[serde(default, skip_serializing_if = "Options::is_empty")]
    options: Options,
}

/// The options of a route that has none: most have none, and all the fields that could be set take three times the room of
/// the rest of the route. So there is one such value, which all of them share.
fn no_options() -> Arc<Options> {
    static NONE: LazyLock<Arc<Options>> = LazyLock::new(Arc::default);
    Arc::clone(&NONE)
}

fn root() -> String {
    "/".into()
}

impl Route {
    /// A route, if its target is sound.
    pub fn new(host: Host, path: PathPrefix, mut target: Target) -> Result<Self, Fault> {
        target.check()?;
        passed::check_path(&path, &target)?;
        // Only of all apps together; when one is typed, the others are not known yet.
        if let Target::Apps(apps) = &target
            && apps.iter().all(|app| app.backup)
        {
            return Err(Fault::new("every app of the route is a backup", "leave one of them without \"backup\""));
        }
        if let Target::Apps(apps) = &mut target {
            apps.shrink_to_fit(); // room for more is no use to a value that never changes
        }
        let id = format!("{host}{path}").into();
        Ok(Self { host, path, target, plain_http: false, options: no_options(), plain: true, id })
    }

    /// The same route, open or closed to plain HTTP.
    pub fn with_plain_http(self, plain_http: bool) -> Self {
        Self { plain_http, ..self }
    }

    /// The same route with other options; they have to be sound ([`Options::check`]).
    pub fn with_options(self, options: Options) -> Self {
        let plain = options.is_plain();
        Self { plain, options: if options.is_empty() { no_options() } else { Arc::new(options) }, ..self }
    }

    /// Whether a request may go straight to the app and its answer straight back ([`Options::is_plain`]).
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// How its requests are treated.
    pub fn options(&self) -> &Arc<Options> {
        &self.options
    }

    /// The host it is for.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The path it is for, with all that is below.
    pub fn path(&self) -> &PathPrefix {
        &self.path
    }

    /// What it leads to.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Whether requests over plain HTTP are served as well, instead of being sent on to HTTPS: for devices that know no
    /// TLS, and behind a proxy that ends it.
    pub fn plain_http(&self) -> bool {
        self.plain_http
    }

    /// Host and path in one word, such as `app.example.com/api`: no two routes have the same.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl TryFrom<Written> for Route {
    type Error = Fault;

    fn try_from(written: Written) -> Result<Self, Fault> {
        let Written { host, path, apps, redirect, folder, plain_http, options } = written;
        let mut targets =
            [apps.map(Target::Apps), redirect.map(Target::Redirect), folder.map(Target::Folder)].into_iter().flatten();
        let (Some(target), None) = (targets.next(), targets.next()) else {
            let message = format!("the route of {host:?} needs one target");
            return Err(Fault::new(message, "give it either \"apps\" or \"redirect\" or \"folder\""));
        };
        if let Some(OptionFault { field, fault }) = options.check().into_iter().next() {
            return Err(Fault { message: format!("options{field}: {}", fault.message), ..fault });
        }
        let route = Self::new(Host::parse(&host)?, PathPrefix::parse(&path)?, target)?;
        let route = route.with_plain_http(plain_http).with_options(options);
        match route.check_passed().into_iter().next() {
            Some(OptionFault { fault, .. }) => Err(fault),
            None => Ok(route),
        }
    }
}

impl From<Route> for Written {
    fn from(route: Route) -> Self {
        let (host, path) = (route.host.as_str().into(), written_path(&route.path));
        let (plain_http, options) = (route.plain_http, Options::clone(&route.options));
        let mut written = Self { host, path, apps: None, redirect: None, folder: None, plain_http, options };
        match route.target {
            Target::Apps(apps) => written.apps = Some(apps),
            Target::Redirect(redirect) => written.redirect = Some(redirect),
            Target::Folder(folder) => written.folder = Some(folder),
        }
        written
    }
}

/// A path whose decoded form has a percent sign would be decoded twice when it is read again.
fn written_path(path: &PathPrefix) -> String {
    path.as_str().replace('%', "%25")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Route, String> {
        serde_json::from_str(json).map_err(|fault| fault.to_string())
    }

    #[test]
    fn json_goes_there_and_back() {
        for json in [
            r#"{"host":"app.example.com","path":"/","apps":[{"url":"http://127.0.0.1:3000"}]}"#,
            r#"{"host":"*.example.com","path":"/api","apps":[{"url":"https://a"},{"url":"unix:/run/b","drained":true}]}"#,
            r#"{"host":"a.example.com","path":"/","apps":[{"url":"http://a","weight":3},{"url":"http://b","backup":true}],"options":{"balance":{"by":"cookie","name":"sid","slow_start_seconds":30},"health":{"path":"/up","fall":2},"hold_seconds":0,"maintenance":"Back at noon."}}"#,
            r#"{"host":"old.example.com","path":"/a%25b","redirect":{"url":"https://new.example.com","status":301,"keep_path":true}}"#,
            r#"{"host":"www.example.com","path":"/","folder":{"path":"/srv/www","index":["index.html"],"fallback":"index.html","listing":false},"plain_http":true}"#,
        ] {
            assert_eq!(serde_json::to_string(&read(json).unwrap()).unwrap(), json);
        }
        let short = read(r#"{"host":"App.example.com","apps":["http://127.0.0.1:3000"]}"#).unwrap();
        assert_eq!((short.id(), short.target().to_string().as_str()), ("app.example.com/", "http://127.0.0.1:3000"));
    }

    /// Thousands lie in memory, and most have none.
    #[test]
    fn routes_without_options_share_one_value() {
        let plain = read(r#"{"host":"a.example","apps":["http://127.0.0.1:3000"]}"#).unwrap();
        let other = read(r#"{"host":"b.example","redirect":{"url":"https://a.example"},"options":{}}"#).unwrap();
        assert!(Arc::ptr_eq(plain.options(), other.options()));
        let taken_back = plain.clone().with_options(serde_json::from_str(r#"{"hold_seconds":7}"#).unwrap());
        assert!(!Arc::ptr_eq(plain.options(), taken_back.options()) && !taken_back.options().is_empty());
        assert!(Arc::ptr_eq(plain.options(), taken_back.with_options(Options::default()).options()));
        let json = serde_json::to_string(&plain).unwrap();
        let mut held = None;
        let cost = allocation_counter::measure(|| held = Some(Arc::new(read(&json).unwrap()))).bytes_current;
        assert!(held.is_some_and(|held| held == Arc::new(plain)));
        assert!(cost < 300, "{cost} octets");
    }

    #[test]
    fn what_is_no_route_is_told() {
        for (json, told) in [
            (r#"{"host":"a.example"}"#, "needs one target"),
            (r#"{"host":"a.example","apps":["http://b"],"redirect":{"url":"https://c"}}"#, "needs one target"),
            (r#"{"host":"a.example","app":["http://b"]}"#, "unknown field `app`"),
            (r#"{"host":"a.example","apps":[]}"#, "the route has no app"),
            (r#"{"host":"a.example","apps":["http://b","http://b:80"]}"#, "named twice"),
            (r#"{"host":"a.example","apps":["b:80"]}"#, "has no scheme; write \\\"http://b:80\\\""),
            (r#"{"host":"a.example","apps":[{"url":"http://b","wait":1}]}"#, "the address of an app, or an object"),
            (r#"{"host":"a.example","apps":[{"url":"http://b","weight":0}]}"#, "from 1 to 1000"),
            (r#"{"host":"a.example","apps":[{"url":"http://b","backup":true}]}"#, "every app of the route is a backup"),
            (r#"{"host":"a.example","apps":["http://b"],"options":{"health":{"path":"x"}}}"#, "options/health/path"),
            (r#"{"host":"a.example","redirect":{"url":"https://b","status":200}}"#, "no status of a redirect"),
            (r#"{"host":"a.example","redirect":{"url":"//b"}}"#, "has no scheme"),
            (r#"{"host":"a.example","redirect":{"url":"javascript://b"}}"#, "nothing to redirect"),
            (r#"{"host":"a.example","redirect":{"url":"https://b/?x","keep_path":true}}"#, "leave out the query"),
            (r#"{"host":"a.example","redirect":{"url":"https://b/é"}}"#, "cannot hold"),
            (r#"{"host":"a.example","folder":{"path":"www"}}"#, "from the root on"),
            (r#"{"host":"a.example","folder":{"path":"/"}}"#, "the whole machine"),
            (r#"{"host":"a.example","folder":{"path":"/srv/../etc"}}"#, "\\\"..\\\""),
            (r#"{"host":"a.example","folder":{"path":"/srv","index":["../x"]}}"#, "no index file"),
            (r#"{"host":"a.example","folder":{"path":"/srv","fallback":".env"}}"#, "no fallback"),
            (r#"{"host":"192.0.2.1","folder":{"path":"/srv"}}"#, "an address, not a name"),
        ] {
            let fault = read(json).unwrap_err();
            assert!(fault.contains(&told.replace("\\\"", "\"")), "{json}: {fault}");
        }
    }

    #[test]
    fn a_target_is_read_from_one_line() {
        for line in ["http://127.0.0.1:3000", "unix:/run/app.sock", "redirect:https://example.org/", "folder:/srv/www"]
        {
            assert_eq!(Target::parse(line).unwrap().to_string(), line);
        }
        assert_eq!(Target::parse("/srv/www").unwrap().to_string(), "folder:/srv/www");
        assert!(Target::parse("redirect:ftp://example.org").is_err());
        assert!(Target::parse("3000").unwrap_err().cure.contains("http://3000"));
    }

    #[test]
    fn a_redirect_keeps_what_it_is_told_to_and_never_names_another_host() {
        let redirect = |url: &str, keep_path| Redirect { url: url.into(), status: 308, keep_path };
        assert_eq!(redirect("https://b/x", false).location("/y", Some("q")), "https://b/x");
        assert_eq!(redirect("https://b", true).location("/y/z", Some("q=1")), "https://b/y/z?q=1");
        assert_eq!(redirect("https://b/x/", true).location("/y", None), "https://b/x/y");
        assert_eq!(redirect("https://b/x", true).location("", None), "https://b/x");
        assert_eq!(redirect("https://b", true).location(".evil.example", None), "https://b/.evil.example");
        assert_eq!(redirect("/", true).location("//evil.example", None), "/evil.example");
        assert_eq!(redirect("/", true).location("/\\evil.example", None), "/evil.example");
    }
}
