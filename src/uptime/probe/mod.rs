//! One attempt: what is asked, what came, how long each part took. No state, no database.
//!
//! The deadline is one for all phases, and the phase in which it strikes is the reason. What does not fit into an [`Observation`] does not leave this
//! module: no body, no header, no credentials.
//!
//! ```ignore
//! pub struct Prober { .. }                                         // TLS settings, resolvers, ICMP sockets, RDAP's bootstrap; cheap to clone
//! impl Prober {
//!     pub fn new(policy: Policy, self_checks: Vec<Arc<dyn SelfCheck>>) -> anyhow::Result<Self>;
//!     pub async fn run(&self, spec: &MonitorSpec, secrets: &Secrets, timeout: Duration) -> Observation;
//! }
//! ```
//!
//! [`Observation`]: crate::Observation
