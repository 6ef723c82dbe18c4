//! Conversion between table rows and Arrow batches.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::Float32Type;
use arrow_array::{Array, FixedSizeListArray, Float32Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use uuid::Uuid;

use super::super::{IndexError, analyze};
use super::{Hit, IndexRow};

pub(super) fn schema(dims: usize) -> Result<SchemaRef, IndexError> {
    let item = Arc::new(Field::new("item", DataType::Float32, true));
    let dims = i32::try_from(dims).map_err(|_| IndexError::Dimensions { expected: i32::MAX as usize, got: dims })?;
    Ok(Arc::new(Schema::new(vec![
        Field::new("chunk_id", DataType::Utf8, false),
        Field::new("document_id", DataType::Utf8, false),
        Field::new("terms", DataType::Utf8, false),
        Field::new("vector", DataType::FixedSizeList(item, dims), false),
    ])))
}

pub(super) fn record_batch(rows: Vec<IndexRow>, dims: usize) -> Result<RecordBatch, IndexError> {
    if let Some(row) = rows.iter().find(|row| row.vector.len() != dims) {
        return Err(IndexError::Dimensions { expected: dims, got: row.vector.len() });
    }
    // LanceDB's merge keeps both rows if its input has a key twice, so keep only the last.
    let rows: HashMap<Uuid, IndexRow> = rows.into_iter().map(|row| (row.chunk_id, row)).collect();
    let column = |value: fn(&IndexRow) -> String| StringArray::from_iter_values(rows.values().map(value));
    let schema = schema(dims)?;
    let vectors = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(
        rows.values().map(|row| Some(row.vector.iter().copied().map(Some))),
        i32::try_from(dims).unwrap_or(i32::MAX),
    );
    Ok(RecordBatch::try_new(
        schema,
        vec![
            Arc::new(column(|row| row.chunk_id.to_string())),
            Arc::new(column(|row| row.document_id.to_string())),
            Arc::new(column(|row| analyze(&row.text))),
            Arc::new(vectors),
        ],
    )?)
}

pub(super) fn hits(
    table: &str,
    batches: &[RecordBatch],
    score: &str,
    scale: fn(f32) -> f32,
) -> Result<Vec<Hit>, IndexError> {
    let mut hits = Vec::new();
    for batch in batches {
        let scores = batch
            .column_by_name(score)
            .and_then(|column| column.as_any().downcast_ref::<Float32Array>())
            .ok_or_else(|| IndexError::Schema(table.to_string()))?;
        let (chunks, documents) = (uuids(table, batch, "chunk_id")?, uuids(table, batch, "document_id")?);
        for ((chunk_id, document_id), score) in chunks.into_iter().zip(documents).zip(scores.values()) {
            // The distance to a zero vector (a chunk without a vector) is not finite.
            if !score.is_finite() {
                continue;
            }
            hits.push(Hit { chunk_id, document_id, score: scale(*score) });
        }
    }
    Ok(hits)
}

pub(super) fn uuids(table: &str, batch: &RecordBatch, column: &str) -> Result<Vec<Uuid>, IndexError> {
    let schema = || IndexError::Schema(table.to_string());
    let column = batch
        .column_by_name(column)
        .and_then(|column| column.as_any().downcast_ref::<StringArray>())
        .ok_or_else(schema)?;
    (0..column.len()).map(|row| Uuid::parse_str(column.value(row)).map_err(|_| schema())).collect()
}
