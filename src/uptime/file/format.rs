//! The tables of the file that are this room's own: `organisation`, `defaults`, `groups`, `monitors`, `windows`; a [`super::Section`] as those of other
//! rooms.
//!
//! Durations are texts such as `10s`, `5m`, `1d`. Secrets are never in the file: `*_file` names a file and `*_env` a variable, read when it is applied.
