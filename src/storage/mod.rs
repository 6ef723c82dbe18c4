//! Objects: originals of documents and whatever else is too large for a row.
