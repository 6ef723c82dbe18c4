//! Creating, listing, updating and deleting knowledge bases.

use std::collections::HashSet;

use super::Knowledge;
use crate::{
    KnowledgeBase, KnowledgeBaseId, KnowledgeError,
    events::BaseDeleted,
    jobs::Sync,
    model::{BaseChanges, Counts},
    store::{self, bases::NewBase},
};
use llm::EXTRACTIVE_MODEL;
use platform::{
    db::{self, Tx},
    error::FieldError,
    http::{Principal, Slice},
    ids::OrgId,
    names::{tidy, tidy_text},
};

/// Each additional language costs OCR time and, with many, accuracy.
const MAX_LANGUAGES: usize = 10;

impl Knowledge {
    pub async fn create_base(&self, who: &Principal, new: BaseChanges) -> Result<KnowledgeBase, KnowledgeError> {
        self.create_base_as(who.org_id, &who.subject(), new).await
    }

    pub(super) async fn create_base_as(
        &self,
        org: OrgId,
        subject: &str,
        new: BaseChanges,
    ) -> Result<KnowledgeBase, KnowledgeError> {
        let new = self.checked(BaseChanges { name: Some(new.name.unwrap_or_default()), ..new }).await?;
        let id = KnowledgeBaseId::generate(&self.inner.clock);
        let now = self.inner.clock.now();
        let mut tx = self.inner.db.tenant(org).await?;
        let new = NewBase {
            id,
            org,
            name: new.name.as_deref().unwrap_or_default(),
            description: new.description.as_deref().unwrap_or_default(),
            reading: new.reading.unwrap_or_default(),
            ocr_languages: new.ocr_languages.as_deref().unwrap_or_default(),
            vision_model: new.vision_model.as_deref().unwrap_or_default(),
            created_by: subject,
            now,
        };
        let base = store::bases::insert(&mut tx, &new).await.map_err(name_error)?;
        tx.commit().await?;
        Ok(base)
    }

    /// Newest first; `search` matches a substring of the name or description.
    pub async fn list_bases(
        &self,
        org: OrgId,
        search: Option<&str>,
        slice: &Slice,
    ) -> Result<Vec<KnowledgeBase>, KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let bases = store::bases::list(&mut tx, search, slice).await?;
        drop(tx);
        Ok(bases)
    }

    /// What the organisation has.
    pub async fn counts(&self, org: OrgId) -> Result<Counts, KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let counts = store::bases::counts(&mut tx).await?;
        drop(tx);
        Ok(counts)
    }

    pub async fn get_base(&self, org: OrgId, id: KnowledgeBaseId) -> Result<KnowledgeBase, KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let base = get(&mut tx, id).await?;
        drop(tx);
        Ok(base)
    }

    /// [`KnowledgeError::BaseNotFound`] where there is none. Costs nothing that grows with its documents, as [`Self::get_base`] does.
    pub async fn require_base(&self, org: OrgId, id: KnowledgeBaseId) -> Result<(), KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let exists = store::bases::exists(&mut tx, id).await?;
        drop(tx);
        if exists { Ok(()) } else { Err(KnowledgeError::BaseNotFound) }
    }

    /// `None` leaves a field unchanged.
    pub async fn update_base(
        &self,
        org: OrgId,
        id: KnowledgeBaseId,
        changes: BaseChanges,
    ) -> Result<KnowledgeBase, KnowledgeError> {
        let changes = self.checked(changes).await?;
        let mut tx = self.inner.db.tenant(org).await?;
        store::bases::update(&mut tx, id, &changes, self.inner.clock.now()).await.map_err(name_error)?;
        let base = get(&mut tx, id).await?;
        tx.commit().await?;
        Ok(base)
    }

    /// Normalises and validates the changes.
    async fn checked(&self, changes: BaseChanges) -> Result<BaseChanges, KnowledgeError> {
        let clean = |text: String| tidy_text(&text);
        let languages = |list: Vec<String>| {
            let mut kept: Vec<String> = list.into_iter().map(clean).filter(|language| !language.is_empty()).collect();
            let mut seen = HashSet::new();
            kept.retain(|language| seen.insert(language.clone()));
            kept
        };
        let changes = BaseChanges {
            name: changes.name.map(|name| tidy(&name)),
            description: changes.description.map(clean),
            reading: changes.reading,
            ocr_languages: changes.ocr_languages.map(languages),
            vision_model: changes.vision_model.map(clean),
        };
        let mut errors = check(&changes);
        if changes.vision_model.as_deref() == Some(EXTRACTIVE_MODEL) {
            let text = format!("{EXTRACTIVE_MODEL} cannot read images");
            errors.push(FieldError::new("/vision_model", "not_a_vision_model", text));
        } else if let Some(model) = changes.vision_model.as_deref().filter(|model| !model.is_empty())
            && let Err(refused) = self.inner.llm.check_chat_model(model).await
        {
            errors.push(FieldError::new("/vision_model", refused.code, refused.message));
        }
        if errors.is_empty() { Ok(changes) } else { Err(KnowledgeError::Invalid(errors)) }
    }

    /// Returns when the base is gone for every reader; a job removes objects and index afterwards.
    pub async fn delete_base(&self, org: OrgId, id: KnowledgeBaseId) -> Result<(), KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let hashes = store::chunks::hashes(&mut tx, id, None).await?;
        if !store::bases::delete(&mut tx, id).await? {
            return Err(KnowledgeError::BaseNotFound);
        }
        self.forget(&mut tx, &hashes).await?;
        let sync = Sync { knowledge_base_id: id, deleted: None };
        jobs::enqueue(&mut tx, &self.inner.clock, Some(org), &sync, &Sync::options(id)).await?;
        events::publish(&mut tx, &self.inner.clock, Some(org), &BaseDeleted { knowledge_base_id: id }).await?;
        tx.commit().await?;
        tracing::info!(knowledge_base = %id, "knowledge base {id} deleted");
        Ok(())
    }

    /// Removes deleted chunks from the embedding cache.
    pub(crate) async fn forget(&self, tx: &mut Tx, hashes: &[Vec<u8>]) -> Result<(), KnowledgeError> {
        let hashes: Vec<[u8; 32]> = hashes.iter().filter_map(|hash| hash.as_slice().try_into().ok()).collect();
        self.inner.llm.forget_passages(tx, &hashes).await?;
        Ok(())
    }
}

fn name_error(error: sqlx::Error) -> KnowledgeError {
    match db::constraint(&error) {
        Some("knowledge_bases_name_key") => KnowledgeError::BaseNameTaken,
        _ => error.into(),
    }
}

async fn get(tx: &mut Tx, id: KnowledgeBaseId) -> Result<KnowledgeBase, KnowledgeError> {
    store::bases::get(tx, id).await?.ok_or(KnowledgeError::BaseNotFound)
}

fn check(changes: &BaseChanges) -> Vec<FieldError> {
    let mut errors = Vec::new();
    match changes.name.as_ref().map(|name| name.chars().count()) {
        Some(0) => errors.push(FieldError::new("/name", "required", "give the knowledge base a name")),
        Some(201..) => errors.push(FieldError::new("/name", "too_long", "at most 200 characters")),
        _ => {}
    }
    if changes.description.as_ref().is_some_and(|text| text.chars().count() > 2000) {
        errors.push(FieldError::new("/description", "too_long", "at most 2000 characters"));
    }
    let languages = changes.ocr_languages.as_deref().unwrap_or_default();
    if languages.len() > MAX_LANGUAGES {
        errors.push(FieldError::new("/ocr_languages", "too_long", format!("at most {MAX_LANGUAGES} languages")));
    }
    if let Some(odd) = languages.iter().find(|language| !is_language(language)) {
        let text = format!("{odd:?} is not a tesseract language code; examples: eng, rus, chi_sim");
        errors.push(FieldError::new("/ocr_languages", "invalid", text));
    }
    errors
}

/// Whether it has the form of a tesseract language code: `eng`, `chi_sim`, but not `script/Cyrillic`.
fn is_language(name: &str) -> bool {
    (2..=30).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
