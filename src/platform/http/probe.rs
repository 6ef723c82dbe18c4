//! Probes our own public address the way a browser would: through DNS, proxy and TLS certificate, which a scrape of the ops port does not
//! test.

use std::{
    sync::atomic::AtomicU64,
    time::{Duration, Instant},
};

use der::{
    Decode as _, SliceReader, Tagged as _,
    asn1::{AnyRef, GeneralizedTime, UtcTime},
};
use prometheus_client::{
    metrics::gauge::Gauge,
    registry::{Registry, Unit},
};
use tokio::time::sleep;

use super::Config;
use crate::{error::chain, http_client::HttpClients, lifecycle::Lifecycle};

/// Timeout of a probe.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Delay of the first probe: our listener is up by then.
const FIRST: Duration = Duration::from_secs(2);

type Number = Gauge<f64, AtomicU64>;

/// `holdfast_http_public_*`; NaN while nothing is probed.
#[derive(Clone, Debug)]
pub struct Metrics {
    up: Number,
    took: Number,
    certificate_end: Number,
}

impl Metrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self { up: Number::default(), took: Number::default(), certificate_end: Number::default() };
        metrics.up.set(f64::NAN);
        metrics.took.set(f64::NAN);
        metrics.certificate_end.set(f64::NAN);
        registry.register(
            "public_up",
            "1 if {public_url}/healthz answered this process with 200 within 10 s, else 0; NaN if server.public_url is empty or server.probe_seconds is 0",
            metrics.up.clone(),
        );
        registry.register_with_unit(
            "public_probe",
            "Duration of the last probe of the public address, including the connection",
            Unit::Seconds,
            metrics.took.clone(),
        );
        registry.register_with_unit(
            "public_certificate_end_timestamp",
            "Expiry of the public address's certificate as last seen, Unix time; NaN without TLS",
            Unit::Seconds,
            metrics.certificate_end.clone(),
        );
        metrics
    }
}

/// Probes every `probe_seconds` until the shutdown begins; does nothing without a public address.
pub fn start(config: &Config, http: &HttpClients, metrics: &super::Metrics, lifecycle: &Lifecycle) {
    if config.public_url.is_empty() || config.probe_seconds == 0 {
        return;
    }
    let (url, every) = (format!("{}/healthz", config.base_url()), Duration::from_secs(config.probe_seconds));
    let (client, metrics, soft) = (http.probe().clone(), metrics.public.clone(), lifecycle.soft().clone());
    lifecycle.spawn("http.probe", async move {
        let mut answered = true;
        let mut wait = FIRST;
        loop {
            tokio::select! { () = soft.cancelled() => return, () = sleep(wait) => {} }
            wait = every;
            let began = Instant::now();
            let found = tokio::select! { () = soft.cancelled() => return, found = ask(&client, &url) => found };
            metrics.took.set(began.elapsed().as_secs_f64());
            metrics.up.set(f64::from(u8::from(found.is_ok())));
            match &found {
                Ok(end) => {
                    metrics.certificate_end.set(end.map_or(f64::NAN, |end| end.as_secs_f64()));
                }
                Err(why) if answered => {
                    tracing::warn!(url, error = why, "the public address does not answer: is server.public_url right, do DNS, proxy and certificate work?");
                }
                Err(_) => {}
            }
            if found.is_ok() && !answered {
                tracing::info!(url, "the public address answers again");
            }
            answered = found.is_ok();
        }
    });
}

/// Expiry of the certificate as Unix time, over TLS.
async fn ask(client: &reqwest::Client, url: &str) -> Result<Option<Duration>, String> {
    let response = client.get(url).timeout(TIMEOUT).send().await.map_err(|error| chain(&error.without_url()))?;
    let end =
        response.extensions().get::<reqwest::tls::TlsInfo>().and_then(|tls| not_after(tls.peer_certificate()?).ok());
    if response.status().is_success() { Ok(end) } else { Err(format!("it answered {}", response.status())) }
}

/// Unix time of a certificate's notAfter (RFC 5280, section 4.1: the second time in the fifth field of the signed part, or the fourth when
/// the version is omitted).
fn not_after(certificate: &[u8]) -> der::Result<Duration> {
    let certificate = AnyRef::from_der(certificate)?;
    let signed = AnyRef::decode(&mut SliceReader::new(certificate.value())?)?;
    let mut fields = SliceReader::new(signed.value())?;
    let version = AnyRef::decode(&mut fields)?;
    // Serial number (after the optional version), algorithm, issuer.
    let skipped = if version.tag().is_context_specific() { 3 } else { 2 };
    for _ in 0..skipped {
        AnyRef::decode(&mut fields)?;
    }
    let validity = AnyRef::decode(&mut fields)?;
    let mut times = SliceReader::new(validity.value())?;
    AnyRef::decode(&mut times)?;
    let end = AnyRef::decode(&mut times)?;
    // UTCTime until 2049, GeneralizedTime afterwards.
    if end.tag() == der::Tag::UtcTime {
        Ok(end.decode_as::<UtcTime>()?.to_unix_duration())
    } else {
        Ok(end.decode_as::<GeneralizedTime>()?.to_unix_duration())
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::*;

    /// `openssl req -x509 -newkey ec ... -days 90`; `openssl x509 -enddate` says notAfter=Feb 27 14:33:22 2027 GMT.
    const CERTIFICATE: &str = "MIIBiDCCAS2gAwIBAgIUJdxN7bGJ42oNOeXVcZYn+d0683MwCgYIKoZIzj0EAwIwGTEXMBUGA1UEAwwOYWkuZXhhbXBsZS5j\
        b20wHhcNMjYxMTI5MTQzMzIyWhcNMjcwMjI3MTQzMzIyWjAZMRcwFQYDVQQDDA5haS5leGFtcGxlLmNvbTBZMBMGByqGSM49\
        AgEGCCqGSM49AwEHA0IABKR18a25HW1RM7BdFTkuzIYvEPu0K3i7Vbpv3Ng/1GgxPJOS7xJ4QiwS7S9VeqP+XztbspqP278i\
        1896zm9iXvyjUzBRMB0GA1UdDgQWBBSLqS5ak4xUgnYh9EoFU84+ZJBU6jAfBgNVHSMEGDAWgBSLqS5ak4xUgnYh9EoFU84+\
        ZJBU6jAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQDc4wuK9AgkG7ILKoWojlwoc7rqZ4A+YymGigb1GHIW\
        pAIhAKX0MeoAxSbM7uMX6dgK2SJsrf5a1oCpQy9c7/Cx5qXH";

    #[test]
    fn the_end_of_a_certificate_is_read_and_nonsense_is_refused() {
        let der = STANDARD.decode(CERTIFICATE).unwrap();
        assert_eq!(not_after(&der).unwrap(), Duration::from_secs(1_803_738_802));
        for cut in 0..der.len() {
            let _ = not_after(&der[..cut]);
        }
        assert!(
            not_after(&der[..40]).is_err() && not_after(b"").is_err() && not_after(b"\x30\x03\x02\x01\x05").is_err()
        );
    }
}
