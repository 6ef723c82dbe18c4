//! Secrets of a monitor: named in its spec, kept apart from it, sealed with the master key.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use super::{UptimeError, model::MonitorId, spec::SecretName};
use platform::crypto::MasterKey;

const LABEL: &str = "uptime.monitor";

/// The secrets of one monitor, by name.
#[derive(Clone, Debug, Default)]
pub struct Secrets(pub BTreeMap<SecretName, SecretString>);

impl Secrets {
    pub fn get(&self, name: &SecretName) -> Option<&SecretString> {
        self.0.get(name)
    }

    /// For `uptime_monitors.secrets`; `None`: there are none.
    pub fn seal(&self, key: &MasterKey, id: MonitorId) -> Result<Option<Vec<u8>>, UptimeError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let plain: BTreeMap<&str, &str> =
            self.0.iter().map(|(name, value)| (name.0.as_str(), value.expose_secret())).collect();
        Ok(Some(key.seal(LABEL, id.0.as_bytes(), &serde_json::to_vec(&plain)?)?))
    }

    /// From `uptime_monitors.secrets`.
    pub fn open(key: &MasterKey, id: MonitorId, sealed: Option<&[u8]>) -> Result<Self, UptimeError> {
        let Some(sealed) = sealed else { return Ok(Self::default()) };
        let plain: BTreeMap<String, SecretString> =
            serde_json::from_slice(&key.open(LABEL, id.0.as_bytes(), sealed)?)?;
        Ok(Self(plain.into_iter().map(|(name, value)| (SecretName(name), value)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::clock::Clock;
    use secrecy::ExposeSecret;

    #[test]
    fn secrets_come_back_for_their_monitor_only() {
        let key = MasterKey::parse(&"0a".repeat(32)).unwrap();
        let (id, other) = (MonitorId::generate(&Clock::system()), MonitorId::generate(&Clock::system()));
        assert!(Secrets::default().seal(&key, id).unwrap().is_none());
        let name = SecretName("password".into());
        let secrets = Secrets(BTreeMap::from([(name.clone(), SecretString::from("open sesame"))]));
        let sealed = secrets.seal(&key, id).unwrap().unwrap();
        let opened = Secrets::open(&key, id, Some(&sealed)).unwrap();
        assert_eq!(opened.get(&name).map(ExposeSecret::expose_secret), Some("open sesame"));
        assert!(Secrets::open(&key, other, Some(&sealed)).is_err());
        assert!(!format!("{opened:?}").contains("sesame"));
    }
}
