//! The transformer itself: token ids in, one unit vector for each text out. The only file that knows candle's models.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{bert, xlm_roberta};

use super::EmbedError;
use super::folder::{Architecture, ModelFolder, Pooling};
use super::weights::WeightFile;

enum Model {
    Bert(bert::BertModel),
    XlmRoberta(xlm_roberta::XLMRobertaModel),
}

pub(super) struct Encoder {
    model: Model,
    pooling: Pooling,
    pad_token_id: u32,
    dims: usize,
}

impl Encoder {
    pub(super) fn load(folder: &ModelFolder) -> Result<Self, EmbedError> {
        let weights = WeightFile::open(&folder.dir.join("model.safetensors"))?;
        let vars = VarBuilder::from_backend(Box::new(weights), DType::F32, Device::Cpu);
        let model = match folder.architecture {
            Architecture::Bert => Model::Bert(bert::BertModel::load(vars, &folder.config()?)?),
            Architecture::XlmRoberta => {
                let vars = if vars.contains_tensor("roberta.embeddings.word_embeddings.weight") {
                    vars.pp("roberta")
                } else {
                    vars
                };
                Model::XlmRoberta(xlm_roberta::XLMRobertaModel::new(&folder.config()?, vars)?)
            }
        };
        Ok(Self { model, pooling: folder.pooling, pad_token_id: folder.pad_token_id, dims: folder.dims })
    }

    /// Encodes a batch of token sequences (none empty), padded here to the longest; gives unit vectors in the same order.
    pub(super) fn encode(&self, batch: &[&[u32]]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let longest = batch.iter().map(|ids| ids.len()).max().unwrap_or_default();
        let shape = (batch.len(), longest);
        let mut ids = vec![self.pad_token_id; batch.len() * longest];
        let mut mask = vec![0_f32; batch.len() * longest];
        for (row, tokens) in batch.iter().enumerate() {
            ids[row * longest..][..tokens.len()].copy_from_slice(tokens);
            mask[row * longest..][..tokens.len()].fill(1.0);
        }
        let ids = Tensor::from_vec(ids, shape, &Device::Cpu)?;
        let mask = Tensor::from_vec(mask, shape, &Device::Cpu)?;
        let hidden = self.hidden_states(&ids, &mask)?;
        let pooled = match self.pooling {
            Pooling::Cls => hidden.narrow(1, 0, 1)?.squeeze(1)?,
            Pooling::Mean => {
                let sum = hidden.broadcast_mul(&mask.unsqueeze(2)?)?.sum(1)?;
                sum.broadcast_div(&mask.sum_keepdim(1)?)?
            }
        };
        let mut vectors = pooled.to_vec2::<f32>()?;
        vectors.iter_mut().try_for_each(|vector| normalise(vector))?;
        debug_assert!(vectors.iter().all(|vector| vector.len() == self.dims));
        Ok(vectors)
    }

    /// Batch x tokens x dims.
    fn hidden_states(&self, ids: &Tensor, mask: &Tensor) -> candle_core::Result<Tensor> {
        let types = ids.zeros_like()?;
        match &self.model {
            Model::Bert(model) => model.forward(ids, &types, Some(mask)),
            Model::XlmRoberta(model) => model.forward(ids, mask, &types, None, None, None),
        }
    }
}

/// Scales to length 1, so that dot product, cosine and Euclidean distance rank alike.
fn normalise(vector: &mut [f32]) -> Result<(), EmbedError> {
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if !norm.is_finite() || norm <= f32::EPSILON {
        return Err(EmbedError::NotFinite);
    }
    for x in vector {
        *x /= norm;
    }
    Ok(())
}
