//! The demo app of development mode: behind a route, on a Unix socket in the data directory, it shows what an app is told
//! of a request.

use std::convert::Infallible;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::UnixListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::route::Address;

/// The host it is for; a route of this name that somebody made is left alone.
pub(super) const HOST: &str = "app.home.example";
const SOCKET: &str = "demo.socket";
/// Connections at once; the edge keeps a few of them.
const CONNECTIONS_MAX: usize = 1_024;

/// Whether an app's address is the socket of a demo app, in whatever data directory.
pub(super) fn is_socket(address: &Address) -> bool {
    matches!(address, Address::Unix(path) if path.file_name().is_some_and(|name| name == SOCKET))
}

/// The running app. Dropped, it ends and takes its socket away.
pub(super) struct Demo {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Demo {
    /// Starts it. Whoever calls holds the data directory's lock: a socket that lies in the way was left behind.
    pub(super) fn start(directory: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(directory)?.join(SOCKET);
        match fs::remove_file(&path) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
            Ok(()) | Err(_) => (),
        }
        let listener = UnixListener::bind(&path)?;
        Ok(Self { path, task: tokio::spawn(serve(listener)) })
    }

    /// Where it listens, as the target of a route.
    pub(super) fn target(&self) -> String {
        format!("unix:{}", self.path.display())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.task.abort();
        let _ = fs::remove_file(&self.path); // what stays behind is taken away by the next start
    }
}

async fn serve(listener: UnixListener) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        connections.spawn(async {
            let mut builder = hyper::server::conn::http1::Builder::new();
            let served = builder.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service_fn(answer));
            let _ = served.await; // an edge that has gone away is none of ours
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let wants_page = request.headers().get("accept").is_some_and(|accept| {
        let text = accept.to_str().unwrap_or_default();
        text.contains("text/html")
    });
    let told = told(&request);
    let (kind, body) = match wants_page {
        true => ("text/html; charset=utf-8", page(&told)),
        false => ("text/plain; charset=utf-8", format!("Hello from the demo app. It was told:\n\n{told}")),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}

/// The request line and the headers, in columns.
fn told(request: &Request<Incoming>) -> String {
    let mut told = format!("{} {}\n\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        let _ = writeln!(told, "{:<20} {}", name.as_str(), String::from_utf8_lossy(value.as_bytes())); // to a String
    }
    told
}

fn page(told: &str) -> String {
    let told = told.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Freehold: it works</title><style>\
         :root{{color-scheme:light dark}}body{{font:17px/1.6 system-ui,sans-serif;max-width:44rem;margin:12vh auto;padding:0 1.2rem}}\
         h1{{font-weight:600}}pre{{overflow-x:auto;padding:1rem;border:1px solid #8886;border-radius:.5rem;font-size:14px}}</style>\
         <h1>It works.</h1><p>Freehold answered the name, took the connection with a certificate that it made for itself, and \
         asked this little demo app, which was told:</p><pre>{told}</pre>\
         <p>Put your own in its place: <code>freehold route set {HOST} http://127.0.0.1:3000</code></p></html>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn it_shows_what_it_was_told_and_nothing_as_markup() {
        let directory = tempfile::tempdir().unwrap();
        let demo = Demo::start(directory.path()).unwrap();
        let again = Demo::start(directory.path()).unwrap(); // what a crash left behind does not stop a start
        let mut stream = tokio::net::UnixStream::connect(directory.path().join(SOCKET)).await.unwrap();
        let request = "GET /a HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nX-Odd: <b>&\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 200") && text.contains("GET /a") && text.contains("&lt;b>&amp;"), "{text}");
        assert!(demo.target().starts_with("unix:/"));
        drop(again);
        assert!(!directory.path().join(SOCKET).exists());
    }
}
