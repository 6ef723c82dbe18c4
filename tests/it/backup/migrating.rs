//! A new version at the database of an old one: a backup comes first, or nothing is changed.

use holdfast::platform::{crypto::MasterKey, db::managed::Managed};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use super::restores::{ok, said};
use crate::support::{process::Site, vault::Vault};

async fn administer(site: &Site, sql: &'static str) {
    let key = MasterKey::load(&site.data_dir().join("secrets/master.key"), false).unwrap();
    let target = Managed::attach(&site.data_dir(), "holdfast", &key).unwrap();
    let mut db = PgConnection::connect_with(&target.admin).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_owner_cannot_sign_in_is_not_taken_for_an_empty_one() {
    let vault = Vault::new();
    let site = Site::with(vault.settings());
    let running = site.start().await;
    administer(
        &site,
        "ALTER TABLE messages DROP COLUMN alive_at; DELETE FROM _sqlx_migrations WHERE version = 61;
         ALTER ROLE holdfast_owner PASSWORD 'other'",
    )
    .await;
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
    let said = ok(&site, &["migrate", "--plan"]).await;
    assert!(said.contains("1 migrations would be applied, after a backup"), "{said}");
    let said = ok(&site, &["migrate"]).await;
    assert!(said.contains(": 1 of "), "{said}");
    let list = site.run(&["backup", "list", "--json"]).await;
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    let made: Vec<_> = list.as_array().unwrap().iter().map(|b| (b["kind"].as_str(), b["status"].as_str())).collect();
    assert_eq!(made, [(Some("before_migration"), Some("verified"))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_not_an_empty_database() {
    let mut site = Site::with(Vault::new().settings());
    site.set("HOLDFAST_DATABASE__URL", "postgres://nobody@127.0.0.1:1/holdfast");
    for args in [&["migrate", "--plan", "--json"][..], &["migrate", "--plan"], &["migrate"]] {
        let (good, words) = said(&site, args).await;
        assert!(!good && words.contains("cannot be seen, and nothing was changed"), "{args:?}: {words}");
    }
}
