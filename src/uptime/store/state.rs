//! `uptime_state`, `uptime_prober`: written by the prober. Each transaction of it begins with `jobs::Duty::holds`.
