//! `holdfast storage`, alone and beside the running appliance.

use std::fs;

use serde_json::Value;

use crate::support::process::Site;

/// Exit code, what it prints, and what it complains about.
async fn run(site: &Site, args: &[&str]) -> (i32, String, String) {
    let output = site.run(&[["storage"].as_slice(), args].concat()).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

async fn says(site: &Site, args: &[&str]) -> String {
    let (code, said, complaint) = run(site, args).await;
    assert_eq!(code, 0, "{args:?}: {said}{complaint}");
    said
}

async fn tells(site: &Site, args: &[&str]) -> Value {
    serde_json::from_str(&says(site, &[args, &["--json"]].concat()).await).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn cli_ls_cp_rm_du() {
    let site = Site::new();
    let (code, _, complaint) = run(&site, &["ls"]).await;
    assert!(code == 1 && complaint.contains("there is no installation"), "{complaint}");
    let running = site.start().await;
    let admin = site.admin().await;
    admin.post("/api/v1/buckets", &serde_json::json!({"name": "files"})).await.expect(201);

    let folder = tempfile::tempdir().unwrap();
    let local = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir_all(folder.path().join("in/deep")).unwrap();
    fs::write(folder.path().join("in/a.txt"), "A").unwrap();
    fs::write(folder.path().join("in/deep/b b.txt"), "BB").unwrap();
    fs::write(folder.path().join("one:two.txt"), "with a colon").unwrap();
    assert_eq!(says(&site, &["ls"]).await.trim(), "default");
    assert_eq!(says(&site, &["ls", "default"]).await.trim(), "default:files");

    // In, out, and between; as they were.
    says(&site, &["cp", "-r", &local("in"), "default:files/tree"]).await;
    says(&site, &["cp", &local("one:two.txt"), "default:files/"]).await;
    says(&site, &["cp", "default:files/tree/a.txt", "default:files/copy.txt"]).await;
    let listed = tells(&site, &["ls", "-r", "default:files"]).await;
    let keys: Vec<&str> = listed.as_array().unwrap().iter().map(|line| line["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["copy.txt", "one:two.txt", "tree/a.txt", "tree/deep/b b.txt"]);
    let folders = tells(&site, &["ls", "default:files/tree/"]).await;
    assert_eq!((folders[1]["key"].as_str(), folders[1].get("size")), (Some("tree/deep/"), None));
    says(&site, &["cp", "-r", "default:files/tree", &local("out")]).await;
    assert_eq!(fs::read_to_string(folder.path().join("out/deep/b b.txt")).unwrap(), "BB");
    assert_eq!(says(&site, &["cp", "default:files/one:two.txt", "-"]).await, "with a colon");
    let (code, _, complaint) = run(&site, &["cp", "default:files/missing", &local("x")]).await;
    assert!(code == 1 && complaint.contains("no such object"), "{complaint}");
    assert!(!folder.path().join("x").exists() && !folder.path().join("x.part").exists());
    let (code, _, complaint) = run(&site, &["cp", &local("in"), "default:files/"]).await;
    assert!(code == 1 && complaint.contains("use -r"), "{complaint}");

    let usage = tells(&site, &["du", "default"]).await;
    assert_eq!(
        (usage[0]["usage"]["objects"].as_i64(), usage[0]["buckets"][0]["bucket"].as_str()),
        (Some(4), Some("files"))
    );
    assert!(says(&site, &["du"]).await.contains("default"));

    // Into the trash, and for good.
    says(&site, &["rm", "default:files/copy.txt"]).await;
    says(&site, &["rm", "-r", "--purge", "default:files/tree/"]).await;
    let usage = &tells(&site, &["du", "default"]).await[0]["usage"];
    assert_eq!((usage["objects"].as_i64(), usage["trashed"].as_i64()), (Some(1), Some(1)));
    let (code, _, complaint) = run(&site, &["rm", "default:files"]).await;
    assert!(code == 1 && complaint.contains("use -r"), "{complaint}");
    let (code, _, complaint) = run(&site, &["ls", "nowhere:files"]).await;
    assert!(code == 1 && complaint.contains("no organisation nowhere"), "{complaint}");

    let key = tells(&site, &["keys", "create", "default", "backups", "--verb", "list,read", "--bucket", "files"]).await;
    let id = key["access_key_id"].as_str().unwrap().to_owned();
    assert!(says(&site, &["keys", "list", "default"]).await.contains(&id));
    says(&site, &["keys", "revoke", "default", &id]).await;
    assert!(says(&site, &["keys", "list", "default"]).await.contains("revoked"));

    assert!(says(&site, &["scrub"]).await.contains("0 objects are damaged"));
    assert!(says(&site, &["scrub", "--now"]).await.contains("a scrub begins"));
    // The last pass waits for the appliance to stop; the others run beside it.
    let to = local("store");
    says(&site, &["migrate", "--to", &to]).await;
    let (code, _, complaint) = run(&site, &["migrate", "--to", &to, "--finish"]).await;
    assert!(code == 1 && complaint.contains("stop it"), "{complaint}");
    assert!(running.stop().await.0.success());
    let said = says(&site, &["migrate", "--to", &to, "--finish"]).await;
    assert!(said.contains("are the same on both sides"), "{said}");
}
