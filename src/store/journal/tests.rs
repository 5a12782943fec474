use std::io::Read;

use super::*;
use crate::store::medium::Step;

fn journal(directory: &Path) -> Journal {
    Journal::create(directory, Medium::default(), 1 << 30, 1).unwrap()
}

fn append(journal: &mut Journal, changes: &[&[u8]]) {
    journal.begin().unwrap();
    for change in changes {
        journal.append(|out| out.write_all(change)).unwrap();
    }
    journal.commit().unwrap();
}

fn read_all(directory: &Path, after: u64) -> Result<(Vec<Vec<u8>>, Reader), JournalFault> {
    let mut reader = Reader::open(directory, after)?;
    let mut changes = Vec::new();
    while let Some(mut change) = reader.next_change()? {
        let mut octets = Vec::new();
        change.read_to_end(&mut octets).unwrap();
        if !reader.accept() {
            assert!(reader.is_torn()?);
            break;
        }
        changes.push(octets);
    }
    Ok((changes, reader))
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("journal");
    fs::create_dir(&directory).unwrap();
    (place, directory)
}

fn only_segment(directory: &Path) -> PathBuf {
    segment::list(directory).unwrap()[0].path.clone()
}

#[test]
fn what_was_appended_is_read_back() {
    let (_place, directory) = place();
    let large = vec![7; 3 * frame::PAYLOAD_SIZE_MAX];
    let mut journal = journal(&directory);
    append(&mut journal, &[b"one", b"two"]);
    append(&mut journal, &[&large, b""]);
    let (changes, reader) = read_all(&directory, 0).unwrap();
    assert_eq!(changes, [&b"one"[..], b"two", &large, b""]);
    assert_eq!((reader.last(), reader.end()), (4, journal.current.size));
    assert_eq!(read_all(&directory, 3).unwrap().0, [b""]);
    assert!(read_all(&directory, 4).unwrap().0.is_empty());
}

#[test]
fn a_frame_is_filled_to_the_limit() {
    let (_place, directory) = place();
    let mut journal = journal(&directory);
    let sizes = [frame::PAYLOAD_SIZE_MAX - 9, frame::PAYLOAD_SIZE_MAX - 8, frame::PAYLOAD_SIZE_MAX - 7];
    let changes = sizes.map(|size| vec![1; size]);
    append(&mut journal, &changes.each_ref().map(|change| &change[..]));
    assert_eq!(read_all(&directory, 0).unwrap().0, changes);
}

#[test]
fn a_torn_tail_is_cut_at_every_offset() {
    let (_place, directory) = place();
    let mut journal = journal(&directory);
    append(&mut journal, &[b"kept"]);
    let good = journal.current.size;
    append(&mut journal, &[b"torn", b"torn too"]);
    let path = only_segment(&directory);
    let whole = fs::read(&path).unwrap();
    let first_end = good + (whole.len() as u64 - good - 4) / 2;
    for size in good..whole.len() as u64 {
        fs::write(&path, &whole[..size as usize]).unwrap();
        let (changes, reader) = read_all(&directory, 0).unwrap();
        let (last, end) = if size < first_end { (1, good) } else { (2, first_end) };
        assert_eq!((changes.len() as u64, reader.last(), reader.end()), (last, last, end), "cut to {size}");
        let mut journal = Journal::resume(&directory, Medium::default(), 1 << 30, &reader, last).unwrap();
        append(&mut journal, &[b"after"]);
        assert_eq!(read_all(&directory, last).unwrap().0, [b"after"]);
    }
}

#[test]
fn a_torn_tail_of_zeros_or_of_whole_frames_out_of_order_is_cut() {
    let (_place, directory) = place();
    let mut journal = journal(&directory);
    append(&mut journal, &[b"kept"]);
    let good = journal.current.size as usize;
    append(&mut journal, &[b"lost", b"of the same batch, but on disk"]);
    let path = only_segment(&directory);
    let mut octets = fs::read(&path).unwrap();
    octets[good + 20] ^= 1;
    fs::write(&path, &octets).unwrap();
    let (changes, reader) = read_all(&directory, 0).unwrap();
    assert_eq!(changes, [b"kept"]);
    let mut journal = Journal::resume(&directory, Medium::default(), 1 << 30, &reader, 1).unwrap();
    append(&mut journal, &[b"same"]); // as long as the lost one: what stood behind that must not follow it now
    assert_eq!(read_all(&directory, 0).unwrap().0, [b"kept", b"same"]);
    octets.truncate(good);
    octets.resize(good + 5000, 0);
    fs::write(&path, &octets).unwrap();
    assert_eq!(read_all(&directory, 0).unwrap().0, [b"kept"]);
}

#[test]
fn damage_is_never_taken_for_a_torn_tail() {
    let (_place, directory) = place();
    let mut journal = journal(&directory);
    append(&mut journal, &[b"one", b"two"]);
    append(&mut journal, &[b"three"]);
    let last_batch = journal.current.size as usize;
    append(&mut journal, &[b"four"]);
    let path = only_segment(&directory);
    let whole = fs::read(&path).unwrap();
    for at in 0..last_batch {
        let mut octets = whole.clone();
        octets[at] ^= 0x41;
        fs::write(&path, &octets).unwrap();
        let fault = read_all(&directory, 0).map(|(changes, _)| changes.len());
        assert!(matches!(fault, Err(JournalFault::Damaged(_) | JournalFault::Newer { .. })), "at {at}: {fault:?}");
        if at >= segment::START as usize {
            let (changes, reader) = read_all(&directory, 3).unwrap();
            assert_eq!((changes, reader.last()), (vec![b"four".to_vec()], 4), "at {at}");
            assert!(reader.damage().is_some());
        }
    }
}

#[test]
fn a_missing_segment_is_a_gap() {
    let (_place, directory) = place();
    let mut journal = Journal::create(&directory, Medium::default(), 1, 1).unwrap();
    for change in [b"1", b"2", b"3", b"4"] {
        append(&mut journal, &[change]);
    }
    assert_eq!(read_all(&directory, 0).unwrap().0.len(), 4);
    fs::remove_file(segment::path(&directory, 2)).unwrap();
    assert!(matches!(read_all(&directory, 0), Err(JournalFault::Gap { wanted: 2, found: 3, .. })));
    assert_eq!(read_all(&directory, 2).unwrap().0.len(), 2);
    fs::remove_file(segment::path(&directory, 1)).unwrap();
    assert!(matches!(read_all(&directory, 0), Err(JournalFault::Gap { wanted: 1, found: 3, .. })));
}

#[test]
fn a_batch_whose_sync_failed_is_left_behind() {
    let (_place, directory) = place();
    let fail = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let failing = fail.clone();
    let medium = Medium::watched(std::sync::Arc::new(move |step| match step {
        Step::Syncing(_) if failing.load(std::sync::atomic::Ordering::Relaxed) => Err(io::Error::other("no")),
        Step::Syncing(_) | Step::Synced(_) | Step::DirectorySynced(_) => Ok(()),
    }));
    let mut journal = Journal::create(&directory, medium, 1 << 30, 1).unwrap();
    append(&mut journal, &[b"one"]);
    for _ in 0..3 {
        fail.store(true, std::sync::atomic::Ordering::Relaxed);
        let refused = journal.begin().and_then(|()| {
            journal.append(|out| out.write_all(b"refused"))?;
            journal.commit().map(drop)
        });
        assert!(refused.is_err());
        journal.abandon();
    }
    // The disk may have kept the refused batch after all.
    let path = segment::path(&directory, 1);
    let mut kept = fs::read(&path).unwrap();
    let good = kept.len();
    {
        let mut twin = tempfile::tempdir().map(|twin| twin.keep()).unwrap();
        twin.push("journal");
        fs::create_dir(&twin).unwrap();
        let mut other = self::journal(&twin);
        append(&mut other, &[b"one"]);
        append(&mut other, &[b"refused"]);
        kept.extend_from_slice(&fs::read(only_segment(&twin)).unwrap()[good..]);
    }
    fail.store(false, std::sync::atomic::Ordering::Relaxed);
    append(&mut journal, &[b"two"]);
    fs::write(&path, &kept).unwrap();
    assert_eq!(read_all(&directory, 0).unwrap().0, [b"one", b"two"]);
    assert_eq!(newest(&directory).unwrap(), Some(2));
}

#[test]
fn history_is_pruned_to_its_bound_and_never_what_is_needed() {
    let (_place, directory) = place();
    let mut journal = Journal::create(&directory, Medium::default(), 1, 1).unwrap();
    for _ in 0..10 {
        append(&mut journal, &[&[0; 1000]]);
    }
    let one = journal.older[0].size;
    assert_eq!(journal.size_after(4), 6 * one);
    assert_eq!(journal.size_after(10), 0);
    journal.prune(4, 2 * one).unwrap();
    assert_eq!(journal.first(), 3);
    journal.prune(4, 0).unwrap();
    assert_eq!(journal.first(), 5);
    assert_eq!(read_all(&directory, 4).unwrap().0.len(), 6);
}

#[test]
fn the_note_of_the_newest_segment_is_checked() {
    let (_place, directory) = place();
    journal(&directory);
    assert_eq!(newest(&directory).unwrap(), Some(1));
    let path = newest_path(&directory);
    let mut octets = fs::read(&path).unwrap();
    octets[19] = b'7';
    fs::write(&path, octets).unwrap();
    assert_eq!(newest(&directory).unwrap(), None);
}
