//! Certificates: how they stand and why, asked for, renewed, brought, handed out.
//!
//! Nothing here talks to a CA: what somebody wants is written into the store, and [`crate::acme`] sees it. Private keys leave by
//! one endpoint, and that is for administrators.
//!
//! A token that is limited to zones reaches the certificates all of whose names lie in them.

mod view;

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Allowed, unix_seconds};
use super::extract::{Body, NoQuery};
use super::problem::{BadValues, NoSuchCertificate, NotFound, StillWanted};
use super::status::WARNINGS_MAX;
use super::{Admin, Problem, ZoneFault, change};
use crate::access::Object;
use crate::acme;
use crate::cert::{Certificate, Identified, Origin, Story, Subject};
use crate::store::{Change, Decision, Item, ItemKey, Shelf, Snapshot};
use crate::wire::{Key, Kind, Name};
use crate::zone::Fault;
pub(super) use view::next;
pub use view::{
    CertificateAttempt, CertificateDetails, CertificateError, CertificateList, CertificateStep, CertificateSummary,
    CertificateWindow,
};

/// Names of one certificate.
const NAMES_MAX: usize = 100;
/// The kind of what is handed out (RFC 8555, section 9.1).
const PEM: &str = "application/pem-certificate-chain";

/// A certificate that somebody wants, be there a route for it or not.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCertificate {
    /// The names, all on one certificate.
    #[schema(min_items = 1, max_items = 100, examples("mail.home.example"))]
    pub names: Vec<String>,
}

/// A certificate that was made elsewhere.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportedCertificate {
    /// The certificate and those that vouch for it, in PEM form, the server's own first.
    #[schema(examples("-----BEGIN CERTIFICATE-----\n..."))]
    pub chain: String,
    /// Its private key, in PEM form, without a passphrase.
    #[schema(examples("-----BEGIN PRIVATE KEY-----\n..."))]
    pub key: String,
}

/// The `{name}` of a path: the id of a certificate, or a name it is for.
pub(in crate::api) struct CertificateName(String);

impl<S: Send + Sync> FromRequestParts<S> for CertificateName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(name) = Path::<String>::from_request_parts(parts, state).await.map_err(|fault| {
            Problem::bad_request(fault.body_text(), "the list of certificates shows the id of each")
        })?;
        Ok(Self(name))
    }
}

impl CertificateName {
    /// The id it stands for: itself, or that of what is served for the name, or of what was tried for it.
    fn id(&self, snapshot: &Snapshot, now: u64) -> Result<String, Problem> {
        let name = self.0.trim_end_matches('.').to_ascii_lowercase();
        let known = |id: &str| snapshot.certificates.get(id).is_some() || snapshot.stories.get(id).is_some();
        if known(&name) {
            return Ok(name);
        }
        let tried = || {
            let subject: Subject = name.parse().ok()?;
            let has = |story: &&Arc<Story>| story.subjects().iter().any(|own| own.covers(&subject));
            snapshot.stories.iter().find(has).map(|story| story.id().to_owned())
        };
        let served = snapshot.certificates.for_server_name(&name, now).map(|held| held.id().to_owned());
        served.or_else(tried).ok_or_else(|| no_certificate(&self.0))
    }
}

/// Finds what a path names, if whoever asks may reach it.
fn reach(allowed: &Allowed, name: &CertificateName) -> Result<(Arc<Admin>, Arc<Snapshot>, String), Problem> {
    let admin = allowed.to(Object::Server)?;
    let snapshot = admin.store.snapshot();
    let id = name.id(&snapshot, unix_seconds())?;
    permit(allowed, &snapshot, &subjects_of(&snapshot, &id))?;
    Ok((admin, snapshot, id))
}

fn subjects_of(snapshot: &Snapshot, id: &str) -> Vec<Subject> {
    let held = snapshot.certificates.get(id).map(|held| held.subjects().to_vec());
    held.or_else(|| snapshot.stories.get(id).map(|story| story.subjects().to_vec())).unwrap_or_default()
}

/// Whether these names may be reached: as their zones may; what lies in none of ours, as everything may.
fn permit(allowed: &Allowed, snapshot: &Snapshot, subjects: &[Subject]) -> Result<Arc<Admin>, Problem> {
    let mut admin = None;
    for subject in subjects {
        let name = match subject {
            Subject::Name(name) => name.strip_prefix("*.").unwrap_or(name).parse::<Name>().ok(),
            Subject::Address(_) => None,
        };
        let zone = name.and_then(|name| {
            let (zone, _) = snapshot.zones.closest(&Key::new(name.borrow()), Kind::A)?;
            Some(zone.apex().to_name())
        });
        admin = Some(match &zone {
            Some(zone) => allowed.to(Object::WholeZone(zone.borrow()))?,
            None => allowed.to(Object::Everything)?,
        });
    }
    admin.map_or_else(|| allowed.to(Object::Everything), Ok)
}

// ----- Endpoints ------------------------------------------------------------------------------------------

/// List all certificates
///
/// Also the names for which there is none yet. Without private keys.
#[utoipa::path(get, path = "/v1/certificates", tag = "Certificates", operation_id = "listCertificates",
    responses((status = 200, description = "The certificates.", body = CertificateList)))]
pub(in crate::api) async fn list(allowed: Allowed, _: NoQuery) -> Result<Json<CertificateList>, Problem> {
    let snapshot = allowed.to(Object::Server)?.store.snapshot();
    let now = unix_seconds();
    let mut ids = view::ids(&snapshot);
    ids.retain(|id| permit(&allowed, &snapshot, &subjects_of(&snapshot, id)).is_ok());
    let certificates = ids.iter().filter_map(|id| CertificateSummary::of(&snapshot, id, now)).collect();
    Ok(Json(CertificateList { revision: snapshot.revision, certificates }))
}

/// Read a certificate and its story
///
/// What was tried to get it, step by step, and what came of it.
#[utoipa::path(get, path = "/v1/certificates/{name}", tag = "Certificates", operation_id = "getCertificate",
    params(CertificateName),
    responses((status = 200, description = "The certificate.", body = CertificateDetails), NoSuchCertificate))]
pub(in crate::api) async fn get(
    allowed: Allowed,
    name: CertificateName,
    _: NoQuery,
) -> Result<Json<CertificateDetails>, Problem> {
    let (_, snapshot, id) = reach(&allowed, &name)?;
    CertificateDetails::of(&snapshot, &id, unix_seconds()).map(Json).ok_or_else(|| no_certificate(&name.0))
}

/// Ask for a certificate
///
/// For names that no route has: a mail server's, for instance. It is asked for and renewed until it is deleted.
#[utoipa::path(post, path = "/v1/certificates", tag = "Certificates", operation_id = "createCertificate",
    request_body = NewCertificate,
    responses((status = 202, description = "It is asked for.", body = CertificateDetails), BadValues))]
pub(in crate::api) async fn create(
    allowed: Allowed,
    _: NoQuery,
    Body(new): Body<NewCertificate>,
) -> Result<Response, Problem> {
    let mut subjects = read(&new)?;
    subjects.sort();
    subjects.dedup();
    let admin = permit(&allowed, &allowed.to(Object::Server)?.store.snapshot(), &subjects)?;
    let details = wish(&admin, &allowed, &subjects, |story| story.asked_for = true).await?;
    Ok((StatusCode::ACCEPTED, Json(details)).into_response())
}

/// Renew a certificate now
///
/// It is asked for at once, whatever its time. What the CA said about waiting, and the limits of the settings, are kept.
#[utoipa::path(post, path = "/v1/certificates/{name}/renewal", tag = "Certificates", operation_id = "renewCertificate",
    params(CertificateName),
    responses((status = 202, description = "It is asked for.", body = CertificateDetails), NoSuchCertificate))]
pub(in crate::api) async fn renew(allowed: Allowed, name: CertificateName, _: NoQuery) -> Result<Response, Problem> {
    let (admin, snapshot, id) = reach(&allowed, &name)?;
    let (subjects, now) = (subjects_of(&snapshot, &id), unix_seconds());
    let anew = move |story: &mut Story| {
        (story.renew_since, story.failures, story.retry_at, story.tried_soon) = (Some(now), 0, 0, false);
    };
    let details = wish(&admin, &allowed, &subjects, anew).await?;
    Ok((StatusCode::ACCEPTED, Json(details)).into_response())
}

/// Bring a certificate made elsewhere
///
/// Its key must belong to it, and each certificate of the chain must be vouched for by the next. It serves its names until it ends.
#[utoipa::path(post, path = "/v1/certificate-imports", tag = "Certificates", operation_id = "importCertificate",
    request_body = ImportedCertificate,
    responses((status = 201, description = "It is kept, and shown from now on.", body = CertificateDetails), BadValues))]
pub(in crate::api) async fn import(
    allowed: Allowed,
    _: NoQuery,
    Body(new): Body<ImportedCertificate>,
) -> Result<Response, Problem> {
    let now = unix_seconds();
    let read = Certificate::parse(&new.chain, &new.key, Origin::Imported);
    let read = read.and_then(|certificate| certificate.check_dates(now).map(|()| certificate));
    let certificate = Arc::new(read.map_err(|fault| values("/chain", &fault.message, &fault.cure))?);
    let admin = permit(&allowed, &allowed.to(Object::Server)?.store.snapshot(), certificate.subjects())?;
    commit(&admin, &allowed, Change::PutItem(Item::Certificate(Arc::clone(&certificate)))).await?;
    let details = CertificateDetails::of(&admin.store.snapshot(), certificate.id(), now);
    let details = details.ok_or_else(|| no_certificate(certificate.id()))?;
    Ok((StatusCode::CREATED, Json(details)).into_response())
}

/// Delete a certificate
///
/// One that somebody brought or asked for.
/// The names are not forgotten where a route has them: then the CAs take over.
#[utoipa::path(delete, path = "/v1/certificates/{name}", tag = "Certificates", operation_id = "deleteCertificate",
    params(CertificateName),
    responses((status = 204, description = "It is gone."), NoSuchCertificate, StillWanted))]
pub(in crate::api) async fn delete(allowed: Allowed, name: CertificateName, _: NoQuery) -> Result<StatusCode, Problem> {
    let (admin, snapshot, id) = reach(&allowed, &name)?;
    let is_asked = snapshot.stories.get(&id).is_some_and(|story| story.asked_for);
    let is_brought = snapshot.certificates.get(&id).is_some_and(|held| *held.origin() == Origin::Imported);
    if !is_asked && !is_brought {
        let detail = format!(
            "the certificate {id} was neither brought nor asked for by name: it is there for a route or for DNS"
        );
        return Err(Problem::new(
            StillWanted,
            detail,
            "delete the route, or take the name out of [dns.encrypted]; the certificate goes with it",
        ));
    }
    let subjects = subjects_of(&snapshot, &id);
    let decision = Decision::new(2, move |now| {
        let mut changes = Vec::new();
        if let Some(story) = now.stories.get(&id).filter(|story| story.asked_for) {
            let mut story = Story::clone(story);
            (story.asked_for, story.renew_since) = (false, None);
            changes.push(Change::PutItem(Item::Story(Arc::new(story))));
        }
        if now.certificates.get(&Certificate::id_of(&subjects)).is_some_and(|held| *held.origin() == Origin::Imported) {
            changes.push(Change::DeleteItem(ItemKey::new(Shelf::Certificate, id.clone())));
        }
        Ok(Change::Many(changes))
    });
    commit(&admin, &allowed, Change::Decide(decision)).await.map(|()| StatusCode::NO_CONTENT)
}

/// Export the chain of a certificate
#[utoipa::path(get, path = "/v1/certificates/{name}/chain", tag = "Certificates", operation_id = "exportChain",
    params(CertificateName),
    responses(
        (status = 200, description = "The certificate and those that vouch for it, in PEM form.",
            body = String, content_type = "application/pem-certificate-chain"),
        NoSuchCertificate))]
pub(in crate::api) async fn chain(allowed: Allowed, name: CertificateName, _: NoQuery) -> Result<Response, Problem> {
    let held = held(&allowed, &name)?;
    Ok(([(header::CONTENT_TYPE, PEM)], held.chain_pem()).into_response())
}

/// Export the private key of a certificate
///
/// Whoever has it can pretend to be the server.
#[utoipa::path(get, path = "/v1/certificates/{name}/key", tag = "Certificates", operation_id = "exportKey",
    params(CertificateName),
    responses(
        (status = 200, description = "The key, in PEM form.", body = String, content_type = "application/x-pem-file"),
        NoSuchCertificate))]
pub(in crate::api) async fn key(allowed: Allowed, name: CertificateName, _: NoQuery) -> Result<Response, Problem> {
    let held = held(&allowed, &name)?;
    tracing::warn!(certificate = held.id(), by = %allowed.actor(), "a private key was handed out");
    let headers = [(header::CONTENT_TYPE, "application/x-pem-file"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, held.key_pem().as_str().to_owned()).into_response())
}

/// Export the root of the built-in CA
///
/// What clients are to trust so that they take its certificates. Nothing in it is secret.
#[utoipa::path(get, path = "/v1/authority", tag = "Certificates", operation_id = "exportRoot",
    responses(
        (status = 200, description = "The root certificate, in PEM form.",
            body = String, content_type = "application/pem-certificate-chain"),
        NotFound))]
pub(in crate::api) async fn root(allowed: Allowed, _: NoQuery) -> Result<Response, Problem> {
    let snapshot = allowed.to(Object::Server)?.store.snapshot();
    let authority = snapshot.authority.as_ref().ok_or_else(|| {
        Problem::new(NotFound, "there is no built-in CA yet".to_owned(), "start the server; it makes one")
    })?;
    Ok(([(header::CONTENT_TYPE, PEM)], authority.root_pem()).into_response())
}

// ----- What they share ------------------------------------------------------------------------------------

/// What somebody has to see to, of the certificates that they may reach.
pub(super) fn warnings(allowed: &Allowed, snapshot: &Snapshot, now: u64) -> Vec<CertificateError> {
    let told = snapshot.certificates.iter().filter_map(|held| {
        let story = snapshot.stories.get(held.id()).map(|story| &**story);
        let warning = acme::warning(&snapshot.certificates, held, story, now)?;
        permit(allowed, snapshot, held.subjects()).ok()?;
        Some(CertificateError { message: warning.message, cure: warning.cure })
    });
    told.take(WARNINGS_MAX).collect()
}

/// The certificate that a path names.
fn held(allowed: &Allowed, name: &CertificateName) -> Result<Arc<Certificate>, Problem> {
    let (_, snapshot, id) = reach(allowed, name)?;
    snapshot.certificates.get(&id).cloned().ok_or_else(|| no_certificate(&name.0))
}

/// Writes what somebody wants into the story of these names.
async fn wish(
    admin: &Admin,
    allowed: &Allowed,
    subjects: &[Subject],
    change: impl Fn(&mut Story) + Send + Sync + 'static,
) -> Result<CertificateDetails, Problem> {
    let id = Certificate::id_of(subjects);
    let (key, subjects) = (id.clone(), subjects.to_vec());
    let decision = Decision::new(1, move |now| {
        let known = now.stories.get(&key);
        let mut story = known.map_or_else(|| Story::new(subjects.clone()), |story| Story::clone(story));
        change(&mut story);
        Ok(Change::PutItem(Item::Story(Arc::new(story))))
    });
    commit(admin, allowed, Change::Decide(decision)).await?;
    let details = CertificateDetails::of(&admin.store.snapshot(), &id, unix_seconds());
    details.ok_or_else(|| no_certificate(&id))
}

async fn commit(admin: &Admin, allowed: &Allowed, change: Change) -> Result<(), Problem> {
    let done = admin.store.commit(change, allowed.actor()).await;
    done.map(drop).map_err(|refused| change::refusal(&refused))
}

/// Reads names, and tells every wrong one at once.
fn read(new: &NewCertificate) -> Result<Vec<Subject>, Problem> {
    if new.names.is_empty() || new.names.len() > NAMES_MAX {
        let message = format!("{} names are not possible on one certificate", new.names.len());
        return Err(values("/names", &message, &format!("give 1 to {NAMES_MAX} names")));
    }
    let mut faults = Vec::new();
    let mut subjects = Vec::new();
    for (at, name) in new.names.iter().enumerate() {
        match name.parse::<Subject>() {
            Ok(subject) => subjects.push(subject),
            Err(fault) => {
                let fault = Fault::error(None, format!("{name:?} is no name for a certificate"), fault.to_string());
                faults.push(ZoneFault::in_field(format!("/names/{at}"), &fault));
            }
        }
    }
    if faults.is_empty() { Ok(subjects) } else { Err(Problem::bad_values(faults)) }
}

fn values(field: &str, message: &str, cure: &str) -> Problem {
    Problem::bad_values(vec![ZoneFault::in_field(field.to_owned(), &Fault::error(None, message, cure))])
}

fn no_certificate(name: &str) -> Problem {
    let hint = "`freehold cert list`, or GET /v1/certificates, shows all certificates";
    Problem::new(NoSuchCertificate, format!("there is no certificate for {name:?}, and none was asked for"), hint)
}

#[cfg(test)]
mod tests;
