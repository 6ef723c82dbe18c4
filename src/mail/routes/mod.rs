//! `/api/v1/mail/...`

mod bulk;
mod domains;
mod files;
mod messages;
mod own_templates;
mod sources;
mod suppressions;
mod templates;

use axum::extract::DefaultBodyLimit;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt as _},
    routes,
};

use super::{Mail, Owner};
use platform::{
    error::ApiError,
    http::{Principal, Scope, idempotent},
};

pub(super) use files::served;
pub(super) use suppressions::csv_file;

/// Bytes of a file with addresses.
pub(super) const LARGEST_IMPORT: usize = 8 << 20;

/// The routes of this capability.
pub fn router() -> OpenApiRouter<Mail> {
    OpenApiRouter::new()
        .routes(
            // Outside of `idempotent`, which reads the body.
            idempotent(routes!(messages::list_mail_messages, messages::send_mail))
                .layer(DefaultBodyLimit::max(messages::MOST_BYTES)),
        )
        .routes(routes!(messages::get_mail_message))
        .routes(routes!(messages::retry_mail_message))
        .routes(routes!(messages::cancel_mail_message))
        .routes(idempotent(routes!(suppressions::list_mail_suppressions, suppressions::add_mail_suppression)))
        .routes(routes!(suppressions::remove_mail_suppression))
        .routes(routes!(suppressions::export_mail_suppressions))
        .routes(routes!(suppressions::import_mail_suppressions))
        .routes(routes!(bulk::retry_mail_messages))
        .routes(routes!(bulk::cancel_mail_messages))
        .routes(routes!(bulk::export_mail_messages))
        .routes(routes!(files::get_mail_attachment))
        .routes(routes!(templates::list_mail_templates))
        .routes(routes!(templates::get_mail_template, templates::save_mail_template, templates::reset_mail_template))
        .routes(routes!(templates::preview_mail_template))
        .routes(idempotent(routes!(own_templates::list_own_mail_templates, own_templates::add_own_mail_template)))
        .routes(routes!(
            own_templates::get_own_mail_template,
            own_templates::save_own_mail_template,
            own_templates::delete_own_mail_template
        ))
        .routes(routes!(templates::get_mail_branding, templates::save_mail_branding))
        .routes(idempotent(routes!(domains::list_mail_domains, domains::add_mail_domain)))
        .routes(routes!(domains::get_mail_domain, domains::delete_mail_domain))
        .routes(routes!(domains::check_mail_domain))
        .routes(idempotent(routes!(sources::list_mail_sources, sources::add_mail_source)))
        .routes(routes!(sources::delete_mail_source))
}

/// Whose things an administrator asks for: the organisation's or, for operators, the installation's.
pub(super) fn owner(mail: &Mail, who: &Principal, installation: bool) -> Result<Owner, ApiError> {
    who.require(Scope::ADMIN)?;
    if installation {
        who.require_operator("see its mail")?;
    }
    Ok(mail.owner(who, installation)?)
}

/// Whose things are meant.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct Whose {
    /// Those of the installation instead of the organisation; operators only.
    #[param(required = false)]
    pub installation: bool,
}
