//! The path of a route, and what a request's path means to it.
//!
//! Whoever writes `/admin` in a route means what the app behind it takes for `/admin`. Apps decode `%61`, merge slashes, cut
//! `;parameters` off, take `\` for `/`. So a request's path is compared in the form that the most lenient app would make
//! of it, and goes on to the app as it came. What would leave a folder (`..` in whatever disguise) is refused at the
//! door by [`is_plain`]: browsers resolve such paths before they send them, so only trickery is lost.
//!
//! Rejected: to normalise what is passed on. Signed URLs and names with `%2F` would break.

use std::fmt;

use super::Fault;

/// Octets of a route's path.
const PREFIX_SIZE_MAX: usize = 1_024;

/// The path of a route: `/`, or `/one/or/more` segments without a slash at the end. It covers itself and all below.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPrefix(Box<str>);

impl PathPrefix {
    /// All paths.
    pub fn root() -> Self {
        Self("/".into())
    }

    /// Reads a path as people write it: `%XX` is decoded, a slash at the end is dropped.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let fault = |message: &str, cure: &str| Err(Fault::new(format!("the path {text:?} {message}"), cure));
        if !text.starts_with('/') {
            return fault("does not begin with a slash", &format!("write \"/{text}\""));
        }
        if text.len() > PREFIX_SIZE_MAX {
            return fault("is too long", &format!("a path has at most {PREFIX_SIZE_MAX} octets"));
        }
        if let Some(culprit) = text.chars().find(|c| matches!(c, '?' | '#' | ';' | '\\' | '*') || c.is_control()) {
            return fault(
                &format!("has the character {culprit:?}"),
                "a route's path is a plain beginning, as in \"/api\"",
            );
        }
        if !is_plain(text) {
            return fault("has a \"..\" or \".\" in it", "write the path that is meant");
        }
        let decoded: Vec<u8> = Octets(text.as_bytes()).map(|(octet, _)| octet).collect();
        let Ok(decoded) = String::from_utf8(decoded) else {
            return fault("is not UTF-8 when decoded", "encode its characters as UTF-8");
        };
        let plain = decoded.trim_end_matches('/');
        if plain.chars().any(char::is_control) || slashes(text) != slashes(&decoded) {
            return fault("has an empty part or a hidden character", "write it as in \"/api/v2\"");
        }
        Ok(Self(if plain.is_empty() { "/".into() } else { plain.into() }))
    }

    /// The decoded path: `/`, `/api`, `/café`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it stands in a URL: `/`, `/api`, `/caf%C3%A9`.
    pub fn encoded(&self) -> String {
        let mut text = String::with_capacity(self.0.len());
        for octet in self.0.bytes() {
            match octet {
                b'/' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(octet)),
                octet if octet.is_ascii_alphanumeric() => text.push(char::from(octet)),
                octet => text.push_str(&format!("%{octet:02X}")),
            }
        }
        text
    }

    /// Whether it covers all paths.
    pub fn is_root(&self) -> bool {
        &*self.0 == "/"
    }

    /// What is left of a request's path (without its query) behind this prefix, as it came: empty, or from a slash (or the
    /// semicolon of parameters) on. `None` if it is not covered.
    pub fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        if self.is_root() {
            return Some(path);
        }
        let mut octets = Octets(path.as_bytes());
        for wanted in self.0.bytes() {
            let (octet, _) = octets.next()?;
            if octet != wanted {
                return None;
            }
        }
        let rest = &path[path.len() - octets.0.len()..];
        match octets.next() {
            None => Some(""),
            Some((b'/', _) | (b';', true)) => Some(rest),
            Some(_) => None,
        }
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn slashes(text: &str) -> usize {
    text.bytes().filter(|&octet| octet == b'/').count()
}

/// The octets of a path as the most lenient app reads them: decoded, runs of slashes as one, `\` as `/`. The flag tells
/// whether the octet stood there as it is.
struct Octets<'a>(&'a [u8]);

impl Iterator for Octets<'_> {
    type Item = (u8, bool);

    fn next(&mut self) -> Option<Self::Item> {
        let (octet, literal, rest) = take(self.0)?;
        self.0 = rest;
        if octet != b'/' {
            return Some((octet, literal));
        }
        while let Some((b'/', _, rest)) = take(self.0) {
            self.0 = rest;
        }
        Some((octet, literal))
    }
}

/// The first octet, decoded; whether it stood there as it is; and what follows.
fn take(path: &[u8]) -> Option<(u8, bool, &[u8])> {
    let (octet, literal, rest) = match path {
        [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            (hex(*high) << 4 | hex(*low), false, rest)
        }
        [octet, rest @ ..] => (*octet, true, rest),
        [] => return None,
    };
    Some((if octet == b'\\' { b'/' } else { octet }, literal, rest))
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        other => (other | 0x20) - b'a' + 10,
    }
}

/// What follows the slashes at the front, in whatever disguise they are.
pub(super) fn behind_slashes(path: &str) -> &str {
    let mut rest = path.as_bytes();
    while let Some((b'/', _, after)) = take(rest) {
        rest = after;
    }
    &path[path.len() - rest.len()..]
}

/// Whether a request's path means what it says: it begins with a slash, and none of its segments is `.` or `..`, neither
/// plain nor encoded nor with `;parameters`, and no octet of it is a disguised end of line or NUL.
pub fn is_plain(path: &str) -> bool {
    path.starts_with('/')
        && (!path.bytes().any(|octet| matches!(octet, b'.' | b'%' | b'\\')) || has_plain_segments(path))
}

fn has_plain_segments(path: &str) -> bool {
    let mut rest = path.as_bytes();
    // How the segment looks so far: its dots, unless something else was there as well.
    let (mut dots, mut other, mut parameters) = (0_u32, false, false);
    while let Some((octet, _, after)) = take(rest) {
        rest = after;
        match octet {
            b'/' if is_dots(dots, other) => return false,
            b'/' => (dots, other, parameters) = (0, false, false),
            b'\0' | b'\r' | b'\n' => return false,
            _ if parameters => (),
            b';' => parameters = true,
            b'.' => dots += 1,
            _ => other = true,
        }
    }
    !is_dots(dots, other)
}

fn is_dots(dots: u32, other: bool) -> bool {
    !other && (dots == 1 || dots == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest<'p>(prefix: &str, path: &'p str) -> Option<&'p str> {
        PathPrefix::parse(prefix).unwrap().rest(path)
    }

    #[test]
    fn a_prefix_ends_where_a_segment_ends() {
        assert_eq!(rest("/api", "/api"), Some(""));
        assert_eq!(rest("/api/", "/api"), Some(""));
        assert_eq!(rest("/api", "/api/"), Some("/"));
        assert_eq!(rest("/api", "/api/v1/x"), Some("/v1/x"));
        assert_eq!(rest("/api", "/apix"), None);
        assert_eq!(rest("/api", "/ap"), None);
        assert_eq!(rest("/api", "/API"), None);
        assert_eq!(rest("/", "/anything"), Some("/anything"));
        assert_eq!(rest("/", "*"), Some("*"));
    }

    #[test]
    fn disguises_of_a_path_are_seen_through() {
        for path in ["/%61dmin/x", "//admin/x", "/admin//x", "/%2fadmin/x", "/admin%2Fx", "/admin%5cx", "/adm%69n\\x"] {
            assert!(rest("/admin", path).is_some_and(|rest| rest.ends_with('x')), "{path}");
        }
        assert_eq!(rest("/admin", "/admin;jsessionid=1/x"), Some(";jsessionid=1/x"));
        assert_eq!(rest("/admin", "/admin%3b"), None); // a decoded semicolon begins no parameters
        assert_eq!(rest("/café", "/caf%C3%A9/menu"), Some("/menu"));
        assert_eq!(rest("/caf%c3%a9", "/café"), Some(""));
        assert_eq!(rest("/a%25b", "/a%25b/c"), Some("/c"));
        assert_eq!(rest("/a", "/%"), None);
        assert_eq!(rest("/a", "/a%2"), None);
    }

    #[test]
    fn paths_that_lead_elsewhere_are_not_plain() {
        for path in [
            "/..",
            "/.",
            "/a/../b",
            "/a/./b",
            "/a/..",
            "/%2e%2e/b",
            "/.%2E/b",
            "/a%2f..%2fb",
            "/a%5c..\\b",
            "/..;/b",
            "/..;x=1/b",
            "/a/%2e",
            "/a%00",
            "/a%0d%0ab",
            "",
            "a",
            "*",
            "/a\\..\\b",
        ] {
            assert!(!is_plain(path), "{path}");
        }
        for path in [
            "/",
            "/a",
            "/a..b",
            "/...",
            "/.well-known/x",
            "/a%2Fb",
            "//a",
            "/%",
            "/%zz",
            "/a;b=..",
            "/..a",
            "/%252e%252e/",
        ] {
            assert!(is_plain(path), "{path}");
        }
    }

    #[test]
    fn a_bad_prefix_is_told_with_its_cure() {
        let long = format!("/{}", "a".repeat(PREFIX_SIZE_MAX));
        for (text, told) in [
            ("api", "write \"/api\""),
            ("", "does not begin with a slash"),
            ("/a?b", "'?'"),
            ("/a#b", "'#'"),
            ("/api/*", "'*'"),
            ("/a/../b", "\"..\""),
            ("/a//b", "an empty part"),
            ("/a%2fb", "a hidden character"),
            ("/%ff", "not UTF-8"),
            ("/%1b", "a hidden character"),
            (&long, "at most 1024 octets"),
        ] {
            let fault = PathPrefix::parse(text).unwrap_err().to_string();
            assert!(fault.contains(told), "{text}: {fault}");
        }
    }
}
