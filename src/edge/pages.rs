//! What a visitor sees instead of what was asked for: what is wrong, under which number it is found in the log, and what the
//! owner can do. As a page, as JSON (RFC 9457) or as plain text, whichever the client accepts.
//!
//! Nothing on it tells what is inside: no address, no path, no version. All of that is in the log, under the number.

use std::fmt::Write as _;

use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};

use super::answer::Answer;
use super::dns::METHODS;
use super::exchange::Exchange;
use super::failure::Failure;
use super::quiet::Quiet;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The page loads nothing and runs nothing.
const POLICY: (HeaderName, HeaderValue) = (
    HeaderName::from_static("content-security-policy"),
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
);

/// Which form the client accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A page.
    Html,
    /// A problem (RFC 9457).
    Json,
    /// Text for a terminal.
    Text,
}

impl Form {
    /// The form that `Accept` asks for: what it names, HTML before JSON; text for who names neither.
    pub(super) fn of(accept: Option<&HeaderValue>) -> Self {
        Self::of_text(accept.and_then(|value| value.to_str().ok()).unwrap_or_default())
    }

    /// The same, of the value of `Accept` as text.
    pub(super) fn of_text(text: &str) -> Self {
        let accepts = |kind: &str| text.contains(kind);
        if accepts("text/html") || accepts("application/xhtml") {
            Self::Html
        } else if accepts("json") {
            Self::Json
        } else {
            Self::Text
        }
    }
}

/// Answers with a failure, and notes it down.
pub(super) fn show(failure: &Failure, form: Form, exchange: &Exchange) -> Response<()> {
    let status = failure.status();
    note(failure, exchange);
    let (kind, text) = match form {
        Form::Html => ("text/html; charset=utf-8", html(failure, exchange.id())),
        Form::Json => ("application/problem+json", json(failure, exchange.id())),
        Form::Text => ("text/plain; charset=utf-8", plain(failure, exchange.id())),
    };
    exchange.put_answer(Answer::Octets(Bytes::from(text)));
    let mut response = Response::new(());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(POLICY.0, POLICY.1);
    if let Ok(id) = HeaderValue::try_from(format!("{:016x}", exchange.id())) {
        headers.insert(REQUEST_ID, id);
    }
    match failure {
        Failure::Drained => drop(headers.insert(RETRY_AFTER, HeaderValue::from_static("30"))),
        Failure::Maintenance(_) => drop(headers.insert(RETRY_AFTER, HeaderValue::from_static("60"))),
        Failure::PasswordsBusy => drop(headers.insert(RETRY_AFTER, HeaderValue::from_static("2"))),
        Failure::FilesAreRead => drop(headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"))),
        Failure::MethodRefused => {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
        }
        Failure::DnsMethod => drop(headers.insert(METHODS.0, METHODS.1)),
        // What is left of the body would be taken for the next request by a reader who lost count.
        Failure::UploadSlow | Failure::UploadBroken | Failure::Unsound(_) | Failure::BodyTooLarge
            if exchange.client.speaks_http1() =>
        {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Failure::DnsUnreadable(_)
        | Failure::DnsTooLong
        | Failure::DnsKind
        | Failure::UploadSlow
        | Failure::UploadBroken
        | Failure::Unsound(_)
        | Failure::Misdirected
        | Failure::HostUnknown
        | Failure::PathUnknown
        | Failure::FileMissing
        | Failure::FileUnreadable(_)
        | Failure::ExpectationUnknown
        | Failure::ProtocolRefused
        | Failure::Circle
        | Failure::AppNameUnknown
        | Failure::AppRefused
        | Failure::AppUnreachable(_)
        | Failure::AppConnectSlow
        | Failure::AppTls(_)
        | Failure::AppClosed
        | Failure::AppGarbled
        | Failure::AppSlow
        | Failure::NotCached
        | Failure::NetworkRefused
        | Failure::TooOften
        | Failure::CertificateWanted
        | Failure::PasswordWanted
        | Failure::TooManyGuesses
        | Failure::GuardSilent(_)
        | Failure::BodyTooLarge
        | Failure::Panic => (),
    }
    response
}

/// The log is told what is inside, but not more often than somebody can read.
fn note(failure: &Failure, exchange: &Exchange) {
    if !failure.is_inside() {
        return;
    }
    exchange.app_failed(failure.counted());
    if let Some(kept_back) = Quiet::speak() {
        let id = format!("{:016x}", exchange.id());
        let (what, cure, reason) = (failure.what(), failure.cure(), failure.secret().unwrap_or_default());
        let (host, app) = (exchange.host(), exchange.app());
        tracing::warn!(host, app, reason, id, cure, kept_back, "{what}");
    }
}

fn html(failure: &Failure, id: u64) -> String {
    let status = failure.status();
    let title = status.canonical_reason().unwrap_or("Error");
    let (what, cure) = (escaped(failure.what()), escaped(failure.cure()));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{code} {title}</title>\n\
         <style>body{{font:1.1rem/1.6 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1.5rem;\
         color:#222;background:#fafafa}}h1{{font-size:1.5rem}}p.owner,p.id{{color:#666;font-size:.95rem}}\
         @media(prefers-color-scheme:dark){{body{{color:#ddd;background:#181818}}p.owner,p.id{{color:#999}}}}</style>\n\
         <h1>{title}</h1>\n<p>{what}</p>\n\
         <p class=\"owner\">For the owner of this site: {cure}</p>\n\
         <p class=\"id\">{code} · request {id:016x}</p>\n</html>\n",
        code = status.as_u16(),
    )
}

fn json(failure: &Failure, id: u64) -> String {
    let status = failure.status();
    let problem = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": failure.what(),
        "hint": failure.cure(),
        "request": format!("{id:016x}"),
    });
    format!("{problem}\n")
}

fn plain(failure: &Failure, id: u64) -> String {
    let mut text = String::new();
    let status = failure.status();
    let _ = writeln!(text, "{}: {}", status.canonical_reason().unwrap_or("Error"), failure.what());
    let _ = writeln!(text, "For the owner of this site: {}", failure.cure());
    let _ = writeln!(text, "Request {id:016x}");
    text
}

/// Text as it may stand in a page.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_follows_accept() {
        for (accept, form) in [
            ("text/html,application/xhtml+xml,*/*;q=0.8", Form::Html),
            ("application/json", Form::Json),
            ("application/problem+json", Form::Json),
            ("*/*", Form::Text),
            ("image/png", Form::Text),
        ] {
            assert_eq!(Form::of(Some(&HeaderValue::from_static(accept))), form, "{accept}");
        }
        assert_eq!(Form::of(None), Form::Text);
    }

    #[test]
    fn each_form_tells_what_is_wrong_and_what_to_do() {
        let failure = Failure::AppRefused;
        for text in [html(&failure, 7), json(&failure, 7), plain(&failure, 7)] {
            assert!(text.contains("is not running") && text.contains("start the app"), "{text}");
            assert!(text.contains("0000000000000007"), "{text}");
        }
        assert_eq!(escaped("<a href='x'>&\""), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
    }

    #[test]
    fn what_is_inside_stays_inside() {
        let failure = Failure::AppUnreachable("10.0.0.5:80: no route to host".into());
        for text in [html(&failure, 1), json(&failure, 1), plain(&failure, 1)] {
            assert!(!text.contains("10.0.0.5"), "{text}");
        }
        assert_eq!(failure.secret(), Some("10.0.0.5:80: no route to host"));
    }
}
