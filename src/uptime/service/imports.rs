//! Imports: a file is kept sealed with its report, and applied with choices.
