//! `/hooks/mail/<provider>/<token>`: webhooks of mail providers, without sign-in.
//!
//! The token in the address says whose it is; the provider's signature is verified before anything in the body counts. Answers 200 when
//! everything in it was dealt with, so that the provider repeats what was not.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    routing::post,
};

use super::{Bounce, Report, mailgun, postmark, resend, sendgrid, ses};
use crate::{
    Mail,
    model::{Owner, Provider, SourceId},
};
use platform::{
    error::{ApiError, chain},
    http::{self, Path},
};

/// SendGrid, which sends the largest, stays below 768 KiB.
const MOST_BYTES: usize = 1024 * 1024;

pub(super) fn router() -> Router<Mail> {
    Router::new().route("/hooks/mail/{provider}/{token}", post(receive))
}

/// A source of bounces, as its token finds it.
pub(crate) struct Known {
    pub id: SourceId,
    pub owner: Owner,
    pub provider: Provider,
    /// What the provider's signature is verified with; empty where there is none.
    pub secret: String,
}

async fn receive(
    State(mail): State<Mail>,
    Path((provider, token)): Path<(String, String)>,
    request: Request,
) -> Result<&'static str, ApiError> {
    let provider: Provider = provider.parse().map_err(|_| ApiError::not_found("bounce_source"))?;
    let metrics = &mail.inner.metrics.bounces;
    match take(&mail, provider, &token, request).await {
        Ok(bounces) => metrics.taken(provider.into(), bounces),
        Err(error) => {
            metrics.refused(provider.into(), &error);
            return Err(error);
        }
    }
    Ok("ok\n")
}

/// How many bounces there were.
async fn take(mail: &Mail, provider: Provider, token: &str, request: Request) -> Result<usize, ApiError> {
    let known = mail.known_source(provider, token).await?.ok_or_else(|| ApiError::not_found("bounce_source"))?;
    let result = take_known(mail, &known, request).await;
    match &result {
        Ok(_) => mail.source_reported(&known).await?,
        Err(error) => {
            if let Err(error) = mail.source_refused(&known, error).await {
                let error = chain(&error);
                tracing::warn!(source_id = %known.id, error, "it cannot be noted that a report came to nothing");
            }
        }
    }
    result
}

async fn take_known(mail: &Mail, known: &Known, mut request: Request) -> Result<usize, ApiError> {
    DefaultBodyLimit::max(MOST_BYTES).apply(&mut request);
    let headers = request.headers().clone();
    let body = http::body_bytes(request).await?;
    let report = Report { headers: &headers, body: &body, now: mail.inner.clock.now() };
    let bounces = verified(mail, known, &report).await?;
    mail.all_bounced(known.owner, &known.id.to_string(), &bounces).await?;
    Ok(bounces.len())
}

/// What the report says, if it is the provider's.
async fn verified(mail: &Mail, known: &Known, report: &Report<'_>) -> Result<Vec<Bounce>, ApiError> {
    let secret = known.secret.as_str();
    match known.provider {
        Provider::Sendgrid => {
            sendgrid::verify(secret, report)?;
            sendgrid::read(report.body)
        }
        Provider::Mailgun => {
            let token = mailgun::verify(secret, report)?;
            mail.use_token(known, &token, report.body).await?;
            mailgun::read(report.body)
        }
        Provider::Ses => match mail.inner.sns.open(secret, report).await? {
            ses::Message::Notification(text) => ses::read(&text),
            ses::Message::Confirm(url) => {
                mail.inner.sns.confirm(&url).await?;
                tracing::info!(source_id = %known.id, "subscription of Amazon SNS confirmed");
                Ok(Vec::new())
            }
            ses::Message::Ended => {
                tracing::warn!(source_id = %known.id, "subscription of Amazon SNS ended: bounces are no longer reported here");
                Ok(Vec::new())
            }
        },
        Provider::Resend => {
            resend::verify(secret, report)?;
            resend::read(report)
        }
        Provider::Postmark => {
            postmark::verify(secret, report)?;
            postmark::read(report.body)
        }
    }
}

/// The secret as it is kept, or what is wrong with it.
pub(crate) fn checked_secret(provider: Provider, secret: &str) -> Result<&str, &'static str> {
    let secret = secret.trim();
    let (fits, expected) = match provider {
        Provider::Sendgrid => (
            sendgrid::is_key(secret),
            "expected the verification key of the signed event webhook, which begins with MFkwEwYHKoZIzj0CAQYI",
        ),
        Provider::Mailgun => (!secret.is_empty(), "expected the HTTP webhook signing key"),
        Provider::Resend => (resend::is_secret(secret), "expected the webhook's signing secret, whsec_..."),
        Provider::Ses => (
            // Without it, whoever learns our address could subscribe a topic of his own.
            secret.starts_with("arn:aws") && secret.contains(":sns:"),
            "expected the ARN of the SNS topic, such as arn:aws:sns:eu-west-1:123456789012:bounces",
        ),
        Provider::Postmark => (
            secret.is_empty()
                || secret.split_once(':').is_some_and(|(user, password)| !user.is_empty() && !password.is_empty()),
            "expected user:password, or nothing",
        ),
    };
    let fits = fits && secret.len() <= 1000 && !secret.contains('\0');
    if fits { Ok(secret) } else { Err(expected) }
}
