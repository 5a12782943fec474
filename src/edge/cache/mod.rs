//! Answers of apps that are kept and given again (RFC 9111), where the route says so.
//!
//! A request is looked at as the app would get it (`ask.rs`). What is kept and fresh is given at once (`stored.rs`); what is not there is
//! fetched once for all who wait for it (`fetch.rs`), at the app's pace (`fill.rs`), and kept if it may be (`rules.rs`) on one
//! shelf for all threads (`shelf.rs`).
//!
//! What clients say in `Cache-Control` is followed where it asks for less to be kept (`no-store`, `only-if-cached`), and not where it asks
//! for the app to be bothered (`no-cache`, `max-age=0`): these directives are advice (RFC 9111, section 5.2.1), and anybody could
//! have the app do the work that the cache is there to spare it.

mod ask;
mod fetch;
mod fill;
mod rules;
mod shelf;
mod stored;

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::header::{ACCEPT_ENCODING, CONTENT_LOCATION, HeaderMap, HeaderName, HeaderValue, LOCATION};
use hyper::http::uri::{PathAndQuery, Uri};
use hyper::{Method, Request, Response};
use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::answer::{Answer, Upload};
use super::balance::Turn;
use super::exchange::Exchange;
use super::failure::Failure;
use super::forward;
use crate::route::{Cache as Wanted, Route};
use ask::{Ask, selected};
use fetch::{Fetch, Given};
pub(super) use fill::Filling;
use shelf::{Boarding, Entry, Landing};
pub use shelf::{Cache, Purge};
use stored::Use;
pub(super) use stored::{SQUEEZED_MAX, Stored};

/// How long a request waits for what another one fetches; then it goes to the app itself.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// Fetches of one thread for which nobody waits.
const REFRESHES_MAX: usize = 32;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// What is found for a request.
enum Found {
    Page(Arc<Stored>, Use),
    Nothing,
    /// Its answers are not kept: it goes straight to the app.
    Pass,
}

/// Answers a request from the cache, or by way of it.
pub(super) async fn answer(
    mut request: Request<Upload>,
    (route, wanted): (&Arc<Route>, &Wanted),
    turn: Turn,
    exchange: &Rc<Exchange>,
) -> Result<Response<()>, Failure> {
    let ask = Ask::of(&request, route, wanted);
    if !ask.may_use {
        return pass_and_invalidate(request, (route, &ask), turn, exchange).await;
    }
    if route.options().compress.is_some() {
        request.headers_mut().remove(ACCEPT_ENCODING); // one form for all, which is compressed on the way out
    }
    let desk = Desk { route, wanted, exchange };
    desk.serve(request, ask, turn).await
}

/// Where a request is served.
struct Desk<'a> {
    route: &'a Arc<Route>,
    wanted: &'a Wanted,
    exchange: &'a Rc<Exchange>,
}

impl Desk<'_> {
    async fn serve(&self, request: Request<Upload>, ask: Ask, turn: Turn) -> Result<Response<()>, Failure> {
        let (cache, stats) = (&self.exchange.client.worker.shared.cache, self.exchange.client.worker.stats());
        let mut waited = false;
        loop {
            let now = Instant::now();
            let (found, branch) = find(cache, &ask, request.headers(), now);
            let stale = match found {
                Found::Page(page, _) if ask.personal && !page.verdict.open => {
                    return self.pass(request, turn, "fwd=request").await;
                }
                Found::Page(page, Use::Fresh) => {
                    if waited { &stats.cache_coalesced } else { &stats.cache_hits }.add(1);
                    let left = page.seconds_left(now);
                    let how = if waited { "fwd=miss; collapsed".into() } else { format!("hit; ttl={left}") };
                    return Ok(self.show(&page, &request, &how, now));
                }
                Found::Page(page, Use::WhileAsking) => {
                    stats.cache_stale.add(1);
                    let how = format!("hit; ttl={}", page.seconds_left(now));
                    let response = self.show(&page, &request, &how, now);
                    self.refresh(&request, ask, (branch, page), turn);
                    return Ok(response);
                }
                Found::Page(page, Use::IfError | Use::Stale) => Some(page),
                Found::Pass => return self.pass(request, turn, "fwd=miss").await,
                Found::Nothing => None,
            };
            if ask.only_if_cached {
                return Err(Failure::NotCached);
            }
            if !ask.may_keep || (waited && ask.personal) {
                return self.pass(request, turn, if stale.is_some() { "fwd=stale" } else { "fwd=miss" }).await;
            }
            match cache.board(branch.as_deref().unwrap_or(&ask.key), &ask.key, || Ask::about(&request, self.route)) {
                Boarding::Lead(lead) => return self.fetch(request, ask, (lead, stale), turn).await,
                Boarding::Wait(_) if waited || ask.personal => return self.pass(request, turn, "fwd=miss").await,
                Boarding::Wait(mut landing) => {
                    waited = true;
                    let over = landing.wait_for(|landing| !matches!(landing, Landing::Flying));
                    let over = timeout(WAIT_MAX, over).await;
                    if let Ok(Ok(landing)) = over
                        && let Landing::Failed(failure) = &*landing
                    {
                        let now = Instant::now();
                        return match stale.filter(|page| page.helps(now)) {
                            Some(page) => {
                                stats.cache_stale.add(1);
                                Ok(self.show(&page, &request, "fwd=stale; collapsed", now))
                            }
                            None => Err(failure.clone()),
                        };
                    }
                }
            }
        }
    }

    /// What is kept, as the answer to this request.
    fn show(&self, page: &Arc<Stored>, request: &Request<Upload>, how: &str, now: Instant) -> Response<()> {
        let (mut response, part) = page.answer(request.method(), request.headers(), now);
        let part = part.filter(|_| request.method() == Method::GET);
        self.exchange.put_answer(match part {
            Some(part) if part.len() == page.body().len() => Answer::Page(Arc::clone(page)),
            Some(part) => Answer::Octets(page.body().slice(part)),
            None => Answer::Nothing,
        });
        tell(response.headers_mut(), how);
        response
    }

    /// To the app and back; nothing is kept.
    async fn pass(&self, request: Request<Upload>, turn: Turn, how: &str) -> Result<Response<()>, Failure> {
        self.exchange.client.worker.stats().cache_passed.add(1);
        let mut response = forward::forward(request, turn, self.exchange).await?;
        tell(response.headers_mut(), how);
        Ok(response)
    }

    /// Fetches it for this request and all who wait for it.
    async fn fetch(
        &self,
        request: Request<Upload>,
        ask: Ask,
        (lead, stale): (shelf::Lead, Option<Arc<Stored>>),
        turn: Turn,
    ) -> Result<Response<()>, Failure> {
        let stats = self.exchange.client.worker.stats();
        let background = Exchange::aside(self.exchange);
        let why = if stale.is_some() { "fwd=stale" } else { "fwd=uri-miss" };
        let fetch = self.begin(&request, ask, lead, stale, &background);
        let (give, given) = oneshot::channel();
        spawn_local(fetch.run(bare(&request), turn, give));
        let given = given.await.map_err(|_| Failure::Panic)?;
        self.exchange.takes_over_app_of(&background);
        let now = Instant::now();
        let (mut response, answer, how) = match given {
            Given::Page(page, status) => {
                let how = if status == 0 { why.to_owned() } else { format!("{why}; fwd-status={status}") };
                if status != 304 {
                    stats.cache_stale.add(1);
                }
                return Ok(self.show(&page, &request, &how, now));
            }
            Given::Kept(response, filling) => {
                stats.cache_misses.add(1);
                (response, Answer::Filling(Box::new(filling)), format!("{why}; stored"))
            }
            Given::Passed(response, answer) => {
                stats.cache_misses.add(1);
                (response, answer, why.to_owned())
            }
            Given::Failed(failure) => return Err(failure),
        };
        self.exchange.put_answer(answer);
        tell(response.headers_mut(), &how);
        Ok(response)
    }

    /// Has something that is not fresh any more fetched again, while nobody waits for it.
    fn refresh(
        &self,
        request: &Request<Upload>,
        ask: Ask,
        (branch, page): (Option<shelf::Key>, Arc<Stored>),
        turn: Turn,
    ) {
        let worker = &self.exchange.client.worker;
        let cache = &worker.shared.cache;
        if !ask.may_keep || worker.refreshing.get() >= REFRESHES_MAX {
            return;
        }
        if let Boarding::Lead(lead) =
            cache.board(branch.as_deref().unwrap_or(&ask.key), &ask.key, || Ask::about(request, self.route))
        {
            let background = Exchange::aside(self.exchange);
            let fetch = self.begin(request, ask, lead, Some(page), &background);
            let (asked, worker) = (bare(request), Rc::clone(worker));
            worker.refreshing.set(worker.refreshing.get() + 1);
            spawn_local(async move {
                let (give, given) = oneshot::channel();
                let (drained, ()) = tokio::join!(async { given.await.ok() }, fetch.run(asked, turn, give));
                drop(drained);
                worker.refreshing.set(worker.refreshing.get() - 1);
            });
        }
    }

    fn begin(
        &self,
        request: &Request<Upload>,
        ask: Ask,
        lead: shelf::Lead,
        stale: Option<Arc<Stored>>,
        background: &Rc<Exchange>,
    ) -> Fetch {
        let (route, wanted, about) = (Arc::clone(self.route), self.wanted.clone(), Ask::about(request, self.route));
        Fetch { ask, about, lead, stale, route, wanted, exchange: Rc::clone(background) }
    }
}

/// What the shelf has for a request, and by which key, if that is not the one of its address.
fn find(cache: &Cache, ask: &Ask, headers: &HeaderMap, now: Instant) -> (Found, Option<shelf::Key>) {
    let mut entry = cache.find(&ask.key);
    let mut branch = None;
    if let Some(Entry::Fork(fork)) = &entry {
        let key = fork.key(&selected(headers, &fork.names));
        entry = cache.find(&key);
        branch = Some(key);
    }
    let found = match entry {
        Some(Entry::Page(page)) => {
            let good_for = page.use_at(now);
            Found::Page(page, good_for)
        }
        Some(Entry::Pass(_, until)) if now < until => Found::Pass,
        Some(Entry::Pass(..) | Entry::Fork(_)) | None => Found::Nothing,
    };
    (found, branch)
}

/// A request that the cache has no answer for by its nature. If it may have changed something, what is kept of it goes
/// (RFC 9111, section 4.4).
async fn pass_and_invalidate(
    request: Request<Upload>,
    (route, ask): (&Route, &Ask),
    turn: Turn,
    exchange: &Rc<Exchange>,
) -> Result<Response<()>, Failure> {
    let worker = &exchange.client.worker;
    worker.stats().cache_passed.add(1);
    let changes = !request.method().is_safe();
    let asked = changes.then(|| request.headers().clone());
    let how = if changes { "fwd=method" } else { "fwd=bypass" };
    let mut response = forward::forward(request, turn, exchange).await?;
    let done = response.status().is_success() || response.status().is_redirection();
    if let Some(asked) = asked.filter(|_| done) {
        worker.shared.cache.remove(&ask.key);
        for name in [LOCATION, CONTENT_LOCATION] {
            let place = response.headers().get(name).and_then(|place| place.to_str().ok()?.parse::<Uri>().ok());
            if let Some(path) = place.as_ref().and_then(|place| path_here(place, &asked)) {
                worker.shared.cache.remove(&Ask::key_of(&asked, path, route));
            }
        }
    }
    tell(response.headers_mut(), how);
    Ok(response)
}

/// The path of a URL, if it is on the host that was asked.
fn path_here<'a>(place: &'a Uri, asked: &HeaderMap) -> Option<&'a str> {
    let host = asked.get(hyper::header::HOST).map(HeaderValue::as_bytes);
    let here = place.authority().is_none_or(|there| Some(there.as_str().as_bytes()) == host);
    here.then(|| place.path_and_query().map_or("/", PathAndQuery::as_str))
}

/// The request without its body, which is none.
fn bare(request: &Request<Upload>) -> Request<()> {
    let mut bare = Request::new(());
    *bare.method_mut() = request.method().clone();
    *bare.uri_mut() = request.uri().clone();
    *bare.version_mut() = request.version();
    *bare.headers_mut() = request.headers().clone();
    bare
}

/// Says how it went (RFC 9211), behind what caches before us said.
fn tell(headers: &mut HeaderMap, how: &str) {
    if let Ok(value) = HeaderValue::try_from(format!("Freehold; {how}")) {
        headers.append(CACHE_STATUS, value);
    }
}
