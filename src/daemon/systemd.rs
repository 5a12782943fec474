//! What systemd is told (`sd_notify(3)`): ready, reloading, stopping, and that the server still lives.
//!
//! Without systemd (`NOTIFY_SOCKET` is not set) all of it is silence, and nothing is asked.

use std::convert::Infallible;
use std::env;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

use super::{Failure, alive};
use crate::dns;
use crate::store::Store;

/// How long the server's own questions at the start may stay without an answer.
const READY_TIME_MAX: Duration = Duration::from_secs(5);

/// Whether systemd, or somebody who does as it does, wants to know.
fn listens() -> bool {
    env::var_os("NOTIFY_SOCKET").is_some()
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(fault) = sd_notify::notify(states) {
        tracing::warn!(%fault, "systemd cannot be told how the server is");
    }
}

/// The server is ready, which is true when every address has answered a question.
pub(super) async fn ready(dns: &dns::Handle) -> Result<(), Failure> {
    if !listens() {
        return Ok(());
    }
    alive::dns_answers(dns.addresses(), dns.meter(), READY_TIME_MAX).await.map_err(|address| {
        let message = format!("{address} does not answer this machine's own question");
        Failure::new(message, "is a firewall in the way? It should let this machine ask itself over UDP and TCP")
    })?;
    tell(&[NotifyState::Ready]);
    Ok(())
}

/// The settings are being read again. [`reloaded`] has to follow.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(fault) => tracing::warn!(%fault, "there is no clock; systemd is not told of the reload"),
    }
}

/// The settings were read again, whatever came of it.
pub(super) fn reloaded() {
    tell(&[NotifyState::Ready]);
}

/// The server stops.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says at twice the rate that systemd asks for that the server lives, as long as it is true; never ends.
pub(super) async fn watch(dns: &dns::Handle, store: &Arc<Store>) -> Infallible {
    let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| listens() && !limit.is_zero()) else {
        return std::future::pending().await;
    };
    let half = limit / 2;
    let mut writer = alive::Writer::of(store);
    let mut beats = interval(half);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        if let Err(address) = alive::dns_answers(dns.addresses(), dns.meter(), half).await {
            tracing::error!(%address, "DNS does not answer; systemd will start the server anew");
        } else if !writer.answers(half).await {
            tracing::error!("the store does not answer; systemd will start the server anew");
        } else {
            tell(&[NotifyState::Watchdog]);
        }
    }
}
