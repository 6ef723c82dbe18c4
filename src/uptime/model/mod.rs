//! Monitors, what checks of them say, and what is known over time.

mod history;
mod live;
mod monitor;
mod observation;
mod transition;

pub use history::{Availability, Check, DayTotal, Outcome, Point, Span, Step};
pub use live::{Figures, Last, Live, LiveView};
pub use monitor::{
    Beat, Cause, Degraded, Group, GroupId, ImportId, ImportSource, Kind, ManagedBy, Monitor, MonitorDetail, MonitorId,
    SpanId, Status, Window, WindowId,
};
pub use observation::{Certificate, ChainEntry, Failure, HttpFacts, Judgement, Observation, Phase, Phases, Reason};
pub use platform::ids::Owner;
pub use transition::Transition;
