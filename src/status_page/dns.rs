//! Whether a name of DNS shows that its owner wants a page there.

use std::time::Duration;

use hickory_resolver::{TokioResolver, net::NetError, proto::rr::RData};
use tokio::sync::OnceCell;

use super::model::Domain;
use platform::error::chain;

/// An answer comes sooner, or not at all.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The name servers of this host.
#[derive(Default)]
pub struct Dns(OnceCell<TokioResolver>);

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    Right,
    /// The record is missing, or says something else.
    Wrong(String),
    /// No name server answered: nothing is known.
    Unknown(String),
}

/// Name of the record.
fn record(domain: &str) -> String {
    format!("_holdfast.{domain}")
}

impl Domain {
    /// Name of the TXT record that proves it.
    pub fn record(&self) -> String {
        record(&self.domain)
    }
}

impl Dns {
    /// Whether the TXT record of the domain has the proof.
    pub async fn proves(&self, domain: &str, proof: &str) -> Proof {
        match self.txt(&record(domain)).await {
            Err(error) => Proof::Unknown(error),
            Ok(found) => judge(domain, &found, proof),
        }
    }

    async fn txt(&self, name: &str) -> Result<Vec<String>, String> {
        let resolver = self.resolver().await?;
        // With the final dot, no search domain is tried.
        let answer = match resolver.txt_lookup(format!("{name}.")).await {
            Ok(answer) => answer,
            Err(error) if error.is_no_records_found() => return Ok(Vec::new()),
            Err(error) => return Err(chain(&error)),
        };
        let texts = answer.answers().iter().filter_map(|record| match &record.data {
            RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
            _ => None,
        });
        Ok(texts.collect())
    }

    async fn resolver(&self) -> Result<&TokioResolver, String> {
        let build = async {
            let mut builder = TokioResolver::builder_tokio()?;
            let options = builder.options_mut();
            options.timeout = TIMEOUT;
            options.attempts = 1;
            // Whoever has just published the record wants to see it.
            options.cache_size = 0;
            builder.build()
        };
        self.0.get_or_try_init(|| build).await.map_err(|error: NetError| chain(&error))
    }
}

fn judge(domain: &str, found: &[String], proof: &str) -> Proof {
    if found.iter().any(|text| text.trim() == proof) {
        return Proof::Right;
    }
    let record = record(domain);
    Proof::Wrong(if found.is_empty() {
        format!("there is no TXT record {record}")
    } else {
        format!("the TXT record {record} has another value")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_records_is_enough() {
        let found = ["other".to_owned(), " proof ".to_owned()];
        assert_eq!(judge("a.example", &found, "proof"), Proof::Right);
        assert_eq!(judge("a.example", &[], "proof"), Proof::Wrong("there is no TXT record _holdfast.a.example".into()));
        assert!(matches!(judge("a.example", &found[..1], "proof"), Proof::Wrong(_)));
    }
}
