//! Asking a CA when it would like a certificate to be renewed (RFC 9773).

use instant_acme::{CertificateIdentifier, RenewalInfo};

use super::client::Client;
use super::directory::Directory;
use super::settings::Ca;
use super::trouble::Trouble;
use super::world::{World, now};
use crate::cert::{Certificate, Window};

/// The shortest time between two questions, unless the settings have a shorter one (RFC 9773, section 4.3.2 leaves it to us).
const PAUSE_MIN: u64 = 60;

/// Asks, and keeps what is new; tells when to ask again, in seconds since 1970.
pub(super) async fn ask(world: &World, ca: &Ca, certificate: &Certificate) -> u64 {
    let longest = u64::from(world.settings.window_seconds);
    let pause = match question(world, ca, certificate).await {
        Ok(retry_after) => retry_after.map_or(longest, |at| at.saturating_sub(now())),
        // It is no more than a wish: without it the certificate is renewed in its own time.
        Err(trouble) => {
            tracing::debug!(certificate = certificate.id(), reason = %trouble, "the CA does not say when to renew");
            longest / 6
        }
    };
    now() + pause.clamp(PAUSE_MIN.min(longest), longest)
}

async fn question(world: &World, ca: &Ca, certificate: &Certificate) -> Result<Option<u64>, Trouble> {
    let client = Client::new(ca)?;
    let directory = Directory::read(&client, &ca.directory).await?;
    let Some(place) = directory.renewal_info else { return Ok(None) };
    let id = CertificateIdentifier::try_from(certificate.own()).map_err(|why| Trouble::ours(why, "nothing"))?;
    let (body, retry_after) = client.read(&format!("{}/{id}", place.trim_end_matches('/'))).await?;
    let told: RenewalInfo = serde_json::from_slice(&body)
        .map_err(|fault| Trouble::passing(format!("the CA's wish makes no sense ({fault})"), "nothing"))?;
    let seconds = |at: i64| u64::try_from(at).unwrap_or(0);
    let window = Window {
        serial: certificate.serial().to_owned(),
        start: seconds(told.suggested_window.start.unix_timestamp()),
        end: seconds(told.suggested_window.end.unix_timestamp()),
        explanation: told.explanation_url,
    };
    let known = world.snapshot().stories.get(certificate.id()).and_then(|story| story.window.clone());
    if known.as_ref() != Some(&window) {
        world.tell(certificate.subjects(), move |story| story.window = Some(window.clone())).await?;
    }
    Ok(retry_after)
}
