//! The certificates of a connection: who they are for, when they end, and which of them were needed for the verdict.
//!
//! `ends_at` is the first end on the path that was verified, not of all that the server sent: servers go on sending cross-signed certificates that have
//! expired and that nobody needs. Where no path could be verified it is the end of the server's own.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rustls::{
    CertificateError, Error,
    client::danger::ServerCertVerifier,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::failure;
use crate::model::{Certificate, ChainEntry, Failure, Reason};
use platform::{crypto, error::chain};

/// Certificates that a path has at most, besides the server's own.
const LONGEST: usize = 8;
/// Names that are kept of a certificate.
const NAMES: usize = 20;

/// What is known of one that was sent.
struct Sent {
    subject: String,
    issuer: String,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    names: Vec<String>,
}

/// Reads what was sent, and judges it. `Err` in the second place: why it is not to be trusted.
pub fn judge(
    sent: &[CertificateDer<'static>],
    name: &ServerName<'static>,
    verifier: &Result<Arc<dyn ServerCertVerifier>, String>,
    now: DateTime<Utc>,
    tls: &str,
) -> (Option<Certificate>, Result<(), Failure>) {
    let Some((own, others)) = sent.split_first() else {
        return (None, Err(failure(Reason::TlsFailed, "the server sent no certificate")));
    };
    let read: Vec<Option<Sent>> = sent.iter().map(read).collect();
    let Some(Some(first)) = read.first() else {
        return (None, Err(failure(Reason::TlsFailed, "the server's certificate cannot be read")));
    };
    let verdict = match verifier {
        Ok(verifier) => verify(verifier.as_ref(), own, others, name, now),
        Err(error) => Err(failure(Reason::TlsFailed, error.clone())),
    };
    let used = match (&verdict, verifier) {
        (Ok(()), Ok(verifier)) => path(verifier.as_ref(), own, others, name, now, &read),
        _ => Vec::new(),
    };
    let ends = used.iter().filter_map(|place| read.get(*place)?.as_ref()).map(|sent| sent.ends_at);
    let ends_at = ends.fold(first.ends_at, Ord::min);
    let entries = read.iter().enumerate().filter_map(|(place, sent)| {
        let sent = sent.as_ref()?;
        let is_used = verdict.is_ok() && (place == 0 || used.contains(&place));
        let (subject, issuer) = (sent.subject.clone(), sent.issuer.clone());
        Some(ChainEntry { subject, issuer, ends_at: sent.ends_at, is_used })
    });
    let certificate = Certificate {
        fingerprint: crypto::sha256_hex(own),
        subject: first.subject.clone(),
        issuer: first.issuer.clone(),
        names: first.names.clone(),
        starts_at: first.starts_at,
        ends_at,
        is_verified: verdict.is_ok(),
        tls: tls.to_owned(),
        chain: entries.collect(),
    };
    (Some(certificate), verdict)
}

fn read(der: &CertificateDer<'_>) -> Option<Sent> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let time = |seconds: i64| DateTime::from_timestamp(seconds, 0);
    let names = parsed.subject_alternative_name().ok().flatten().map(|found| {
        let text = |name: &GeneralName<'_>| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        };
        found.value.general_names.iter().filter_map(text).take(NAMES).collect()
    });
    Some(Sent {
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
        starts_at: time(parsed.validity().not_before.timestamp())?,
        ends_at: time(parsed.validity().not_after.timestamp())?,
        names: names.unwrap_or_default(),
    })
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string());
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string())).ok()
}

fn verify(
    verifier: &dyn ServerCertVerifier,
    own: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    verifier.verify_server_cert(own, others, name, &[], now).map(|_| ()).map_err(|error| of_tls(&error))
}

/// Places of the certificates that were needed: from the server's own, issuer by issuer, as few as suffice for the same verdict.
fn path(
    verifier: &dyn ServerCertVerifier,
    own: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    now: DateTime<Utc>,
    read: &[Option<Sent>],
) -> Vec<usize> {
    let (mut places, mut taken) = (Vec::new(), Vec::new());
    loop {
        if verify(verifier, own, &taken, name, now).is_ok() {
            return places;
        }
        let last = places.last().copied().unwrap_or(0);
        let issuer = read.get(last).and_then(|sent| Some(sent.as_ref()?.issuer.as_str()));
        let is_next = |place: &usize| {
            let sent = read.get(*place).and_then(Option::as_ref);
            sent.is_some_and(|sent| {
                Some(sent.subject.as_str()) == issuer && sent.starts_at <= now && now <= sent.ends_at
            })
        };
        let next = (1..read.len()).find(|place| !places.contains(place) && is_next(place));
        let Some((place, der)) = next.and_then(|place| Some((place, others.get(place - 1)?))) else { break };
        places.push(place);
        taken.push(der.clone());
        if places.len() > LONGEST {
            break;
        }
    }
    // Found by the verifier in an order that was not expected here: all that is valid counts.
    (1..read.len())
        .filter(|place| read.get(*place).and_then(Option::as_ref).is_some_and(|sent| now <= sent.ends_at))
        .collect()
}

/// What an error of TLS says.
pub fn of_tls(error: &Error) -> Failure {
    use CertificateError as Bad;
    let reason = match error {
        Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => Reason::CertificateExpired,
        Error::InvalidCertificate(Bad::NotValidYet | Bad::NotValidYetContext { .. }) => Reason::CertificateNotYetValid,
        Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => Reason::CertificateName,
        Error::InvalidCertificate(_) => Reason::CertificateUntrusted,
        _ => Reason::TlsFailed,
    };
    let text = match error {
        Error::InvalidCertificate(Bad::UnknownIssuer) => {
            "nobody who is trusted here has signed the certificate, or an intermediate certificate was not sent"
                .to_owned()
        }
        Error::InvalidCertificate(
            Bad::UnsupportedSignatureAlgorithmContext { .. }
            | Bad::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
        ) => "the certificate is signed by an algorithm that is not accepted".to_owned(),
        // These have words of their own.
        Error::InvalidCertificate(
            Bad::NotValidForNameContext { .. }
            | Bad::ExpiredContext { .. }
            | Bad::NotValidYetContext { .. }
            | Bad::InvalidPurposeContext { .. },
        ) => chain(error),
        Error::InvalidCertificate(bad) => format!("the certificate is not accepted: {}", words(&format!("{bad:?}"))),
        error => chain(error),
    };
    failure(reason, text)
}

/// The innermost name of an error, `Other(CaUsedAsEndEntity)`, as words.
fn words(debug: &str) -> String {
    let mut names = debug.split(|c: char| !c.is_ascii_alphanumeric()).filter(|name| !name.is_empty());
    let mut words = String::new();
    for letter in names.next_back().unwrap_or_default().chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_certificate_is_told_in_words() {
        assert_eq!(words("Other(OtherError(CaUsedAsEndEntity))"), "ca used as end entity");
        let odd = CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: vec![1],
            public_key_algorithm_id: vec![2],
        };
        for bad in [odd, CertificateError::UnknownIssuer, CertificateError::BadSignature] {
            let told = of_tls(&Error::InvalidCertificate(bad));
            assert_eq!(told.reason, Reason::CertificateUntrusted);
            assert!(!told.text.contains(['{', '(']) && told.text.starts_with(char::is_lowercase), "{}", told.text);
        }
    }
}
