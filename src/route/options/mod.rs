//! How the requests of a route are treated, beyond where they go. Everything is off unless it is asked for, and what a route does
//! not ask for costs its requests nothing: [`Options::is_plain`] is known beforehand.
//!
//! Each kind of treatment has a file of its own, a value with defaults, and a `check` that names the field at fault. In JSON an
//! option that is as it would be anyway is left out.

mod access;
mod addresses;
mod balance;
mod basic_auth;
mod cache;
mod client_certificate;
mod compress;
mod forward_auth;
mod given;
mod headers;
mod health;
mod hold;
mod limits;
mod maintenance;
mod path;
mod proxy_protocol;
mod rate_limit;
mod switch;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Fault;
pub use access::{Access, Network};
pub use addresses::PublicAddress;
pub use balance::{Balance, By};
pub use basic_auth::{BasicAuth, PasswordHash, Realm, UserName};
pub use cache::Cache;
pub use client_certificate::{Authorities, ClientCertificate};
pub use compress::Compress;
pub use forward_auth::{ForwardAuth, GuardUrl};
pub use given::{Given, Meaning, Seconds};
pub use headers::{FieldChanges, FieldName, FieldValue, HeaderRules};
pub use health::{Health, Look};
pub use hold::HoldSeconds;
pub use limits::Times;
pub use maintenance::Maintenance;
pub use path::{PathRule, Prefix};
pub use proxy_protocol::ProxyProtocol;
pub use rate_limit::RateLimit;

/// How the requests of a route are treated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RouteOptions)]
pub struct Options {
    /// Whether answers are compressed for browsers that take it, and which. Default: off.
    #[serde(with = "switch", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<compress::Given>, required = false)]
    pub compress: Option<Compress>,
    /// Whether answers of the apps are kept and given again, and which. Default: off.
    #[serde(with = "switch", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<cache::Given>, required = false)]
    pub cache: Option<Cache>,
    /// Which of several apps gets a request.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false)]
    pub balance: Balance,
    /// How it is found out whether an app is well.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false)]
    pub health: Health,
    /// Seconds for which a request waits for an app that restarts. 0 to 60; 0: not at all.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false)]
    pub hold_seconds: HoldSeconds,
    /// Whether visitors are told that the site takes a break; a text is shown to them.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false)]
    pub maintenance: Maintenance,
    /// The path as the app sees it.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false)]
    pub path: PathRule,
    /// Header fields set, added and removed.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false)]
    pub headers: HeaderRules,
    /// Whether answers tell browsers to be careful, where the app does not say so itself.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false, default = false, examples(true))]
    pub security_headers: bool,
    /// Who may come, by network.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false)]
    pub access: Access,
    /// How often a client network may ask.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false)]
    pub rate_limit: Option<RateLimit>,
    /// Names and passwords that a browser asks for.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false)]
    pub basic_auth: Option<BasicAuth>,
    /// Somebody who is asked about every request before the app sees it.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false)]
    pub forward_auth: Option<ForwardAuth>,
    /// Certificates that clients have to show, or may.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false)]
    pub client_certificate: Option<ClientCertificate>,
    /// Octets that the body of a request may have.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false, examples(10485760))]
    pub body_size_max: Option<u64>,
    /// By which version of the PROXY protocol apps are told whose connection it is.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false)]
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Which of the edge's addresses serve the host; empty: all. Of several routes of a host that of the shortest path counts.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false, value_type = Vec<String>, max_items = 64, examples("192.0.2.80"))]
    pub addresses: Vec<Given<PublicAddress>>,
    /// How patiently apps and clients are waited for.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false)]
    pub times: Times,
}

/// Whether a value is what it is by itself.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A value that cannot be, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionFault {
    /// The field, as a JSON pointer from the options on: `/health/path`.
    pub field: String,
    /// What is wrong, and what to do.
    pub fault: Fault,
}

impl OptionFault {
    pub(super) fn new(field: &str, message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { field: field.to_owned(), fault: Fault::new(message, cure) }
    }
}

impl Options {
    /// Every value that cannot be.
    pub fn check(&self) -> Vec<OptionFault> {
        let mut faults = Vec::new();
        self.balance.check(&mut faults);
        self.health.check(&mut faults);
        self.hold_seconds.check(&mut faults);
        self.maintenance.check(&mut faults);
        self.path.check(&mut faults);
        self.headers.check(&mut faults);
        self.access.check(&mut faults);
        self.rate_limit.iter().for_each(|limit| limit.check(&mut faults));
        self.basic_auth.iter().for_each(|auth| auth.check(&mut faults));
        self.forward_auth.iter().for_each(|auth| auth.check(&mut faults));
        self.client_certificate.iter().for_each(|wanted| wanted.check(&mut faults));
        self.times.check(&mut faults);
        addresses::check(&self.addresses, &mut faults);
        self.compress.iter().for_each(|compress| compress.check(&mut faults));
        self.cache.iter().for_each(|cache| cache.check(&mut faults));
        faults
    }

    /// Whether a request may go straight to the app and its answer straight back.
    pub fn is_plain(&self) -> bool {
        self.compress.is_none()
            && self.cache.is_none()
            && !self.balance.sets_cookie()
            && !self.maintenance.is_on()
            && !self.has_rules()
    }

    /// Whether requests are looked at, held back or changed by rules, beyond being led to their app.
    pub fn has_rules(&self) -> bool {
        !is_default(&self.path)
            || !is_default(&self.headers)
            || self.security_headers
            || !is_default(&self.access)
            || self.rate_limit.is_some()
            || self.basic_auth.is_some()
            || self.forward_auth.is_some()
            || self.client_certificate.is_some()
            || self.body_size_max.is_some()
            || self.proxy_protocol.is_some()
            || !is_default(&self.times)
    }

    /// Whether it is found out who somebody is, and the app told.
    pub fn asks_who(&self) -> bool {
        self.basic_auth.is_some() || self.forward_auth.is_some() || self.client_certificate.is_some()
    }

    /// Takes out what only those may see who may change it.
    pub fn hide_secrets(&mut self) {
        self.basic_auth = self.basic_auth.as_ref().map(BasicAuth::without_hashes);
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
