//! How often a client network may ask.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Fault, OptionFault};

/// Requests that can be granted at once.
const REQUESTS_MAX: u32 = 1_000_000;
/// The longest time over which they are counted: a day.
const SECONDS_MAX: u32 = 86_400;

/// How often a client network may ask: so many requests at once, which grow back evenly over the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RouteRateLimit)]
pub struct RateLimit {
    /// Requests in that time.
    #[schema(minimum = 1, maximum = 1000000, examples(100))]
    pub requests: u32,
    /// The time in seconds.
    #[serde(default = "minute")]
    #[schema(minimum = 1, maximum = 86400, default = 60, examples(60))]
    pub seconds: u32,
    /// Bits of an IPv4 address that make a client: 32 is each address by itself.
    #[serde(default = "whole_ipv4", skip_serializing_if = "is_whole_ipv4")]
    #[schema(minimum = 8, maximum = 32, default = 32, examples(32))]
    pub ipv4_prefix: u8,
    /// Bits of an IPv6 address that make a client: 64 is one network, within which a client takes any address it likes.
    #[serde(default = "ipv6_network", skip_serializing_if = "is_ipv6_network")]
    #[schema(minimum = 16, maximum = 128, default = 64, examples(64))]
    pub ipv6_prefix: u8,
}

fn minute() -> u32 {
    60
}

fn whole_ipv4() -> u8 {
    32
}

fn is_whole_ipv4(prefix: &u8) -> bool {
    *prefix == whole_ipv4()
}

fn ipv6_network() -> u8 {
    64
}

fn is_ipv6_network(prefix: &u8) -> bool {
    *prefix == ipv6_network()
}

impl RateLimit {
    pub(super) fn check(&self, faults: &mut Vec<OptionFault>) {
        let mut within = |word: &str, value: u32, least: u32, most: u32| {
            if !(least..=most).contains(&value) {
                let fault = Fault::new(format!("{word} is {value}"), format!("it must be from {least} to {most}"));
                faults.push(OptionFault { field: format!("/rate_limit/{word}"), fault });
            }
        };
        within("requests", self.requests, 1, REQUESTS_MAX);
        within("seconds", self.seconds, 1, SECONDS_MAX);
        within("ipv4_prefix", self.ipv4_prefix.into(), 8, 32);
        within("ipv6_prefix", self.ipv6_prefix.into(), 16, 128);
    }

    /// The time in which all requests grow back.
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }

    /// The network of an address, as its first address.
    pub fn network(&self, address: IpAddr) -> IpAddr {
        let prefix = if address.is_ipv4() { self.ipv4_prefix } else { self.ipv6_prefix };
        IpNet::new(address, prefix).map_or(address, |network| network.trunc().addr())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_counts_as_one_client() {
        let limit: RateLimit = serde_json::from_str(r#"{"requests":5,"ipv4_prefix":24}"#).unwrap();
        let network = |text: &str| limit.network(text.parse().unwrap()).to_string();
        assert_eq!(
            (network("192.0.2.77").as_str(), network("2001:db8::1:2:3:4").as_str()),
            ("192.0.2.0", "2001:db8::")
        );
        assert_eq!(serde_json::to_string(&limit).unwrap(), r#"{"requests":5,"seconds":60,"ipv4_prefix":24}"#);
        let mut faults = Vec::new();
        RateLimit { requests: 0, seconds: 86_401, ipv4_prefix: 33, ipv6_prefix: 8 }.check(&mut faults);
        assert_eq!(faults.len(), 4, "{faults:?}");
    }
}
