//! Addresses that a probe may connect to: the only way to one.
//!
//! A name is resolved once; each address is judged by `platform::http_client::may_be_asked` with `uptime.private_networks`, and what was judged is
//! what is connected to, by the type: nothing resolves the name again. Redirects, referrals of RDAP and steps of a flow go the same way.
//!
//! ```ignore
//! pub struct Judged(SocketAddr);                                   // its field is private
//! pub struct Policy { networks: Arc<[IpNet]> }                     // of Config::networks
//! pub async fn resolve(host: &str, port: u16, family: Family, policy: &Policy, deadline: Instant) -> Result<Vec<Judged>, Failure>;
//! pub fn judge(url: &str, policy: &Policy) -> Result<(), AddressError>;   // when a monitor is saved: literal addresses only
//! ```
