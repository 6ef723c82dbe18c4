//! Messages of SNS with notifications of SES, after Amazon's documentation.
//!
//! `sns.json` was signed once with the key of `sns.pem`, which nobody has any more.

use serde_json::{Value, json};

use super::*;
use crate::bounces::{
    Unsigned,
    ses::{Message, Signed, Sns, public_key, read},
};
use platform::http_client::TenantClient;

const SAMPLES: &str = include_str!("sns.json");
const CERTIFICATE: &str = include_str!("sns.pem");
const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:ses-feedback";

fn sample(name: &str) -> Value {
    serde_json::from_str::<Value>(SAMPLES).unwrap()[name].take()
}

fn checked(message: &Value, topic: &str) -> Result<(), Unsigned> {
    Signed::read(message, topic)?.verify(&public_key(CERTIFICATE.as_bytes()).unwrap())
}

#[test]
fn both_versions_of_signatures_hold_for_their_message_only() {
    for name in ["notification1", "notification2", "subject", "confirmation"] {
        let message = sample(name);
        assert_eq!(checked(&message, TOPIC), Ok(()), "{name}");
        assert!(matches!(checked(&message, ""), Err(Unsigned::OtherTopic(_))), "{name}: not any topic");
        let signed = ["Message", "MessageId", "Timestamp", "Type", "Token", "SubscribeURL", "Subject"];
        for field in signed.into_iter().filter(|field| message.get(field).is_some()) {
            let mut changed = message.clone();
            changed[field] = format!("{} ", message[field].as_str().unwrap()).into();
            assert_eq!(checked(&changed, TOPIC), Err(Unsigned::Signature), "{name}: {field}");
        }
        let mut changed = message.clone();
        let other = "arn:aws:sns:eu-west-1:123456789012:other";
        changed["TopicArn"] = other.into();
        assert_eq!(checked(&changed, other), Err(Unsigned::Signature));
        assert!(matches!(checked(&changed, TOPIC), Err(Unsigned::OtherTopic(_))));
        // A signature of one version is none of the other.
        let mut other = message.clone();
        other["SignatureVersion"] = if message["SignatureVersion"] == "1" { "2" } else { "1" }.into();
        assert_eq!(checked(&other, TOPIC), Err(Unsigned::Signature), "{name}");
        other["SignatureVersion"] = "3".into();
        assert!(matches!(checked(&other, TOPIC), Err(Unsigned::Missing(_))));
        other["SignatureVersion"] = message["SignatureVersion"].clone();
        other["Signature"] = "AAAA".into();
        assert_eq!(checked(&other, TOPIC), Err(Unsigned::Signature));
        other.as_object_mut().unwrap().remove("Signature");
        assert_eq!(checked(&other, TOPIC), Err(Unsigned::Missing("/Signature")));
    }
}

#[test]
fn a_certificate_is_fetched_from_sns_only() {
    let certificate = |url: &str| {
        let mut message = sample("notification2");
        message["SigningCertURL"] = url.into();
        Signed::read(&message, TOPIC).map(|signed| signed.certificate)
    };
    for good in [
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
        "https://sns.us-gov-west-1.amazonaws.com/SimpleNotificationService-01d088a6f77103d0fe307c0069e40ed6.pem",
        "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-01.pem",
    ] {
        assert_eq!(certificate(good).as_deref(), Ok(good));
    }
    for bad in [
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-01.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-01.pem",
        "https://user@sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-01.pem",
        "https://evil.example\\.sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
        "https://evil.example?.sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
        "https://evil.example#sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
        "https://bucket.s3.amazonaws.com/SimpleNotificationService-01.pem",
        "https://sns.a.b.amazonaws.com/SimpleNotificationService-01.pem",
        "https://sns..amazonaws.com/SimpleNotificationService-01.pem",
        "https://xsns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.txt",
        "HTTPS://sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
        // What a caller of the API of SNS may have written.
        "https://sns.eu-west-1.amazonaws.com/?Action=ListTopics&x=/SimpleNotificationService-01.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem?x=.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem#x.pem",
        "https://sns.eu-west-1.amazonaws.com/x/SimpleNotificationService-01.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-.pem",
        "https://sns.eu-west-1.amazonaws.com/x.pem",
        "",
    ] {
        assert_eq!(certificate(bad), Err(Unsigned::ForeignAddress(bad.into())));
    }
    assert!(public_key(b"not a certificate").is_err());
    let broken = CERTIFICATE.replace("MII", "AAA");
    assert!(public_key(broken.as_bytes()).is_err());
}

/// With the certificate kept from before: nobody is asked.
#[tokio::test]
async fn a_message_is_opened_and_its_address_of_confirmation_is_that_of_sns() {
    let sns = Sns::new(TenantClient::new(Vec::new()).unwrap());
    let url = sample("confirmation")["SigningCertURL"].as_str().unwrap().to_owned();
    sns.keep(&url, public_key(CERTIFICATE.as_bytes()).unwrap());
    let open = async |message: &Value| {
        let body = message.to_string();
        let report = Report { headers: &HeaderMap::new(), body: body.as_bytes(), now: at("2026-11-20T09:30:02Z") };
        sns.open(TOPIC, &report).await
    };
    let confirm = open(&sample("confirmation")).await.unwrap();
    assert!(
        matches!(&confirm, Message::Confirm(url) if url.starts_with("https://sns.eu-west-1.amazonaws.com/?Action=Confirm")),
        "{confirm:?}"
    );
    assert_eq!(open(&sample("elsewhere")).await.unwrap_err().status.as_u16(), 401);
    let mut forged = sample("notification2");
    forged["Message"] = "{}".into();
    assert_eq!(open(&forged).await.unwrap_err().status.as_u16(), 401);
    assert_eq!(
        open(&json!({"notificationType": "Bounce"})).await.unwrap_err().status.as_u16(),
        401,
        "raw message delivery"
    );
    let Message::Notification(text) = open(&sample("notification1")).await.unwrap() else { panic!("no notification") };
    assert_eq!(told(&read(&text).unwrap()), [(BounceKind::Hard, "5.1.1", Some("jane@example.com"))]);
}

fn notification(changes: &Value) -> Value {
    let mut event: Value = serde_json::from_str(sample("notification2")["Message"].as_str().unwrap()).unwrap();
    for (pointer, value) in changes.as_object().unwrap() {
        match event.pointer_mut(pointer) {
            Some(place) => *place = value.clone(),
            None => event[pointer.trim_start_matches('/')] = value.clone(),
        }
    }
    event
}

#[test]
fn a_bounce_is_read_whole() {
    let bounces = read(&notification(&json!({})).to_string()).unwrap();
    let [bounce] = bounces.as_slice() else { panic!("{bounces:?}") };
    assert_eq!(bounce.message_id.as_deref(), Some(OURS));
    assert_eq!(bounce.provider_id.as_deref(), Some("0102018f0c2f0e8b-a1b2c3d4-5678-4abc-9def-0123456789ab-000000"));
    assert_eq!(
        (bounce.kind, bounce.status.as_str(), bounce.detail.as_str()),
        (BounceKind::Hard, "5.1.1", "smtp; 550 5.1.1 user unknown")
    );
    assert_eq!(bounce.event_id, "0102018f0c2f1a2b-4c5d6e7f-1111-4222-8333-944455556666-000000 jane@example.com");
    assert_eq!(bounce.at, Some(at("2026-11-20T09:30:00Z")));
    // Where only the list of headers has it, and where the notification has no headers at all.
    let listed = read(&notification(&json!({"/mail/commonHeaders": null})).to_string()).unwrap();
    assert_eq!(listed[0].message_id.as_deref(), Some(OURS));
    let bare = read(&notification(&json!({"/mail/commonHeaders": null, "/mail/headers": null})).to_string()).unwrap();
    assert_eq!(bare[0].message_id, None);
}

#[test]
fn each_notification_is_what_it_says() {
    let complaint = |kind: Value| json!({"/notificationType": "Complaint", "/complaint": {"feedbackId": "f", "complaintFeedbackType": kind, "complainedRecipients": [{"emailAddress": "richard@example.com"}]}});
    // Of event publishing, which calls it otherwise.
    let published = json!({"/notificationType": null, "/eventType": "Bounce"});
    for (changes, kind) in [
        (json!({}), Some(BounceKind::Hard)),
        (published, Some(BounceKind::Hard)),
        (json!({"/bounce/bounceSubType": "OnAccountSuppressionList"}), Some(BounceKind::Hard)),
        (json!({"/bounce/bounceSubType": "UnsubscribedRecipient"}), Some(BounceKind::Unsubscribe)),
        (json!({"/bounce/bounceType": "Transient", "/bounce/bounceSubType": "MailboxFull"}), Some(BounceKind::Soft)),
        (
            json!({"/bounce/bounceType": "Transient", "/bounce/bounceSubType": "ContentRejected"}),
            Some(BounceKind::Refused),
        ),
        (json!({"/bounce/bounceType": "Undetermined"}), Some(BounceKind::Soft)),
        (complaint(json!("abuse")), Some(BounceKind::Complaint)),
        (complaint(json!(null)), Some(BounceKind::Complaint)),
        (complaint(json!("not-spam")), None),
        (complaint(json!("auth-failure")), None),
        (json!({"/notificationType": "Delivery"}), None),
        (json!({"/notificationType": null, "/eventType": "DeliveryDelay"}), None),
        (
            json!({"/notificationType": null, "/eventType": "Reject", "/reject": {"reason": "Bad content"}}),
            Some(BounceKind::Refused),
        ),
    ] {
        let bounces = read(&notification(&changes).to_string()).unwrap();
        assert_eq!(bounces.first().map(|bounce| bounce.kind), kind, "{changes}");
    }
    let policy =
        json!([{"emailAddress": "jane@example.com", "status": "5.7.1", "diagnosticCode": "smtp; 550 5.7.1 blocked"}]);
    let refused = read(&notification(&json!({"/bounce/bouncedRecipients": policy})).to_string()).unwrap();
    assert_eq!(told(&refused), [(BounceKind::Refused, "5.7.1", Some("jane@example.com"))], "not the address");
    let two = json!([{"emailAddress": "jane@example.com"}, {"emailAddress": "richard@example.com"}]);
    let both = read(&notification(&json!({"/bounce/bouncedRecipients": two})).to_string()).unwrap();
    assert_eq!(
        told(&both),
        [
            (BounceKind::Hard, "Permanent", Some("jane@example.com")),
            (BounceKind::Hard, "Permanent", Some("richard@example.com"))
        ]
    );
    assert_ne!(both[0].event_id, both[1].event_id);
    let hello = "Successfully validated SNS topic for Amazon SES event publishing.";
    assert!(read(hello).unwrap().is_empty());
    assert!(read("{").is_err());
}
