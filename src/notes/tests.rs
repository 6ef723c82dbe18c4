use super::doctor;
use platform::health::Status;

#[test]
fn notes_that_should_be_gone_are_a_warning() {
    assert_eq!(doctor::judge(0).status, Status::Pass);
    let found = doctor::judge(3);
    assert!(found.status == Status::Warn && found.summary.starts_with("3 notes"), "{found:?}");
}
