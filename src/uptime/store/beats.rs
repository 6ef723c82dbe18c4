//! `uptime_beats`. One with a smaller ordinal may become visible later: a reader looks back, and remembers what it had.
