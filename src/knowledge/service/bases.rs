//! Making, listing, changing and deleting knowledge bases.

use uuid::Uuid;

use super::Knowledge;
use crate::{
    jobs,
    knowledge::{
        KnowledgeBase, KnowledgeBaseId, KnowledgeError,
        jobs::Sync,
        store::{
            self,
            bases::{Filter, NewBase},
        },
    },
    platform::{db::Tx, error::FieldError, http::Principal, ids::OrgId, names::tidy},
};

impl Knowledge {
    pub async fn create_base(
        &self,
        who: &Principal,
        name: &str,
        description: &str,
    ) -> Result<KnowledgeBase, KnowledgeError> {
        self.create_base_as(who.org_id, &who.subject(), name, description).await
    }

    pub(super) async fn create_base_as(
        &self,
        org: OrgId,
        subject: &str,
        name: &str,
        description: &str,
    ) -> Result<KnowledgeBase, KnowledgeError> {
        let (name, description) = (tidy(name), clean(description));
        check(Some(&name), Some(&description))?;
        let id = KnowledgeBaseId::generate(&self.inner.clock);
        let now = self.inner.clock.now();
        let mut tx = self.inner.db.tenant(org).await?;
        let new = NewBase { id, org, name: &name, description: &description, created_by: subject, now };
        store::bases::insert(&mut tx, &new).await?;
        let base = get(&mut tx, id).await?;
        tx.commit().await?;
        Ok(base)
    }

    /// Newest first; `search` is a part of the name or description.
    pub async fn list_bases(
        &self,
        org: OrgId,
        search: Option<&str>,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<KnowledgeBase>, KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let filter = Filter { search, after, limit: Some(limit), ..Filter::default() };
        let bases = store::bases::list(&mut tx, &filter).await?;
        drop(tx);
        Ok(bases)
    }

    pub async fn get_base(&self, org: OrgId, id: KnowledgeBaseId) -> Result<KnowledgeBase, KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let base = get(&mut tx, id).await?;
        drop(tx);
        Ok(base)
    }

    /// `None` leaves a field as it is.
    pub async fn update_base(
        &self,
        org: OrgId,
        id: KnowledgeBaseId,
        name: Option<&str>,
        description: Option<&str>,
    ) -> Result<KnowledgeBase, KnowledgeError> {
        let (name, description) = (name.map(clean), description.map(clean));
        check(name.as_deref(), description.as_deref())?;
        let mut tx = self.inner.db.tenant(org).await?;
        store::bases::update(&mut tx, id, name.as_deref(), description.as_deref(), self.inner.clock.now()).await?;
        let base = get(&mut tx, id).await?;
        tx.commit().await?;
        Ok(base)
    }

    /// Gone for everybody when this returns; objects and index follow by a job.
    pub async fn delete_base(&self, org: OrgId, id: KnowledgeBaseId) -> Result<(), KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let hashes = store::chunks::hashes(&mut tx, id, None).await?;
        if !store::bases::delete(&mut tx, id).await? {
            return Err(KnowledgeError::BaseNotFound);
        }
        self.forget(&mut tx, &hashes).await?;
        let sync = Sync { knowledge_base_id: id, deleted: None };
        jobs::enqueue(&mut tx, &self.inner.clock, Some(org), &sync, &Sync::options(id)).await?;
        tx.commit().await?;
        tracing::info!(knowledge_base = %id, "knowledge base {id} deleted");
        Ok(())
    }

    /// Takes deleted passages out of the embedding cache.
    pub(in crate::knowledge) async fn forget(&self, tx: &mut Tx, hashes: &[Vec<u8>]) -> Result<(), KnowledgeError> {
        let hashes: Vec<[u8; 32]> = hashes.iter().filter_map(|hash| hash.as_slice().try_into().ok()).collect();
        self.inner.llm.forget_passages(tx, &hashes).await?;
        Ok(())
    }
}

async fn get(tx: &mut Tx, id: KnowledgeBaseId) -> Result<KnowledgeBase, KnowledgeError> {
    store::bases::get(tx, id).await?.ok_or(KnowledgeError::BaseNotFound)
}

/// Without surrounding space and without U+0000, which PostgreSQL does not store.
fn clean(text: &str) -> String {
    text.replace('\0', "").trim().to_owned()
}

fn check(name: Option<&str>, description: Option<&str>) -> Result<(), KnowledgeError> {
    let mut errors = Vec::new();
    match name.map(|name| name.chars().count()) {
        Some(0) => errors.push(FieldError::new("/name", "required", "give the knowledge base a name")),
        Some(201..) => errors.push(FieldError::new("/name", "too_long", "at most 200 characters")),
        _ => {}
    }
    if description.is_some_and(|text| text.chars().count() > 2000) {
        errors.push(FieldError::new("/description", "too_long", "at most 2000 characters"));
    }
    if errors.is_empty() { Ok(()) } else { Err(KnowledgeError::Invalid(errors)) }
}
