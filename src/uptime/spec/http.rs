//! HTTP requests, one or several in a row, and what is expected of their answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::SecretName;
use platform::text_enum;

text_enum! {
    #[schema(as = MonitorHttpMethod)]
    #[derive(Default)]
    pub enum HttpMethod {
        #[default]
        Get = "GET",
        Head = "HEAD",
        Post = "POST",
        Put = "PUT",
        Patch = "PATCH",
        Delete = "DELETE",
        Options = "OPTIONS",
    }
}

text_enum! {
    #[schema(as = MonitorHttpVersion)]
    #[derive(Default)]
    pub enum HttpVersion {
        /// What the server prefers.
        #[default]
        Auto = "auto",
        One = "1.1",
        Two = "2",
    }
}

text_enum! {
    /// Which addresses of a name are asked.
    #[schema(as = MonitorAddressFamily)]
    #[derive(Default)]
    pub enum Family {
        /// Both, the sooner one.
        #[default]
        Auto = "auto",
        Four = "4",
        Six = "6",
    }
}

/// One HTTP request, on a connection of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MonitorHttpSpec)]
pub struct HttpSpec {
    /// `http` or `https`, without credentials.
    pub url: String,
    #[serde(default)]
    pub method: HttpMethod,
    /// May hold `{{secret.<name>}}`, and in a flow `{{<name>}}` of an earlier step.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// As headers; at most 64 KB.
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub auth: Option<Auth>,
    /// Redirects that are followed, 0 to 10. Credentials and own headers do not follow to another host or port.
    #[serde(default = "five")]
    pub redirects: u8,
    /// Numbers and ranges, such as `200-299`.
    #[serde(default = "success")]
    pub status: Vec<String>,
    #[serde(default)]
    pub version: HttpVersion,
    #[serde(default)]
    pub family: Family,
    /// Whether its certificate must be valid.
    #[serde(default = "yes")]
    pub verify: bool,
    /// Bytes of the body that are read where a condition needs it, at most 1 MiB; null: 1 MiB.
    #[serde(default)]
    pub body_bytes: Option<u32>,
    /// All of it must be so.
    #[serde(default)]
    pub expect: Vec<Condition>,
}

/// How a request signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = MonitorAuth)]
pub enum Auth {
    Basic {
        user: String,
        password: SecretName,
    },
    Bearer {
        token: SecretName,
    },
    /// PEM.
    ClientCertificate {
        certificate: SecretName,
        key: SecretName,
    },
}

text_enum! {
    /// How a value is compared.
    #[schema(as = MonitorTest)]
    pub enum Test {
        Is = "is",
        IsNot = "is_not",
        Contains = "contains",
        /// Numbers: less than.
        Below = "below",
        /// Numbers: greater than.
        Above = "above",
        AtMost = "at_most",
        AtLeast = "at_least",
        /// A regular expression of at most 500 characters; it sees the first 64 KB.
        Matches = "matches",
        /// Whatever it is; takes no value.
        Exists = "exists",
    }
}

/// What is expected of an answer besides its status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "on", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = MonitorCondition)]
pub enum Condition {
    /// A text in the body; `absent`: it must not be there.
    Keyword {
        text: String,
        #[serde(default)]
        absent: bool,
    },
    /// A value of a JSON body, by a path such as `$.data[0].id` or `length($.data)`.
    Json {
        path: String,
        test: Test,
        #[serde(default)]
        value: Value,
    },
    Header {
        name: String,
        test: Test,
        #[serde(default)]
        value: String,
    },
    /// The whole attempt, milliseconds.
    TimeBelow { ms: i32 },
}

/// HTTP requests in a row, with a cookie store of their own. The timeout is for all of them together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MonitorFlowSpec)]
pub struct FlowSpec {
    /// 1 to 20.
    pub steps: Vec<Step>,
}

/// A request of a flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MonitorFlowStep)]
pub struct Step {
    pub name: String,
    pub http: HttpSpec,
    /// Values of the answer, by the name that later steps use in `{{<name>}}`.
    #[serde(default)]
    pub take: BTreeMap<String, Take>,
}

/// Where a value is in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "from", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = MonitorFlowTake)]
pub enum Take {
    Json {
        path: String,
    },
    Header {
        name: String,
    },
    Cookie {
        name: String,
    },
    /// The first match in the body; group 0 is all of it.
    Regex {
        pattern: String,
        #[serde(default)]
        group: u8,
    },
}

pub(super) fn yes() -> bool {
    true
}

fn five() -> u8 {
    5
}

fn success() -> Vec<String> {
    vec!["200-299".to_owned()]
}
