//! A model folder: architecture, pooling, length limit and prefixes from its files.
//!
//! `config.json` is required. `1_Pooling/config.json`, `modules.json`, `sentence_bert_config.json` and
//! `config_sentence_transformers.json` (sentence-transformers) refine it if present; otherwise: mean pooling, the
//! architecture's full length, no prefixes.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::EmbedError;

/// Text prefixes, for models trained with them (E5: `query: ` and `passage: `).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefixes {
    pub query: String,
    pub passage: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    Mean,
    Cls,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Architecture {
    Bert,
    XlmRoberta,
}

/// Contents of the JSON files of a model folder.
#[derive(Debug)]
pub(super) struct ModelFolder {
    pub dir: PathBuf,
    pub architecture: Architecture,
    /// Dimensions of a vector.
    pub dims: usize,
    /// Longest input in tokens, special tokens included.
    pub max_tokens: usize,
    pub pad_token_id: u32,
    pub pooling: Pooling,
    pub prefixes: Prefixes,
}

#[derive(Deserialize)]
struct Config {
    model_type: Option<String>,
    hidden_size: usize,
    max_position_embeddings: usize,
    pad_token_id: u32,
}

#[derive(Deserialize)]
struct PoolingConfig {
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
}

#[derive(Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct SentenceConfig {
    max_seq_length: Option<usize>,
}

#[derive(Deserialize)]
struct Prompts {
    #[serde(default)]
    prompts: HashMap<String, String>,
}

impl ModelFolder {
    pub(super) fn read(dir: &Path) -> Result<Self, EmbedError> {
        let path = dir.join("config.json");
        let config: Config = require_json(&path)?;
        let architecture = match config.model_type.as_deref() {
            None | Some("bert") => Architecture::Bert,
            Some("xlm-roberta") => Architecture::XlmRoberta,
            Some(other) => {
                return Err(EmbedError::Unsupported(format!("model_type `{other}`; supported: bert and xlm-roberta")));
            }
        };
        refuse_unknown_modules(dir)?;
        // RoBERTa counts positions from pad_token_id + 1, so the rows of its position table up to that one are never
        // used.
        let reserved = match architecture {
            Architecture::Bert => 0,
            Architecture::XlmRoberta => config.pad_token_id as usize + 1,
        };
        let positions = config.max_position_embeddings.saturating_sub(reserved);
        let sentence: Option<SentenceConfig> = optional_json(&dir.join("sentence_bert_config.json"))?;
        let max_tokens = sentence.and_then(|it| it.max_seq_length).map_or(positions, |limit| limit.min(positions));
        if max_tokens < 8 {
            return Err(EmbedError::malformed(path, &format!("room for {max_tokens} tokens only")));
        }
        Ok(Self {
            dir: dir.to_path_buf(),
            architecture,
            dims: config.hidden_size,
            max_tokens,
            pad_token_id: config.pad_token_id,
            pooling: pooling(dir)?,
            prefixes: prefixes(dir)?,
        })
    }

    pub(super) fn config<T: DeserializeOwned>(&self) -> Result<T, EmbedError> {
        require_json(&self.dir.join("config.json"))
    }
}

/// A dense or other layer after pooling changes the vector: omitting it would give plausible but wrong embeddings.
fn refuse_unknown_modules(dir: &Path) -> Result<(), EmbedError> {
    let modules: Vec<Module> = optional_json(&dir.join("modules.json"))?.unwrap_or_default();
    let known = ["Transformer", "Pooling", "Normalize"];
    match modules.iter().find(|module| !known.iter().any(|name| module.kind.ends_with(name))) {
        Some(module) => Err(EmbedError::Unsupported(format!("module `{}` in modules.json", module.kind))),
        None => Ok(()),
    }
}

fn pooling(dir: &Path) -> Result<Pooling, EmbedError> {
    let Some(config) = optional_json::<PoolingConfig>(&dir.join("1_Pooling/config.json"))? else {
        return Ok(Pooling::Mean);
    };
    match (config.pooling_mode_mean_tokens, config.pooling_mode_cls_token) {
        (true, false) => Ok(Pooling::Mean),
        (false, true) => Ok(Pooling::Cls),
        _ => Err(EmbedError::Unsupported("a pooling other than mean or cls".into())),
    }
}

fn prefixes(dir: &Path) -> Result<Prefixes, EmbedError> {
    let mut prompts = optional_json::<Prompts>(&dir.join("config_sentence_transformers.json"))?
        .map(|it| it.prompts)
        .unwrap_or_default();
    let passage = prompts.remove("passage").or_else(|| prompts.remove("document")).unwrap_or_default();
    Ok(Prefixes { query: prompts.remove("query").unwrap_or_default(), passage })
}

fn require_json<T: DeserializeOwned>(path: &Path) -> Result<T, EmbedError> {
    let text = fs::read_to_string(path).map_err(|source| EmbedError::Read { path: path.to_path_buf(), source })?;
    serde_json::from_str(&text).map_err(|error| EmbedError::malformed(path, &error))
}

fn optional_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, EmbedError> {
    if path.exists() { require_json(path).map(Some) } else { Ok(None) }
}
