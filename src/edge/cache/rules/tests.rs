//! RFC 9111 and RFC 5861 as a table: what was asked, what came, and what may be done with it.

use std::time::UNIX_EPOCH;

use super::*;

/// 2026-11-21 12:00:00 UTC.
const NOW: u64 = 1_795_262_400;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

fn fields(lines: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.split('|').map(str::trim).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        let value = match value.trim().parse::<i64>() {
            Ok(seconds) if ["date", "expires", "last-modified"].contains(&name) => {
                httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(NOW.saturating_add_signed(seconds)))
            }
            _ => value.trim().to_owned(),
        };
        headers.append(HeaderName::try_from(name).unwrap(), value.try_into().unwrap());
    }
    headers
}

fn verdict(wanted: &Wanted, request: &str, status: u16, response: &str) -> Option<Verdict> {
    let mut asked = Request::new(()).into_parts().0;
    asked.headers = fields(request);
    let mut came = Response::new(()).into_parts().0;
    came.status = StatusCode::from_u16(status).unwrap();
    came.headers = fields(response);
    judge(&asked, &came, wanted, false, now())
}

/// What becomes of an answer, in one word.
fn word(verdict: Option<Verdict>) -> String {
    match verdict {
        None => "no".into(),
        Some(verdict) if verdict.age >= verdict.fresh => "revalidate".into(),
        Some(verdict) => format!("{}", (verdict.fresh - verdict.age).as_secs()),
    }
}

#[test]
fn what_is_kept_and_for_how_long() {
    let wanted = Wanted::default();
    for (request, status, response, expected) in [
        // What says nothing is not kept, and nothing is guessed.
        ("", 200, "", "no"),
        ("", 200, "last-modified: -864000", "revalidate"),
        ("", 200, "etag: \"a\"", "revalidate"),
        ("", 200, "cache-control: public", "no"),
        // Lifetimes (section 4.2.1).
        ("", 200, "cache-control: max-age=60", "60"),
        ("", 200, "cache-control: MAX-AGE=60", "60"),
        ("", 200, "cache-control: max-age=\"60\"", "60"),
        ("", 200, "cache-control: s-maxage=30, max-age=60", "30"),
        ("", 200, "cache-control: max-age=60, s-maxage=0", "no"),
        ("", 200, "cache-control: max-age=60 | expires: 10", "60"),
        ("", 200, "date: 0 | expires: 10", "10"),
        ("", 200, "date: 0 | expires: -10", "no"),
        ("", 200, "date: 0 | expires: -10 | etag: \"a\"", "revalidate"),
        ("", 200, "expires: zero", "no"),
        ("", 200, "cache-control: max-age=0", "no"),
        ("", 200, "cache-control: max-age=-1", "no"),
        ("", 200, "cache-control: max-age=1.5", "no"),
        ("", 200, "cache-control: max-age=99999999999999999999", "no"),
        ("", 200, "cache-control: max-age=4294967296", "31536000"),
        ("", 200, "cache-control: immutable", "no"),
        // Age (section 4.2.3).
        ("", 200, "cache-control: max-age=60 | age: 20", "40"),
        ("", 200, "cache-control: max-age=60 | date: -20", "40"),
        ("", 200, "cache-control: max-age=60 | date: -20 | age: 30", "30"),
        ("", 200, "cache-control: max-age=60 | date: 3600", "60"),
        ("", 200, "cache-control: max-age=60 | age: 60", "no"),
        ("", 200, "cache-control: max-age=60 | age: 60 | etag: \"a\"", "revalidate"),
        // What must not be kept (section 3).
        ("", 200, "cache-control: no-store", "no"),
        ("", 200, "cache-control: max-age=60, No-Store", "no"),
        ("", 200, "cache-control: private, max-age=60", "no"),
        ("", 200, "cache-control: max-age=60 | cache-control: PRIVATE", "no"),
        ("", 200, "cache-control: private=\"x, y\", max-age=60", "no"),
        ("cache-control: no-store", 200, "cache-control: max-age=60", "no"),
        ("", 200, "cache-control: no-cache", "no"),
        ("", 200, "cache-control: no-cache, max-age=60 | etag: \"a\"", "revalidate"),
        ("", 200, "cache-control: no-cache=\"set-cookie\", max-age=60 | etag: \"a\"", "revalidate"),
        ("", 200, "pragma: no-cache | expires: 60 | etag: \"a\"", "revalidate"),
        ("", 200, "cache-control: max-age=60, proxy-revalidate | etag: \"a\"", "revalidate"),
        ("", 200, "cache-control: max-age=60 | set-cookie: a=b", "no"),
        ("", 200, "cache-control: public, max-age=60 | set-cookie: a=b", "no"),
        ("", 200, "cache-control: max-age=60 | content-type: text/event-stream", "no"),
        // Statuses.
        ("", 404, "cache-control: max-age=60", "60"),
        ("", 301, "cache-control: max-age=60", "60"),
        ("", 204, "cache-control: max-age=60", "60"),
        ("", 206, "cache-control: max-age=60 | content-range: bytes 0-1/2", "no"),
        ("", 500, "cache-control: max-age=60", "no"),
        ("", 503, "cache-control: max-age=60", "no"),
        ("", 418, "cache-control: max-age=60", "no"),
        // Who says who it is (section 3.5).
        ("authorization: Basic eDp5", 200, "cache-control: max-age=60", "no"),
        ("authorization: Basic eDp5", 200, "cache-control: max-age=60, max-age=61", "no"),
        ("authorization: Basic eDp5", 200, "cache-control: public, max-age=60", "60"),
        ("authorization: Basic eDp5", 200, "cache-control: s-maxage=60", "60"),
        ("authorization: Basic eDp5", 200, "cache-control: must-revalidate, max-age=60", "60"),
        ("cookie: id=1", 200, "cache-control: max-age=60", "no"),
        ("cookie: id=1", 200, "cache-control: must-revalidate, max-age=60", "no"),
        ("cookie: id=1", 200, "cache-control: public, max-age=60", "60"),
        // Advice of clients that would have the app bothered is not followed (section 5.2.1).
        ("cache-control: no-cache", 200, "cache-control: max-age=60", "60"),
        ("cache-control: max-age=0 | pragma: no-cache", 200, "cache-control: max-age=60", "60"),
        // Vary (section 4.1).
        ("", 200, "cache-control: max-age=60 | vary: *", "no"),
        ("", 200, "cache-control: max-age=60 | vary: accept, *", "no"),
        ("", 200, "cache-control: max-age=60 | vary: a,b,c,d,e,f,g,h,i", "no"),
        ("", 200, "cache-control: max-age=60 | vary: Accept, accept-language", "60"),
        // Of use without being fresh (RFC 5861).
        ("", 200, "cache-control: max-age=0, stale-while-revalidate=30", "revalidate"),
        ("", 200, "cache-control: max-age=0, stale-if-error=30", "revalidate"),
        ("", 200, "cache-control: max-age=60, \u{e9}", "no"),
    ] {
        assert_eq!(word(verdict(&wanted, request, status, response)), expected, "{request} / {status} {response}");
    }
}

#[test]
fn what_the_route_says_counts_where_the_answer_says_nothing() {
    let wanted = Wanted { default_seconds: 5, stale_if_error_seconds: 9, ..Wanted::default() };
    for (request, status, response, expected) in [
        ("", 200, "", "5"),
        ("", 404, "", "5"),
        ("", 302, "", "no"),
        ("", 500, "", "no"),
        ("", 400, "", "no"),
        ("", 200, "cache-control: no-store", "no"),
        ("", 200, "cache-control: private", "no"),
        ("", 200, "expires: zero", "revalidate"),
        ("", 200, "set-cookie: a=b", "no"),
        ("cookie: a=b", 200, "", "no"),
        ("authorization: x", 200, "", "no"),
        ("", 200, "cache-control: max-age=60", "60"),
    ] {
        assert_eq!(word(verdict(&wanted, request, status, response)), expected, "{request} / {status} {response}");
    }
    let careless = Wanted { ignore_cookies: true, ..wanted };
    assert_eq!(word(verdict(&careless, "cookie: a=b", 200, "")), "5");
    assert_eq!(word(verdict(&careless, "cookie: a=b", 200, "set-cookie: a=b")), "no");
    assert_eq!(word(verdict(&careless, "authorization: x", 200, "")), "no");
}

#[test]
fn how_long_something_may_be_shown_that_is_not_fresh() {
    let wanted = Wanted { stale_if_error_seconds: 9, ..Wanted::default() };
    for (said, while_asking, if_error) in [
        ("max-age=60", 0, 9),
        ("max-age=60, stale-while-revalidate=30", 30, 9),
        ("max-age=60, stale-if-error=20", 0, 20),
        ("max-age=60, stale-if-error=0", 0, 0),
        ("max-age=60, Stale-While-Revalidate=30, STALE-IF-ERROR=20", 30, 20),
        ("max-age=60, stale-while-revalidate=30, stale-if-error=20, must-revalidate", 0, 0),
        ("s-maxage=60, stale-while-revalidate=30, stale-if-error=20", 30, 20),
        ("s-maxage=60", 0, 0),
        ("max-age=60, proxy-revalidate, stale-if-error=20", 0, 0),
        ("max-age=60, stale-while-revalidate=x", 0, 9),
        ("max-age=60, stale-while-revalidate=99999999999", 31_536_000, 9),
    ] {
        let verdict = verdict(&wanted, "", 200, &format!("cache-control: {said} | etag: \"a\"")).unwrap();
        assert_eq!((verdict.while_asking.as_secs(), verdict.if_error.as_secs()), (while_asking, if_error), "{said}");
    }
}

#[test]
fn what_varies_without_saying_so_is_found_out() {
    let varies = |response: &str| verdict(&Wanted::default(), "", 200, response).unwrap().vary;
    assert_eq!(varies("cache-control: max-age=1 | content-encoding: gzip"), ["accept-encoding"]);
    assert_eq!(
        varies("cache-control: max-age=1 | content-encoding: gzip | vary: Accept-Encoding"),
        ["accept-encoding"]
    );
    assert_eq!(varies("cache-control: max-age=1 | vary: a, B | vary: a"), ["a", "b"]);
}

#[test]
fn a_304_says_anew_what_is_not_of_the_body() {
    let kept = fields(
        "etag: \"a\" | content-length: 5 | content-type: text/html | cache-control: max-age=1 | link: a | link: b | age: 7",
    );
    let said =
        fields("etag: \"a\" | content-length: 0 | content-type: x/y | cache-control: max-age=9 | x-new: 1 | x-new: 2");
    let fresh = freshened(&kept, &said);
    let mut lines: Vec<_> = fresh.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "cache-control: max-age=9",
            "content-length: 5",
            "content-type: text/html",
            "etag: \"a\"",
            "link: a",
            "link: b",
            "x-new: 1",
            "x-new: 2"
        ]
    );
}
