//! `uptime_minutes`, `uptime_days`, `uptime_hours_open`.
