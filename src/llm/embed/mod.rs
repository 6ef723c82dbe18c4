//! In-process embeddings of BERT-family models (candle).
