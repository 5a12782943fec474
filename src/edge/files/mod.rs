//! A folder of files as a site.
//!
//! tower-http's `ServeDir` answers for one file: its type, ranges, conditional requests, the compressed file beside it. Which file
//! that is, is decided here: index files, the fallback of a single-page app, the list of a folder where it is asked for. And
//! what may be read at all is decided by [`Beneath`]: nothing that begins with a dot (but `.well-known`), nothing that is no
//! file, and nothing that a symbolic link reaches outside of the folder; `ServeDir` on its own shows all of these.

mod beneath;
mod listing;

use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use http_body_util::BodyExt;
use hyper::body::Bytes;
use hyper::header::{
    CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_RANGE, LAST_MODIFIED, LOCATION, RANGE,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode, Uri};
use tower_http::services::ServeDir;

use super::answer::Answer;
use super::exchange::Exchange;
use super::failure::Failure;
use super::inflow::Inflow;
use super::redirect;
use crate::route::Folder;
pub(super) use beneath::is_shown;
use beneath::{Beneath, Kind};

/// What is shown for a path.
enum Shown {
    /// This file.
    File(PathBuf),
    /// The list of this folder.
    List(PathBuf),
    /// The same path with a slash behind it.
    Slash,
    /// Nothing.
    Nothing,
}

/// Answers with a file. Behind `rest` octets of the path begins what lies in the folder.
pub(super) async fn answer(
    request: &Request<Inflow>,
    folder: &Folder,
    rest: usize,
    exchange: &Rc<Exchange>,
) -> Result<Response<()>, Failure> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Err(Failure::FilesAreRead);
    }
    let beneath = Beneath::new(&folder.path);
    let rest = &request.uri().path()[rest..];
    match choose(folder, &beneath, rest).await? {
        Shown::File(path) => show(request, &beneath, &path, exchange).await,
        Shown::List(path) => list(&beneath, &path, request.uri(), exchange).await,
        Shown::Slash => Ok(redirect::to_folder(request.uri())),
        Shown::Nothing => match &folder.fallback {
            Some(fallback) => show(request, &beneath, Path::new(fallback), exchange).await,
            None => Err(Failure::FileMissing),
        },
    }
}

async fn choose(folder: &Folder, beneath: &Beneath, rest: &str) -> Result<Shown, Failure> {
    let Some(path) = decode(rest) else { return Ok(Shown::Nothing) };
    let with_slash = rest.ends_with('/');
    match beneath.kind(&path).await? {
        Kind::File if !with_slash => return Ok(Shown::File(path)),
        Kind::Folder if !with_slash => return Ok(Shown::Slash),
        Kind::Folder => (),
        Kind::File | Kind::Nothing => return Ok(Shown::Nothing),
    }
    for index in &folder.index {
        let index = path.join(index);
        if beneath.kind(&index).await? == Kind::File {
            return Ok(Shown::File(index));
        }
    }
    Ok(if folder.listing { Shown::List(path) } else { Shown::Nothing })
}

/// The path in the folder, unless there cannot be one. That no segment leads out of it was seen at the door.
fn decode(rest: &str) -> Option<PathBuf> {
    let text = percent_decoded(rest)?;
    let path = Path::new(text.trim_matches('/'));
    let plain = |part| matches!(part, Component::Normal(_));
    (!text.contains(['\0', '\\']) && path.components().all(plain) && is_shown(path)).then(|| path.into())
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = after.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(b'/') => return None, // a name cannot have a slash in it
            Some(octet) => {
                octets.push(octet);
                rest = &after[2..];
            }
            None => {
                octets.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(octets).ok()
}

/// A path as it stands in a URL.
fn percent_encoded(path: &Path) -> String {
    let mut text = String::new();
    for octet in path.as_os_str().as_encoded_bytes() {
        match octet {
            b'/' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(*octet)),
            octet if octet.is_ascii_alphanumeric() => text.push(char::from(*octet)),
            octet => text.push_str(&format!("%{octet:02X}")),
        }
    }
    text
}

async fn show(
    request: &Request<Inflow>,
    beneath: &Beneath,
    path: &Path,
    exchange: &Rc<Exchange>,
) -> Result<Response<()>, Failure> {
    let mut response = serve(request, beneath, path, request.headers().clone()).await?;
    if response.status() == StatusCode::PARTIAL_CONTENT && !is_still_the_same(request.headers(), response.headers()) {
        let mut whole = request.headers().clone();
        whole.remove(RANGE);
        response = serve(request, beneath, path, whole).await?;
    }
    let (mut head, body) = response.into_parts();
    if matches!(head.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
        return Err(Failure::FileMissing); // gone since it was looked for
    }
    head.headers.remove(LOCATION);
    tidy(&mut head.headers);
    exchange.put_answer(Answer::File(body));
    Ok(Response::from_parts(head, ()))
}

type FileBody = http_body_util::combinators::UnsyncBoxBody<Bytes, std::io::Error>;

async fn serve(
    request: &Request<Inflow>,
    beneath: &Beneath,
    path: &Path,
    headers: HeaderMap,
) -> Result<Response<FileBody>, Failure> {
    let mut file = Request::new(());
    *file.method_mut() = request.method().clone();
    *file.uri_mut() = Uri::try_from(format!("/{}", percent_encoded(path))).map_err(|_| Failure::FileMissing)?;
    *file.headers_mut() = headers;
    let mut service = ServeDir::with_backend("", beneath.clone())
        .append_index_html_on_directories(false)
        .precompressed_br()
        .precompressed_gzip()
        .precompressed_zstd();
    match service.try_call(file).await {
        Ok(response) => Ok(response.map(BodyExt::boxed_unsync)),
        Err(fault) => Err(beneath::failure(&fault)),
    }
}

/// Whether the part that is asked for is a part of what the client has (RFC 9110, section 13.1.5). `ServeDir` does not look
/// at `If-Range`.
fn is_still_the_same(request: &HeaderMap, response: &HeaderMap) -> bool {
    let Some(had) = request.get(IF_RANGE) else { return true };
    let weak = had.as_bytes().starts_with(b"W/");
    !weak && [ETAG, LAST_MODIFIED].iter().any(|name| response.get(name) == Some(had))
}

/// Text is UTF-8 unless it says otherwise, and a file is of no other type than its name says.
fn tidy(headers: &mut HeaderMap) {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_text = kind.starts_with("text/") || kind == "application/javascript";
    if is_text
        && !kind.contains(';')
        && let Ok(kind) = HeaderValue::try_from(format!("{kind}; charset=utf-8"))
    {
        headers.insert(CONTENT_TYPE, kind);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

async fn list(beneath: &Beneath, path: &Path, uri: &Uri, exchange: &Exchange) -> Result<Response<()>, Failure> {
    let entries = beneath.list(path).await?;
    let shown = percent_decoded(uri.path()).unwrap_or_else(|| uri.path().to_owned());
    exchange.put_answer(Answer::Octets(Bytes::from(listing::page(&shown, &entries))));
    let mut response = Response::new(());
    let policy = HeaderName::from_static("content-security-policy");
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response.headers_mut().insert(policy, HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_once_and_never_lead_out() {
        for (rest, path) in [
            ("", Some("")),
            ("/", Some("")),
            ("/a/b.txt", Some("a/b.txt")),
            ("/a%20b/%C3%A9", Some("a b/é")),
            ("/a%2525", Some("a%25")),
            ("/.well-known/security.txt", Some(".well-known/security.txt")),
            ("/a%2Fb", None),
            ("/a%5Cb", None),
            ("/%00", None),
            ("/%ff", None),
            ("/.git/config", None),
            ("/a/%2ehtaccess", None),
            ("/a/.well-known/x", None),
            ("/../x", None),
        ] {
            assert_eq!(decode(rest), path.map(PathBuf::from), "{rest}");
        }
        assert_eq!(percent_encoded(Path::new("a b/é%?#")), "a%20b/%C3%A9%25%3F%23");
    }
}
