//! How long traces of answers are kept.
