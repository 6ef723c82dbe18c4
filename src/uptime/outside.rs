//! What rooms that stand on this one, and the composition root, give it: they are told of changes, they are asked how they are, and they say what
//! strangers may see.

use async_trait::async_trait;
use sqlx::PgConnection;

use super::model::{Judgement, MonitorId, Transition};
use console::Lang;

/// Is told of changes of status. Room incidents is.
#[async_trait]
pub trait Witness: Send + Sync {
    /// Is called in the transaction that writes the spans, as role `system`, within a savepoint: an error undoes only what was done here. A batch
    /// whose commit was not answered is written again, so the same transition may come twice.
    async fn changed(&self, conn: &mut PgConnection, all: &[Transition]) -> anyhow::Result<()>;
}

/// A part of the appliance that can be asked how it is: the built-in monitors. Those of other rooms are in `app/self_checks.rs`.
#[async_trait]
pub trait SelfCheck: Send + Sync {
    /// Key of its monitor and of its component, such as `appliance-database`.
    fn key(&self) -> &str;

    /// Name of both when they are made.
    fn name(&self, lang: Lang) -> String;

    /// Key of the part that this one needs: while that is down, nobody is told of this one. When its monitor is made.
    fn parent(&self) -> Option<&'static str> {
        None
    }

    /// Is dropped after the monitor's timeout.
    async fn run(&self) -> Judgement;
}

/// Says which monitors strangers may see: in Gatus's form and as badges. Room `status_page` does.
pub trait Published: Send + Sync {
    /// Whether a public page shows it. From memory.
    fn shows(&self, monitor: MonitorId) -> bool;
}
