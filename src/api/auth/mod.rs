//! Who asks, and whether they may.
//!
//! The table of endpoints says for each line what right it needs. [`layer`] stands before the handler: it finds out who asks
//! and hands the handler an [`Allowed`]. The handler says what it is about ([`Object`]), and only for that gets what it works
//! with: [`Allowed::to`]. So an endpoint that names no right is refused by itself, and one that does not say what it is about has
//! nothing to work with and does not compile.
//!
//! Whoever comes over the Unix socket was let in by the kernel and may do everything; with a token they are limited to it like
//! anybody else, which is how one tries a token out. Over the network it takes a token. What is told of a bad one: that it has
//! not the form of a token (anybody can read that here), that it has expired and from where it may be used (whoever hears that has the
//! secret); not whether it is wrong or was revoked.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::access::{Denied, Limit, Object, Rights, Secret, Token};
use crate::api::caller::Caller;
use crate::api::listen::guard::Hosts;
use crate::api::once::Answers;
use crate::api::problem::{BadToken, Forbidden, NoToken, TooManyGuesses};
use crate::api::stats::Stats;
use crate::api::uses::Use;
use crate::api::{Admin, Problem};
use crate::store::Actor;
use crate::wire::{Kind, NameRef};

/// What the router hands to handlers: nothing they could use. See [`Allowed::to`].
#[derive(Clone)]
pub(in crate::api) struct Gate(Arc<Admin>);

/// What a line of the table needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Need {
    /// Nothing: it is for everybody.
    Nothing,
    /// A right.
    Right(Rights),
}

/// Somebody who may use this endpoint; for what, [`Allowed::to`] says.
#[derive(Clone)]
pub(in crate::api) struct Allowed {
    admin: Arc<Admin>,
    holder: Holder,
    needed: Rights,
}

/// Who it is.
#[derive(Clone)]
enum Holder {
    /// Nobody asked.
    Anybody,
    /// Somebody whom the Unix socket has let in.
    Local(Caller),
    /// Whoever holds this token, and where they are.
    Token(Arc<Token>, String),
}

/// Before every handler: finds out who asks.
pub(in crate::api) async fn layer(
    State((gate, need)): State<(Gate, Need)>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let allowed = gate.allowed(need, &caller, request.headers())?;
    request.extensions_mut().insert(allowed);
    Ok(next.run(request).await)
}

impl Gate {
    /// In front of all this.
    pub(in crate::api) fn new(admin: Admin) -> Self {
        Self(Arc::new(admin))
    }

    /// What requests may be for.
    pub(in crate::api) fn hosts(&self) -> Arc<Hosts> {
        Hosts::of(&self.0.settings)
    }

    /// Where requests are counted.
    pub(in crate::api) fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.0.stats)
    }

    /// Writes down when tokens were used, again and again. It never ends by itself.
    pub(in crate::api) async fn write_uses(&self) -> Infallible {
        loop {
            tokio::time::sleep(crate::api::uses::WRITE_EVERY).await;
            self.write_uses_now().await;
        }
    }

    /// Writes down when tokens were used.
    pub(in crate::api) async fn write_uses_now(&self) {
        let admin = Arc::clone(&self.0);
        let written = tokio::task::spawn_blocking(move || admin.uses.write(&admin.store.snapshot().tokens));
        if let Err(fault) = written.await {
            tracing::warn!(%fault, "writing the last use of tokens broke off");
        }
    }

    fn allowed(&self, need: Need, caller: &Caller, headers: &HeaderMap) -> Result<Allowed, Problem> {
        let admin = Arc::clone(&self.0);
        let Need::Right(needed) = need else {
            return Ok(Allowed { admin, holder: Holder::Anybody, needed: Rights::Read });
        };
        let holder = match (bearer(headers)?, caller) {
            (Some(sent), _) => self.holder(&sent, caller)?,
            (None, Caller::Here(_) | Caller::Socket(_)) => Holder::Local(caller.clone()),
            (None, Caller::Network { .. }) => return Err(no_token()),
        };
        let allowed = Allowed { admin, holder, needed };
        allowed.to(Object::Server)?; // before anything of the request is read that may be large
        Ok(allowed)
    }

    /// Who holds the token that was sent.
    fn holder(&self, sent: &str, caller: &Caller) -> Result<Holder, Problem> {
        let admin = &self.0;
        let snapshot = admin.store.snapshot();
        let secret = sent.parse::<Secret>();
        let token = secret.as_ref().ok().and_then(|secret| snapshot.tokens.get(secret.id()));
        let client = caller.address();
        let source = client.map(|client| admin.guesses.source(client, token.map(|token| token.id.as_str())));
        let running = admin.started.elapsed();
        if let Some(wait) = source.and_then(|source| admin.guesses.wait(source, running)) {
            return Err(too_many(wait));
        }
        let proven = token.zip(secret.as_ref().ok()).filter(|(token, secret)| token.is_proven_by(secret));
        let Some((token, secret)) = proven else {
            if let Some(source) = source {
                admin.guesses.note(source, running);
            }
            let id = secret.as_ref().map_or("none", |secret| secret.id());
            tracing::info!(from = caller.place(), id, "a token was refused: it is not known");
            return Err(unknown(secret.is_err()));
        };
        let now = unix_seconds();
        if token.is_expired(now) {
            return Err(expired(token, now));
        }
        token.scope.allows_from(client).map_err(|denied| forbidden(token, denied))?;
        admin.uses.note(secret.id(), Use { unix_seconds: now, from: caller.place() });
        Ok(Holder::Token(Arc::clone(token), caller.place()))
    }
}

impl Allowed {
    /// What to work with, for this and nothing else; or which limit stands in the way.
    pub(in crate::api) fn to(&self, object: Object<'_>) -> Result<Arc<Admin>, Problem> {
        match &self.holder {
            Holder::Anybody if object != Object::Health => Err(no_token()),
            Holder::Anybody | Holder::Local(_) => Ok(Arc::clone(&self.admin)),
            Holder::Token(token, _) => {
                let allowed = token.scope.allows(self.needed, object);
                allowed.map(|()| Arc::clone(&self.admin)).map_err(|denied| forbidden(token, denied))
            }
        }
    }

    /// Whether a zone may be shown, at least in part.
    pub(in crate::api) fn sees_zone(&self, zone: NameRef<'_>) -> bool {
        self.is_free_to(Object::Zone(zone))
    }

    /// Whether every zone may be shown, as a whole.
    pub(in crate::api) fn sees_everything(&self) -> bool {
        self.is_free_to(Object::Everything)
    }

    /// Whether a set may be shown.
    pub(in crate::api) fn sees(&self, zone: NameRef<'_>, name: NameRef<'_>, kind: Kind) -> bool {
        self.is_free_to(Object::Set { zone, name, kind })
    }

    /// Whether everything may be changed: who may not is not shown what opens doors elsewhere, such as hashes of passwords.
    pub(in crate::api) fn may_change_everything(&self) -> bool {
        match &self.holder {
            Holder::Anybody => false,
            Holder::Local(_) => true,
            Holder::Token(token, _) => token.scope.forbids(Rights::Write, Object::Everything).is_none(),
        }
    }

    fn is_free_to(&self, object: Object<'_>) -> bool {
        match &self.holder {
            Holder::Anybody => object == Object::Health,
            Holder::Local(_) => true,
            Holder::Token(token, _) => token.scope.forbids(self.needed, object).is_none(),
        }
    }

    /// Whether a zone is shown in part only.
    pub(in crate::api) fn is_partial(&self) -> bool {
        match &self.holder {
            Holder::Anybody | Holder::Local(_) => false,
            Holder::Token(token, _) => token.scope.is_partial(),
        }
    }

    /// Whom the journal names for a change.
    pub(in crate::api) fn actor(&self) -> Actor {
        match &self.holder {
            Holder::Anybody => Actor::new("anybody", ""),
            Holder::Local(caller) => caller.actor(),
            Holder::Token(token, from) => Actor::new(format!("token {}", token.name), from),
        }
    }

    /// Who this is, in a word that nobody else ever has.
    pub(in crate::api) fn identity(&self) -> String {
        match &self.holder {
            Holder::Anybody => String::new(),
            Holder::Local(caller) => format!("user {}", caller.actor().who),
            Holder::Token(token, _) => format!("token {}", token.id),
        }
    }

    /// The answers that are kept for those who ask again.
    pub(in crate::api) fn answers(&self) -> &Answers {
        &self.admin.answers
    }

    /// How long the server runs.
    pub(in crate::api) fn running(&self) -> Duration {
        self.admin.started.elapsed()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Allowed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let allowed = parts.extensions.get::<Self>().cloned();
        allowed.ok_or_else(|| Problem::internal(&format!("the table does not say who may use {}", parts.uri.path())))
    }
}

/// Now, in seconds since 1970.
pub(in crate::api) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// What stands behind `Bearer`, if there is such a header (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return if headers.contains_key(header::AUTHORIZATION) { Err(no_bearer("is there twice")) } else { Ok(None) };
    };
    let Some((scheme, token)) = value.to_str().ok().and_then(|text| text.split_once(' ')) else {
        return Err(no_bearer("has not the form `Bearer freehold_...`"));
    };
    match scheme.eq_ignore_ascii_case("bearer") {
        true => Ok(Some(token.trim().to_owned())),
        false => Err(no_bearer(&format!("has the scheme {scheme:?}, and only Bearer is taken"))),
    }
}

// ----- Refusals -------------------------------------------------------------------------------------------

const HINT: &str = "send the header `Authorization: Bearer freehold_...`; `freehold token create` on the server's machine makes a token, \
                    and the first one is in admin.token in the data directory";

fn no_token() -> Problem {
    Problem::new(NoToken, "this needs a token, and none was sent".to_owned(), HINT)
}

fn no_bearer(what: &str) -> Problem {
    Problem::new(BadToken, format!("the header Authorization {what}"), HINT)
}

fn unknown(malformed: bool) -> Problem {
    match malformed {
        true => {
            let detail = format!("what was sent is no token: {}", crate::access::MalformedSecret);
            Problem::new(BadToken, detail, "copy it whole, without quotes and without line breaks")
        }
        false => {
            let hint = "`freehold token list` shows which there are, `freehold token create` makes a new one";
            Problem::new(BadToken, "the token is not known: it is wrong, or was revoked".to_owned(), hint)
        }
    }
}

fn expired(token: &Token, now: u64) -> Problem {
    let at = token.expires.unwrap_or(now);
    let detail = format!("the token {} has expired at {}", token.name, crate::api::event::moment(at));
    Problem::new(BadToken, detail, "have a new one made: `freehold token create`")
}

fn too_many(wait: Duration) -> Problem {
    let seconds = u16::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u16::MAX);
    let detail = "too many tokens that came from this network were wrong".to_owned();
    let hint = format!("wait {seconds} s, and send the right one");
    Problem { retry_after_seconds: Some(seconds), ..Problem::new(TooManyGuesses, detail, &hint) }
}

fn forbidden(token: &Token, Denied { limit, reason }: Denied) -> Problem {
    tracing::debug!(token = token.name, reason, "a token does not reach what it was used for");
    let hint = match limit {
        Limit::Networks => "use it from there, or have one made for this network: `freehold token create --from`",
        Limit::Names | Limit::Types => {
            "single record sets can be read and changed, as far as the limits go; for more use a token without this limit"
        }
        Limit::Rights | Limit::Zones => "use a token that reaches it; `freehold token create` makes one",
    };
    Problem { limit: Some(limit), ..Problem::new(Forbidden, format!("the token {} {reason}", token.name), hint) }
}

#[cfg(test)]
mod narrow;
#[cfg(test)]
pub(in crate::api) mod tests;
