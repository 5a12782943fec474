//! The metrics of the store.

use std::fmt;

use super::page::{Page, family};
use crate::store::stats::{BATCH_SIZE, REASONS, Report, SAVE_TIME};
use crate::store::{Shelf, Snapshot};

/// Writes them.
pub(super) fn write(page: &mut Page<'_>, snapshot: &Snapshot, report: &Report) -> fmt::Result {
    page.gauge(
        family("freehold_store_revision", "Changes that were ever made; the number of the newest one."),
        snapshot.revision,
    )?;
    page.gauge(family("freehold_store_zones", "Zones that are served."), snapshot.zones.len())?;
    page.gauge(family("freehold_store_names", "Names of all zones together."), snapshot.zones.name_count())?;
    page.gauge(family("freehold_store_records", "Records of all zones together."), snapshot.zones.record_count())?;
    page.gauges(
        family("freehold_store_items", "What is kept beside zones: tokens, certificates and their like."),
        Shelf::ALL.iter().map(|shelf| ([("shelf", shelf.word())], snapshot.item_count(*shelf))),
    )?;
    changes(page, report)?;
    journal(page, report)?;
    sled(page, report)?;
    checkpoints(page, report)
}

fn changes(page: &mut Page<'_>, report: &Report) -> fmt::Result {
    page.counter(family("freehold_store_commits", "Changes that were made."), report.commits)?;
    page.counter(
        family("freehold_store_unchanged", "Changes that would have left everything as it was."),
        report.unchanged,
    )?;
    page.counters(
        family(
            "freehold_store_refusals",
            "Changes that were refused. Only not_saved is a fault of the server's side: the disk does not take them.",
        ),
        REASONS.map(|reason| [("reason", reason)]).into_iter().zip(report.refusals),
    )?;
    page.gauge(
        family("freehold_store_failing", "1 while the disk does not take changes, so that all are refused; else 0."),
        report.failing,
    )?;
    page.histogram(
        family("freehold_store_batch_changes", "Changes that shared one write to the disk."),
        &BATCH_SIZE,
        &report.batches,
    )?;
    page.histogram(
        family("freehold_store_save_duration", "Time to write a batch of changes to the journal and sync it.")
            .seconds(),
        &SAVE_TIME,
        &report.saves,
    )
}

fn journal(page: &mut Page<'_>, report: &Report) -> fmt::Result {
    page.counter(family("freehold_store_journal_written", "What was written to the journal.").bytes(), report.written)?;
    page.gauge(
        family("freehold_store_journal_size", "What the journal has on the disk, the history included.").bytes(),
        report.journal,
    )
}

fn sled(page: &mut Page<'_>, report: &Report) -> fmt::Result {
    page.counter(family("freehold_store_folds", "Times that the journal was folded into sled."), report.folds)?;
    page.counter(
        family("freehold_store_fold_failures", "Times that the journal could not be folded into sled; tried again."),
        report.fold_failures,
    )?;
    page.gauge(
        family("freehold_store_fold_lag", "Journal that sled does not have yet: read again after a crash.").bytes(),
        report.unfolded,
    )?;
    page.gauge(
        family("freehold_store_fold_lag", "How long the oldest change has been waiting to be folded; 0 if none is.")
            .seconds(),
        report.unfolded_for.as_secs_f64(),
    )?;
    page.gauge(family("freehold_store_sled_size", "sled's files when they were last written.").bytes(), report.sled)
}

fn checkpoints(page: &mut Page<'_>, report: &Report) -> fmt::Result {
    page.counter(family("freehold_store_checkpoints", "Checkpoints that were written."), report.checkpoints)?;
    page.counter(
        family("freehold_store_checkpoint_failures", "Checkpoints that could not be written; tried again."),
        report.checkpoint_failures,
    )?;
    page.gauge(
        family("freehold_store_checkpoint_lag", "Journal since the last checkpoint: needed should sled be damaged.")
            .bytes(),
        report.unchecked,
    )?;
    page.gauge_if_known(
        family("freehold_store_checkpoint_revision", "The revision of the newest checkpoint, if there is one."),
        report.checkpoint.map(|checkpoint| checkpoint.revision),
    )?;
    page.gauge_if_known(
        family("freehold_store_checkpoint_size", "The newest checkpoint, if there is one.").bytes(),
        report.checkpoint.map(|checkpoint| checkpoint.size),
    )?;
    page.gauge_if_known(
        family("freehold_store_checkpoint_timestamp", "When the newest checkpoint was written, since 1970.").seconds(),
        report.checkpoint.map(|checkpoint| checkpoint.time),
    )
}
