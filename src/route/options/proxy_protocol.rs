//! By which version of the PROXY protocol apps are told whose connection it is: for those that do not understand `X-Forwarded-For`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A version of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RouteProxyProtocol)]
pub enum ProxyProtocol {
    /// A line of text.
    V1,
    /// Octets.
    V2,
}
