//! Our account with a CA: made once, kept in the store, made anew when the CA does not know it any more.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use instant_acme::{Account, AccountCredentials, ExternalAccountKey, NewAccount};
use zeroize::Zeroizing;

use super::client::Client;
use super::directory::Directory;
use super::settings::Ca;
use super::trouble::{Trouble, plain};
use super::world::World;
use crate::cert::{self, Identified};
use crate::store::{Change, Item, ItemKey, Shelf};

/// Octets of a file with the key of an external account.
const KEY_FILE_SIZE_MAX: usize = 4_096;

/// The account that is in the store, if there is one.
pub(super) async fn known(world: &World, ca: &Ca, client: &Client) -> Result<Option<Account>, Trouble> {
    let Some(kept) = world.snapshot().accounts.get(&id(ca)).cloned() else { return Ok(None) };
    let credentials: AccountCredentials = serde_json::from_str(kept.credentials()).map_err(|_| {
        Trouble::ours(format!("the account with {} cannot be read from the store", ca.directory), "restore a backup")
    })?;
    let builder = Account::builder_with_http(Box::new(client.clone()));
    let account =
        builder.from_credentials(credentials).await.map_err(|error| Trouble::of(error, client.take_retry_after()))?;
    Ok(Some(account))
}

/// The account in the store, or a new one.
pub(super) async fn open(world: &World, ca: &Ca, client: &Client, directory: &Directory) -> Result<Account, Trouble> {
    let _one_at_a_time = world.accounts.lock().await;
    match known(world, ca, client).await? {
        Some(account) => {
            follow_contact(world, ca, client, &account).await?;
            follow_issuers(world, ca, directory, &account).await?;
            Ok(account)
        }
        None => create(world, ca, client, directory).await,
    }
}

/// Forgets the account, because the CA does.
pub(super) async fn forget(world: &World, ca: &Ca) -> Result<(), Trouble> {
    let _one_at_a_time = world.accounts.lock().await;
    match world.snapshot().accounts.get(&id(ca)) {
        Some(_) => world.commit(Change::DeleteItem(ItemKey::new(Shelf::Account, id(ca)))).await,
        None => Ok(()),
    }
}

fn id(ca: &Ca) -> String {
    cert::Account::id_of(&ca.directory, ca.eab_id.as_deref())
}

async fn create(world: &World, ca: &Ca, client: &Client, directory: &Directory) -> Result<Account, Trouble> {
    let binding = binding(ca)?;
    if directory.meta.external_account_required && binding.is_none() {
        return Err(Trouble::of_this_ca(
            "the CA wants an external account",
            "ask it for one and set acme.ca.eab_id and acme.ca.eab_key_file",
        ));
    }
    let contact = contact(world);
    let contacts: Vec<&str> = contact.iter().map(String::as_str).collect();
    let new = NewAccount { contact: &contacts, terms_of_service_agreed: true, only_return_existing: false };
    let made =
        Account::builder_with_http(Box::new(client.clone())).create(&new, ca.directory.clone(), binding.as_ref());
    let (account, credentials) = made.await.map_err(|error| {
        let trouble = Trouble::of(error, client.take_retry_after());
        match (binding.is_some(), trouble.kind.as_deref()) {
            (true, Some("malformed" | "unauthorized")) => Trouble {
                cure: "compare acme.ca.eab_id and the key in acme.ca.eab_key_file with what the CA gave you".to_owned(),
                another_ca_may_help: true,
                ..trouble
            },
            _ => trouble,
        }
    })?;
    let credentials = serde_json::to_string(&credentials).map(Zeroizing::new);
    let credentials = credentials.map_err(|_| Trouble::ours("the new account cannot be kept", "report this"))?;
    let kept = cert::Account::new(&ca.directory, ca.eab_id.as_deref(), credentials, world.settings.contact.clone())
        .with_issuers(account.id(), &directory.meta.caa_identities);
    debug_assert_eq!(kept.id(), id(ca));
    world.commit(Change::PutItem(Item::Account(kept.into()))).await?;
    Ok(account)
}

/// Tells the CA another address when the settings have one.
async fn follow_contact(world: &World, ca: &Ca, client: &Client, account: &Account) -> Result<(), Trouble> {
    let snapshot = world.snapshot();
    let Some(kept) = snapshot.accounts.get(&id(ca)) else { return Ok(()) };
    let (wanted, told) = (world.settings.contact.as_deref(), kept.contact());
    if wanted == told {
        return Ok(());
    }
    let contact = contact(world);
    let contacts: Vec<&str> = contact.iter().map(String::as_str).collect();
    let updated = account.update_contacts(&contacts).await;
    updated.map_err(|error| Trouble::of(error, client.take_retry_after()))?;
    let credentials = Zeroizing::new(kept.credentials().to_owned());
    let kept = cert::Account::new(&ca.directory, ca.eab_id.as_deref(), credentials, wanted.map(str::to_owned))
        .with_issuers(kept.url(), kept.issuers());
    world.commit(Change::PutItem(Item::Account(kept.into()))).await
}

/// Keeps how the CA and the account are named in CAA records, which are made of it.
async fn follow_issuers(world: &World, ca: &Ca, directory: &Directory, account: &Account) -> Result<(), Trouble> {
    let snapshot = world.snapshot();
    let Some(kept) = snapshot.accounts.get(&id(ca)) else { return Ok(()) };
    let now = cert::Account::clone(kept).with_issuers(account.id(), &directory.meta.caa_identities);
    if now == **kept {
        return Ok(());
    }
    world.commit(Change::PutItem(Item::Account(now.into()))).await
}

fn contact(world: &World) -> Option<String> {
    world.settings.contact.as_ref().map(|address| format!("mailto:{address}"))
}

/// The external account of the settings.
fn binding(ca: &Ca) -> Result<Option<ExternalAccountKey>, Trouble> {
    let (Some(id), Some(file)) = (&ca.eab_id, &ca.eab_key_file) else { return Ok(None) };
    let fault = |reason: String| {
        Trouble::of_this_ca(
            format!("the key of the external account, {}, cannot be used: {reason}", file.display()),
            "correct acme.ca.eab_key_file: a file with the key in base64url, as the CA gave it",
        )
    };
    let text = Zeroizing::new(fs::read_to_string(file).map_err(|error| fault(plain(&error)))?);
    let text = text.trim().trim_end_matches('=');
    if text.len() > KEY_FILE_SIZE_MAX {
        return Err(fault(format!("it has {} octets", text.len())));
    }
    // Some CAs write it in the other alphabet.
    let key = URL_SAFE_NO_PAD
        .decode(text)
        .or_else(|_| STANDARD.decode(format!("{text}{}", &"==="[..(4 - text.len() % 4) % 4])));
    let key = Zeroizing::new(key.map_err(|_| fault("it is not base64url".to_owned()))?);
    if key.is_empty() {
        return Err(fault("it is empty".to_owned()));
    }
    Ok(Some(ExternalAccountKey::new(id.clone(), &key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_an_external_account_is_read_in_either_alphabet() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("eab");
        let ca = Ca { eab_id: Some("kid".into()), eab_key_file: Some(file.clone()), ..Ca::at("https://ca.example/") };
        let told = || binding(&ca).map(|key| key.is_some()).map_err(|trouble| trouble.to_string());
        assert!(told().unwrap_err().contains("no such file") || told().unwrap_err().contains("No such file"));
        for text in ["zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W\n", "a+/b", "a-_b", "YQ==", "YQ"]
        {
            fs::write(&file, text).unwrap();
            assert_eq!(told(), Ok(true), "{text}");
        }
        for (text, reason) in [("", "it is empty"), ("not base64!", "it is not base64url")] {
            fs::write(&file, text).unwrap();
            assert!(told().unwrap_err().contains(reason), "{text}");
        }
        assert!(binding(&Ca::at("https://ca.example/")).unwrap().is_none());
    }
}
