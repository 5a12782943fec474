//! What a zone costs to have: reading and checking a zone file, starting from the store, memory by names.
//!
//! Run with `cargo bench --bench zone`. Each figure comes from a process of its own, so that none is charged for what
//! another left behind. The text is in memory already when the clock starts.
//! `benches/peers/check` puts `freehold zone check` beside the checkers of Knot, NSD and BIND.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a bench that cannot go on should stop right there")]

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use freehold::store::{Actor, Change, Settings, Store};
use freehold::wire::Name;
use freehold::zone::{Zone, text};

/// As in the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
const APEX: &str = "bench.example";
/// Says in the environment what a child of this bench is to do.
const TASK: &str = "FREEHOLD_BENCH_TASK";

fn main() {
    if let Ok(task) = std::env::var(TASK) {
        let (task, path) = task.split_once(' ').unwrap();
        return match task {
            "read" => read(Path::new(path)),
            "fill" => fill(Path::new(path)),
            "open" => open(Path::new(path)),
            other => panic!("there is no task {other}"),
        };
    }
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for records in SIZES {
        let path = home.path().join(records.to_string());
        fs::create_dir(&path).unwrap();
        fs::write(path.join("zone"), zone_text(records)).unwrap();
        println!("{records} records");
        ["read", "fill", "open"].iter().for_each(|task| run(&format!("{task} {}", path.display())));
    }
}

fn run(task: &str) {
    assert!(Command::new(std::env::current_exe().unwrap()).env(TASK, task).status().unwrap().success(), "{task}");
}

/// Mostly addresses, one record in ten of another kind, in no order.
fn zone_text(records: usize) -> String {
    let mut text = format!("$ORIGIN {APEX}.\n$TTL 300\n@ SOA ns1 hostmaster 1 3600 900 1209600 300\n@ NS h0\n");
    let mut dice = 88_172_645_463_325_252_u64;
    for number in 0..records - 2 {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let [a, b, c, d] = (dice as u32).to_be_bytes();
        let (owner, near) = (number * 7_919 % records, number.saturating_sub(dice as usize % 20));
        let near = near - near % 10; // which has an address
        match number % 10 {
            1 => writeln!(text, "h{owner} AAAA 2001:db8::{a:x}{b:02x}:{c:x}{d:02x}"),
            2 => writeln!(text, "h{owner} MX 10 h{}", near * 7_919 % records),
            3 => writeln!(text, "h{owner} CNAME h{}", near * 7_919 % records),
            4 => writeln!(text, "h{owner} TXT \"v=spf1 ip4:{a}.{b}.{c}.{d} -all\""),
            _ => writeln!(text, "h{owner} A {a}.{b}.{c}.{d}"),
        }
        .unwrap();
    }
    text
}

fn built(path: &Path) -> Zone {
    let text: Arc<[u8]> = fs::read(path.join("zone")).unwrap().into();
    let octets = text.len() as f64;
    let origin: Option<Name> = None;
    let start = Instant::now();
    let reading = text::read(text, "zone", origin, &mut |_, _| unreachable!("no includes"), &mut |_| ());
    let (read, records) = (start.elapsed().as_secs_f64(), reading.draft.len());
    assert!(reading.faults.is_empty(), "{:?}", reading.faults.first());
    let start = Instant::now();
    let built = Zone::build(reading.draft);
    let build = start.elapsed().as_secs_f64();
    let zone = built.zone.unwrap_or_else(|| panic!("{:?}", built.faults.first()));
    assert_eq!(zone.record_count(), records);
    println!(
        "  read {read:.3} s ({:.0} MB/s), sorted, built and checked {build:.3} s; {:.0} ns a record in all",
        octets / read / 1e6,
        (read + build) * 1e9 / records as f64
    );
    zone
}

fn read(path: &Path) {
    let zone = built(path);
    println!("  peak {:.1} MiB, with the text of {:.1} MiB", memory("VmHWM"), size(&path.join("zone")));
    drop(zone);
}

/// Puts the zone into a store. The child ends, and with it all that the import needed.
fn fill(path: &Path) {
    let zone = Arc::new(built(path));
    let store = Store::open(&Settings { directory: path.join("data"), ..Settings::default() }).unwrap();
    let start = Instant::now();
    store.commit_blocking(Change::PutZone { zone }, Actor::new("bench", "")).unwrap();
    let commit = start.elapsed().as_secs_f64();
    let start = Instant::now();
    store.close();
    println!("  committed {commit:.3} s, folded and closed {:.3} s", start.elapsed().as_secs_f64());
}

fn open(path: &Path) {
    let before = memory("VmRSS");
    let start = Instant::now();
    let store = Store::open(&Settings { directory: path.join("data"), ..Settings::default() }).unwrap();
    let open = start.elapsed().as_secs_f64();
    let held = memory("VmRSS") - before;
    let names = store.snapshot().zones.iter().map(|zone| zone.name_count()).sum::<usize>();
    println!(
        "  opened {open:.3} s; holds {held:.1} MiB more, {:.0} octets a name; peak {:.1} MiB",
        held * 1_048_576.0 / names as f64,
        memory("VmHWM")
    );
}

/// A line of this process's memory, in MiB.
fn memory(line: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let text = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':')).unwrap();
    text.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1_024.0
}

/// Of a file, in MiB.
fn size(path: &Path) -> f64 {
    fs::metadata(path).unwrap().len() as f64 / 1_048_576.0
}
