//! What the kernel says of this process, in `/proc/self`. Every file is read up to a bound; what a hardened machine does not
//! show stays unknown rather than being 0.
//!
//! Rejected: a package for it (procfs, sysinfo), for a dozen numbers of one format that has not changed in decades.

use std::fs::{self, File};
use std::io::Read;

/// Octets of a file that are read; the largest of those read here has some 2,000.
const FILE_SIZE_MAX: u64 = 16 << 10;
/// Open files that are counted one by one, where the kernel (before 6.2) does not say how many there are.
const FILES_COUNTED_MAX: usize = 100_000;

/// The process at one moment. Sizes are in octets.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Process {
    /// Memory of its own, and its share of what it has in common with others (PSS).
    pub(super) proportional: Option<u64>,
    /// Memory that is in use, the shared part included (RSS).
    pub(super) resident: Option<u64>,
    /// Addresses that are taken, whether or not there is memory behind them.
    pub(super) virtual_size: Option<u64>,
    pub(super) threads: Option<u64>,
    /// Seconds of processor time, in the process and in the kernel on its behalf.
    pub(super) cpu_seconds: Option<f64>,
    pub(super) open_files: Option<u64>,
    pub(super) open_files_max: Option<u64>,
}

impl Process {
    /// Reads everything. It takes the kernel a moment to add the memory up: not for a thread that must not wait.
    pub(super) fn read() -> Self {
        let status = text("status").unwrap_or_default();
        Self {
            proportional: proportional_memory(),
            resident: kilobytes(&status, "VmRSS:"),
            virtual_size: kilobytes(&status, "VmSize:"),
            threads: field(&status, "Threads:").and_then(|threads| threads.parse().ok()),
            cpu_seconds: text("stat").as_deref().and_then(cpu_seconds),
            open_files: open_files(),
            open_files_max: text("limits").as_deref().and_then(open_files_max),
        }
    }
}

/// Memory of its own and its share of what it has in common with others, in octets.
pub(super) fn proportional_memory() -> Option<u64> {
    kilobytes(&text("smaps_rollup")?, "Pss:")
}

fn text(name: &str) -> Option<String> {
    let mut text = String::new();
    File::open(format!("/proc/self/{name}")).ok()?.take(FILE_SIZE_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The first word behind a name at the beginning of a line.
fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    field(text, name)?.parse::<u64>().ok()?.checked_mul(1_024)
}

/// Fields 14 and 15 of `stat`, in ticks of the clock. The second field is the program's name, in brackets, with whatever it
/// holds.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, behind) = stat.rsplit_once(')')?;
    let mut fields = behind.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u64>().ok()?.checked_add(fields.next()?.parse().ok()?)?;
    Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

fn open_files() -> Option<u64> {
    let files = "/proc/self/fd";
    match fs::metadata(files).ok()?.len() {
        0 => Some(fs::read_dir(files).ok()?.take(FILES_COUNTED_MAX).count() as u64),
        said => Some(said),
    }
}

/// The limit that counts, the soft one.
fn open_files_max(limits: &str) -> Option<u64> {
    field(limits, "Max open files")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_known() {
        let before = Process::read();
        let held: Vec<File> = (0..50).map(|_| File::open("/proc/self/status").unwrap()).collect();
        let memory = vec![1_u8; 64 << 20];
        let after = Process::read();
        let more = |number: fn(&Process) -> Option<u64>| number(&after).unwrap() - number(&before).unwrap();
        assert!(more(|process| process.resident) > 60 << 20, "{before:?} {after:?}");
        assert!(more(|process| process.proportional) > 60 << 20, "{before:?} {after:?}");
        assert!(more(|process| process.open_files) >= 40, "{before:?} {after:?}");
        assert!(after.virtual_size > after.resident && after.threads >= Some(1) && after.cpu_seconds > Some(0.0));
        assert!(after.open_files_max >= after.open_files);
        drop((held, memory));
    }

    #[test]
    fn a_program_of_any_name_has_its_time_read() {
        let stat = "7 (a) b) c) S 1 7 7 0 -1 4194560 900 0 0 0 250 50 0 0 20 0 1 0 100 9 9";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        for wrong in ["", "7 (a", "7 (a) S 1", "7 (a) S 1 7 7 0 -1 4194560 900 0 0 0 x 50 0"] {
            assert_eq!(cpu_seconds(wrong), None, "{wrong}");
        }
        assert_eq!(
            open_files_max("Limit  Soft\nMax open files            1024         524288      files"),
            Some(1_024)
        );
        assert_eq!(open_files_max("Max open files            unlimited  unlimited files"), None);
        assert_eq!(kilobytes("VmRSS:\t    2048 kB\n", "VmRSS:"), Some(2 << 20));
    }
}
