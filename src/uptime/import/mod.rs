//! Files of other monitor programs: `kuma.rs` (Uptime Kuma 1.6 to 1.23), `gatus.rs` (Gatus 5). Pure: a text becomes monitors, groups and windows to
//! make, and a report (`report.rs`) of each field that is set and not taken.
