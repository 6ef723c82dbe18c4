use std::time::Duration;

use secrecy::SecretString;

use super::{SigningKey, doctor, service::backoff};
use platform::health::Status;

/// The example of the standard's own libraries (`standard-webhooks`, spec and reference tests).
#[test]
fn the_signature_is_the_standards() {
    let key = SigningKey::parse(&SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
    let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn attempts_come_less_and_less_often() {
    for (failures, seconds) in [(1, 10.0), (2, 20.0), (5, 160.0), (10, 3600.0), (1000, 3600.0), (i32::MAX, 3600.0)] {
        let wait = backoff(failures).as_secs_f64();
        assert!(wait >= seconds * 0.85 && wait <= seconds * 1.15, "{failures}: {wait}");
    }
    assert!(backoff(0) >= Duration::from_secs(8));
}

#[test]
fn endpoints_that_fail_or_were_disabled_are_a_warning() {
    assert_eq!(doctor::judge((3, 0, 0)).status, Status::Pass);
    assert_eq!(doctor::judge((3, 1, 0)).status, Status::Warn);
    let found = doctor::judge((3, 0, 2));
    assert!(found.status == Status::Warn && found.summary.contains("2 were disabled"), "{found:?}");
}
