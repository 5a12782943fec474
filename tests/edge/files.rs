//! Folders of files as sites.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use freehold::route::Route;

use super::client::{Client, ask, get};
use super::kit::{Edge, settings};

struct Site {
    folder: tempfile::TempDir,
    edge: Edge,
}

/// A site of files in a folder of its own, with a secret beside it.
fn site(more: serde_json::Value) -> Site {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("site/sub/deep")).unwrap();
    fs::create_dir_all(at("site/.git")).unwrap();
    fs::create_dir_all(at("site/.well-known")).unwrap();
    fs::create_dir_all(at("site/list")).unwrap();
    for (name, text) in [
        ("secret.txt", "secret"),
        ("site/index.html", "<h1>home</h1>"),
        ("site/sub/index.html", "<h1>sub</h1>"),
        ("site/a b.txt", "0123456789"),
        ("site/style.css", "body{}"),
        ("site/app.js", "plain"),
        ("site/app.js.br", "brotli"),
        ("site/app.js.gz", "gzip"),
        ("site/app.js.zst", "zstd"),
        ("site/.env", "PASSWORD=x"),
        ("site/.git/config", "secret"),
        ("site/.well-known/security.txt", "Contact: me"),
        ("site/list/<one>.txt", "1"),
        ("site/list/.hidden", "1"),
    ] {
        fs::write(at(name), text).unwrap();
    }
    symlink("../secret.txt", at("site/link.txt")).unwrap();
    symlink(at("secret.txt"), at("site/absolute.txt")).unwrap();
    symlink("../..", at("site/sub/up")).unwrap();
    symlink("a b.txt", at("site/inside.txt")).unwrap();
    let edge = Edge::with(
        [route("a.test", "/", &at("site"), more.clone()), route("a.test", "/docs", &at("site"), more)],
        settings(),
    );
    Site { folder, edge }
}

fn route(host: &str, path: &str, folder: &Path, more: serde_json::Value) -> Route {
    let mut target = serde_json::json!({ "path": folder });
    target.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(serde_json::json!({ "host": host, "path": path, "folder": target })).unwrap()
}

fn plain() -> serde_json::Value {
    serde_json::json!({})
}

#[test]
fn files_are_shown_as_what_they_are() {
    let site = site(plain());
    for (path, kind, text) in [
        ("/", "text/html; charset=utf-8", "<h1>home</h1>"),
        ("/index.html", "text/html; charset=utf-8", "<h1>home</h1>"),
        ("/sub/", "text/html; charset=utf-8", "<h1>sub</h1>"),
        ("/a%20b.txt", "text/plain; charset=utf-8", "0123456789"),
        ("/a%20b.txt?v=1", "text/plain; charset=utf-8", "0123456789"),
        ("/style.css", "text/css; charset=utf-8", "body{}"),
        ("/inside.txt", "text/plain; charset=utf-8", "0123456789"),
        ("/.well-known/security.txt", "text/plain; charset=utf-8", "Contact: me"),
        ("/docs/style.css", "text/css; charset=utf-8", "body{}"),
    ] {
        let answer = get(&site.edge, "a.test", path);
        assert_eq!((answer.status, answer.field("content-type"), answer.text().as_str()), (200, kind, text), "{path}");
        assert_eq!(answer.field("x-content-type-options"), "nosniff");
    }
    let head = Client::https(&site.edge, "a.test").say("HEAD /a%20b.txt HTTP/1.1\r\nHost: a.test\r\n\r\n").head();
    assert_eq!((head.status, head.field("content-length")), (200, "10"));
    for (path, location) in [("/sub", "/sub/"), ("/sub?x=1", "/sub/?x=1"), ("/docs", "/docs/"), ("//sub", "/sub/")] {
        let answer = get(&site.edge, "a.test", path);
        assert_eq!((answer.status, answer.field("location")), (308, location), "{path}");
    }
}

#[test]
fn nothing_is_shown_that_should_not_be() {
    let site = site(plain());
    for path in [
        "/.env",
        "/.git/config",
        "/%2eenv",
        "/.git%2fconfig",
        "/sub/../.env",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/link.txt",
        "/absolute.txt",
        "/sub/up/secret.txt",
        "/sub/up/site/.env",
        "/none",
        "/a%20b.txt/",
        "/index.html/x",
        "/sub/deep/",
        "/list/",
        "/a%00b",
        "/%ff",
        "/..;/secret.txt",
        "/\\..\\secret.txt",
        "/list/.hidden",
    ] {
        let answer = get(&site.edge, "a.test", path);
        assert!([400, 404].contains(&answer.status), "{path}: {} {}", answer.status, answer.text());
        assert!(
            !answer.text().contains("secret") || answer.text().contains("no such page"),
            "{path}: {}",
            answer.text()
        );
    }
    let posted = ask(&site.edge, "a.test", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((posted.status, posted.field("allow")), (405, "GET, HEAD"));
}

#[test]
fn a_part_of_a_file_and_only_if_it_is_the_same() {
    let site = site(plain());
    let with =
        |fields: &str| ask(&site.edge, "a.test", &format!("GET /a%20b.txt HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n"));
    let whole = with("");
    let (etag, modified) = (whole.field("etag").to_owned(), whole.field("last-modified").to_owned());
    assert!(!etag.is_empty() && !modified.is_empty() && whole.field("accept-ranges") == "bytes");
    for (range, status, text, told) in [
        ("bytes=2-4", 206, "234", "bytes 2-4/10"),
        ("bytes=7-", 206, "789", "bytes 7-9/10"),
        ("bytes=-2", 206, "89", "bytes 8-9/10"),
        ("bytes=0-99", 206, "0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, "", "bytes */10"),
    ] {
        let answer = with(&format!("Range: {range}\r\n"));
        assert_eq!(
            (answer.status, answer.text().as_str(), answer.field("content-range")),
            (status, text, told),
            "{range}"
        );
    }
    assert_eq!(with(&format!("If-None-Match: {etag}\r\n")).status, 304);
    assert_eq!(with("If-None-Match: \"other\"\r\n").status, 200);
    assert_eq!(with(&format!("If-Modified-Since: {modified}\r\n")).status, 304);
    assert_eq!(with("If-Match: \"other\"\r\n").status, 412);
    assert_eq!(with("Range: bytes=2-4\r\nIf-Range: \"other\"\r\n").text(), "0123456789");
    assert_eq!(with("Range: bytes=2-4\r\nIf-Range: Thu, 01 Jan 1970 00:00:00 GMT\r\n").text(), "0123456789");
    let same = if etag.starts_with("W/") { modified } else { etag };
    assert_eq!(with(&format!("Range: bytes=2-4\r\nIf-Range: {same}\r\n")).text(), "234");
}

#[test]
fn the_compressed_file_beside_it_is_sent_to_who_takes_it() {
    let site = site(plain());
    for (accept, encoding, text) in [
        ("br, gzip", "br", "brotli"),
        ("gzip", "gzip", "gzip"),
        ("zstd", "zstd", "zstd"),
        ("identity", "", "plain"),
        ("br;q=0", "", "plain"),
    ] {
        let answer = ask(
            &site.edge,
            "a.test",
            &format!("GET /app.js HTTP/1.1\r\nHost: a.test\r\nAccept-Encoding: {accept}\r\n\r\n"),
        );
        assert_eq!((answer.field("content-encoding"), answer.text().as_str()), (encoding, text), "{accept}");
        assert_eq!(answer.field("vary").to_ascii_lowercase(), "accept-encoding");
        assert!(answer.field("content-type").contains("javascript"), "{}", answer.head);
    }
}

#[test]
fn a_single_page_app_answers_for_paths_that_are_no_files() {
    let site = site(serde_json::json!({ "fallback": "index.html" }));
    for path in ["/deep/link", "/none", "/sub/deep/"] {
        let answer = get(&site.edge, "a.test", path);
        assert_eq!((answer.status, answer.text().as_str()), (200, "<h1>home</h1>"), "{path}");
    }
    assert_eq!(get(&site.edge, "a.test", "/style.css").text(), "body{}");
    assert_eq!(get(&site.edge, "a.test", "/../secret.txt").status, 400);
    assert!(!get(&site.edge, "a.test", "/link.txt").text().contains("secret"));
}

#[test]
fn a_folder_is_listed_only_where_it_is_asked_for() {
    let site = site(serde_json::json!({ "listing": true, "index": ["start.html"] }));
    let page = get(&site.edge, "a.test", "/list/");
    assert_eq!((page.status, page.field("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.text().contains("./%3Cone%3E.txt\">&lt;one&gt;.txt"), "{}", page.text());
    assert!(!page.text().contains("hidden"), "{}", page.text());
    let top = get(&site.edge, "a.test", "/").text();
    assert!(top.contains("sub/") && top.contains("a%20b.txt"), "{top}");
    for hidden in [".git", ".env", "link.txt", "absolute.txt"] {
        assert!(!top.contains(hidden), "{hidden}: {top}");
    }
    fs::write(site.folder.path().join("site/start.html"), "begin").unwrap();
    assert_eq!(get(&site.edge, "a.test", "/").text(), "begin");
}

#[test]
fn redirects_lead_where_the_route_says() {
    let route = |path: &str, redirect: serde_json::Value| -> Route {
        serde_json::from_value(serde_json::json!({ "host": "a.test", "path": path, "redirect": redirect })).unwrap()
    };
    let edge = Edge::with(
        [
            route("/", serde_json::json!({ "url": "https://b.test", "keep_path": true })),
            route("/old", serde_json::json!({ "url": "https://b.test/new", "keep_path": true, "status": 301 })),
            route("/one", serde_json::json!({ "url": "/two", "status": 302 })),
        ],
        settings(),
    );
    for (path, status, location) in [
        ("/x/y?z=1", 308, "https://b.test/x/y?z=1"),
        ("/old/page?z", 301, "https://b.test/new/page?z"),
        ("/old", 301, "https://b.test/new"),
        ("/one/more?z", 302, "/two"),
        ("//evil.test/", 308, "https://b.test/evil.test/"),
    ] {
        let answer = get(&edge, "a.test", path);
        assert_eq!((answer.status, answer.field("location")), (status, location), "{path}");
    }
}
