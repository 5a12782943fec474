//! A line of the table of endpoints: handlers, and what somebody needs who calls them.
//!
//! The need stands in the table and not beside the handler, so that who may do what is read on one page, and a line without one
//! cannot be written. What exactly a handler is about it says itself ([`super::auth::Allowed::to`]).

use axum::middleware::{from_fn, from_fn_with_state};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::auth::{self, Gate, Need};
use super::once;
use crate::access::Rights;

/// Handlers of one path, all with the same need.
pub(super) struct Endpoint {
    need: Need,
    is_once: bool,
    routes: UtoipaMethodRouter<Gate>,
}

/// For everybody, without a token.
pub(super) fn open(routes: UtoipaMethodRouter<Gate>) -> Endpoint {
    Endpoint { need: Need::Nothing, is_once: false, routes }
}

/// For whoever may read.
pub(super) fn reading(routes: UtoipaMethodRouter<Gate>) -> Endpoint {
    Endpoint { need: Need::Right(Rights::Read), is_once: false, routes }
}

/// For whoever may write.
pub(super) fn writing(routes: UtoipaMethodRouter<Gate>) -> Endpoint {
    Endpoint { need: Need::Right(Rights::Write), is_once: false, routes }
}

/// For administrators.
pub(super) fn administering(routes: UtoipaMethodRouter<Gate>) -> Endpoint {
    Endpoint { need: Need::Right(Rights::Admin), is_once: false, routes }
}

impl Endpoint {
    /// Sent again with its `Idempotency-Key`, it is not done again. For what does something else the second time.
    pub(super) fn once(self) -> Self {
        Self { is_once: true, ..self }
    }

    /// Adds it to a router, behind what keeps others out; or, without a gate, only to the description.
    pub(super) fn join(self, router: OpenApiRouter<Gate>, gate: Option<&Gate>) -> OpenApiRouter<Gate> {
        let (schemas, paths, mut methods) = self.routes;
        if self.is_once {
            methods = methods.route_layer(from_fn(once::layer));
        }
        if let Some(gate) = gate {
            methods = methods.route_layer(from_fn_with_state((gate.clone(), self.need), auth::layer));
        }
        router.routes((schemas, paths, methods))
    }
}
