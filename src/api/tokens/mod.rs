//! Tokens: list, read, create, revoke. What a token may do is decided in [`crate::access`]; who asks is found out in
//! [`crate::api::auth`].
//!
//! A revoked token is gone at once: each request looks it up in the snapshot of its moment.

use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{self, NAME_SIZE_MAX, Object, Pattern, Rights, Scope, Token, is_name};
use crate::api::auth::{Allowed, unix_seconds};
use crate::api::event::moment;
use crate::api::extract::{self, Body, NoQuery};
use crate::api::first_token::new_secret;
use crate::api::once::IdempotencyKey;
use crate::api::problem::{BadValues, Exists, InProgress, KeyReused, NoSuchToken, TooManyTokens};
use crate::api::types::{maybe_whole, plain};
use crate::api::uses::Uses;
use crate::api::{Admin, Problem, ZoneFault, change};
use crate::limits::{TOKEN_LIFETIME_MAX, TOKENS_MAX};
use crate::store::{Change, Decision, Item, ItemKey, Refused, Shelf};
use crate::wire::NameRef;
use crate::zone::{Fault, text};

// ----- What goes in and comes out -------------------------------------------------------------------------

/// All tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenList {
    /// The revision of everything Freehold knows that this list was read from.
    #[schema(examples(7))]
    pub revision: u64,
    /// The tokens, by name.
    pub tokens: Vec<TokenSummary>,
}

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenSummary {
    /// What it is found by; no secret.
    #[schema(pattern = "^[0-9a-f]{10}$", examples("3f9a01c2de"))]
    pub id: String,
    /// What it is called; the history says it for every change that was made with it.
    #[schema(examples("ci-deploy"))]
    pub name: String,
    /// What it may reach.
    #[serde(flatten)]
    pub scope: TokenScope,
    /// When it was made, in UTC (RFC 3339).
    #[schema(format = "date-time", examples("2026-11-21T15:24:05Z"))]
    pub created: String,
    /// When it ends, in UTC (RFC 3339); null: never.
    #[schema(format = "date-time", examples("2027-02-19T15:24:05Z"))]
    pub expires: Option<String>,
    /// Whether its time is over.
    #[schema(examples(false))]
    pub expired: bool,
    /// When and from where it was last used; null: never, or so long ago that it is not known.
    pub last_used: Option<LastUse>,
}

/// What a token may reach. A list that is null is no limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenScope {
    /// `read`, `write` (which includes read) or `admin` (everything).
    #[schema(value_type = String, pattern = "^(read|write|admin)$", examples("write"))]
    pub rights: Rights,
    /// The zones: exactly these.
    #[schema(examples("home.example"))]
    pub zones: Option<Vec<String>>,
    /// The names, as patterns of whole labels: one `*` stands for one label or more.
    #[schema(examples("_acme-challenge.*"))]
    pub names: Option<Vec<String>>,
    /// The record types.
    #[schema(examples("TXT"))]
    pub types: Option<Vec<String>>,
    /// The networks it may be used from.
    #[schema(examples("192.0.2.0/24"))]
    pub networks: Option<Vec<String>>,
}

/// A use of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastUse {
    /// When, in UTC (RFC 3339).
    #[schema(format = "date-time", examples("2026-11-21T15:24:05Z"))]
    pub time: String,
    /// The address it came from; `socket` for the admin socket.
    #[schema(examples("192.0.2.7"))]
    pub from: String,
}

/// A token to be made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is called: 1 to 64 letters, digits and `-_.@+`. No other token has this name.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._@+-]+$", examples("ci-deploy"))]
    pub name: String,
    /// `read`, `write` (which includes read) or `admin` (everything).
    #[schema(pattern = "^(read|write|admin)$", examples("write"))]
    pub rights: String,
    /// The zones it is limited to: exactly these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 256, examples("home.example"))]
    pub zones: Option<Vec<String>>,
    /// The names it is limited to, as patterns of whole labels: one `*` stands for one label or more. Written in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 256, examples("_acme-challenge.*"))]
    pub names: Option<Vec<String>>,
    /// The record types it is limited to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 256, examples("TXT"))]
    pub types: Option<Vec<String>>,
    /// The networks or single addresses it may be used from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 256, examples("192.0.2.0/24"))]
    pub networks: Option<Vec<String>>,
    /// After how many seconds it ends; without, never.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "maybe_whole")]
    #[schema(minimum = 1, maximum = 2_147_483_647, examples(7_776_000))]
    pub expires_after_seconds: Option<u64>,
}

/// A token that was made, and its secret.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MadeToken {
    /// The revision with it.
    #[schema(examples(8))]
    pub revision: u64,
    /// What proves it, as it goes behind `Authorization: Bearer`. It is shown this once.
    #[schema(
        pattern = "^freehold_[0-9a-f]{10}_[A-Za-z0-9_-]{43}$",
        examples("freehold_3f9a01c2de_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
    )]
    pub secret: String,
    /// The token.
    pub token: TokenSummary,
}

/// A token that was revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevokedToken {
    /// The revision without it.
    #[schema(examples(9))]
    pub revision: u64,
    /// What it was found by.
    #[schema(examples("3f9a01c2de"))]
    pub id: String,
    /// What it was called.
    #[schema(examples("ci-deploy"))]
    pub name: String,
}

impl TokenSummary {
    fn of(token: &Token, uses: &Uses, now: u64) -> Self {
        let last = uses.last(&token.id);
        Self {
            id: token.id.clone(),
            name: token.name.clone(),
            scope: TokenScope::of(&token.scope),
            created: moment(token.created),
            expires: token.expires.map(moment),
            expired: token.is_expired(now),
            last_used: last.map(|last| LastUse { time: moment(last.unix_seconds), from: last.from.clone() }),
        }
    }
}

impl TokenScope {
    fn of(scope: &Scope) -> Self {
        fn texts<T: ToString>(list: &Option<Vec<T>>) -> Option<Vec<String>> {
            Some(list.as_ref()?.iter().map(ToString::to_string).collect())
        }
        Self {
            rights: scope.rights,
            zones: scope.zones.as_ref().map(|zones| zones.iter().map(|zone| plain(zone.borrow())).collect()),
            names: texts(&scope.names),
            types: texts(&scope.types),
            networks: texts(&scope.networks),
        }
    }
}

// ----- Endpoints ------------------------------------------------------------------------------------------

/// The `{id}` of a path.
pub(in crate::api) struct TokenId(String);

impl<S: Send + Sync> FromRequestParts<S> for TokenId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(id) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|fault| Problem::bad_request(fault.body_text(), "the list of tokens shows the id of each"))?;
        Ok(Self(id))
    }
}

/// List all tokens
///
/// Without their secrets, which nobody knows but who holds them.
#[utoipa::path(get, path = "/v1/tokens", tag = "Tokens", operation_id = "listTokens",
    responses((status = 200, description = "The tokens.", body = TokenList)))]
pub(in crate::api) async fn list(allowed: Allowed, _: NoQuery) -> Result<Json<TokenList>, Problem> {
    let admin = allowed.to(Object::Everything)?;
    let snapshot = admin.store.snapshot();
    let now = unix_seconds();
    let mut tokens: Vec<_> = snapshot.tokens.iter().map(|token| TokenSummary::of(token, &admin.uses, now)).collect();
    tokens.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    Ok(Json(TokenList { revision: snapshot.revision, tokens }))
}

/// Read a token
#[utoipa::path(get, path = "/v1/tokens/{id}", tag = "Tokens", operation_id = "getToken",
    params(TokenId),
    responses((status = 200, description = "The token.", body = TokenSummary), NoSuchToken))]
pub(in crate::api) async fn get(
    allowed: Allowed,
    TokenId(id): TokenId,
    _: NoQuery,
) -> Result<Json<TokenSummary>, Problem> {
    let admin = allowed.to(Object::Everything)?;
    let snapshot = admin.store.snapshot();
    let token = snapshot.tokens.get(&id).ok_or_else(|| no_token(&id))?;
    Ok(Json(TokenSummary::of(token, &admin.uses, unix_seconds())))
}

/// Create a token
///
/// The answer holds its secret, this once. Sent again with the same `Idempotency-Key` the answer is the same; without, the
/// name is taken.
#[utoipa::path(post, path = "/v1/tokens", tag = "Tokens", operation_id = "createToken",
    params(IdempotencyKey), request_body = NewToken,
    responses(
        (status = 201, description = "It is made, and valid from now on.", body = MadeToken, headers(("Location"))),
        Exists, TooManyTokens, BadValues, InProgress, KeyReused))]
pub(in crate::api) async fn create(
    allowed: Allowed,
    _: NoQuery,
    Body(new): Body<NewToken>,
) -> Result<Response, Problem> {
    let admin = allowed.to(Object::Everything)?;
    let scope = read(&new)?;
    let now = unix_seconds();
    let expires = new.expires_after_seconds.map(|seconds| now.saturating_add(seconds));
    let secret = new_secret().map_err(|fault| Problem::internal(&fault))?;
    let token = Arc::new(Token::new(&secret, new.name, scope, now, expires));
    let done = admin.store.commit(creation(&admin, &token)?, allowed.actor()).await;
    let done = done.map_err(|refused| change::refusal(&refused))?;
    let place = format!("/v1/tokens/{}", token.id);
    let summary = TokenSummary::of(&token, &admin.uses, now);
    let made = MadeToken { revision: done.revision, secret: secret.reveal(), token: summary };
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(made)).into_response())
}

fn creation(admin: &Admin, token: &Arc<Token>) -> Result<Change, Problem> {
    if admin.store.snapshot().tokens.len() >= TOKENS_MAX {
        let detail = format!("there are {TOKENS_MAX} tokens, and that is all there can be");
        return Err(Problem::new(
            TooManyTokens,
            detail,
            "revoke those that nobody uses; the list says when each was last used",
        ));
    }
    let token = Arc::clone(token);
    Ok(Change::Decide(Decision::new(1, move |now| match now.tokens.named(&token.name) {
        Some(_) => Err(Refused::Present(format!("a token {}", token.name))),
        None => Ok(Change::PutItem(Item::Token(Arc::clone(&token)))),
    })))
}

/// Revoke a token
///
/// It is gone at once. What was done with it stays in the history under its name.
#[utoipa::path(delete, path = "/v1/tokens/{id}", tag = "Tokens", operation_id = "revokeToken",
    params(TokenId),
    responses((status = 200, description = "It is revoked.", body = RevokedToken), NoSuchToken))]
pub(in crate::api) async fn delete(
    allowed: Allowed,
    TokenId(id): TokenId,
    _: NoQuery,
) -> Result<Json<RevokedToken>, Problem> {
    let admin = allowed.to(Object::Everything)?;
    let token = admin.store.snapshot().tokens.get(&id).cloned().ok_or_else(|| no_token(&id))?;
    let change = Change::DeleteItem(ItemKey::new(Shelf::Token, id.clone()));
    match admin.store.commit(change, allowed.actor()).await {
        Ok(done) => Ok(Json(RevokedToken { revision: done.revision, id, name: token.name.clone() })),
        // Somebody else was faster.
        Err(_) if admin.store.snapshot().tokens.get(&id).is_none() => Err(no_token(&id)),
        Err(refused) => Err(change::refusal(&refused)),
    }
}

fn no_token(id: &str) -> Problem {
    let hint = "`freehold token list`, or GET /v1/tokens, shows all tokens";
    Problem::new(NoSuchToken, format!("there is no token {id:?}"), hint)
}

// ----- Reading --------------------------------------------------------------------------------------------

/// Reads the scope of a token to be made, and checks all the rest, so that every fault is told at once.
fn read(new: &NewToken) -> Result<Scope, Problem> {
    let mut faults = Vec::new();
    let mut note = |field: String, message: String, cure: &str| {
        faults.push(ZoneFault::in_field(field, &Fault::error(None, message, cure)));
    };
    if !is_name(&new.name) {
        let message = format!("{:?} is no name for a token", new.name);
        note(
            "/name".into(),
            message,
            &format!("write 1 to {NAME_SIZE_MAX} of a-z, A-Z, 0-9 and -_.@+, without blanks"),
        );
    }
    if !new.expires_after_seconds.is_none_or(|seconds| (1..=TOKEN_LIFETIME_MAX).contains(&seconds)) {
        let cure = "write a number of seconds up to 2147483647, or leave it out for a token that does not end";
        note("/expires_after_seconds".into(), "a token cannot end after so long".into(), cure);
    }
    let rights = new.rights.parse::<Rights>();
    if let Err(message) = &rights {
        note("/rights".into(), message.clone(), "write read, write or admin");
    }
    let mut lists = Lists(&mut faults);
    let scope = Scope {
        rights: rights.unwrap_or(Rights::Read),
        zones: lists
            .read("zones", &new.zones, |text| text::name(text, NameRef::root()).map(|name| name.borrow().to_lower())),
        names: lists.read("names", &new.names, pattern),
        types: lists.read("types", &new.types, extract::kind),
        networks: lists.read("networks", &new.networks, network),
    };
    if faults.is_empty() {
        faults.extend(scope.faults().iter().map(|fault| {
            let access::ScopeFault { field: (list, entry), message, cure } = fault;
            let field = entry.map_or(format!("/{list}"), |entry| format!("/{list}/{entry}"));
            ZoneFault::in_field(field, &Fault::error(None, message, *cure))
        }));
    }
    if faults.is_empty() { Ok(scope) } else { Err(Problem::bad_values(faults)) }
}

/// The lists of a scope, and what is wrong in them.
struct Lists<'f>(&'f mut Vec<ZoneFault>);

impl Lists<'_> {
    fn read<T>(
        &mut self,
        field: &str,
        list: &Option<Vec<String>>,
        read: impl Fn(&str) -> Result<T, Fault>,
    ) -> Option<Vec<T>> {
        let entries = list.as_ref()?.iter().enumerate().filter_map(|(at, text)| {
            read(text).map_err(|fault| self.0.push(ZoneFault::in_field(format!("/{field}/{at}"), &fault))).ok()
        });
        Some(entries.collect())
    }
}

/// A pattern of names; Unicode labels become A-labels.
fn pattern(text: &str) -> Result<Pattern, Fault> {
    let ascii = match text.is_ascii() {
        true => text.to_owned(),
        false => text::name(text, NameRef::root())?.to_string(),
    };
    ascii.parse().map_err(|fault| {
        let message = format!("`{text}` is no pattern of names: {fault}");
        Fault::error(None, message, "write it as in www.home.example, *.lan.home.example or _acme-challenge.*")
    })
}

/// A network, or a single address.
fn network(text: &str) -> Result<ipnet::IpNet, Fault> {
    let single = || std::net::IpAddr::from_str(text).map(|address| address.to_canonical().into());
    let network = text.parse::<ipnet::IpNet>().map(|network| network.trunc());
    network.or_else(|_| single()).map_err(|_| {
        let message = format!("`{text}` is neither a network nor an address");
        Fault::error(None, message, "write it as in 192.0.2.0/24, 2001:db8::/48 or 192.0.2.7")
    })
}

#[cfg(test)]
mod tests;
