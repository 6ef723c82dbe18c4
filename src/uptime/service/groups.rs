//! Groups of monitors.
