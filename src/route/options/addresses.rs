//! Which of the edge's addresses serve a route, where not all of them do: those go into DNS for its host.

use std::net::IpAddr;

use super::{Fault, Given, Meaning, OptionFault};

/// Addresses that one route names.
const ADDRESSES_MAX: usize = 64;

/// An address by which the world reaches an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicAddress(pub IpAddr);

impl Meaning for PublicAddress {
    fn read(text: &str) -> Result<Self, Fault> {
        let cure = "write one of `edge.addresses`, such as \"192.0.2.1\" or \"2001:db8::1\"";
        let address: IpAddr = text.parse().map_err(|_| Fault::new(format!("{text:?} is no address"), cure))?;
        if address.is_unspecified() || address.is_multicast() || address.to_canonical() != address {
            return Err(Fault::new(format!("{text:?} is no address that clients can connect to"), cure));
        }
        Ok(Self(address))
    }
}

pub(super) fn check(addresses: &[Given<PublicAddress>], faults: &mut Vec<OptionFault>) {
    if addresses.len() > ADDRESSES_MAX {
        let message = format!("{} addresses are named", addresses.len());
        faults.push(OptionFault::new("/addresses", message, format!("name at most {ADDRESSES_MAX}")));
    }
    for (at, address) in addresses.iter().enumerate() {
        address.check(|| format!("/addresses/{at}"), faults);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_told_with_its_place() {
        let given = ["192.0.2.1", "x", "2001:db8::1", "0.0.0.0", "::ffff:192.0.2.1"].map(Given::from);
        let mut faults = Vec::new();
        check(&given, &mut faults);
        let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["/addresses/1", "/addresses/3", "/addresses/4"]);
        faults.clear();
        check(&vec![Given::from("192.0.2.1"); 65], &mut faults);
        assert_eq!(faults[0].field, "/addresses");
    }
}
