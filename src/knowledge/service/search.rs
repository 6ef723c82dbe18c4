//! Search: both arms over-fetch, results are fused by weighted reciprocal rank, text and permissions come from
//! PostgreSQL.

use std::{collections::HashMap, time::Duration};

use futures::future::join_all;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Knowledge,
    strength::{self, Meaning},
};
use crate::{
    ArmHit, ChunkId, DocumentId, Explain, KnowledgeBaseId, KnowledgeError, SearchFound, SearchHit, SearchMode,
    SearchRequest,
    metrics::Part,
    model::visible_title,
    store::{self, bases::Searchable, chunks::Found},
};
use llm::{CallContext, EmbedModel, InputKind};
use platform::{
    error::FieldError,
    http::Principal,
    ids::OrgId,
    telemetry::{Span, otlp::wire::Kind},
    trace,
};
use vectors::{ArmWeights, DEFAULT_K, FusedHit, Hit, IndexError, OVER_FETCH, fuse, table_name};

pub const MAX_QUERY_CHARS: usize = 4000;

/// Hits of each arm that an explanation names.
const EXPLAINED_HITS: usize = 30;
/// Chunks read beyond the requested limit.
const SPARE_HITS: usize = 8;

/// A query's vector, and the model that made it.
type Question = (EmbedModel, Vec<f32>);
/// The hits of one arm in each base.
type ByBase = Vec<Result<Vec<Hit>, IndexError>>;

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
    /// Searches one base; `BaseNotFound` if it does not exist.
    pub async fn search_base(
        &self,
        who: &Principal,
        base: KnowledgeBaseId,
        request: &SearchRequest,
    ) -> Result<SearchFound, KnowledgeError> {
        request.check()?;
        let found = self.search_as(&CallContext::of(who), &[base], request).await?;
        found.ok_or(KnowledgeError::BaseNotFound)
    }

    /// Searches several bases of an organisation at once, for its agents. Deleted bases are skipped, and documents that
    /// are not indexed yet are not found.
    pub async fn search(
        &self,
        org: OrgId,
        bases: &[KnowledgeBaseId],
        request: &SearchRequest,
    ) -> Result<SearchFound, KnowledgeError> {
        request.check()?;
        let found = self.search_as(&CallContext::job(org, "knowledge.search"), bases, request).await?;
        Ok(found.unwrap_or_default())
    }

    /// `None` if none of these bases exists.
    async fn search_as(
        &self,
        call: &CallContext,
        bases: &[KnowledgeBaseId],
        request: &SearchRequest,
    ) -> Result<Option<SearchFound>, KnowledgeError> {
        let mut span = Span::part(Kind::Internal, || "knowledge.search".to_owned());
        let result = trace::inside(span.context(), self.look(call, bases, request)).await;
        if span.is_recorded() {
            span.set("holdfast.org_id", &*call.org_id.to_string());
            span.set("holdfast.search.mode", request.mode.as_str());
            span.set("holdfast.search.bases", bases.len() as u64);
            match &result {
                Ok(found) => {
                    span.set("holdfast.search.hits", found.as_ref().map_or(0, |found| found.hits.len()) as u64);
                    span.set("holdfast.search.words_only", found.as_ref().is_some_and(|found| found.words_only));
                }
                Err(_) => span.failed("search_failed"),
            }
        }
        result
    }

    #[tracing::instrument(name = "knowledge.search", skip_all, fields(mode = request.mode.as_str(), bases = bases.len()))]
    async fn look(
        &self,
        call: &CallContext,
        bases: &[KnowledgeBaseId],
        request: &SearchRequest,
    ) -> Result<Option<SearchFound>, KnowledgeError> {
        let begin = Instant::now();
        let ids: Vec<Uuid> = bases.iter().map(|id| id.0).collect();
        let bases = self.timed(Part::Bases, self.searchable(call.org_id, &ids)).await?;
        if bases.is_empty() {
            return Ok(None);
        }
        let bases: Vec<Searchable> = bases.into_iter().filter(|base| base.chunks > 0).collect();
        if bases.is_empty() {
            return Ok(Some(SearchFound::default()));
        }
        let fetch = OVER_FETCH.max(request.limit * 4);
        // Full-text search does not wait for the query's vector.
        let (by_meaning, by_words) = tokio::join!(
            self.by_meaning(call, &bases, request, fetch),
            join_all(bases.iter().map(|base| self.by_words(base, request, fetch)))
        );
        let (mut vector, mut text) = (Vec::new(), Vec::new());
        let (by_meaning, everywhere) = by_meaning?;
        let meant = by_meaning.is_some();
        let words_only = request.mode != SearchMode::Text && !everywhere;
        let by_meaning = by_meaning.unwrap_or_else(|| bases.iter().map(|_| Ok(Vec::new())).collect());
        for (base, (by_meaning, by_words)) in bases.iter().zip(by_meaning.into_iter().zip(by_words)) {
            match by_meaning.and_then(|by_meaning| Ok((by_meaning, by_words?))) {
                Ok((by_meaning, by_words)) => {
                    vector.extend(by_meaning);
                    text.extend(by_words);
                }
                Err(error) => self.without_index(call.org_id, base, error).await?,
            }
        }
        // Cosine and BM25 scores are comparable within an arm, across bases too.
        for arm in [&mut vector, &mut text] {
            arm.sort_by(|a, b| b.score.total_cmp(&a.score));
        }
        let arms = begin.elapsed();
        let explain = request.explain.then(|| explain(request, &bases, [&vector, &text]));
        let meaning = meant.then(|| Meaning {
            near: vector.iter().map(|hit| (hit.chunk_id, f64::from(hit.score))).collect(),
            floor: strength::floor(&bases, &request.query),
        });
        let fused = match request.mode {
            SearchMode::Vector => single(&vector, |hit, rank| hit.vector_rank = Some(rank)),
            SearchMode::Text => single(&text, |hit, rank| hit.text_rank = Some(rank)),
            SearchMode::Hybrid => fuse(&vector, &text, weights(&bases, &request.query), DEFAULT_K, 2 * fetch),
        };
        let mut hits = self.timed(Part::Rows, self.hydrate(call.org_id, &ids, &fused, request.limit)).await?;
        strength::mark(&mut hits, &request.query, meaning.as_ref());
        // Truncate after marking: a weak match must not displace an answer.
        hits.truncate(request.limit);
        let matches = hits.iter().filter(|hit| !hit.weak).count();
        self.inner.metrics.searched(request.mode, begin.elapsed(), hits.len(), matches);
        let explain = explain.map(|explain| {
            let parts = [("arms", arms), ("rows", begin.elapsed().saturating_sub(arms))];
            Explain { parts_ms: parts.map(|(part, took)| (part.to_owned(), millis(took))).into(), ..explain }
        });
        Ok(Some(SearchFound { hits, words_only, explain }))
    }

    async fn searchable(&self, org: OrgId, ids: &[Uuid]) -> Result<Vec<Searchable>, KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        // Return the connection before the model and the index do their work.
        Ok(store::bases::searchable(&mut tx, ids).await?)
    }

    /// `None` for a full-text search, or for a hybrid one while no model is available.
    async fn question(&self, call: &CallContext, request: &SearchRequest) -> Result<Option<Question>, KnowledgeError> {
        if request.mode == SearchMode::Text {
            return Ok(None);
        }
        let embedded = async {
            let model = self.inner.llm.embedder().await?;
            let texts = std::slice::from_ref(&request.query);
            let embedding = self.inner.llm.embed(call, &model, InputKind::Query, texts);
            let vectors = self.timed(Part::Embed, embedding).await?;
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

    /// The vector hits of each base (`None` if the query has no vector), and whether every base could be compared by
    /// vector.
    async fn by_meaning(
        &self,
        call: &CallContext,
        bases: &[Searchable],
        request: &SearchRequest,
        fetch: usize,
    ) -> Result<(Option<ByBase>, bool), KnowledgeError> {
        let Some((model, vector)) = self.question(call, request).await? else { return Ok((None, false)) };
        let asked = bases.iter().map(async |base| {
            // Vectors of another model cannot be compared with this query; reconciling rebuilds the base.
            if model.id != base.embedding_model {
                return Ok(Vec::new());
            }
            self.timed(Part::Vector, self.inner.index.vector_search(&table_of(base), &vector, fetch)).await
        });
        let everywhere = bases.iter().all(|base| base.embedding_model == model.id);
        Ok((Some(join_all(asked).await), everywhere))
    }

    /// The text hits of one base; empty if its table does not exist yet.
    async fn by_words(&self, base: &Searchable, request: &SearchRequest, fetch: usize) -> Result<Vec<Hit>, IndexError> {
        if request.mode == SearchMode::Vector {
            return Ok(Vec::new());
        }
        self.timed(Part::Text, self.inner.index.text_search(&table_of(base), &request.query, fetch)).await
    }

    async fn timed<T>(&self, part: Part, asking: impl Future<Output = T>) -> T {
        let asked = Instant::now();
        let answer = asking.await;
        self.inner.metrics.part(part, asked.elapsed());
        answer
    }

    /// Handles a base whose index could not be searched. Without chunks there is nothing to find. Otherwise a rebuild
    /// is queued, and this search fails.
    async fn without_index(&self, org: OrgId, base: &Searchable, error: IndexError) -> Result<(), KnowledgeError> {
        if !matches!(error, IndexError::NoSuchTable(_) | IndexError::Damaged(_)) {
            return Err(error.into());
        }
        let mut tx = self.inner.db.tenant(org).await?;
        let expected = store::chunks::count_indexed(&mut tx, base.id, base.index_generation).await?;
        if expected > 0 {
            self.sync_soon(&mut tx, org, base.id).await?;
        }
        tx.commit().await?;
        if expected > 0 { Err(error.into()) } else { Ok(()) }
    }

    /// Loads the texts of the best hits, slightly more than `limit`. Chunks that this organisation may not see, or that
    /// were deleted meanwhile, are left out.
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
        let mut tx = self.inner.db.tenant(org).await?;
        let mut hits = Vec::with_capacity(limit);
        // A few spare ones, since some may belong to documents that are not ready; the rest is only read if those do
        // not suffice.
        let (likely, rest) = fused.split_at(fused.len().min(limit + SPARE_HITS));
        for part in [likely, rest].into_iter().filter(|part| !part.is_empty()) {
            let ids: Vec<Uuid> = part.iter().map(|hit| hit.chunk_id).collect();
            let found = store::chunks::found(&mut tx, bases, &ids).await?;
            let mut found: HashMap<Uuid, Found> = found.into_iter().map(|found| (found.id.0, found)).collect();
            hits.extend(part.iter().filter_map(|hit| found.remove(&hit.chunk_id).map(|found| answer(found, hit))));
            if hits.len() >= limit {
                break;
            }
        }
        Ok(hits)
    }
}

/// How this search went, but for the times. The hits of each arm are sorted.
fn explain(request: &SearchRequest, bases: &[Searchable], arms: [&[Hit]; 2]) -> Explain {
    let best = |arm: &[Hit]| -> Vec<ArmHit> {
        let hit = |hit: &Hit| ArmHit {
            chunk_id: ChunkId(hit.chunk_id),
            document_id: DocumentId(hit.document_id),
            score: hit.score,
        };
        arm.iter().take(EXPLAINED_HITS).map(hit).collect()
    };
    let ArmWeights { vector, text } = weights(bases, &request.query);
    Explain {
        query: request.query.clone(),
        mode: request.mode,
        weights: (vector, text),
        floor: strength::floor(bases, &request.query),
        bases: bases.iter().map(|base| (base.id, base.index_generation)).collect(),
        vector: best(arms[0]),
        text: best(arms[1]),
        parts_ms: Vec::new(),
    }
}

fn millis(took: Duration) -> u32 {
    u32::try_from(took.as_millis()).unwrap_or(u32::MAX)
}

fn table_of(base: &Searchable) -> String {
    table_name(base.id.0, base.index_generation)
}

/// With a single arm, its own scores are kept.
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

/// The weights for this query, averaged over the bases by size.
fn weights(bases: &[Searchable], query: &str) -> ArmWeights {
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
        title: visible_title(&found.title, &found.filename),
        filename: found.filename,
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
