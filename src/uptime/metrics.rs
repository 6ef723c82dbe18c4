//! `holdfast_uptime_*`. Names have no unit but seconds and bytes: the test of families refuses words such as `hours`.

use prometheus_client::registry::Registry;

use super::prober::ProberMetrics;

#[derive(Clone, Debug)]
pub struct Metrics {
    pub(super) prober: ProberMetrics,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        Self { prober: ProberMetrics::register(registry) }
    }
}
