//! Embeddings from a server, in the order of the texts.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    super::{
        adaptation::Adaptation,
        embeddings,
        error::{Failure, LlmError},
        model::Embeddings,
        wire::{Usage, lenient},
    },
    Provider, adapt, exact, failure,
};

/// Error for vectors with NaN, infinity or null.
const NO_NUMBER: &str = "its model returned NaN or infinity for this text";

#[derive(Deserialize)]
struct EmbeddingList {
    data: Vec<EmbeddingItem>,
    #[serde(default, deserialize_with = "lenient")]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct EmbeddingItem {
    #[serde(default)]
    index: Option<usize>,
    embedding: Vector,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Vector {
    /// `null` is how JSON writers encode NaN.
    Numbers(Vec<Option<f32>>),
    Base64(String),
}

impl Provider {
    /// `more`: other parameters of the client, passed on unchanged.
    pub(super) async fn embed_input(
        &self,
        model: &str,
        input: Value,
        more: &Map<String, Value>,
    ) -> Result<Embeddings, LlmError> {
        let mut body = json!({"model": model, "input": input, "encoding_format": "float"});
        for (name, value) in more {
            body[name] = value.clone();
        }
        let mut known = self.known(model);
        let mut learned = None;
        let response = loop {
            if known.contains(&Adaptation::NoEncodingFormat)
                && let Some(body) = body.as_object_mut()
            {
                body.remove("encoding_format");
            }
            let sent = Some(exact::written(body.to_string()).into());
            match self.send(Method::POST, "/embeddings", sent, self.config.timeout()).await {
                Ok(response) => break response,
                Err(LlmError::Refused(refusal)) => match adapt::embedding_remedy(&refusal, &known) {
                    Some(remedy) => {
                        known.insert(remedy);
                        learned = Some(remedy);
                    }
                    None => return Err(LlmError::Refused(refusal)),
                },
                Err(error) => return Err(error),
            }
        };
        if let Some(adaptation) = learned {
            self.remember(model, adaptation);
        }
        let body = self.read(response, self.config.timeout()).await?;
        let text = String::from_utf8_lossy(&body);
        let text = text.trim_start_matches('\u{feff}');
        failure::in_body(&self.name, &self.secrets, text)?;
        let list: EmbeddingList = serde_json::from_str(text).map_err(|e| {
            // Python writes them so, and JSON parsers reject them.
            if text.contains("NaN") || text.contains("Infinity") {
                return self.fail(Failure::BadResponse, NO_NUMBER);
            }
            self.fail(Failure::BadResponse, format!("its answer is not a list of embeddings: {e}"))
        })?;
        self.in_order(list)
    }

    /// Sorts the vectors by `index`, which some servers do not send in order. Rejects vectors with non-numbers: they
    /// would silently spoil the search.
    fn in_order(&self, list: EmbeddingList) -> Result<Embeddings, LlmError> {
        let mut vectors: Vec<Option<Vec<f32>>> = vec![None; list.data.len()];
        for (at, item) in list.data.into_iter().enumerate() {
            let vector: Vec<f32> = match item.embedding {
                Vector::Numbers(numbers) => numbers.into_iter().map(|n| n.unwrap_or(f32::NAN)).collect(),
                Vector::Base64(text) => {
                    let bytes = STANDARD
                        .decode(text)
                        .map_err(|e| self.fail(Failure::BadResponse, format!("an embedding is not base64: {e}")))?;
                    if bytes.len() % 4 != 0 {
                        return Err(self.fail(Failure::BadResponse, "an embedding's bytes are not a multiple of four"));
                    }
                    embeddings::from_bytes(&bytes)
                }
            };
            if vector.is_empty() {
                return Err(self.fail(Failure::BadResponse, format!("embedding {at} is empty")));
            }
            if !vector.iter().all(|n| n.is_finite()) {
                return Err(self.fail(Failure::BadResponse, format!("embedding {at}: {NO_NUMBER}")));
            }
            match vectors.get_mut(item.index.unwrap_or(at)) {
                Some(place @ None) => *place = Some(vector),
                _ => return Err(self.fail(Failure::BadResponse, "the indexes of its embeddings are wrong")),
            }
        }
        Ok(Embeddings { vectors: vectors.into_iter().flatten().collect(), usage: list.usage })
    }
}
