//! What looks at addresses come to: one is down, or up again, after so many looks in a row that say so. No clock, no network.

use std::net::IpAddr;

use super::AddressReport;
use crate::store::EdgeAddresses;

/// What is known of all addresses.
pub(super) struct Judge {
    rise: u16,
    fall: u16,
    known: Vec<Known>,
    /// Those that are down, in order.
    down: Vec<IpAddr>,
}

struct Known {
    address: IpAddr,
    up: Option<bool>,
    since: Option<u64>,
    reason: Option<String>,
    /// Looks in a row that were all alike, and whether they were good.
    row: (u16, bool),
}

impl Judge {
    pub(super) fn new(rise: u16, fall: u16) -> Self {
        Self { rise, fall, known: Vec::new(), down: Vec::new() }
    }

    /// These are the addresses. One that is new is as the store knows it: so a restart changes nothing by itself.
    pub(super) fn keep(&mut self, addresses: &EdgeAddresses) {
        self.known.retain(|known| addresses.all().any(|address| address == known.address));
        for address in addresses.all() {
            if !self.known.iter().any(|known| known.address == address) {
                let up = addresses.down().contains(&address).then_some(false);
                self.known.push(Known { address, up, since: None, reason: None, row: (0, true) });
            }
        }
        self.settle();
    }

    /// Notes a look.
    pub(super) fn learn(&mut self, address: IpAddr, found: Result<(), String>, now: u64) {
        let Some(known) = self.known.iter_mut().find(|known| known.address == address) else { return };
        let well = found.is_ok();
        known.row = (if known.row.1 == well { known.row.0.saturating_add(1) } else { 1 }, well);
        known.reason = found.err();
        // What was never known is believed at once if it is good.
        let enough = match (known.up, well) {
            (None, true) => 1,
            (_, true) => self.rise,
            (_, false) => self.fall,
        };
        if known.up == Some(well) || known.row.0 < enough {
            return;
        }
        match &known.reason {
            None if known.up.is_some() => tracing::info!(%address, "the address of the edge is well again"),
            None => (),
            Some(reason) => {
                tracing::warn!(%address, reason, "the address of the edge is down: DNS leaves it out while others are well");
            }
        }
        (known.up, known.since) = (Some(well), Some(now));
        self.settle();
    }

    fn settle(&mut self) {
        self.down = self.known.iter().filter(|known| known.up == Some(false)).map(|known| known.address).collect();
        self.down.sort_unstable();
    }

    /// Those that are down, in order.
    pub(super) fn down(&self) -> &[IpAddr] {
        &self.down
    }

    /// What is told of each.
    pub(super) fn report(&self, addresses: &EdgeAddresses) -> Vec<AddressReport> {
        let of = |address: IpAddr| {
            let known = self.known.iter().find(|known| known.address == address)?;
            Some(AddressReport { address, up: known.up, since: known.since, reason: known.reason.clone() })
        };
        addresses.all().filter_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_goes_down_and_comes_back_only_after_so_many_looks_in_a_row() {
        let addresses = EdgeAddresses::new([[192, 0, 2, 1].into(), [192, 0, 2, 2].into()], []);
        let mut judge = Judge::new(2, 3);
        judge.keep(&addresses);
        let one: IpAddr = [192, 0, 2, 1].into();
        let mut say = |good: bool| {
            judge.learn(one, if good { Ok(()) } else { Err("no".into()) }, 9);
            judge.keep(&addresses);
            judge.down().len()
        };
        assert_eq!([false, false, true, false, false, true].map(&mut say), [0; 6], "it flaps");
        assert_eq!([false, false, false].map(&mut say), [0, 0, 1]);
        assert_eq!([true, false, true, true].map(&mut say), [1, 1, 1, 0]);
        assert_eq!(say(false), 0);
        let told = judge.report(&addresses);
        assert_eq!((told[0].up, told[0].since, told[0].reason.as_deref()), (Some(true), Some(9), Some("no")));
        assert_eq!((told[1].up, told[1].since), (None, None));
    }

    #[test]
    fn what_the_store_knows_outlives_a_restart_and_what_is_gone_is_forgotten() {
        let both = EdgeAddresses::new([[192, 0, 2, 1].into(), [192, 0, 2, 2].into()], []);
        let mut judge = Judge::new(1, 1);
        judge.keep(&both.clone().with_down([[192, 0, 2, 2].into()]));
        assert_eq!(judge.down(), [IpAddr::from([192, 0, 2, 2])]);
        judge.keep(&EdgeAddresses::new([[192, 0, 2, 1].into()], []));
        assert!(judge.down().is_empty());
        judge.learn([192, 0, 2, 9].into(), Err("no".into()), 1);
        assert!(judge.down().is_empty(), "it is none of ours");
    }
}
