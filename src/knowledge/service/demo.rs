//! The demo base: a team handbook in English and Russian, so that a new user can ask a question at once.

use std::convert::Infallible;

use bytes::Bytes;
use rust_embed::RustEmbed;

use super::Knowledge;
use crate::{KnowledgeBase, KnowledgeError, model::BaseChanges};
use platform::{http::Slice, ids::OrgId};

/// Identifies the demo base within an organisation.
const NAME: &str = "Demo handbook";
/// Recorded as the creator of its rows.
const SUBJECT: &str = "system:demo";

#[derive(RustEmbed)]
#[folder = "../../demo/"]
struct Files;

impl Knowledge {
    /// Creates the demo base and its documents. Idempotent: a base with this name counts as the demo base, and
    /// documents it already holds are not added again.
    pub async fn load_demo(&self, org: OrgId) -> Result<KnowledgeBase, KnowledgeError> {
        let named = self.list_bases(org, Some(NAME), &Slice::first(200)).await?;
        let base = match named.into_iter().find(|base| base.name == NAME) {
            Some(base) => base,
            None => {
                let about = "How a small fictional team works: vacation, expenses, on-call, security, office. English and Russian.";
                let new = BaseChanges {
                    name: Some(NAME.to_owned()),
                    description: Some(about.to_owned()),
                    ..BaseChanges::default()
                };
                self.create_base_as(org, SUBJECT, new).await?
            }
        };
        for name in Files::iter() {
            let Some(file) = Files::get(&name) else { continue };
            let data = futures::stream::iter([Ok::<_, Infallible>(Bytes::from(file.data.into_owned()))]);
            self.upload_as(org, SUBJECT.to_owned(), base.id, &name, data).await?;
        }
        self.get_base(org, base.id).await
    }
}
