//! Opens the store behind an address: a local folder, S3, Google Cloud Storage, Azure.

use std::{
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use object_store::{
    ObjectStore,
    aws::{AmazonS3Builder, Checksum},
    azure::MicrosoftAzureBuilder,
    gcp::GoogleCloudStorageBuilder,
    local::LocalFileSystem,
    prefix::PrefixStore,
};
use secrecy::ExposeSecret as _;

use crate::{Config, StorageError};

/// A store, and its folder where it is local.
pub(super) struct Opened {
    pub store: Arc<dyn ObjectStore>,
    pub folder: Option<PathBuf>,
}

/// Opens `url` with the account of `config`; an empty URL means `folder` (created if missing). Does not connect.
pub(super) fn open(url: &str, folder: PathBuf, config: &Config) -> Result<Opened, StorageError> {
    let remote = |store| Ok(Opened { store, folder: None });
    match url.split_once("://") {
        Some(("s3", rest)) => remote(s3(rest, config)?),
        Some(("gs", rest)) => remote(gcs(rest, config)?),
        Some(("az", rest)) => remote(azure(rest, config)?),
        _ => Ok(Opened { store: local(&folder)?, folder: Some(folder) }),
    }
}

fn local(folder: &Path) -> Result<Arc<dyn ObjectStore>, StorageError> {
    // New folders are readable for us only; existing ones keep their mode.
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // An acknowledged upload must survive a power failure.
    let store = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true).with_automatic_cleanup(true);
    Ok(Arc::new(store))
}

/// `bucket/prefix`
fn parts(rest: &str) -> (&str, &str) {
    rest.split_once('/').unwrap_or((rest, ""))
}

fn s3(rest: &str, config: &Config) -> Result<Arc<dyn ObjectStore>, StorageError> {
    let (bucket, prefix) = parts(rest);
    let mut builder = AmazonS3Builder::new().with_bucket_name(bucket);
    for (key, value) in config.s3_options() {
        builder = builder.with_config(key.parse()?, value);
    }
    if config.s3_checksum {
        // The service compares what it received, before it acknowledges.
        builder = builder.with_checksum_algorithm(Checksum::SHA256);
    }
    Ok(Arc::new(PrefixStore::new(builder.build()?, prefix)))
}

fn gcs(rest: &str, config: &Config) -> Result<Arc<dyn ObjectStore>, StorageError> {
    let (bucket, prefix) = parts(rest);
    let mut builder = GoogleCloudStorageBuilder::new().with_bucket_name(bucket);
    if let Some(file) = &config.gcs_service_account_file {
        builder = builder.with_service_account_path(file.display().to_string());
    }
    Ok(Arc::new(PrefixStore::new(builder.build()?, prefix)))
}

fn azure(rest: &str, config: &Config) -> Result<Arc<dyn ObjectStore>, StorageError> {
    let (container, prefix) = parts(rest);
    let mut builder = MicrosoftAzureBuilder::new().with_account(&config.azure_account).with_container_name(container);
    if let Some(key) = &config.azure_access_key {
        builder = builder.with_access_key(key.expose_secret());
    }
    Ok(Arc::new(PrefixStore::new(builder.build()?, prefix)))
}
