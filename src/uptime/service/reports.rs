//! The report of a month: availability, outages, maintenance that is left out and says so, budget.
