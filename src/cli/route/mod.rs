//! `freehold route`: routes listed, shown, tested, added, set, drained, deleted.

mod option;
mod password;
mod state;

use std::io::{self, Write};

use http_body_util::BodyExt;
use hyper::Method;
use hyper::header::{ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};

use crate::api::{self, Question, RouteApp, RouteChange, RouteList, RoutePurge, RouteSummary};
use crate::cli::arguments::{ChangedRoute, NewRoute, Options, Output, Route};
use crate::cli::change::{DRY_RUN, differences, summary, warnings};
use crate::cli::door::{Door, Place, escaped, question, with_json};
use crate::cli::json;
use crate::cli::stop::{Exit, Stop};
use crate::cli::terminal::table;
use crate::route::{self, Target};

pub(super) use password::password;

const ROUTES: &str = "/v1/routes";
/// The status of what is not there.
const MISSING: u16 = 404;
/// The status of a condition that does not hold.
const STALE: u16 = 412;

/// `freehold route ...`
pub(super) async fn route(place: &Place, command: &Route, options: &Options) -> Result<Exit, Stop> {
    match command {
        Route::List => list(place, options).await,
        Route::Show { route } => state::show(place, &path(route), options).await,
        Route::Test { route } => state::test(place, &path(route), options).await,
        Route::Add(new) => {
            let only_new = Some((IF_NONE_MATCH, HeaderValue::from_static("*")));
            put(place, new, only_new, options).await.map_err(|stop| there_is(stop, &new.route))
        }
        Route::Set(changed) => set(place, changed, options).await,
        Route::Drain { route, target, undo, dry_run } => {
            let deed = Drain { target, drained: !undo, dry_run: *dry_run };
            drain(place, route, &deed, options).await
        }
        Route::Purge { route, path, tag } => purge(place, route, (path.as_deref(), tag.as_deref()), options).await,
        Route::Password { user } => password(user),
        Route::Delete { route, dry_run } => {
            let door = Door::open(place, false).await?;
            finish(door, question(Method::DELETE, &path(route), query(*dry_run))?, options).await
        }
    }
}

fn path(route: &str) -> String {
    format!("{ROUTES}/{}", escaped(route))
}

fn query(dry_run: bool) -> &'static str {
    if dry_run { DRY_RUN } else { "" }
}

/// Throws away what the edge keeps of a route's answers.
async fn purge(
    place: &Place,
    route: &str,
    (only, tag): (Option<&str>, Option<&str>),
    options: &Options,
) -> Result<Exit, Stop> {
    let named = only.map(|path| ("path", path)).or(tag.map(|tag| ("tag", tag)));
    let query = named.map(|(name, word)| format!("{name}={}", escaped(word))).unwrap_or_default();
    let mut door = Door::open(place, false).await?;
    let done: RoutePurge = door.ask_json(question(Method::DELETE, &format!("{}/cache", path(route)), &query)?).await?;
    door.close().await?;
    if options.output == Output::Json {
        json(&done)?;
    } else {
        let answers = if done.purged == 1 { "answer" } else { "answers" };
        writeln!(io::stdout(), "{}: {} {answers} purged", done.id, done.purged)?;
    }
    Ok(Exit::Done)
}

async fn list(place: &Place, options: &Options) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    let (mut routes, mut query) = (Vec::new(), String::new());
    loop {
        let page: RouteList = door.ask_json(question(Method::GET, ROUTES, &query)?).await?;
        routes.extend(page.routes);
        let Some(next) = page.next else { break };
        query = format!("cursor={}", escaped(&next));
    }
    door.close().await?;
    if options.output == Output::Json {
        json(&routes)?;
        return Ok(Exit::Done);
    }
    if routes.is_empty() {
        writeln!(io::stderr(), "no routes: freehold route add HOST http://127.0.0.1:3000 makes one")?;
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = routes.iter().map(row).collect();
    table(&mut io::stdout().lock(), &["HOST", "TARGET", "NAME", "DELEGATION", "CERTIFICATE"], &rows)?;
    let unwell: Vec<_> = routes.iter().filter(|route| state::is_unwell(route)).map(host).take(3).collect();
    if let Some(first) = unwell.first() {
        let (names, first) = (unwell.join(", "), shell(first));
        writeln!(io::stderr(), "not well: {names}; `freehold route show {first}` says why")?;
    }
    Ok(Exit::Done)
}

/// As it is typed.
fn host(route: &RouteSummary) -> String {
    if route.path == "/" { route.host.clone() } else { route.id.clone() }
}

/// A word as a shell takes it: a star would be spread.
fn shell(word: &str) -> String {
    if word.contains('*') { format!("'{word}'") } else { word.to_owned() }
}

fn row(route: &RouteSummary) -> Vec<String> {
    let certificate = &route.certificate;
    let until = certificate.valid_until.as_deref().and_then(|until| until.split('T').next());
    let until = until.map(|day| format!(" until {day}")).unwrap_or_default();
    let issuer = certificate.issuer.as_ref().map(|issuer| format!(", {issuer}")).unwrap_or_default();
    let delegation = route.delegation.as_ref().map_or("elsewhere", |found| found.state.as_str()).to_owned();
    let certificate = format!("{}{until}{issuer}", state::certificate_word(&certificate.state));
    vec![host(route), target(&route.target), route.answer.state.clone(), delegation, certificate]
}

/// A target as it is typed.
fn target(target: &api::NewRoute) -> String {
    let app = |app: &RouteApp| {
        let weight = if app.weight == 1 { String::new() } else { format!(",weight={}", app.weight) };
        let (backup, drained) = (if app.backup { ",backup" } else { "" }, if app.drained { " (drained)" } else { "" });
        format!("{}{weight}{backup}{drained}", app.url)
    };
    let apps = target.apps.iter().flatten().map(app);
    let redirect = target.redirect.iter().map(|redirect| format!("redirect:{}", redirect.url));
    let folder = target.folder.iter().map(|folder| format!("folder:{}", folder.path));
    apps.chain(redirect).chain(folder).collect::<Vec<_>>().join(", ")
}

/// Changes what is named, and leaves the rest as it is.
async fn set(place: &Place, change: &ChangedRoute, options: &Options) -> Result<Exit, Stop> {
    let mut door = Door::open(place, !change.dry_run).await?;
    let known = match known(&mut door, &change.route).await {
        Ok(known) => Some(known),
        Err(stop) if stop.status == Some(MISSING) && !change.targets.is_empty() => None,
        Err(stop) => return Err(stop),
    };
    let condition = match &known {
        Some((_, tag)) => tag.clone().map(|tag| (IF_MATCH, tag)), // nothing is lost that others change meanwhile
        None => Some((IF_NONE_MATCH, HeaderValue::from_static("*"))),
    };
    let known = known.map(|(route, _)| route.target).unwrap_or_default();
    let target = if change.targets.is_empty() { known.clone() } else { target_of(&change.targets)? };
    let body = api::NewRoute {
        plain_http: change.plain_http.unwrap_or(known.plain_http),
        options: option::changed(&known.options, &change.options)?,
        ..target
    };
    let mut question = with_json(question(Method::PUT, &path(&change.route), query(change.dry_run))?, &body)?;
    question.headers_mut().extend(condition);
    finish(door, question, options).await
}

async fn put(
    place: &Place,
    new: &NewRoute,
    condition: Option<(HeaderName, HeaderValue)>,
    options: &Options,
) -> Result<Exit, Stop> {
    let body = api::NewRoute {
        plain_http: new.plain_http,
        options: option::changed(&route::Options::default(), &new.options)?,
        ..target_of(&new.targets)?
    };
    let mut question = with_json(question(Method::PUT, &path(&new.route), query(new.dry_run))?, &body)?;
    question.headers_mut().extend(condition);
    finish(Door::open(place, !new.dry_run).await?, question, options).await
}

/// Several apps stand beside each other; a redirect or a folder stands alone.
fn target_of(targets: &[Target]) -> Result<api::NewRoute, Stop> {
    match targets {
        [one] => Ok(api::NewRoute::to(one)),
        several => {
            let mut apps = Vec::new();
            for target in several {
                match target {
                    Target::Apps(more) => apps.extend(more.iter().cloned()),
                    Target::Redirect(_) | Target::Folder(_) => {
                        let message = format!("{target} cannot be one target of several");
                        return Err(Stop::new(
                            Exit::Usage,
                            message,
                            "name several apps, or one redirect, or one folder",
                        ));
                    }
                }
            }
            Ok(api::NewRoute::to(&Target::Apps(apps)))
        }
    }
}

fn there_is(stop: Stop, route: &str) -> Stop {
    match stop.status {
        Some(STALE) => {
            let word = shell(route);
            let cure = format!("`freehold route set {word} TARGET` puts another target in its place");
            Stop { status: stop.status, ..Stop::failed(format!("there is a route for {route} already"), cure) }
        }
        Some(_) | None => stop,
    }
}

/// A route as it is, and the tag of that state.
async fn known(door: &mut Door, route: &str) -> Result<(RouteSummary, Option<HeaderValue>), Stop> {
    let answer = door.ask(question(Method::GET, &path(route), "")?).await?;
    let tag = answer.headers().get(ETAG).cloned();
    let body = answer.into_body().collect().await;
    let body = body.map_err(|fault| Stop::failed(format!("the answer broke off: {fault}"), "try again"))?.to_bytes();
    let known = serde_json::from_slice(&body)
        .map_err(|fault| Stop::failed(format!("the server's answer is not understood: {fault}"), ""))?;
    Ok((known, tag))
}

/// What shall become of an app.
struct Drain<'a> {
    target: &'a Target,
    drained: bool,
    dry_run: bool,
}

async fn drain(place: &Place, route: &str, deed: &Drain<'_>, options: &Options) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    let (known, tag) = known(&mut door, route).await?;
    let mut target = known.target;
    let url = deed.target.to_string();
    let Some(app) = target.apps.iter_mut().flatten().find(|app| app.url == url) else {
        return Err(Stop::failed(
            format!("the route {} has no app {url}", known.id),
            "`freehold route list` shows the apps of each",
        ));
    };
    app.drained = deed.drained;
    let mut question = with_json(question(Method::PUT, &path(route), query(deed.dry_run))?, &target)?;
    question.headers_mut().extend(tag.map(|tag| (IF_MATCH, tag))); // nothing is lost that others change meanwhile
    finish(door, question, options).await
}

async fn finish(mut door: Door, question: Question, options: &Options) -> Result<Exit, Stop> {
    let change: RouteChange = door.ask_json(question).await?;
    door.close().await?;
    if options.output == Output::Json {
        json(&change)?;
    } else {
        writeln!(io::stdout(), "{}", told(&change))?;
        for zone in &change.zones {
            differences(zone, options)?;
            writeln!(io::stdout(), "{}", summary(zone))?;
        }
    }
    let mut exit = Exit::Done;
    for zone in &change.zones {
        exit = exit.max(warnings(zone, options)?);
    }
    if options.output == Output::Table {
        for warning in &change.warnings {
            writeln!(io::stderr(), "warning: {}\n = cure: {}", warning.message, warning.cure)?;
        }
    }
    Ok(if change.warnings.is_empty() { exit } else { exit.max(Exit::Warnings) })
}

/// What a change did, in one line.
fn told(change: &RouteChange) -> String {
    let id = &change.id;
    let would = if change.dry_run { "would lead to" } else { "leads to" };
    match (&change.target, change.changed) {
        (_, false) => format!("{id}: nothing changed"),
        (Some(new), true) => format!("{id}: {would} {}", target(new)),
        (None, true) if change.dry_run => format!("{id}: would be deleted"),
        (None, true) => format!("{id}: deleted"),
    }
}
