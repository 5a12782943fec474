//! The fields that tell browsers to be careful. What the app says itself stands: it knows better.

use hyper::header::{
    CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

/// A year, without subdomains and preloading, which concern names that the route knows nothing of.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Fields that are set where they are not.
const ALWAYS: [(HeaderName, HeaderValue); 2] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin")),
];

/// Puts in what is missing.
pub(super) fn complete(headers: &mut HeaderMap, secure: bool) {
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(value);
    }
    // Over plain HTTP nobody believes it (RFC 6797, section 7.2).
    if secure {
        headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(HSTS);
    }
    // An app that says either has thought about frames, or about what a policy of its own leaves open.
    if !headers.contains_key(CONTENT_SECURITY_POLICY) && !headers.contains_key(X_FRAME_OPTIONS) {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'self'"));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_app_says_stands() {
        let mut headers = HeaderMap::new();
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        complete(&mut headers, false);
        assert_eq!(headers[REFERRER_POLICY], "no-referrer");
        assert_eq!(headers[X_FRAME_OPTIONS], "DENY");
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(!headers.contains_key(CONTENT_SECURITY_POLICY) && !headers.contains_key(STRICT_TRANSPORT_SECURITY));
        let mut headers = HeaderMap::new();
        complete(&mut headers, true);
        assert_eq!(headers[STRICT_TRANSPORT_SECURITY], "max-age=31536000");
        assert_eq!(headers[CONTENT_SECURITY_POLICY], "frame-ancestors 'self'");
    }
}
