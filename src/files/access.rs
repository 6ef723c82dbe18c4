//! Who asks, and what they may do. Everything that may happen is decided by [`may`].

use std::{collections::BTreeSet, sync::Arc};

use uuid::Uuid;

use crate::{ADMIN, AccessKey, Bucket, BucketId, BucketRule, Claims, FileLinkId, READ, Subject, Verb, WRITE};
use platform::{
    http::{Actor, Principal, Role},
    ids::{OrgId, UserId},
};

/// Who does something with files.
#[derive(Clone, Debug)]
pub struct Caller {
    pub org: OrgId,
    pub kind: CallerKind,
    /// For columns and logs: `user:<id>`, `key:<id>`, ...
    pub subject: String,
    /// Asks to end locks of the mode governance; [`Verb::Admin`] decides whether it may.
    pub bypass_governance: bool,
}

#[derive(Clone, Debug)]
pub enum CallerKind {
    Member {
        role: Role,
        user: UserId,
    },
    ApiKey {
        id: Uuid,
        scopes: BTreeSet<String>,
    },
    AccessKey(Arc<AccessKey>),
    Token(Box<Claims>),
    Link(LinkGrant),
    /// Nobody has signed in.
    Anyone,
    /// The program itself.
    Worker,
}

/// What a link lets its holder read.
#[derive(Clone, Debug)]
pub struct LinkGrant {
    pub id: FileLinkId,
    pub bucket: BucketId,
    pub key: String,
    pub folder: bool,
}

/// Why somebody may not. It is told: a refusal that does not say which right is missing costs hours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("needs the right to {} here", .0.as_str())]
    Verb(Verb),
    #[error("the rules of this bucket give no right to {} below this prefix", .0.as_str())]
    Rules(Verb),
    /// Of a list.
    #[error("may list only below {}", .0.join(", "))]
    Prefixes(Vec<String>),
    #[error("this API key lacks the scope {0}")]
    Scope(&'static str),
    #[error("this access key has no right to {}", .0.as_str())]
    AccessKey(Verb),
    #[error("this access key is for other buckets or another prefix")]
    Elsewhere,
    #[error("this token or link is for something else")]
    Token,
    #[error("sign in, or send a key")]
    Nobody,
}

impl Caller {
    pub fn of(who: &Principal) -> Self {
        let kind = match &who.actor {
            Actor::User(user) => CallerKind::Member { role: who.role, user: user.user_id },
            Actor::ApiKey(key) => CallerKind::ApiKey { id: key.key_id, scopes: key.scopes.clone() },
        };
        Self { org: who.org_id, kind, subject: who.subject(), bypass_governance: false }
    }

    pub fn anyone(org: OrgId) -> Self {
        Self { org, kind: CallerKind::Anyone, subject: "anyone".to_owned(), bypass_governance: false }
    }

    pub fn worker(org: OrgId) -> Self {
        Self { org, kind: CallerKind::Worker, subject: "worker".to_owned(), bypass_governance: false }
    }
}

/// Whether the caller may do this with `key` (of a list: below this prefix).
pub fn may(who: &Caller, bucket: &Bucket, rules: &[BucketRule], verb: Verb, key: &str) -> Result<(), Why> {
    if who.org != bucket.org {
        return Err(Why::Nobody);
    }
    let is_open = bucket.public && verb == Verb::Read;
    let own = match &who.kind {
        CallerKind::Worker => Ok(()),
        // Their claims alone decide.
        CallerKind::Token(claims) => claims.allow(bucket.id, verb, key).then_some(()).ok_or(Why::Token),
        CallerKind::Link(grant) => link_allows(grant, bucket, verb, key),
        CallerKind::AccessKey(access) => access_key_allows(access, bucket, verb, key),
        CallerKind::ApiKey { id, scopes } => api_key_allows(*id, scopes, rules, verb, key),
        CallerKind::Member { role, user } => member_may(*role, *user, rules, verb, key),
        CallerKind::Anyone => {
            by_rules(rules, verb, key, |subject| *subject == Subject::Anyone).map_err(|_| Why::Nobody)
        }
    };
    if is_open { Ok(()) } else { own }
}

fn link_allows(grant: &LinkGrant, bucket: &Bucket, verb: Verb, key: &str) -> Result<(), Why> {
    let fits = if grant.folder { key.starts_with(&grant.key) } else { key == grant.key };
    let is_reading = verb == Verb::Read || (grant.folder && verb == Verb::List);
    if grant.bucket == bucket.id && fits && is_reading { Ok(()) } else { Err(Why::Token) }
}

fn access_key_allows(access: &AccessKey, bucket: &Bucket, verb: Verb, key: &str) -> Result<(), Why> {
    if !access.verbs.contains(&verb) {
        return Err(Why::AccessKey(verb));
    }
    let here = access.buckets.as_ref().is_none_or(|buckets| buckets.contains(&bucket.id));
    if here && key.starts_with(&access.prefix) { Ok(()) } else { Err(Why::Elsewhere) }
}

/// Its scopes, and the rules that name it, if the bucket has rules for keys.
fn api_key_allows(id: Uuid, scopes: &BTreeSet<String>, rules: &[BucketRule], verb: Verb, key: &str) -> Result<(), Why> {
    let scope = match verb {
        Verb::List | Verb::Read => READ,
        Verb::Write | Verb::Delete => WRITE,
        Verb::Admin => ADMIN,
    };
    if !scopes.contains(scope.as_str()) {
        return Err(Why::Scope(scope.as_str()));
    }
    if rules.is_empty() || verb == Verb::Admin {
        return Ok(());
    }
    by_rules(rules, verb, key, |subject| match subject {
        Subject::Anyone => true,
        Subject::Scope(named) => scopes.contains(named),
        Subject::Key(named) => *named == id,
        Subject::Role(_) | Subject::User(_) => false,
    })
}

/// Admins have every right: nobody locks an organisation out of its own bucket.
fn member_may(role: Role, user: UserId, rules: &[BucketRule], verb: Verb, key: &str) -> Result<(), Why> {
    if role >= Role::Admin {
        return Ok(());
    }
    if !rules.is_empty() && verb != Verb::Admin {
        return by_rules(rules, verb, key, |subject| match subject {
            Subject::Anyone => true,
            Subject::Role(least) => role >= *least,
            Subject::User(named) => *named == user,
            Subject::Scope(_) | Subject::Key(_) => false,
        });
    }
    let least = match verb {
        Verb::List | Verb::Read => Role::Viewer,
        Verb::Write | Verb::Delete => Role::Member,
        Verb::Admin => Role::Admin,
    };
    if role >= least { Ok(()) } else { Err(Why::Verb(verb)) }
}

/// By the union of the rules that are about the caller. A list is not filtered in silence: a wider prefix than one may list is refused, and the
/// refusal says which would work.
fn by_rules(rules: &[BucketRule], verb: Verb, key: &str, is_about: impl Fn(&Subject) -> bool) -> Result<(), Why> {
    let mut prefixes: Vec<&str> = Vec::new();
    for rule in rules.iter().filter(|rule| rule.verbs.contains(&verb) && is_about(&rule.subject)) {
        if key.starts_with(&rule.prefix) {
            return Ok(());
        }
        prefixes.push(&rule.prefix);
    }
    match verb {
        Verb::List if !prefixes.is_empty() => {
            prefixes.sort_unstable();
            prefixes.dedup();
            Err(Why::Prefixes(prefixes.into_iter().map(str::to_owned).collect()))
        }
        _ => Err(Why::Rules(verb)),
    }
}

/// Whether the caller may make buckets, and what else is of no bucket.
pub(crate) fn may_make(who: &Caller) -> Result<(), Why> {
    match &who.kind {
        CallerKind::Worker => Ok(()),
        CallerKind::Member { role, .. } if *role >= Role::Admin => Ok(()),
        CallerKind::Member { .. } => Err(Why::Verb(Verb::Admin)),
        CallerKind::ApiKey { scopes, .. } if scopes.contains(ADMIN.as_str()) => Ok(()),
        CallerKind::ApiKey { .. } => Err(Why::Scope(ADMIN.as_str())),
        // One for some buckets alone makes no others.
        CallerKind::AccessKey(key) if key.verbs.contains(&Verb::Admin) && key.buckets.is_none() => Ok(()),
        CallerKind::AccessKey(_) => Err(Why::AccessKey(Verb::Admin)),
        CallerKind::Token(_) | CallerKind::Link(_) => Err(Why::Token),
        CallerKind::Anyone => Err(Why::Nobody),
    }
}
