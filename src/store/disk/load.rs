//! sled → state, every block verified, every count compared.

use std::sync::Arc;

use crate::store::codec::{self, Gathered, Undecodable};
use crate::store::snapshot::Snapshot;
use crate::zone::{NodeBuilder, Zone};

use super::DiskFault;
use super::record::{BLOCKS, ITEMS, MANIFESTS, Manifest, STATE_KEY, State, damaged, read_item, share, zone_key};

/// The state record; [`DiskFault::Unfinished`] if there is none or more was to come.
pub(super) fn state(db: &sled::Db) -> Result<State, DiskFault> {
    match db.get(STATE_KEY)? {
        Some(octets) => State::decode(&octets).and_then(|state| match state.finished {
            true => Ok(state),
            false => Err(DiskFault::Unfinished),
        }),
        None => Err(DiskFault::Unfinished),
    }
}

/// Everything.
pub(super) fn load(db: &sled::Db) -> Result<Snapshot, DiskFault> {
    let state = state(db)?;
    let mut counted = State { revision: state.revision, finished: true, ..State::default() };
    let mut zones = Vec::new();
    for entry in db.scan_prefix([MANIFESTS]) {
        let (key, value) = entry?;
        let manifest = Manifest::decode(&value).ok_or_else(|| damaged("the manifest of a zone"))?;
        counted.zones += 1;
        counted.octets += manifest.octets;
        counted.digest = counted.digest.wrapping_add(share(&key, &value));
        zones.push(Arc::new(load_zone(db, &manifest)?));
    }
    let mut found = Snapshot { revision: state.revision, zones: zones.into_iter().collect(), ..Snapshot::default() };
    for entry in db.scan_prefix([ITEMS]) {
        let (key, value) = entry?;
        counted.add_item(&key, &value);
        found.put_item(read_item(&key, &value)?);
    }
    if counted != state {
        let (found, wanted) = ((counted.zones, counted.items), (state.zones, state.items));
        return Err(DiskFault::Damaged(format!(
            "{} zones and {} items are there, not {} and {} as before",
            found.0, found.1, wanted.0, wanted.1
        )));
    }
    Ok(found)
}

fn load_zone(db: &sled::Db, manifest: &Manifest) -> Result<Zone, DiskFault> {
    let apex = &manifest.apex;
    let mut counted = Manifest::empty(apex.clone());
    let (mut gathered, mut builder) = (Gathered::new(apex.clone()), NodeBuilder::default());
    for entry in db.scan_prefix(zone_key(BLOCKS, apex.borrow())) {
        let (key, value) = entry?;
        counted.add(&key, &value);
        // That a block lies under its own first name is covered by the digest, which is over keys too.
        let read = codec::read_block(apex.borrow(), &value, &mut builder, &mut |node| gathered.push(node));
        match read {
            Ok(()) => (),
            Err(Undecodable::Newer(version)) => return Err(DiskFault::Newer(version.into())),
            Err(fault @ (Undecodable::Checksum | Undecodable::Malformed)) => {
                return Err(DiskFault::Damaged(format!("block {} of the zone {apex}: {fault}", counted.blocks)));
            }
        }
    }
    let zone = gathered.finish().map_err(|fault| DiskFault::Damaged(fault.message))?;
    (counted.names, counted.records) = (zone.name_count() as u64, zone.record_count() as u64);
    if counted != *manifest {
        let (found, wanted) = (counted.records, manifest.records);
        return Err(DiskFault::Damaged(format!("the zone {apex} has {found} records, not {wanted} as before")));
    }
    Ok(zone)
}
