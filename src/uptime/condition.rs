//! What is expected of an answer, judged on what a probe has read. Pure.
//!
//! All failures of an attempt are told, not only the first.
