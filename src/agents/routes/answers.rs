//! `/api/v1/answers`: how answers came about, for those who may see it.

use utoipa_axum::router::OpenApiRouter;

use crate::service::Agents;

pub(super) fn router() -> OpenApiRouter<Agents> {
    OpenApiRouter::new()
}
