//! LanceDB: one table for each knowledge base and index generation.
