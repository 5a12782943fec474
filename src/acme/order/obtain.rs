//! From a CA that is not asked yet to its certificate.

use std::sync::Arc;
use std::time::Duration;

use instant_acme::{Account, CertificateIdentifier, Identifier, NewOrder, RetryPolicy};

use super::prove::{self, Way};
use super::{Log, is_renewal};
use crate::acme::account;
use crate::acme::client::Client;
use crate::acme::directory::Directory;
use crate::acme::plan::Order;
use crate::acme::preflight::{self, Applicant, Proven};
use crate::acme::settings::Ca;
use crate::acme::trouble::Trouble;
use crate::acme::world::{World, now};
use crate::cert::{self, Certificate, Key, Origin, Subject};

/// How long a CA may take to look, or to sign.
const PATIENCE: Duration = Duration::from_secs(120);
/// A certificate that begins later than this from now is refused: one of the two clocks is wrong.
const AHEAD_MAX: u64 = 86_400;

/// How often the CA is asked how far it is.
pub(super) fn patience() -> RetryPolicy {
    RetryPolicy::new().initial_delay(Duration::from_millis(250)).backoff(1.5).timeout(PATIENCE)
}

/// What goes on while one CA is asked.
pub(super) struct Work<'a> {
    pub(super) world: &'a World,
    pub(super) order: &'a Order,
    pub(super) ca: &'a Ca,
    pub(super) client: Client,
    pub(super) log: &'a mut Log,
}

impl Work<'_> {
    /// An error of the ACME client, with what the CA said beside it.
    pub(super) fn trouble(&self, error: instant_acme::Error) -> Trouble {
        Trouble::of(error, self.client.take_retry_after())
    }
}

/// Gets the certificate.
pub(super) async fn obtain(world: &World, order: &Order, ca: &Ca, log: &mut Log) -> Result<Arc<Certificate>, Trouble> {
    let mut work = Work { world, order, ca, client: Client::new(ca)?, log };
    let directory = Directory::read(&work.client, &ca.directory).await?;
    work.log.step("the CA answers");
    directory.check_profile(ca.profile.as_deref())?;
    let ways = prove::ways(&work).await?;
    work.preflight(&directory, &ways).await?;
    let mut placed = work.place(&directory).await?;
    prove::prove(&mut work, &mut placed, &ways).await?;
    work.certificate(&mut placed).await
}

impl Work<'_> {
    /// Looks for what would doom the order.
    async fn preflight(&mut self, directory: &Directory, ways: &[Way]) -> Result<(), Trouble> {
        if !self.world.settings.preflight {
            return Ok(());
        }
        // Where CAA records follow from our accounts, this CA is among them only once there is one with it.
        let account = match self.world.snapshot().caa().is_some() {
            true => Some(account::open(self.world, self.ca, &self.client, directory).await?),
            false => account::known(self.world, self.ca, &self.client).await?,
        };
        let identities = &directory.meta.caa_identities;
        let applicant = Applicant { identities, account: account.as_ref().map(Account::id) };
        let proven: Vec<Proven<'_>> = ways
            .iter()
            .map(|way| Proven { subject: &way.subject, place: way.place.as_ref(), method: way.method.name() })
            .collect();
        let notes = preflight::look(&self.world.snapshot(), &self.world.resolver, &applicant, &proven).await?;
        notes.iter().for_each(|note| self.log.step(note));
        Ok(())
    }

    /// Places the order; from here on it counts.
    async fn place(&mut self, directory: &Directory) -> Result<instant_acme::Order, Trouble> {
        let account = account::open(self.world, self.ca, &self.client, directory).await?;
        self.log.step(format_args!("our account there is {}", account.id()));
        let replaces = self.replaces(directory);
        let placed = match self.send(&account, replaces.as_ref()).await {
            Err(trouble) if trouble.is_about_the_account() => {
                self.log.step(format_args!("{}; a new account is made", trouble.message));
                account::forget(self.world, self.ca).await?;
                let account = account::open(self.world, self.ca, &self.client, directory).await?;
                self.send(&account, None).await
            }
            Err(trouble) if replaces.is_some() && is_about_replacing(&trouble) => {
                self.log.step(format_args!("{}; it is ordered as a new one", trouble.message));
                self.send(&account, None).await
            }
            told => told,
        }?;
        self.log.attempt.ordered = true;
        self.log.step(format_args!("the CA took the order: {}", placed.url()));
        self.world.note(&self.order.subjects, &self.log.attempt).await?;
        Ok(placed)
    }

    async fn send(
        &self,
        account: &Account,
        replaces: Option<&CertificateIdentifier<'static>>,
    ) -> Result<instant_acme::Order, Trouble> {
        let identifiers: Vec<Identifier> = self
            .order
            .subjects
            .iter()
            .map(|subject| match subject {
                Subject::Name(name) => Identifier::Dns(name.to_string()),
                Subject::Address(address) => Identifier::Ip(*address),
            })
            .collect();
        let mut new = NewOrder::new(&identifiers);
        if let Some(profile) = &self.ca.profile {
            new = new.profile(profile);
        }
        if let Some(replaces) = replaces {
            new = new.replaces(replaces.clone());
        }
        account.new_order(&new).await.map_err(|error| self.trouble(error))
    }

    /// What the CA is told that the new certificate replaces, where it understands that.
    fn replaces(&self, directory: &Directory) -> Option<CertificateIdentifier<'static>> {
        directory.renewal_info.as_ref()?;
        let held = self.order.replaces.as_ref().filter(|_| is_renewal(self.order, self.ca))?;
        CertificateIdentifier::try_from(held.own()).ok().map(CertificateIdentifier::into_owned)
    }

    /// Has the CA sign a request with a new key, and checks what it sends.
    async fn certificate(&mut self, placed: &mut instant_acme::Order) -> Result<Arc<Certificate>, Trouble> {
        let key = Key::generate(self.world.settings.key)?;
        let request = cert::request(&self.order.subjects, &key)?;
        placed.finalize_csr(&request).await.map_err(|error| self.trouble(error))?;
        self.log.step("the CA has our request");
        let chain = placed.poll_certificate(&patience()).await.map_err(|error| self.trouble(error))?;
        let made = Certificate::received(&chain, key, Origin::Acme(self.ca.directory.clone())).map_err(|fault| {
            Trouble::of_this_ca(format!("what the CA sent is of no use: {}", fault.message), "tell the CA")
        })?;
        self.check(&made)?;
        self.log.step(format_args!(
            "the CA sent a certificate, serial {}, until {}",
            made.serial(),
            cert::date(made.not_after())
        ));
        Ok(Arc::new(made))
    }

    fn check(&self, made: &Certificate) -> Result<(), Trouble> {
        if made.subjects() != self.order.subjects {
            let names: Vec<_> = made.subjects().iter().map(ToString::to_string).collect();
            let message = format!("the CA sent a certificate for other names: {}", names.join(", "));
            return Err(Trouble::of_this_ca(message, "tell the CA"));
        }
        let now = now();
        if made.not_after() <= now || made.not_before() > now + AHEAD_MAX {
            let (from, until) = (cert::date(made.not_before()), cert::date(made.not_after()));
            let message = format!("the CA sent a certificate that is not valid now, but from {from} to {until}");
            return Err(Trouble::of_this_ca(message, "check this machine's clock"));
        }
        Ok(())
    }
}

/// Whether the CA only minds that the order names what it replaces (RFC 9773, section 5).
fn is_about_replacing(trouble: &Trouble) -> bool {
    trouble.kind.as_deref() == Some("alreadyReplaced") || trouble.message.contains("replaces")
}
