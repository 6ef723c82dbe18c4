//! Health checks: `uptime.prober`, `uptime.icmp`, `uptime.files`, `uptime.clock`, `uptime.file`, `uptime.rollup`, `uptime.outside`,
//! `uptime.resolver`.
