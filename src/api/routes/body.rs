//! What a request says of a route: its target, without host and path, which stand in the URL.
//!
//! It has the form in which routes are kept, but every value is read by itself, so that a fault names its field.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::types::maybe_whole;
use crate::api::{Problem, ZoneFault};
use crate::route::{App, Fault, Folder, Host, OptionFault, Options, PathPrefix, Redirect, Route, Target};
use crate::zone;

/// What a route shall lead to: `apps`, `redirect` or `folder`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"apps": [{"url": "http://127.0.0.1:3000"}]})))]
pub struct NewRoute {
    /// Apps that are all alike; each request goes to one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<GivenApp>>, min_items = 1, max_items = 64)]
    pub apps: Option<Vec<RouteApp>>,
    /// The browser is sent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<RouteRedirect>,
    /// Files are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<RouteFolder>,
    /// Whether plain HTTP is served as well, instead of being sent on to HTTPS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(default = false, examples(false))]
    pub plain_http: bool,
    /// How its requests are treated.
    #[serde(default, skip_serializing_if = "Options::is_empty")]
    #[schema(required = false)]
    pub options: Options,
}

/// An app behind a route. Where there is nothing to say but where it listens, a plain string is taken as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "GivenApp")]
pub struct RouteApp {
    /// Where it listens: `http://`, `https://`, `https+insecure://`, `h2c://` or `tls://` with server and port, or `unix:/path`.
    pub url: String,
    /// Whether it gets no more requests: those under way are finished.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drained: bool,
    /// Its share of the requests, compared with the other apps of the route.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u16,
    /// Whether it is asked only while all others are down.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backup: bool,
}

fn one() -> u16 {
    1
}

fn is_one(weight: &u16) -> bool {
    *weight == 1
}

/// An app behind a route: where it listens, or an object with more about it.
#[derive(Deserialize, ToSchema)]
#[schema(as = RouteApp)]
#[serde(
    untagged,
    expecting = "expected the address of an app, or an object with \"url\", \"drained\", \"weight\", \"backup\""
)]
pub(in crate::api) enum GivenApp {
    /// An object, as it is always told.
    App(WholeApp),
    /// Where it listens: `http://`, `https://`, `https+insecure://`, `h2c://` or `tls://` with server and port, or `unix:/path`.
    Address(String),
}

/// An app in full.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RouteAppObject)]
pub(in crate::api) struct WholeApp {
    /// Where it listens: `http://`, `https://`, `https+insecure://`, `h2c://` or `tls://` with server and port, or `unix:/path`.
    #[schema(examples("http://127.0.0.1:3000"))]
    url: String,
    /// Whether it gets no more requests: those under way are finished.
    #[serde(default)]
    #[schema(default = false, examples(false))]
    drained: bool,
    /// Its share of the requests, compared with the other apps of the route.
    #[serde(default = "one")]
    #[schema(default = 1, minimum = 1, maximum = 1000, examples(1))]
    weight: u16,
    /// Whether it is asked only while all others are down.
    #[serde(default)]
    #[schema(default = false, examples(false))]
    backup: bool,
}

impl From<GivenApp> for RouteApp {
    fn from(given: GivenApp) -> Self {
        match given {
            GivenApp::Address(url) => Self { url, drained: false, weight: 1, backup: false },
            GivenApp::App(WholeApp { url, drained, weight, backup }) => Self { url, drained, weight, backup },
        }
    }
}

/// Where a browser is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteRedirect {
    /// `https://new.example.com/path`, or `/path` on the same host.
    #[schema(examples("https://new.home.example/"))]
    pub url: String,
    /// 301, 302, 303, 307 or 308. Default: 308, which keeps the method and is remembered.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "maybe_whole")]
    #[schema(value_type = Option<u16>, default = 308, examples(308))]
    pub status: Option<u64>,
    /// Whether what the browser asked for below the route's path, and its query, is put behind the URL.
    #[serde(default)]
    #[schema(default = false, examples(true))]
    pub keep_path: bool,
}

/// Which files are shown, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteFolder {
    /// Its absolute path on the server's machine.
    #[schema(examples("/srv/www"))]
    pub path: String,
    /// The files that stand for a folder, the first there is. Default: `index.html`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 8, examples("index.html"))]
    pub index: Option<Vec<String>>,
    /// The file in the folder that is shown for a path that is no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(examples("index.html"))]
    pub fallback: Option<String>,
    /// Whether a folder without an index file is shown as a list of its files.
    #[serde(default)]
    #[schema(default = false, examples(false))]
    pub listing: bool,
}

impl NewRoute {
    /// How a route stands.
    pub(super) fn of(route: &Route) -> Self {
        let options = Options::clone(route.options());
        Self { plain_http: route.plain_http(), options, ..Self::to(route.target()) }
    }

    /// What leads to a target.
    pub fn to(target: &Target) -> Self {
        let mut body = Self::default();
        match target {
            Target::Apps(apps) => {
                let app = |app: &App| {
                    let App { drained, weight, backup, .. } = *app;
                    RouteApp { url: app.to_string(), drained, weight, backup }
                };
                body.apps = Some(apps.iter().map(app).collect());
            }
            Target::Redirect(Redirect { url, status, keep_path }) => {
                let status = Some(u64::from(*status));
                body.redirect = Some(RouteRedirect { url: url.clone(), status, keep_path: *keep_path });
            }
            Target::Folder(Folder { path, index, fallback, listing }) => {
                let (path, index) = (path.to_string_lossy().into_owned(), Some(index.clone()));
                body.folder = Some(RouteFolder { path, index, fallback: fallback.clone(), listing: *listing });
            }
        }
        body
    }

    /// Reads it, and tells every wrong value at once.
    pub(super) fn read(self, host: Host, path: PathPrefix) -> Result<Route, Problem> {
        let (plain_http, options) = (self.plain_http, self.options);
        let faults: Vec<_> = options
            .check()
            .into_iter()
            .map(|OptionFault { field, fault }| in_field(&format!("/options{field}"), &fault))
            .collect();
        if !faults.is_empty() {
            return Err(Problem::bad_values(faults));
        }
        let (target, field) = match (self.apps, self.redirect, self.folder) {
            (Some(apps), None, None) => (Target::Apps(read_apps(&apps)?), "/apps"),
            (None, Some(redirect), None) => (Target::Redirect(read_redirect(redirect)?), "/redirect/url"),
            (None, None, Some(RouteFolder { path, index, fallback, listing })) => {
                let index = index.unwrap_or_else(|| vec!["index.html".to_owned()]);
                (Target::Folder(Folder { path: path.into(), index, fallback, listing }), "/folder")
            }
            (None, ..) | (Some(_), ..) => {
                let fault =
                    Fault::new("a route needs one target", "give it either \"apps\" or \"redirect\" or \"folder\"");
                return Err(Problem::bad_values(vec![in_field("", &fault)]));
            }
        };
        let route =
            Route::new(host, path, target).map_err(|fault| Problem::bad_values(vec![in_field(field, &fault)]))?;
        let route = route.with_plain_http(plain_http).with_options(options);
        let faults: Vec<_> =
            route.check_passed().iter().map(|OptionFault { field, fault }| in_field(field, fault)).collect();
        if faults.is_empty() { Ok(route) } else { Err(Problem::bad_values(faults)) }
    }
}

fn read_apps(apps: &[RouteApp]) -> Result<Vec<App>, Problem> {
    let mut faults = Vec::new();
    let mut read = Vec::with_capacity(apps.len());
    for (at, app) in apps.iter().enumerate() {
        match App::parse(&app.url) {
            Ok(parsed) => {
                read.push(App { drained: app.drained, weight: app.weight, backup: app.backup, ..parsed });
            }
            Err(fault) => faults.push(in_field(&format!("/apps/{at}/url"), &fault)),
        }
    }
    if faults.is_empty() { Ok(read) } else { Err(Problem::bad_values(faults)) }
}

fn read_redirect(RouteRedirect { url, status, keep_path }: RouteRedirect) -> Result<Redirect, Problem> {
    let status = status.unwrap_or(308);
    let read = u16::try_from(status).ok().filter(|status| matches!(status, 301 | 302 | 303 | 307 | 308));
    let status = read.ok_or_else(|| {
        let message = format!("{status} is no status of a redirect");
        let fault = Fault::new(message, "write 301 or 308 (for good), 302, 303 or 307 (for now)");
        Problem::bad_values(vec![in_field("/redirect/status", &fault)])
    })?;
    Ok(Redirect { url, status, keep_path })
}

fn in_field(field: &str, fault: &Fault) -> ZoneFault {
    ZoneFault::in_field(field.to_owned(), &zone::Fault::error(None, fault.message.clone(), fault.cure.clone()))
}
