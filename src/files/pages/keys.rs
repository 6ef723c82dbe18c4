//! Access keys of the S3 API: list, make, revoke; and how clients are set up.

use std::str::FromStr as _;

use askama::Template;
use axum::extract::State;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::{SHOWN, caller, form};
use crate::{AccessKeyId, AccessKeyInfo, Bucket, BucketId, Files, FilesError, NewAccessKey, Verb};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Pager, Shell};
use platform::{
    error::ApiError,
    http::{ListQuery, Path, Query, Slice},
};

/// Buckets that can be chosen; the API takes any.
const CHOICE: i64 = 200;

/// A key that was made just now: the only time that its secret is shown.
struct Made {
    access_key_id: String,
    secret: String,
}

/// A program and what to give it.
struct Recipe {
    name: &'static str,
    text: String,
}

#[derive(Template)]
#[template(path = "files/templates/keys.html")]
struct Keys<'a> {
    shell: &'a Shell,
    keys: Vec<AccessKeyInfo>,
    buckets: Vec<Bucket>,
    pager: Pager,
    form: KeyForm,
    errors: FormErrors,
    made: Option<Made>,
    /// With a path, for clients that take one.
    endpoint: String,
    /// At the root of its host: for all clients. `None`: there is none.
    root: Option<String>,
    region: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct KeyForm {
    name: String,
    verb: Vec<String>,
    bucket: Vec<String>,
    prefix: String,
    expires: String,
}

#[expect(clippy::unused_self, reason = "templates call methods")]
impl Keys<'_> {
    fn verbs(&self) -> [Verb; 5] {
        Verb::ALL
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn is_ticked(&self, verb: &Verb) -> bool {
        if self.form.verb.is_empty() {
            *verb != Verb::Admin
        } else {
            self.form.verb.iter().any(|one| one == verb.as_str())
        }
    }

    fn verbs_of(&self, key: &AccessKeyInfo) -> String {
        key.verbs.iter().map(|verb| verb.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Names of the buckets that a key is for, ids of those that are not known here.
    fn buckets_of(&self, key: &AccessKeyInfo) -> String {
        let Some(ids) = &key.buckets else { return self.shell.t("files-all-buckets").to_string() };
        let name = |id: &BucketId| {
            let bucket = self.buckets.iter().find(|bucket| bucket.id == *id);
            bucket.map_or_else(|| id.to_string(), |bucket| bucket.name.clone())
        };
        ids.iter().map(name).collect::<Vec<_>>().join(", ")
    }

    /// For programs that take an endpoint without a path only, where there is one.
    fn recipes(&self) -> Vec<Recipe> {
        let (id, secret) = match &self.made {
            Some(made) => (made.access_key_id.as_str(), made.secret.as_str()),
            None => ("HF...", "..."),
        };
        let root = self.root.as_deref().unwrap_or("http://HOST:9000");
        recipes(&self.endpoint, root, &self.region, (id, secret))
    }
}

fn recipes(endpoint: &str, root: &str, region: &str, (id, secret): (&str, &str)) -> Vec<Recipe> {
    let aws = format!(
        "export AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={secret} AWS_DEFAULT_REGION={region}\n\
         aws --endpoint-url {endpoint} s3 ls\naws --endpoint-url {endpoint} s3 cp report.pdf s3://BUCKET/"
    );
    let boto3 = format!(
        "import boto3\ns3 = boto3.client(\"s3\", endpoint_url=\"{endpoint}\", region_name=\"{region}\",\n    \
         aws_access_key_id=\"{id}\", aws_secret_access_key=\"{secret}\")\ns3.upload_file(\"report.pdf\", \"BUCKET\", \"report.pdf\")"
    );
    let rclone = format!(
        "[holdfast]\ntype = s3\nprovider = Other\naccess_key_id = {id}\nsecret_access_key = {secret}\n\
         endpoint = {endpoint}\nregion = {region}\nforce_path_style = true"
    );
    let restic =
        format!("export AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={secret}\nrestic -r s3:{root}/BUCKET init");
    vec![
        Recipe { name: "aws-cli", text: aws },
        Recipe { name: "boto3", text: boto3 },
        Recipe { name: "rclone.conf", text: rclone },
        Recipe { name: "restic", text: restic },
    ]
}

async fn page<'a>(
    shell: &'a Shell,
    files: &Files,
    query: &ListQuery,
    form: KeyForm,
    errors: FormErrors,
    made: Option<Made>,
) -> Result<Keys<'a>, ApiError> {
    let who = caller(shell);
    let slice = query.clone().sized(SHOWN).slice()?;
    let page = slice.page(files.list_keys(&who, &slice).await?, |key| key.id.0);
    let buckets = files.list_buckets(&who, None, &Slice::first(CHOICE)).await?;
    let pager = Pager::new("/files/keys", &[], query, page.next_cursor.as_deref());
    let endpoint = format!("{}/s3", files.public_url());
    let root = files.config().s3_address().map(|address| root_of(files.public_url(), address.port()));
    let region = files.config().s3_region.clone();
    Ok(Keys { shell, keys: page.data, buckets, pager, form, errors, made, endpoint, root, region })
}

/// The S3 port on the host of the console. Encrypted only where something in front does it: so it is plain http here.
fn root_of(public_url: &str, port: u16) -> String {
    let rest = public_url.split_once("://").map_or(public_url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.is_empty() => host,
        _ => authority,
    };
    format!("http://{host}:{port}")
}

pub async fn list(shell: Shell, State(files): State<Files>, Query(query): Query<ListQuery>) -> PageResult {
    shell.principal().require(crate::ADMIN)?;
    let page = page(&shell, &files, &query, KeyForm::default(), FormErrors::default(), None).await?;
    shell.render(&page)
}

pub async fn create(shell: Shell, State(files): State<Files>, Form(form): Form<KeyForm>) -> PageResult {
    shell.principal().require(crate::ADMIN)?;
    let (who, query) = (caller(&shell), ListQuery::default());
    let Ok(expires_at) = form::time(&form.expires) else {
        let errors = FormErrors::default().with("expires_at", &shell.t("files-not-a-time"));
        let page = page(&shell, &files, &query, form, errors, None).await?;
        return shell.render_invalid(&page);
    };
    let buckets: Vec<BucketId> = form.bucket.iter().filter_map(|id| id.parse().ok()).collect();
    let new = NewAccessKey {
        name: form.name.clone(),
        verbs: form.verb.iter().filter_map(|verb| Verb::from_str(verb).ok()).collect(),
        buckets: (!buckets.is_empty()).then_some(buckets),
        prefix: form.prefix.clone(),
        expires_at,
    };
    match files.create_key(&who, new).await {
        Ok((key, secret)) => {
            let made = Made { access_key_id: key.access_key_id, secret: secret.expose_secret().to_owned() };
            let page = page(&shell, &files, &query, KeyForm::default(), FormErrors::default(), Some(made)).await?;
            shell.render(&page)
        }
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            let page = page(&shell, &files, &query, form, errors, None).await?;
            shell.render_invalid(&page)
        }
    }
}

pub async fn revoke(
    shell: Shell,
    State(files): State<Files>,
    Path(id): Path<AccessKeyId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(crate::ADMIN)?;
    match files.revoke_key(&caller(&shell), id).await {
        Ok(()) => Ok(shell.redirect("/files/keys", &Flash::ok("files-key-revoked"))),
        // Somebody else was quicker.
        Err(FilesError::AccessKeyNotFound) => Ok(shell.redirect("/files/keys", &Flash::warn("files-key-gone"))),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_on_the_consoles_host() {
        for (url, root) in [
            ("https://ai.example.com", "http://ai.example.com:9000"),
            ("https://ai.example.com:8443/base", "http://ai.example.com:9000"),
            ("http://[::1]:8080", "http://[::1]:9000"),
            ("http://10.0.0.1", "http://10.0.0.1:9000"),
        ] {
            assert_eq!(root_of(url, 9000), root);
        }
    }

    #[test]
    fn every_recipe_has_what_its_program_needs() {
        for recipe in recipes("https://h/s3", "http://h:9000", "eu", ("HFKEY", "SECRET")) {
            assert!(recipe.text.contains("HFKEY") && recipe.text.contains("SECRET"), "{}", recipe.name);
            let takes_a_path = recipe.name != "restic";
            assert_eq!(recipe.text.contains("https://h/s3"), takes_a_path, "{}", recipe.name);
        }
    }
}
