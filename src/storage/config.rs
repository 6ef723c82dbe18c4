//! `[storage]`

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use platform::{
    config::{ConfigErrors, secret},
    telemetry::config::is_base_url,
};

/// Stores of other kinds than a local folder, by the beginning of their addresses.
const REMOTE: [&str; 3] = ["s3://", "gs://", "az://"];

/// Location of the objects, and the S3 account shared by objects and vectors.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `s3://bucket/prefix`, `gs://bucket/prefix` (Google Cloud Storage) or `az://container/prefix` (Azure); empty: the folder `objects` in the
    /// data directory.
    pub url: String,
    /// Endpoint of an S3 service other than Amazon's, e.g. `https://minio.example.com`.
    #[serde(serialize_with = "secret::masked_url")]
    pub s3_endpoint: String,
    /// S3 region; empty: `us-east-1`, which services other than Amazon's accept.
    pub s3_region: String,
    /// S3 access key id; empty: the machine's IAM role on Amazon.
    pub s3_access_key_id: String,
    /// S3 secret access key.
    #[serde(serialize_with = "secret::masked")]
    pub s3_secret_access_key: Option<SecretString>,
    /// File with the S3 secret access key.
    pub s3_secret_access_key_file: Option<PathBuf>,
    /// Whether each write is sent with its SHA-256, which the service compares; false for services that refuse the header.
    pub s3_checksum: bool,
    /// File with the key of a service account of Google Cloud; empty: the machine's own.
    pub gcs_service_account_file: Option<PathBuf>,
    /// Storage account of Azure.
    pub azure_account: String,
    /// Access key of that account; empty: the machine's managed identity.
    #[serde(serialize_with = "secret::masked")]
    pub azure_access_key: Option<SecretString>,
    /// File with the access key of the Azure account.
    pub azure_access_key_file: Option<PathBuf>,
    /// Share of the objects read whole whose SHA-256 is compared, 0 to 1; those below 1 MiB always are.
    pub check_reads: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: String::new(),
            s3_endpoint: String::new(),
            s3_region: String::new(),
            s3_access_key_id: String::new(),
            s3_secret_access_key: None,
            s3_secret_access_key_file: None,
            s3_checksum: true,
            gcs_service_account_file: None,
            azure_account: String::new(),
            azure_access_key: None,
            azure_access_key_file: None,
            check_reads: 0.01,
        }
    }
}

impl Config {
    pub fn validate(&mut self, errors: &mut ConfigErrors) {
        let bucket = REMOTE.iter().find_map(|start| self.url.strip_prefix(start));
        if !self.is_local() && bucket.is_none_or(|rest| rest.trim_matches('/').is_empty()) {
            errors.push("url", "must be empty, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix");
        }
        if self.url.starts_with("az://") && self.azure_account.is_empty() {
            errors.push("azure_account", "az:// needs the name of the storage account");
        }
        if !(0.0..=1.0).contains(&self.check_reads) {
            errors.push("check_reads", "expected a share from 0 to 1");
        }
        self.validate_account(errors);
    }

    /// Reads the secret from its file and checks everything except the URL.
    pub fn validate_account(&mut self, errors: &mut ConfigErrors) {
        let file = self.s3_secret_access_key_file.clone();
        secret::resolve(&mut self.s3_secret_access_key, file.as_deref(), "s3_secret_access_key_file", errors);
        let file = self.azure_access_key_file.clone();
        secret::resolve(&mut self.azure_access_key, file.as_deref(), "azure_access_key_file", errors);
        if self.s3_access_key_id.is_empty() != self.s3_secret_access_key.is_none() {
            errors.push("s3_access_key_id", "give both the access key id and the secret access key, or neither");
        }
        // The S3 client quotes the endpoint in its errors: credentials must not be in it.
        if !self.s3_endpoint.is_empty() && !is_base_url(&self.s3_endpoint) {
            let text = "expected an address such as https://minio.example.com; credentials go into s3_access_key_id and s3_secret_access_key";
            errors.push("s3_endpoint", text);
        }
    }

    /// Whether none of its settings is set.
    pub fn is_unset(&self) -> bool {
        let account = [&self.url, &self.s3_endpoint, &self.s3_region, &self.s3_access_key_id, &self.azure_account];
        let files = [&self.s3_secret_access_key_file, &self.gcs_service_account_file, &self.azure_access_key_file];
        account.iter().all(|text| text.is_empty())
            && [&self.s3_secret_access_key, &self.azure_access_key].iter().all(|secret| secret.is_none())
            && files.iter().all(|file| file.is_none())
    }

    /// Whether objects are in a local folder, which several hosts cannot share.
    pub fn is_local(&self) -> bool {
        self.url.is_empty()
    }

    /// The folder of a local store.
    pub fn local_folder(data_dir: &Path) -> PathBuf {
        data_dir.join("objects")
    }

    /// The S3 account as the `aws_*` options that `object_store` and LanceDB both take.
    pub fn s3_options(&self) -> Vec<(&'static str, String)> {
        let region = if self.s3_region.is_empty() { "us-east-1".to_owned() } else { self.s3_region.clone() };
        let mut options = vec![("aws_region", region)];
        if !self.s3_endpoint.is_empty() {
            options.push(("aws_endpoint", self.s3_endpoint.clone()));
            options.push(("aws_virtual_hosted_style_request", "false".to_owned()));
        }
        if self.s3_endpoint.starts_with("http://") {
            options.push(("allow_http", "true".to_owned()));
        }
        if let Some(secret) = &self.s3_secret_access_key {
            options.push(("aws_access_key_id", self.s3_access_key_id.clone()));
            options.push(("aws_secret_access_key", secret.expose_secret().to_owned()));
        }
        options
    }
}
