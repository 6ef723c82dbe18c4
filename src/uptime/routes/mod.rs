//! `/api/v1/uptime/...`, and what senders of beats call. One file for each subject: `monitors.rs`, `groups.rs`, `windows.rs`, `history.rs`,
//! `reports.rs`, `file.rs`, `imports.rs`, `beats.rs`.
