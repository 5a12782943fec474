//! Who may come, by network. What is denied stays out; where something is allowed, nobody else may come; where nothing is said,
//! everybody may. The order in which networks are written means nothing: rules that depend on it are read wrongly.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Fault, Given, Meaning, OptionFault, is_default};

/// Networks of one list.
const NETWORKS_MAX: usize = 1_024;

/// Who may come, by network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RouteAccess)]
pub struct Access {
    /// Networks that may come, and nobody else; empty: everybody. `192.0.2.0/24`, `2001:db8::/32`, or one address.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false, value_type = Vec<String>, max_items = 1024, examples("192.168.0.0/16"))]
    pub allow: Vec<Given<Network>>,
    /// Networks that may not come, even if they are allowed.
    #[serde(skip_serializing_if = "is_default")]
    #[schema(required = false, value_type = Vec<String>, max_items = 1024, examples("192.168.7.0/24"))]
    pub deny: Vec<Given<Network>>,
}

/// A network, or one address.
#[derive(Clone, Copy, Debug)]
pub struct Network(IpNet);

impl Meaning for Network {
    fn read(text: &str) -> Result<Self, Fault> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let network: IpNet = network.map_err(|_| {
            Fault::new(
                format!("{text:?} is no network"),
                "write it as in \"192.0.2.0/24\", \"2001:db8::/32\" or \"192.0.2.1\"",
            )
        })?;
        if network.trunc() != network {
            let message = format!("{text:?} is an address with a size of network, and may mean either");
            return Err(Fault::new(message, format!("write \"{}\" or \"{}\"", network.trunc(), network.addr())));
        }
        if matches!(network, IpNet::V6(inside) if inside.addr().to_ipv4_mapped().is_some()) {
            return Err(Fault::new(format!("{text:?} is IPv4 in the clothes of IPv6"), "write it as IPv4"));
        }
        Ok(Self(network))
    }
}

impl Access {
    pub(super) fn check(&self, faults: &mut Vec<OptionFault>) {
        for (word, networks) in [("allow", &self.allow), ("deny", &self.deny)] {
            if networks.len() > NETWORKS_MAX {
                let message = format!("{} networks are named", networks.len());
                let fault = Fault::new(message, format!("name at most {NETWORKS_MAX}; one network can stand for many"));
                faults.push(OptionFault { field: format!("/access/{word}"), fault });
            }
            for (at, network) in networks.iter().enumerate() {
                network.check(|| format!("/access/{word}/{at}"), faults);
            }
        }
    }

    /// Whether somebody at this address may come.
    pub fn admits(&self, address: IpAddr) -> bool {
        let holds = |network: &Given<Network>| network.meaning().is_some_and(|network| network.0.contains(&address));
        !self.deny.iter().any(holds) && (self.allow.is_empty() || self.allow.iter().any(holds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denied_is_denied_and_an_allowed_list_is_closed() {
        let access = |allow: &[&str], deny: &[&str]| Access {
            allow: allow.iter().map(|text| Given::from(*text)).collect(),
            deny: deny.iter().map(|text| Given::from(*text)).collect(),
        };
        for (allow, deny, address, may) in [
            (&[][..], &[][..], "192.0.2.1", true),
            (&["192.0.2.0/24"], &[], "192.0.2.1", true),
            (&["192.0.2.0/24"], &[], "192.0.3.1", false),
            (&["192.0.2.0/24"], &[], "2001:db8::1", false),
            (&["192.0.2.0/24"], &["192.0.2.1"], "192.0.2.1", false),
            (&["192.0.2.1"], &["192.0.2.0/24"], "192.0.2.1", false),
            (&[], &["2001:db8::/32"], "2001:db8::1", false),
            (&[], &["2001:db8::/32"], "192.0.2.1", true),
            (&["0.0.0.0/0"], &[], "2001:db8::1", false),
        ] {
            assert_eq!(access(allow, deny).admits(address.parse().unwrap()), may, "{allow:?} {deny:?} {address}");
        }
        // What cannot be read lets nobody in.
        assert!(!access(&["home"], &[]).admits("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_network_is_told() {
        for (text, told) in [
            ("home", "no network"),
            ("192.0.2.0/33", "no network"),
            ("192.0.2.7/24", "\"192.0.2.0/24\" or \"192.0.2.7\""),
            ("::ffff:192.0.2.0/120", "write it as IPv4"),
        ] {
            let fault = Network::read(text).unwrap_err().to_string();
            assert!(fault.contains(told), "{fault}");
        }
    }
}
