//! A fetch for the cache: a task of its own, so that it does not end with the client that brought it about while others wait for it,
//! nor goes at that client's pace.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use hyper::header::{
    CONTENT_LENGTH, DATE, ETAG, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED,
    RANGE,
};
use hyper::{Request, Response, StatusCode};
use tokio::sync::oneshot::Sender;

use super::ask::{Ask, selected};
use super::fill::{Filled, Filling, fill};
use super::rules::{Verdict, freshened, judge};
use super::shelf::{About, Cache, Lead};
use super::stored::Stored;
use crate::edge::answer::{Answer, Upload};
use crate::edge::balance::Turn;
use crate::edge::exchange::Exchange;
use crate::edge::failure::Failure;
use crate::edge::forward;
use crate::route::{Cache as Wanted, Route};

/// What a client is given.
pub(super) enum Given {
    /// What is kept, after the app said with this status that it is still good, or failed with it (0: without one).
    Page(Arc<Stored>, u16),
    /// An answer that is being kept.
    Kept(Response<()>, Filling),
    /// An answer that is not kept.
    Passed(Response<()>, Answer),
    /// None.
    Failed(Failure),
}

/// What is fetched, and why.
pub(super) struct Fetch {
    pub(super) ask: Ask,
    pub(super) about: About,
    pub(super) lead: Lead,
    /// What is kept and not fresh any more.
    pub(super) stale: Option<Arc<Stored>>,
    pub(super) route: Arc<Route>,
    pub(super) wanted: Wanted,
    pub(super) exchange: Rc<Exchange>,
}

impl Fetch {
    /// Asks the app, gives the answer to whoever wants it, and keeps it if that may be.
    pub(super) async fn run(self, asked: Request<()>, turn: Turn, mut give: Sender<Given>) {
        let (asked, ()) = asked.into_parts();
        let request = self.request(&asked.headers, &asked);
        let answer = {
            let mut answer = Box::pin(forward::forward(request, turn, &self.exchange));
            tokio::select! {
                biased;
                answer = &mut answer => Some(answer),
                () = give.closed() => if self.lead.has_company() { Some(answer.await) } else { None },
            }
        };
        match answer {
            Some(Ok(response)) => self.take(response, &asked, give).await,
            Some(Err(failure)) => self.fail(failure, give),
            None => (), // nobody waits for it
        }
    }

    /// The request for the app: for the whole of it, and only if it is not what we have.
    fn request(&self, headers: &HeaderMap, asked: &hyper::http::request::Parts) -> Request<Upload> {
        let mut request = Request::new(Upload::empty(&self.exchange));
        *request.method_mut() = asked.method.clone();
        *request.uri_mut() = asked.uri.clone();
        *request.version_mut() = asked.version;
        *request.headers_mut() = headers.clone();
        let headers = request.headers_mut();
        for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_RANGE, RANGE] {
            headers.remove(name);
        }
        if let Some(stale) = &self.stale {
            for (from, to) in [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)] {
                if let Some(value) = stale.headers.get(from) {
                    headers.insert(to, value.clone());
                }
            }
        }
        request
    }

    fn fail(self, failure: Failure, give: Sender<Given>) {
        if let Some(stale) = self.stale.filter(|stale| stale.helps(Instant::now())) {
            drop(give.send(Given::Page(stale, 0)));
        } else {
            drop(give.send(Given::Failed(failure.clone())));
        }
        self.lead.fail(&failure);
    }

    async fn take(self, response: Response<()>, asked: &hyper::http::request::Parts, give: Sender<Given>) {
        self.exchange.begins_anew(); // the app has answered in time
        let content = self.exchange.answer.replace(Answer::Nothing);
        let (now, came) = (SystemTime::now(), Instant::now());
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED
            && let Some(stale) = &self.stale
        {
            return self.renew(stale, &response, asked, give);
        }
        let failing = matches!(status.as_u16(), 500 | 502 | 503 | 504);
        if failing && let Some(stale) = self.stale.as_ref().filter(|stale| stale.helps(came)) {
            return drop(give.send(Given::Page(Arc::clone(stale), status.as_u16())));
        }
        let (mut head, ()) = response.into_parts();
        let verdict = judge(asked, &head, &self.wanted, self.route.options().asks_who(), now);
        let size_max = (self.wanted.size_max as usize).min(self.cache().answer_max());
        let length = head.headers.get(CONTENT_LENGTH).and_then(|size| size.to_str().ok()?.parse::<usize>().ok());
        let verdict = verdict.filter(|_| self.ask.may_keep && length.unwrap_or(0) <= size_max);
        let Some(verdict) = verdict else {
            if !self.ask.personal && !failing {
                self.lead.pass(came);
            }
            return drop(give.send(Given::Passed(Response::from_parts(head, ()), content)));
        };
        date(&mut head.headers, now);
        let (fill, filling) = fill(content, size_max, self.cache());
        let (status, headers) = (head.status, head.headers.clone());
        drop(give.send(Given::Kept(Response::from_parts(head, ()), filling)));
        match fill.run(self.cache()).await {
            Filled::Whole(body) => {
                self.keep(Stored::new(self.about.clone(), (status, headers), body, verdict, came), asked);
            }
            Filled::TooLarge => self.lead.pass(came),
            Filled::Broken => (),
        }
    }

    /// The app says that what is kept is still good.
    fn renew(
        &self,
        stale: &Arc<Stored>,
        response: &Response<()>,
        asked: &hyper::http::request::Parts,
        give: Sender<Given>,
    ) {
        let (now, came) = (SystemTime::now(), Instant::now());
        let mut headers = freshened(&stale.headers, response.headers());
        if !response.headers().contains_key(DATE) {
            headers.remove(DATE);
        }
        date(&mut headers, now);
        let mut head = Response::new(()).into_parts().0;
        (head.status, head.headers) = (stale.status, headers);
        let verdict = judge(asked, &head, &self.wanted, self.route.options().asks_who(), now);
        let Some(verdict) = verdict else {
            self.lead.forget();
            let once = Verdict { fresh: Default::default(), ..stale.verdict.clone() };
            let page = Arc::new(stale.renewed(head.headers, once, came));
            return drop(give.send(Given::Page(page, StatusCode::NOT_MODIFIED.as_u16())));
        };
        self.exchange.client.worker.stats().cache_revalidated.add(1);
        let page = stale.renewed(head.headers, verdict, came);
        self.keep(page.clone(), asked);
        drop(give.send(Given::Page(Arc::new(page), StatusCode::NOT_MODIFIED.as_u16())));
    }

    fn keep(&self, page: Stored, asked: &hyper::http::request::Parts) {
        let evicted = self.lead.keep(&self.ask.key, page, |names| selected(&asked.headers, names));
        self.exchange.client.worker.stats().cache_evicted.add(evicted as u64);
    }

    fn cache(&self) -> &Cache {
        &self.exchange.client.worker.shared.cache
    }
}

/// An answer without a date gets the one at which it came (RFC 9110, section 6.6.1): its age is counted from there.
fn date(headers: &mut HeaderMap, now: SystemTime) {
    if !headers.contains_key(DATE)
        && let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(now))
    {
        headers.insert(DATE, date);
    }
}
