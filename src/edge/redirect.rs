//! Sends the browser elsewhere: to HTTPS, or where a route says.

use hyper::header::{HeaderValue, LOCATION};
use hyper::{Method, Response, StatusCode, Uri};

use super::settings::HTTPS_PORT;
use crate::route::Redirect;

/// To the same page over HTTPS: 301 as everybody knows it for what is only read, 308 for the rest, so that a POST
/// stays a POST (RFC 9110, section 15.4.9).
pub(super) fn to_https(method: &Method, host: &str, uri: &Uri, port: u16) -> Response<()> {
    let target = uri.path_and_query().map_or("/", |path| path.as_str());
    let location = match port {
        HTTPS_PORT => format!("https://{host}{target}"),
        port => format!("https://{host}:{port}{target}"),
    };
    let read_only = method == Method::GET || method == Method::HEAD;
    answer(if read_only { StatusCode::MOVED_PERMANENTLY } else { StatusCode::PERMANENT_REDIRECT }, &location)
}

/// Where a route says. `rest` is what the path has behind the route's.
pub(super) fn along_route(redirect: &Redirect, rest: &str, uri: &Uri) -> Response<()> {
    let status = StatusCode::from_u16(redirect.status).unwrap_or(StatusCode::PERMANENT_REDIRECT);
    answer(status, &redirect.location(rest, uri.query()))
}

/// To the same path with a slash behind it: it is a folder.
pub(super) fn to_folder(uri: &Uri) -> Response<()> {
    // Two slashes in front would name another host.
    let path = uri.path().trim_start_matches(['/', '\\']);
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    answer(StatusCode::PERMANENT_REDIRECT, &format!("/{path}/{query}"))
}

fn answer(status: StatusCode, location: &str) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    match HeaderValue::from_bytes(location.as_bytes()) {
        Ok(location) => drop(response.headers_mut().insert(LOCATION, location)),
        Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(response: &Response<()>) -> (u16, &str) {
        (response.status().as_u16(), response.headers()[LOCATION].to_str().unwrap())
    }

    #[test]
    fn https_keeps_path_query_and_method() {
        let uri: Uri = "/a/b?c=d&e".parse().unwrap();
        assert_eq!(told(&to_https(&Method::GET, "a.example", &uri, 443)), (301, "https://a.example/a/b?c=d&e"));
        assert_eq!(told(&to_https(&Method::POST, "a.example", &uri, 8443)), (308, "https://a.example:8443/a/b?c=d&e"));
    }

    #[test]
    fn a_folder_never_becomes_a_host() {
        assert_eq!(told(&to_folder(&"/docs?x".parse().unwrap())), (308, "/docs/?x"));
        assert_eq!(told(&to_folder(&"//evil.example".parse().unwrap())), (308, "/evil.example/"));
    }
}
