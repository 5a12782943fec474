//! The body of an app's answer for a client over HTTP/2: part by part as it comes, no faster than hyper takes it.

use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hyper::body::Frame;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use super::answer::{Body, Head};
use super::ask::{READ_SIZE, poll_receive};
use super::chunks;
use super::relay::READ_SIZE_MAX;
use crate::edge::answer::{Answer, Broken};
use crate::edge::headers;
use crate::edge::upstream::Bare;

/// Octets of a body that are taken out of the buffer they came in: it is of use to the next answer at once.
const COPIED_SIZE_MAX: usize = 2 << 10;

/// What of an answer has not been taken, and where more of it comes from.
pub(in crate::edge) struct Rest {
    /// Gone home when all has come.
    app: Option<Bare>,
    /// Whether it can take another request then.
    keeps: bool,
    body: Body,
    /// Nothing but what is to be handed on.
    octets: BytesMut,
    /// Whether that is the end of the body.
    last: bool,
    trailers: Option<HeaderMap>,
    /// Octets that are read at once.
    size: usize,
}

impl Rest {
    /// Of an answer whose head has been read, with what came behind it.
    pub(super) fn new(app: Bare, head: Head, octets: BytesMut) -> Result<Self, chunks::Broken> {
        let Head { body, keeps, .. } = head;
        let mut rest = Self { app: Some(app), keeps, body, octets, last: false, trailers: None, size: READ_SIZE };
        rest.take()?;
        Ok(rest)
    }

    /// As an answer: if it is whole already, its app is done with it.
    pub(super) fn into_answer(mut self) -> Answer {
        if !self.last || self.trailers.is_some() {
            return Answer::Near(Box::new(self));
        }
        self.go_home();
        match self.octets.len() {
            0 => Answer::Nothing,
            1..=COPIED_SIZE_MAX => Answer::Octets(Bytes::copy_from_slice(&self.octets)),
            _ => Answer::Octets(self.octets.freeze()),
        }
    }

    /// The next part.
    pub(in crate::edge) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            if !self.octets.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(self.octets.split().freeze()))));
            }
            if self.last {
                let trailers = self.trailers.take().map(|trailers| headers::clean_trailers(Frame::trailers(trailers)));
                return Poll::Ready(trailers.map(Ok));
            }
            let Some(app) = &mut self.app else { return Poll::Ready(Some(Err(Broken::APP))) };
            match ready!(poll_receive(&mut app.stream, &mut self.octets, self.size, context)) {
                0 if matches!(self.body, Body::UntilClose) => self.body = Body::Closed,
                0 => return Poll::Ready(Some(Err(Broken::APP))),
                count if count >= self.size => self.size = READ_SIZE_MAX, // there is a lot of it
                _ => (),
            }
            if self.take().is_err() {
                return Poll::Ready(Some(Err(Broken::APP)));
            }
        }
    }

    /// Whether nothing is left of it.
    pub(in crate::edge) fn is_over(&self) -> bool {
        self.last && self.octets.is_empty() && self.trailers.is_none()
    }

    /// Brings the app's connection home, if all has come.
    pub(in crate::edge) fn go_home(&mut self) {
        if let Some(app) = self.app.take_if(|_| self.last && self.keeps) {
            app.go_home();
        }
    }

    /// Makes of the octets what is to be handed on.
    fn take(&mut self) -> Result<(), chunks::Broken> {
        let part = self.body.take(&mut self.octets)?;
        self.octets.truncate(part.size);
        self.last = part.last;
        self.keeps &= part.behind == 0;
        if self.last && !self.body.trailers().is_empty() {
            self.trailers = Some(read_trailers(self.body.trailers()));
        }
        Ok(())
    }
}

/// The fields behind the last chunk; what is none is left out.
fn read_trailers(lines: &[u8]) -> HeaderMap {
    let lines = lines.split(|octet| *octet == b'\n');
    let fields = lines.filter_map(|line| {
        let colon = memchr::memchr(b':', line)?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        Some((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?))
    });
    let mut trailers = HeaderMap::new();
    for (name, value) in fields {
        trailers.append(name, value);
    }
    trailers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_are_read_line_by_line() {
        let trailers = read_trailers(b"X-Sum: 1\r\nno colon\r\nb ad: 1\r\nx-sum: 2\r\nx-nul: \0\r\n");
        let all: Vec<_> = trailers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(all, [("x-sum", "1"), ("x-sum", "2")]);
    }
}
