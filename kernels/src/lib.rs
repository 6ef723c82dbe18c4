//! One layer of a BERT-like transformer, apart from the program so that the dev profile can optimise it: its functions are generic over
//! the processor's instructions and would else be compiled with the program, where they are a hundred times slower.
//!
//! It works on the tokens of several texts, one after the other without padding: no text costs more for the company of a longer one,
//! and nothing has to be masked. Matrices are multiplied by `rten-gemm`, functions applied by `rten-vecmath`:
//! both choose what the processor can do when the program runs.

use rten_gemm::{BiasVector, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
pub use rten_gemm::{GemmError, GemmExecutor};
use rten_simd::{SimdOp as _, SimdUnaryOp as _};
use rten_tensor::{Matrix, NdTensorView};
use rten_vecmath::{ApproxGelu, Gelu, Normalize, NormalizeOptions, Softmax, Sum, SumSquareSub};

/// What the inner layer applies to each number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    Gelu,
    /// With a hyperbolic tangent in place of the error function.
    GeluTanh,
    Relu,
}

impl Activation {
    fn apply(self, numbers: &mut [f32]) {
        match self {
            Self::Gelu => Gelu {}.map_mut(numbers),
            Self::GeluTanh => ApproxGelu {}.map_mut(numbers),
            Self::Relu => numbers.iter_mut().for_each(|x| *x = x.max(0.0)),
        }
    }
}

/// `x · Wᵀ + b`, the weights in the order in which the multiplication reads them.
pub struct Linear {
    weights: PackedBMatrix<f32>,
    bias: Vec<f32>,
}

impl Linear {
    /// `weights`: a row for each output.
    pub fn new(gemm: &GemmExecutor, weights: &[f32], bias: Vec<f32>) -> Self {
        let (outputs, inputs) = (bias.len(), weights.len() / bias.len().max(1));
        let transposed = strided(weights, [inputs, outputs], [1, inputs]);
        Self { weights: gemm.prepack_b(transposed), bias }
    }

    /// Adds to `out` where `beta` is 1, replaces it where it is 0.
    fn apply(&self, gemm: &GemmExecutor, input: &[f32], out: &mut [f32], beta: f32) -> Result<(), GemmError> {
        let inputs = self.weights.rows();
        let rows = input.len() / inputs.max(1);
        let options = GemmOptions { beta, bias: Some(BiasVector::Row(&self.bias)), ..GemmOptions::default() };
        let input = GemmInputA::Unpacked(NdTensorView::from_data([rows, inputs], input));
        gemm.gemm(out, input, GemmInputB::Packed(&self.weights), options)
    }
}

/// Layer normalisation.
pub struct Norm {
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
    pub epsilon: f32,
}

impl Norm {
    pub fn apply(&self, numbers: &mut [f32]) {
        let size = self.scale.len();
        for row in numbers.chunks_exact_mut(size) {
            let mean = Sum::new(row).dispatch() / size as f32;
            let variance = SumSquareSub::new(row, mean).dispatch() / size as f32;
            let options = NormalizeOptions {
                pre_scale_bias: mean,
                scale: (variance + self.epsilon).sqrt().recip(),
                element_scale: Some(&self.scale),
                element_bias: Some(&self.shift),
                ..NormalizeOptions::default()
            };
            Normalize::new_mut(row, options).dispatch();
        }
    }
}

/// The weights of one layer.
pub struct Layer {
    /// Queries, keys and values at once.
    pub qkv: Linear,
    pub attended: Linear,
    pub attended_norm: Norm,
    pub inner: Linear,
    pub activation: Activation,
    pub outer: Linear,
    pub outer_norm: Norm,
    pub heads: usize,
}

/// What the layers write to, made once for all of them.
pub struct Scratch {
    qkv: Vec<f32>,
    context: Vec<f32>,
    inner: Vec<f32>,
    scores: Vec<f32>,
    head: Vec<f32>,
}

impl Scratch {
    pub fn new(tokens: usize, longest: usize, dims: usize, inner: usize, heads: usize) -> Self {
        let zeros = |size: usize| vec![0.0; size];
        Self {
            qkv: zeros(tokens * 3 * dims),
            context: zeros(tokens * dims),
            inner: zeros(tokens * inner),
            scores: zeros(longest * longest),
            head: zeros(longest * dims / heads.max(1)),
        }
    }
}

impl Layer {
    /// Replaces the tokens' vectors by this layer's. `lengths`: tokens of each text.
    pub fn apply(
        &self,
        gemm: &GemmExecutor,
        hidden: &mut [f32],
        lengths: &[usize],
        scratch: &mut Scratch,
    ) -> Result<(), GemmError> {
        self.qkv.apply(gemm, hidden, &mut scratch.qkv, 0.0)?;
        self.attend(gemm, lengths, scratch)?;
        self.attended.apply(gemm, &scratch.context, hidden, 1.0)?;
        self.attended_norm.apply(hidden);
        self.inner.apply(gemm, hidden, &mut scratch.inner, 0.0)?;
        self.activation.apply(&mut scratch.inner);
        self.outer.apply(gemm, &scratch.inner, hidden, 1.0)?;
        self.outer_norm.apply(hidden);
        Ok(())
    }

    /// Every token of a text looks at all tokens of that text, once with each head.
    fn attend(&self, gemm: &GemmExecutor, lengths: &[usize], scratch: &mut Scratch) -> Result<(), GemmError> {
        let dims = self.attended.weights.rows();
        let (row, size) = (3 * dims, dims / self.heads);
        let alpha = (size as f32).sqrt().recip();
        let mut begin = 0;
        for &length in lengths {
            let text = &scratch.qkv[begin * row..][..length * row];
            let context = &mut scratch.context[begin * dims..][..length * dims];
            let scores = &mut scratch.scores[..length * length];
            let found = &mut scratch.head[..length * size];
            for at in (0..self.heads).map(|head| head * size) {
                let queries = strided(&text[at..], [length, size], [row, 1]);
                let keys = strided(&text[dims + at..], [size, length], [1, row]);
                let options = GemmOptions { alpha, ..GemmOptions::default() };
                gemm.gemm(scores, GemmInputA::Unpacked(queries), GemmInputB::Unpacked(keys), options)?;
                for row in scores.chunks_exact_mut(length) {
                    Softmax::new_mut(row).dispatch();
                }
                let weights = GemmInputA::Unpacked(NdTensorView::from_data([length, length], &*scores));
                let values = strided(&text[2 * dims + at..], [length, size], [row, 1]);
                gemm.gemm(found, weights, GemmInputB::Unpacked(values), GemmOptions::default())?;
                for (to, from) in context.chunks_exact_mut(dims).zip(found.chunks_exact(size)) {
                    to[at..at + size].copy_from_slice(from);
                }
            }
            begin += length;
        }
        Ok(())
    }
}

/// Numbers from their little-endian bytes. Optimised as the rest: in a dev build the 23 million of a small model took half a second.
pub fn numbers(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<4>();
    numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// A matrix in a slice that holds it among other things.
fn strided(numbers: &[f32], shape: [usize; 2], strides: [usize; 2]) -> Matrix<'_> {
    Matrix::from_slice_with_strides(shape, numbers, strides).unwrap_or_else(|_| Matrix::from_data([0, 0], &[]))
}

/// What the processor can do at most, tokens a second: the matrices of `MiniLM`'s six layers for 512 tokens and nothing else, on the
/// threads of the caller's pool.
pub fn tokens_of_pure_multiplication() -> f64 {
    const TOKENS: usize = 512;
    let gemm = GemmExecutor::new();
    let layers = [(384, 1152), (384, 384), (384, 1536), (1536, 384)].map(|(inputs, outputs)| {
        let weights: Vec<f32> = vec![0.01; inputs * outputs];
        (inputs, outputs, gemm.prepack_b(NdTensorView::from_data([inputs, outputs], weights.as_slice())))
    });
    let (input, mut out) = (vec![0.5_f32; TOKENS * 1536], vec![0.0_f32; TOKENS * 1536]);
    let (started, rounds) = (std::time::Instant::now(), 10);
    for _ in 0..rounds * 6 {
        for (inputs, outputs, weights) in &layers {
            let input = NdTensorView::from_data([TOKENS, *inputs], &input[..TOKENS * inputs]);
            let out = &mut out[..TOKENS * outputs];
            let options = GemmOptions::default();
            let _ = gemm.gemm(out, GemmInputA::Unpacked(input), GemmInputB::Packed(weights), options);
        }
    }
    (rounds * TOKENS) as f64 / started.elapsed().as_secs_f64()
}
