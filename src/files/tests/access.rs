use std::sync::Arc;

use platform::{
    clock::Clock,
    http::Role,
    ids::{OrgId, UserId},
};

use crate::{
    AccessKey, AccessKeyId, Bucket, BucketId, BucketRule, BucketRuleId, Caller, CallerKind, ImageRights, ScanMode,
    Subject, Tags, Verb, Versioning, Why, may,
};

fn bucket(org: OrgId, public: bool) -> Bucket {
    let clock = Clock::system();
    Bucket {
        id: BucketId::generate(&clock),
        org,
        name: "b".into(),
        public,
        versioning: Versioning::Off,
        object_lock: false,
        lock_mode: None,
        lock_days: None,
        trash_days: 7,
        max_object_bytes: None,
        quota_bytes: None,
        allowed_types: Vec::new(),
        cache_control: String::new(),
        image_options: ImageRights::Presets,
        image_presets: serde_json::Value::Null,
        scan: ScanMode::Default,
        cors: serde_json::Value::Null,
        lifecycle: serde_json::Value::Null,
        tags: Tags::new(),
        purge_url: None,
        revision: 1,
        created_by: "x".into(),
        created_at: clock.now(),
        updated_at: clock.now(),
    }
}

fn rule(subject: &str, prefix: &str, verbs: &[Verb]) -> BucketRule {
    BucketRule {
        id: BucketRuleId::generate(&Clock::system()),
        subject: Subject::parse(subject).unwrap(),
        prefix: prefix.into(),
        verbs: verbs.to_vec(),
        created_by: "x".into(),
        created_at: Clock::system().now(),
    }
}

fn caller(org: OrgId, kind: CallerKind) -> Caller {
    Caller { kind, ..Caller::anyone(org) }
}

fn member(org: OrgId, role: Role) -> Caller {
    caller(org, CallerKind::Member { role, user: UserId::generate(&Clock::system()) })
}

/// What somebody may do with the key `a/x`, as letters.
fn rights(who: &Caller, bucket: &Bucket, rules: &[BucketRule]) -> String {
    let verbs = [(Verb::List, 'l'), (Verb::Read, 'r'), (Verb::Write, 'w'), (Verb::Delete, 'd'), (Verb::Admin, 'a')];
    verbs.iter().filter(|(verb, _)| may(who, bucket, rules, *verb, "a/x").is_ok()).map(|(_, letter)| letter).collect()
}

#[test]
fn without_rules_roles_decide() {
    let org = OrgId::generate(&Clock::system());
    let (private, public) = (bucket(org, false), bucket(org, true));
    for (role, expected) in
        [(Role::Viewer, "lr"), (Role::Member, "lrwd"), (Role::Admin, "lrwda"), (Role::Owner, "lrwda")]
    {
        assert_eq!(rights(&member(org, role), &private, &[]), expected, "{role:?}");
    }
    assert_eq!(rights(&Caller::anyone(org), &private, &[]), "");
    assert_eq!(rights(&Caller::anyone(org), &public, &[]), "r", "and no list");
    let other = OrgId::generate(&Clock::system());
    assert_eq!(rights(&member(other, Role::Owner), &public, &[]), "", "another organisation's");
    let scopes = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let key = |names: &[&str]| caller(org, CallerKind::ApiKey { id: uuid::Uuid::nil(), scopes: scopes(names) });
    assert_eq!(rights(&key(&["files_read"]), &private, &[]), "lr");
    assert_eq!(rights(&key(&["files_write"]), &private, &[]), "wd");
    assert_eq!(rights(&key(&["admin"]), &private, &[]), "");
}

#[test]
fn rules_take_the_place_of_the_defaults_and_bind_no_admin() {
    let org = OrgId::generate(&Clock::system());
    let bucket = bucket(org, false);
    let rules = [
        rule("role:member", "a/", &[Verb::Read]),
        rule("role:viewer", "b/", &[Verb::List, Verb::Read]),
        rule("anyone", "a/x", &[Verb::List]),
    ];
    assert_eq!(rights(&member(org, Role::Viewer), &bucket, &rules), "l");
    assert_eq!(rights(&member(org, Role::Member), &bucket, &rules), "lr");
    assert_eq!(rights(&member(org, Role::Admin), &bucket, &rules), "lrwda");
    assert_eq!(rights(&Caller::anyone(org), &bucket, &rules), "l");
    let refused = may(&member(org, Role::Viewer), &bucket, &rules, Verb::List, "");
    assert_eq!(refused, Err(Why::Prefixes(vec!["a/x".into(), "b/".into()])), "it says what would work");
    let refused = may(&member(org, Role::Member), &bucket, &rules, Verb::Write, "a/x");
    assert_eq!(refused, Err(Why::Rules(Verb::Write)));
}

#[test]
fn an_access_key_is_good_for_its_buckets_prefix_and_verbs() {
    let (org, clock) = (OrgId::generate(&Clock::system()), Clock::system());
    let (ours, other) = (bucket(org, false), bucket(org, false));
    let key = |prefix: &str, buckets| AccessKey {
        id: AccessKeyId::generate(&clock),
        org,
        name: "k".into(),
        access_key_id: "HFX".into(),
        secret: "s".to_owned().into(),
        verbs: vec![Verb::Read, Verb::Write],
        buckets,
        prefix: prefix.into(),
        expires_at: None,
    };
    let with = |key| caller(org, CallerKind::AccessKey(Arc::new(key)));
    assert_eq!(rights(&with(key("", None)), &ours, &[]), "rw");
    assert_eq!(rights(&with(key("a/", Some(vec![ours.id]))), &ours, &[]), "rw");
    assert_eq!(rights(&with(key("b/", None)), &ours, &[]), "");
    assert_eq!(rights(&with(key("", Some(vec![ours.id]))), &other, &[]), "");
}
