//! `uptime_file`, and what the file manages.
