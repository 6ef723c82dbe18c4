//! The transformer: token ids in, one unit vector for each text out. BERT and XLM-RoBERTa differ only in where
//! positions start.

use holdfast_kernels::{Activation, GemmExecutor, Layer, Linear, Norm, Scratch};
use serde::Deserialize;

use super::folder::{Architecture, ModelFolder, Pooling};
use super::weights::WeightFile;
use super::{EmbedError, normalise};

/// The transformer's fields in `config.json`.
#[derive(Deserialize)]
struct Config {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: String,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f32,
    #[serde(default)]
    position_embedding_type: Option<String>,
}

pub(super) struct Encoder {
    /// One row per token id.
    words: Vec<f32>,
    /// One row per position; the row of the first token type, which all tokens have, is already added.
    positions: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
    pooling: Pooling,
    /// XLM-RoBERTa's padding token, which takes no position; positions are counted from its id.
    padding: Option<u32>,
    dims: usize,
    inner: usize,
    heads: usize,
}

impl Encoder {
    pub(super) fn load(folder: &ModelFolder) -> Result<Self, EmbedError> {
        let file = WeightFile::open(&folder.dir.join("model.safetensors"))?;
        let config: Config = folder.config()?;
        let activation = config.check()?;
        let mut reader = Reader::new(file, &config);
        let (dims, inner, heads) = (config.hidden_size, config.intermediate_size, config.num_attention_heads);
        let words = reader.matrix("embeddings.word_embeddings.weight", [config.vocab_size, dims])?;
        let mut positions =
            reader.matrix("embeddings.position_embeddings.weight", [config.max_position_embeddings, dims])?;
        let types = reader.matrix("embeddings.token_type_embeddings.weight", [config.type_vocab_size, dims])?;
        for row in positions.chunks_exact_mut(dims) {
            row.iter_mut().zip(&types).for_each(|(position, first)| *position += first);
        }
        let norm = reader.norm("embeddings.LayerNorm")?;
        let layers =
            (0..config.num_hidden_layers).map(|at| reader.layer(at, activation, heads)).collect::<Result<_, _>>()?;
        let padding = (folder.architecture == Architecture::XlmRoberta).then_some(folder.pad_token_id);
        Ok(Self { words, positions, norm, layers, pooling: folder.pooling, padding, dims, inner, heads })
    }

    /// Encodes a batch of token sequences (none empty); returns unit vectors in the same order.
    pub(super) fn encode(&self, batch: &[&[u32]]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let lengths: Vec<usize> = batch.iter().map(|ids| ids.len()).collect();
        let (tokens, longest) = (lengths.iter().sum::<usize>(), lengths.iter().copied().max().unwrap_or_default());
        let mut hidden = Vec::with_capacity(tokens * self.dims);
        for ids in batch {
            self.begin(ids, &mut hidden)?;
        }
        self.norm.apply(&mut hidden);
        // Created per batch, which is cheap: it cannot be sent to another thread.
        let gemm = GemmExecutor::new();
        let mut scratch = Scratch::new(tokens, longest, self.dims, self.inner, self.heads);
        for layer in &self.layers {
            layer.apply(&gemm, &mut hidden, &lengths, &mut scratch)?;
        }
        let mut rest = hidden.as_slice();
        let mut vectors = Vec::with_capacity(batch.len());
        for length in lengths {
            let (text, after) = rest.split_at(length * self.dims);
            vectors.push(self.pool(text)?);
            rest = after;
        }
        Ok(vectors)
    }

    /// Appends the embedding layer's output for a text's tokens.
    fn begin(&self, ids: &[u32], hidden: &mut Vec<f32>) -> Result<(), EmbedError> {
        let mut next = self.padding.map_or(0, |padding| padding as usize + 1);
        for &id in ids {
            let position = if Some(id) == self.padding {
                id as usize
            } else {
                next += 1;
                next - 1
            };
            let word = row(&self.words, id as usize, self.dims, "token")?;
            let position = row(&self.positions, position, self.dims, "position")?;
            hidden.extend(word.iter().zip(position).map(|(word, position)| word + position));
        }
        Ok(())
    }

    /// Pools a text's token vectors into one of length 1.
    fn pool(&self, tokens: &[f32]) -> Result<Vec<f32>, EmbedError> {
        let mut pooled = tokens[..self.dims].to_vec();
        if self.pooling == Pooling::Mean {
            for token in tokens[self.dims..].chunks_exact(self.dims) {
                pooled.iter_mut().zip(token).for_each(|(sum, number)| *sum += number);
            }
        }
        // After normalising, sum and mean are equal.
        if !normalise(&mut pooled) {
            return Err(EmbedError::NotFinite);
        }
        Ok(pooled)
    }
}

impl Config {
    fn check(&self) -> Result<Activation, EmbedError> {
        let positions = self.position_embedding_type.as_deref();
        if positions.is_some_and(|kind| kind != "absolute") {
            let kind = positions.unwrap_or_default();
            return Err(EmbedError::Unsupported(format!("position_embedding_type `{kind}`; supported: absolute")));
        }
        if self.num_attention_heads == 0 || !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            let (size, heads) = (self.hidden_size, self.num_attention_heads);
            return Err(EmbedError::Unsupported(format!("{heads} attention heads for a hidden_size of {size}")));
        }
        match self.hidden_act.as_str() {
            "gelu" => Ok(Activation::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" | "geluapproximate" => Ok(Activation::GeluTanh),
            "relu" => Ok(Activation::Relu),
            other => Err(EmbedError::Unsupported(format!("hidden_act `{other}`; supported: gelu, gelu_new and relu"))),
        }
    }
}

/// Reads weights by their names in a published file.
struct Reader<'a> {
    file: WeightFile,
    /// Name prefix that some exports use.
    prefix: &'static str,
    config: &'a Config,
    gemm: GemmExecutor,
}

impl<'a> Reader<'a> {
    fn new(file: WeightFile, config: &'a Config) -> Self {
        let mut known = ["", "bert.", "roberta."].into_iter();
        let holds = |prefix: &&str| file.contains(&format!("{prefix}embeddings.word_embeddings.weight"));
        let prefix = known.find(holds).unwrap_or_default();
        Self { file, prefix, config, gemm: GemmExecutor::new() }
    }

    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Vec<f32>, EmbedError> {
        self.file.read(&format!("{}{name}", self.prefix), &shape)
    }

    fn vector(&mut self, name: &str, size: usize) -> Result<Vec<f32>, EmbedError> {
        self.file.read(&format!("{}{name}", self.prefix), &[size])
    }

    fn norm(&mut self, name: &str) -> Result<Norm, EmbedError> {
        let size = self.config.hidden_size;
        let scale = self.vector(&format!("{name}.weight"), size)?;
        let shift = self.vector(&format!("{name}.bias"), size)?;
        Ok(Norm { scale, shift, epsilon: self.config.layer_norm_eps })
    }

    /// Reads linear layers of the same input and concatenates their outputs.
    fn linear(&mut self, names: &[String], inputs: usize, outputs: usize) -> Result<Linear, EmbedError> {
        let (mut weights, mut bias) = (Vec::with_capacity(names.len() * inputs * outputs), Vec::new());
        for name in names {
            weights.extend(self.matrix(&format!("{name}.weight"), [outputs, inputs])?);
            bias.extend(self.vector(&format!("{name}.bias"), outputs)?);
        }
        Ok(Linear::new(&self.gemm, &weights, bias))
    }

    fn layer(&mut self, at: usize, activation: Activation, heads: usize) -> Result<Layer, EmbedError> {
        let (dims, inner) = (self.config.hidden_size, self.config.intermediate_size);
        let name = |part: &str| format!("encoder.layer.{at}.{part}");
        let qkv = ["query", "key", "value"].map(|part| name(&format!("attention.self.{part}")));
        Ok(Layer {
            qkv: self.linear(&qkv, dims, dims)?,
            attended: self.linear(&[name("attention.output.dense")], dims, dims)?,
            attended_norm: self.norm(&name("attention.output.LayerNorm"))?,
            inner: self.linear(&[name("intermediate.dense")], dims, inner)?,
            activation,
            outer: self.linear(&[name("output.dense")], inner, dims)?,
            outer_norm: self.norm(&name("output.LayerNorm"))?,
            heads,
        })
    }
}

fn row<'a>(table: &'a [f32], at: usize, size: usize, what: &str) -> Result<&'a [f32], EmbedError> {
    let missing = || EmbedError::Mismatch(format!("there is no {what} {at}"));
    table.get(at * size..(at + 1) * size).ok_or_else(missing)
}
