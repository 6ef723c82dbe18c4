//! Questions: both arms over-fetched, fused by weighted reciprocal rank, text and permission from PostgreSQL.

use std::collections::HashMap;

use futures::future::try_join_all;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Knowledge,
    strength::{self, Meaning},
};
use crate::{
    knowledge::{
        KnowledgeBase, KnowledgeBaseId, KnowledgeError, SearchHit, SearchMode, SearchRequest,
        index::{ArmWeights, DEFAULT_K, FusedHit, Hit, IndexError, OVER_FETCH, fuse, table_name},
        metrics::Arm,
        store::{self, bases::Filter, chunks::Found},
    },
    llm::{CallContext, EmbedModel, InputKind},
    platform::{error::FieldError, http::Principal, ids::OrgId},
};

/// Longest query, characters.
pub const MAX_QUERY_CHARS: usize = 4000;

/// A question's vector, and the model that made it.
type Question = (EmbedModel, Vec<f32>);

impl SearchRequest {
    fn check(&self) -> Result<(), KnowledgeError> {
        let mut errors = Vec::new();
        match self.query.trim().chars().count() {
            0 => errors.push(FieldError::new("/query", "required", "ask something")),
            1..=MAX_QUERY_CHARS => {}
            _ => errors.push(FieldError::new("/query", "too_long", format!("at most {MAX_QUERY_CHARS} characters"))),
        }
        if !(1..=100).contains(&self.limit) {
            errors.push(FieldError::new("/limit", "out_of_range", format!("{} is outside 1 to 100", self.limit)));
        }
        if errors.is_empty() { Ok(()) } else { Err(KnowledgeError::Invalid(errors)) }
    }
}

impl Knowledge {
    /// Searches one base; `BaseNotFound` when there is no such base.
    pub async fn search_base(
        &self,
        who: &Principal,
        base: KnowledgeBaseId,
        request: &SearchRequest,
    ) -> Result<Vec<SearchHit>, KnowledgeError> {
        request.check()?;
        self.get_base(who.org_id, base).await?;
        self.search_as(&CallContext::of(who), &[base], request).await
    }

    /// Searches several bases of an organisation at once, for its agents. Bases that are gone are passed over; what is
    /// not indexed yet is not found yet.
    pub async fn search(
        &self,
        org: OrgId,
        bases: &[KnowledgeBaseId],
        request: &SearchRequest,
    ) -> Result<Vec<SearchHit>, KnowledgeError> {
        request.check()?;
        self.search_as(&CallContext::job(org, "knowledge.search"), bases, request).await
    }

    #[tracing::instrument(name = "knowledge.search", skip_all, fields(mode = request.mode.as_str(), bases = bases.len()))]
    async fn search_as(
        &self,
        call: &CallContext,
        bases: &[KnowledgeBaseId],
        request: &SearchRequest,
    ) -> Result<Vec<SearchHit>, KnowledgeError> {
        let begin = Instant::now();
        let ids: Vec<Uuid> = bases.iter().map(|id| id.0).collect();
        let mut tx = self.inner.db.tenant(call.org_id).await?;
        let bases = store::bases::list(&mut tx, &Filter { ids: Some(&ids), ..Filter::default() }).await?;
        // Not held while the model and the index work.
        tx.commit().await?;
        let bases: Vec<KnowledgeBase> = bases.into_iter().filter(|base| base.chunks > 0).collect();
        if bases.is_empty() {
            return Ok(Vec::new());
        }
        let question = self.question(call, request).await?;
        let fetch = OVER_FETCH.max(request.limit * 4);
        let arms =
            try_join_all(bases.iter().map(|base| self.ask(call.org_id, base, request, question.as_ref(), fetch)))
                .await?;
        let (mut vector, mut text) = (Vec::new(), Vec::new());
        for (by_meaning, by_words) in arms {
            vector.extend(by_meaning);
            text.extend(by_words);
        }
        // Cosine and BM25 compare within an arm, across bases too.
        for arm in [&mut vector, &mut text] {
            arm.sort_by(|a, b| b.score.total_cmp(&a.score));
        }
        let meaning = question.is_some().then(|| Meaning {
            near: vector.iter().map(|hit| (hit.chunk_id, f64::from(hit.score))).collect(),
            floor: strength::floor(&bases, &request.query),
        });
        let fused = match request.mode {
            SearchMode::Vector => single(&vector, |hit, rank| hit.vector_rank = Some(rank)),
            SearchMode::Text => single(&text, |hit, rank| hit.text_rank = Some(rank)),
            SearchMode::Hybrid => fuse(&vector, &text, weights(&bases, &request.query), DEFAULT_K, 2 * fetch),
        };
        let mut hits = self.hydrate(call.org_id, &ids, &fused, request.limit).await?;
        strength::mark(&mut hits, &request.query, meaning.as_ref());
        let matches = hits.iter().filter(|hit| !hit.weak).count();
        self.inner.metrics.searched(request.mode, begin.elapsed(), hits.len(), matches);
        Ok(hits)
    }

    /// `None` for a search by words, or when no model is at hand and words will do.
    async fn question(&self, call: &CallContext, request: &SearchRequest) -> Result<Option<Question>, KnowledgeError> {
        if request.mode == SearchMode::Text {
            return Ok(None);
        }
        let embedded = async {
            let model = self.inner.llm.embedder().await?;
            let texts = std::slice::from_ref(&request.query);
            let vectors = self.inner.llm.embed(call, &model, InputKind::Query, texts).await?;
            Ok(vectors.into_iter().next().map(|vector| (model, vector)))
        };
        match embedded.await {
            Ok(question) => Ok(question),
            Err(error) if request.mode == SearchMode::Hybrid => {
                self.inner.metrics.degraded(&error);
                Ok(None)
            }
            Err(error) => Err(KnowledgeError::Llm(error)),
        }
    }

    /// Both arms of one base. A table that is not made yet has found nothing.
    async fn ask(
        &self,
        org: OrgId,
        base: &KnowledgeBase,
        request: &SearchRequest,
        question: Option<&Question>,
        fetch: usize,
    ) -> Result<(Vec<Hit>, Vec<Hit>), KnowledgeError> {
        let table = table_name(base.id.0, base.index_generation);
        let by_meaning = async {
            match question {
                // Vectors of another model say nothing about this question; reconciling rebuilds that base.
                Some((model, vector)) if model.id == base.embedding_model => {
                    self.timed(Arm::Vector, self.inner.index.vector_search(&table, vector, fetch)).await
                }
                _ => Ok(Vec::new()),
            }
        };
        let by_words = async {
            if request.mode == SearchMode::Vector {
                return Ok(Vec::new());
            }
            self.timed(Arm::Text, self.inner.index.text_search(&table, &request.query, fetch)).await
        };
        let (by_meaning, by_words) = tokio::join!(by_meaning, by_words);
        match by_meaning.and_then(|by_meaning| Ok((by_meaning, by_words?))) {
            Ok(arms) => Ok(arms),
            Err(error) => self.without_index(org, base, error).await,
        }
    }

    async fn timed<T>(&self, arm: Arm, asking: impl Future<Output = T>) -> T {
        let asked = Instant::now();
        let answer = asking.await;
        self.inner.metrics.asked(arm, asked.elapsed());
        answer
    }

    /// What a search finds in a base whose index could not be asked: nothing where there is none yet. Where there should be one, making
    /// it again is queued, and the search fails for now.
    async fn without_index(
        &self,
        org: OrgId,
        base: &KnowledgeBase,
        error: IndexError,
    ) -> Result<(Vec<Hit>, Vec<Hit>), KnowledgeError> {
        if !matches!(error, IndexError::NoSuchTable(_) | IndexError::Damaged(_)) {
            return Err(error.into());
        }
        let mut tx = self.inner.db.tenant(org).await?;
        let expected = store::chunks::count_indexed(&mut tx, base.id, base.index_generation).await?;
        if expected > 0 {
            self.sync_soon(&mut tx, org, base.id).await?;
        }
        tx.commit().await?;
        if expected > 0 { Err(error.into()) } else { Ok((Vec::new(), Vec::new())) }
    }

    /// Texts for ids, best first; what this organisation may not see or what is gone meanwhile is left out.
    async fn hydrate(
        &self,
        org: OrgId,
        bases: &[Uuid],
        fused: &[FusedHit],
        limit: usize,
    ) -> Result<Vec<SearchHit>, KnowledgeError> {
        if fused.is_empty() {
            return Ok(Vec::new());
        }
        // More than asked for: some may belong to documents that are not ready.
        let ids: Vec<Uuid> = fused.iter().map(|hit| hit.chunk_id).collect();
        let mut tx = self.inner.db.tenant(org).await?;
        let found = store::chunks::found(&mut tx, bases, &ids).await?;
        tx.commit().await?;
        let mut found: HashMap<Uuid, Found> = found.into_iter().map(|found| (found.id.0, found)).collect();
        let hits = fused.iter().filter_map(|hit| found.remove(&hit.chunk_id).map(|found| answer(found, hit)));
        Ok(hits.take(limit).collect())
    }
}

/// One arm alone keeps its own scores.
fn single(hits: &[Hit], set_rank: fn(&mut FusedHit, usize)) -> Vec<FusedHit> {
    let ranked = hits.iter().enumerate().map(|(at, hit)| {
        let (chunk_id, document_id) = (hit.chunk_id, hit.document_id);
        let mut fused =
            FusedHit { chunk_id, document_id, score: f64::from(hit.score), vector_rank: None, text_rank: None };
        set_rank(&mut fused, at + 1);
        fused
    });
    ranked.collect()
}

/// The weights for this question, averaged over the bases by their size.
fn weights(bases: &[KnowledgeBase], query: &str) -> ArmWeights {
    let total: f64 = bases.iter().map(|base| base.chunks as f64).sum();
    let mut sum = ArmWeights { vector: 0.0, text: 0.0 };
    for base in bases {
        let share = base.chunks as f64 / total.max(1.0);
        let own = base.weights.as_ref().map_or_else(ArmWeights::default, |weights| weights.0.for_query(query).weights);
        sum.vector += own.vector * share;
        sum.text += own.text * share;
    }
    sum
}

fn answer(found: Found, hit: &FusedHit) -> SearchHit {
    SearchHit {
        chunk_id: found.id,
        document_id: found.document_id,
        knowledge_base_id: found.knowledge_base_id,
        filename: found.filename,
        title: found.title,
        text: found.text,
        weak: false,
        score: hit.score,
        vector_rank: hit.vector_rank,
        text_rank: hit.text_rank,
        page: found.page,
        heading: found.heading,
        table_header: found.table_header,
        start: found.start,
        end: found.end,
    }
}
