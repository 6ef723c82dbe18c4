//! Background jobs on PostgreSQL: lease, heartbeat, fencing token, retries, dead letter, cron.
