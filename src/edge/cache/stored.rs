//! An answer that is kept, and what becomes of it for a request: the page, its head, a part of it, or the word that the client's own
//! is still good (RFC 9110, sections 13 and 14).

use std::ops::Range;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::header::{
    ACCEPT_RANGES, AGE, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE,
};
use hyper::{Method, Response, StatusCode};

use super::rules::Verdict;
use super::shelf::About;
use crate::edge::compress::{Coding, whole};

/// Octets of a body whose compressed forms are kept beside it.
pub(in crate::edge) const SQUEEZED_MAX: usize = 256 << 10;
/// What a header takes beside its octets, and what an entry takes beside all else.
const FIELD_SIZE: usize = 64;
const ENTRY_SIZE: usize = 512;
/// Fields that a 304 does not have: they are of the body that is not sent.
const OF_THE_BODY: [&str; 5] =
    ["content-length", "content-type", "content-encoding", "content-language", "accept-ranges"];

/// An answer that is kept.
#[derive(Clone)]
pub(in crate::edge) struct Stored {
    pub(super) about: About,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    body: Bytes,
    pub(super) verdict: Verdict,
    /// When it came, or was last found to be good.
    came: Instant,
    /// Its compressed forms, as far as somebody wanted them.
    squeezed: [OnceLock<Option<Bytes>>; Coding::ALL.len()],
}

/// What a kept answer is good for at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// To be shown.
    Fresh,
    /// To be shown, and asked for again meanwhile.
    WhileAsking,
    /// To be shown only if the app fails.
    IfError,
    /// To be asked for again.
    Stale,
}

impl Stored {
    pub(super) fn new(
        about: About,
        head: (StatusCode, HeaderMap),
        body: Bytes,
        verdict: Verdict,
        came: Instant,
    ) -> Self {
        let (status, mut headers) = head;
        headers.remove(AGE);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        Self { about, status, headers, body, verdict, came, squeezed: Default::default() }
    }

    /// The same with another head, after the app said that it is still good.
    pub(super) fn renewed(&self, headers: HeaderMap, verdict: Verdict, came: Instant) -> Self {
        Self::new(self.about.clone(), (self.status, headers), self.body.clone(), verdict, came)
    }

    /// Octets of memory it stands for.
    pub(super) fn weight(&self) -> usize {
        let fields = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD_SIZE);
        let squeezed = if self.about.compresses { self.body.len() } else { 0 };
        ENTRY_SIZE + fields.sum::<usize>() + self.body.len() + squeezed + self.about.path.len()
    }

    pub(super) fn age(&self, now: Instant) -> Duration {
        self.verdict.age + now.saturating_duration_since(self.came)
    }

    /// What it is good for.
    pub(super) fn use_at(&self, now: Instant) -> Use {
        let (age, verdict) = (self.age(now), &self.verdict);
        if age < verdict.fresh {
            Use::Fresh
        } else if age < verdict.fresh + verdict.while_asking {
            Use::WhileAsking
        } else if age < verdict.fresh + verdict.if_error {
            Use::IfError
        } else {
            Use::Stale
        }
    }

    /// Whether it may be shown when the app fails.
    pub(super) fn helps(&self, now: Instant) -> bool {
        self.use_at(now) != Use::Stale
    }

    /// Seconds that it is fresh for; below zero it is stale for so long.
    pub(super) fn seconds_left(&self, now: Instant) -> i64 {
        self.verdict.fresh.as_secs() as i64 - self.age(now).as_secs() as i64
    }

    /// The whole body.
    pub(in crate::edge) fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body in a coding, made once; none if it does not become much smaller.
    pub(in crate::edge) fn squeezed(&self, coding: Coding) -> Option<Bytes> {
        let made = self.squeezed[coding as usize].get_or_init(|| {
            // Three forms of a third each have room in what the body weighs a second time.
            whole(coding, &self.body).ok().filter(|small| small.len() <= self.body.len() / 3)
        });
        made.clone()
    }

    /// The head of the answer to a request, and which part of the body goes with it.
    pub(super) fn answer(
        &self,
        method: &Method,
        asked: &HeaderMap,
        now: Instant,
    ) -> (Response<()>, Option<Range<usize>>) {
        let mut response = Response::new(());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response.headers_mut().insert(AGE, HeaderValue::from(self.age(now).as_secs()));
        if self.status != StatusCode::OK {
            return (response, Some(0..self.body.len()));
        }
        if self.is_known_to(asked) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            OF_THE_BODY.iter().for_each(|name| drop(response.headers_mut().remove(*name)));
            return (response, None);
        }
        response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        let part = if *method == Method::GET { self.part(asked) } else { Part::Whole };
        let size = self.body.len();
        let told = match &part {
            Part::Whole => return (response, Some(0..size)),
            Part::Of(range) => {
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(range.len()));
                format!("bytes {}-{}/{size}", range.start, range.end - 1)
            }
            Part::Outside => {
                *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
                response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(0));
                format!("bytes */{size}")
            }
        };
        HeaderValue::try_from(told)
            .into_iter()
            .for_each(|told| drop(response.headers_mut().insert(CONTENT_RANGE, told)));
        (response, if let Part::Of(range) = part { Some(range) } else { None })
    }

    /// Whether the client says that it has it (RFC 9110, section 13.2.2).
    fn is_known_to(&self, asked: &HeaderMap) -> bool {
        if asked.contains_key(IF_NONE_MATCH) {
            let ours = self.headers.get(ETAG).and_then(|tag| tag.to_str().ok()).map(opaque);
            let lists = asked.get_all(IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
            let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
            return tags.any(|tag| tag == "*" || (ours.is_some() && Some(opaque(tag)) == ours));
        }
        let date = |headers: &HeaderMap, name: HeaderName| {
            headers.get(name).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok())
        };
        match (date(asked, IF_MODIFIED_SINCE), date(&self.headers, LAST_MODIFIED)) {
            (Some(since), Some(modified)) => modified <= since,
            (None, _) | (_, None) => false,
        }
    }

    fn part(&self, asked: &HeaderMap) -> Part {
        let Some(range) = asked.get(RANGE).and_then(|range| range.to_str().ok()) else { return Part::Whole };
        if let Some(had) = asked.get(IF_RANGE) {
            let strong = !had.as_bytes().starts_with(b"W/");
            if !strong || ![ETAG, LAST_MODIFIED].iter().any(|name| self.headers.get(name) == Some(had)) {
                return Part::Whole;
            }
        }
        Part::read(range, self.body.len())
    }
}

/// Without the mark of a weak tag.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// What of a body is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Of(Range<usize>),
    Outside,
}

impl Part {
    /// One range. Several, and what is none, mean the whole (RFC 9110, section 14.2: a server may ignore it).
    fn read(text: &str, size: usize) -> Self {
        let Some((first, last)) = text.strip_prefix("bytes=").and_then(|text| text.split_once('-')) else {
            return Self::Whole;
        };
        let number = |text: &str| match text.bytes().all(|octet| octet.is_ascii_digit()) {
            true => text.parse::<usize>().ok(),
            false => None,
        };
        let range = match (number(first.trim()), number(last.trim())) {
            (Some(first), None) if last.trim().is_empty() => first..size,
            (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
            (None, Some(count)) if first.trim().is_empty() => size.saturating_sub(count)..size,
            (Some(_), _) | (None, _) => return Self::Whole,
        };
        if range.start < range.end { Self::Of(range) } else { Self::Outside }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_understood() {
        for (text, part) in [
            ("bytes=0-0", Part::Of(0..1)),
            ("bytes=2-4", Part::Of(2..5)),
            ("bytes=7-", Part::Of(7..10)),
            ("bytes=-3", Part::Of(7..10)),
            ("bytes=-99", Part::Of(0..10)),
            ("bytes=5-99", Part::Of(5..10)),
            ("bytes=10-", Part::Outside),
            ("bytes=99-100", Part::Outside),
            ("bytes=-0", Part::Outside),
            ("bytes=4-2", Part::Whole),
            ("bytes=1-2,4-5", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("items=1-2", Part::Whole),
            ("bytes=0-18446744073709551615", Part::Of(0..10)),
            ("bytes=99999999999999999999-", Part::Whole),
        ] {
            assert_eq!(Part::read(text, 10), part, "{text}");
        }
    }
}
