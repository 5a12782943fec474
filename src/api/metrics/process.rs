//! The metrics of the process, under the names that every Prometheus client uses for them.

use std::fmt;
use std::time::SystemTime;

use super::page::{Page, family};
use crate::api::process::Process;

/// Writes them.
pub(super) fn write(page: &mut Page<'_>, process: &Process, started: SystemTime) -> fmt::Result {
    if let Some(seconds) = process.cpu_seconds {
        page.counter(
            family("process_cpu", "Processor time, in the process and in the kernel on its behalf.").seconds(),
            seconds,
        )?;
    }
    page.gauge_if_known(
        family("process_resident_memory", "Memory in use (RSS), with all that is shared with others.").bytes(),
        process.resident,
    )?;
    page.gauge_if_known(
        family("process_proportional_memory", "Memory in use (PSS), with its share of what is shared with others.")
            .bytes(),
        process.proportional,
    )?;
    page.gauge_if_known(
        family("process_virtual_memory", "Addresses that are taken, with or without memory behind them.").bytes(),
        process.virtual_size,
    )?;
    page.gauge_if_known(family("process_open_fds", "Open files, sockets among them."), process.open_files)?;
    page.gauge_if_known(family("process_max_fds", "Open files that are allowed."), process.open_files_max)?;
    page.gauge_if_known(family("process_threads", "Threads."), process.threads)?;
    let started = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    page.gauge(family("process_start_time", "When the server started, since 1970.").seconds(), started.as_secs_f64())
}
