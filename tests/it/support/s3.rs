//! An S3 service of the test's own: `tests/clients/s3_server.py`.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use futures::TryStreamExt as _;
use object_store::{
    ObjectStore as _, ObjectStoreExt as _,
    aws::{AmazonS3, AmazonS3Builder},
};
use serde::Deserialize;

/// The running service; ends with this value.
pub struct S3 {
    child: Child,
    account: Account,
}

#[derive(Clone, Deserialize)]
pub struct Account {
    pub endpoint: String,
    pub access_key_id: String,
    pub secret_access_key: String,
}

impl Account {
    /// The bucket, for looking into it past the appliance.
    pub fn bucket(&self) -> AmazonS3 {
        AmazonS3Builder::new()
            .with_bucket_name("holdfast")
            .with_endpoint(&self.endpoint)
            .with_region("us-east-1")
            .with_allow_http(true)
            .with_access_key_id(&self.access_key_id)
            .with_secret_access_key(&self.secret_access_key)
            .build()
            .unwrap()
    }
}

impl S3 {
    /// Blocking for the seconds that Python needs.
    #[expect(clippy::disallowed_methods, reason = "scripts/test says where its Python tools are")]
    pub fn start() -> Self {
        let python = std::env::var("HOLDFAST_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
        let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/s3_server.py");
        let mut command = Command::new(&python);
        command.arg(server).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{python}: {e}"));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let account = serde_json::from_str(&line).unwrap_or_else(|e| {
            panic!(
                "no S3 service ({e}): run scripts/test rust, or set HOLDFAST_TEST_PYTHON to a Python with moto[server]"
            )
        });
        Self { child, account }
    }

    pub fn account(&self) -> Account {
        self.account.clone()
    }

    /// Settings that put objects and index into the bucket.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("HOLDFAST_STORAGE__URL", "s3://holdfast/objects".into()),
            ("HOLDFAST_KNOWLEDGE__INDEX_URL", "s3://holdfast/vectors".into()),
            ("HOLDFAST_STORAGE__S3_ENDPOINT", self.account.endpoint.clone()),
            ("HOLDFAST_STORAGE__S3_ACCESS_KEY_ID", self.account.access_key_id.clone()),
            ("HOLDFAST_STORAGE__S3_SECRET_ACCESS_KEY", self.account.secret_access_key.clone()),
        ]
    }

    /// Everything in the bucket: names and contents.
    pub async fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let bucket = self.account.bucket();
        let found: Vec<_> = bucket.list(None).try_collect().await.unwrap();
        let mut contents = Vec::new();
        for meta in found {
            let bytes = bucket.get(&meta.location).await.unwrap().bytes().await.unwrap();
            contents.push((meta.location.to_string(), bytes.to_vec()));
        }
        contents
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
