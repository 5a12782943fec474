//! What a route leads to: apps, another address, or a folder of files.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::app::check_weight;
use super::url::Url;
use super::{App, Fault, Server, is_plain, passed};

/// Apps of one route.
const APPS_MAX: usize = 64;
/// Names of index files of one folder.
const INDEX_MAX: usize = 8;

/// What a route leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Apps that are all alike; each request goes to one of them.
    Apps(Vec<App>),
    /// The browser is sent elsewhere.
    Redirect(Redirect),
    /// Files are shown.
    Folder(Folder),
}

/// Where a browser is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// `https://new.example.com/path`, or `/path` on the same host.
    pub url: String,
    /// 301, 302, 303, 307 or 308. Default: 308, which keeps the method and is remembered.
    #[serde(default = "permanent")]
    pub status: u16,
    /// Whether what the browser asked for below the route's path, and its query, is put behind the URL.
    #[serde(default)]
    pub keep_path: bool,
}

/// Which files are shown, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Folder {
    /// Its absolute path. Dotfiles in it are not shown, and nothing that a symbolic link reaches outside of it.
    pub path: PathBuf,
    /// The files that stand for a folder, the first there is. Default: `index.html`.
    #[serde(default = "index_html")]
    pub index: Vec<String>,
    /// The file, relative to the folder, that is shown for a path that is no file: a single-page app's `index.html`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// Whether a folder without an index file is shown as a list of its files. Default: no.
    #[serde(default)]
    pub listing: bool,
}

fn permanent() -> u16 {
    308
}

fn index_html() -> Vec<String> {
    vec!["index.html".into()]
}

impl Target {
    /// Reads what people write on one line: an app's address, `redirect:URL`, `folder:/path` or just `/path`.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let target = if let Some(url) = text.strip_prefix("redirect:") {
            Self::Redirect(Redirect { url: url.into(), status: permanent(), keep_path: false })
        } else if let Some(path) = text.strip_prefix("folder:").or(text.starts_with('/').then_some(text)) {
            let path = path.into();
            Self::Folder(Folder { path, index: index_html(), fallback: None, listing: false })
        } else {
            Self::Apps(vec![App::parse_line(text)?])
        };
        target.check()?;
        Ok(target)
    }

    /// Whether it is sound in itself; nothing is looked up.
    pub fn check(&self) -> Result<(), Fault> {
        match self {
            Self::Apps(apps) => check_apps(apps),
            Self::Redirect(redirect) => redirect.check(),
            Self::Folder(folder) => folder.check(),
        }
    }
}

fn check_apps(apps: &[App]) -> Result<(), Fault> {
    if apps.is_empty() {
        return Err(Fault::new("the route has no app", "name at least one, as in \"http://127.0.0.1:3000\""));
    }
    if apps.len() > APPS_MAX {
        return Err(Fault::new(
            format!("the route has {} apps", apps.len()),
            format!("a route has at most {APPS_MAX}"),
        ));
    }
    for (at, app) in apps.iter().enumerate() {
        if apps[..at].iter().any(|other| other.address == app.address) {
            return Err(Fault::new(format!("the app {app} is named twice"), "name it once; it may have a weight"));
        }
        check_weight(app.weight).map_err(|fault| Fault { message: format!("{app}: {}", fault.message), ..fault })?;
    }
    passed::check_apps(apps)
}

impl Redirect {
    fn check(&self) -> Result<(), Fault> {
        if !matches!(self.status, 301 | 302 | 303 | 307 | 308) {
            let message = format!("{} is no status of a redirect", self.status);
            return Err(Fault::new(message, "write 301 or 308 (for good), 302, 303 or 307 (for now)"));
        }
        if !self.url.bytes().all(|octet| octet.is_ascii_graphic()) {
            let message = format!("{:?} has a character that a URL cannot hold", self.url);
            return Err(Fault::new(message, "write %20 for a space, and xn-- for a name in Unicode"));
        }
        let path = match self.goal()? {
            Some((_, path)) => path,
            None => &self.url,
        };
        if self.keep_path && path.contains('?') {
            let message = format!("{:?} has a query, and the path is to be kept", self.url);
            return Err(Fault::new(message, "leave out the query: that of the request is kept"));
        }
        Ok(())
    }

    /// The server it leads to, and the path there; `None` for a path on the same host.
    pub fn goal(&self) -> Result<Option<(Server, &str)>, Fault> {
        if self.url.starts_with('/') && !self.url.starts_with("//") && !self.url.contains(['\\', '#']) {
            return Ok(None);
        }
        let url = Url::parse(&self.url)?;
        if !matches!(url.scheme, "http" | "https") {
            let message = format!("{:?} is nothing to redirect a browser to", self.url);
            return Err(Fault::new(message, "write https://… or http://…, or a path that begins with a slash"));
        }
        Ok(Some((url.server, url.path)))
    }

    /// The value of `Location` for a request: `rest` is what its path has behind the route's.
    pub fn location(&self, rest: &str, query: Option<&str>) -> String {
        if !self.keep_path {
            return self.url.clone();
        }
        let mut location = self.url.clone();
        if !rest.is_empty() {
            // Exactly one slash in between: two would name another host (RFC 3986, section 4.2) if the URL were only "/".
            location.truncate(location.trim_end_matches('/').len());
            location.push('/');
            location.push_str(rest.trim_start_matches(['/', '\\']));
        }
        if let Some(query) = query {
            location.push('?');
            location.push_str(query);
        }
        location
    }
}

impl Folder {
    fn check(&self) -> Result<(), Fault> {
        let shown = self.path.display();
        let hidden = self.path.as_os_str().as_encoded_bytes().iter().any(|octet| octet.is_ascii_control());
        if !self.path.is_absolute() {
            let message = format!("the folder \"{shown}\" has no absolute path");
            return Err(Fault::new(message, "write it from the root on, as in \"/srv/www\""));
        }
        if hidden || self.path.components().any(|part| part == Component::ParentDir) {
            let message = format!("the folder \"{shown}\" has \"..\" or a hidden character in its path");
            return Err(Fault::new(message, "write the path that is meant"));
        }
        if self.path == Path::new("/") {
            return Err(Fault::new("the folder \"/\" is the whole machine", "name the folder that holds the site"));
        }
        if self.index.len() > INDEX_MAX {
            return Err(Fault::new("too many index files are named", format!("name at most {INDEX_MAX}")));
        }
        for name in &self.index {
            if name.contains('/') || !is_shown(name) {
                return Err(Fault::new(
                    format!("{name:?} is no index file"),
                    "write the name of a file, as in \"index.html\"",
                ));
            }
        }
        match self.fallback.as_deref() {
            Some(name) if name.starts_with('/') || !is_shown(name) => Err(Fault::new(
                format!("{name:?} is no fallback"),
                "write a file's path in the folder, as in \"index.html\"",
            )),
            _ => Ok(()),
        }
    }
}

/// Whether a relative path names a file that a folder shows.
fn is_shown(path: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '%']);
    path.split('/').all(plain) && !path.chars().any(char::is_control) && is_plain(&format!("/{path}"))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apps(apps) => {
                for (at, app) in apps.iter().enumerate() {
                    let (before, after) = (if at > 0 { ", " } else { "" }, if app.drained { " (drained)" } else { "" });
                    let backup = if app.backup { " (backup)" } else { "" };
                    let weight = if app.weight == 1 { String::new() } else { format!(" (weight {})", app.weight) };
                    write!(f, "{before}{app}{weight}{backup}{after}")?;
                }
                Ok(())
            }
            Self::Redirect(redirect) => write!(f, "redirect:{}", redirect.url),
            Self::Folder(folder) => write!(f, "folder:{}", folder.path.display()),
        }
    }
}
