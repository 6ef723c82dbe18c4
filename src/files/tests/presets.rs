use serde_json::json;

use crate::check_presets;

#[test]
fn a_preset_has_a_name_and_options() {
    assert!(check_presets(&json!({})).is_ok());
    assert!(check_presets(&json!({"small": {"width": 100}, "Wide_2": {"width": 300, "fit": "contain"}})).is_ok());
    let problems = |presets| {
        let errors = check_presets(&presets).unwrap_err();
        errors.into_iter().map(|error| format!("{} {}", error.pointer, error.code)).collect::<Vec<_>>()
    };
    assert_eq!(
        problems(json!({"a b": {}, "x": {"width": 0, "hight": 1}})),
        ["/a b invalid", "/x/width out_of_range", "/x/hight unknown"]
    );
    assert_eq!(problems(json!([])), [" invalid"]);
    assert_eq!(problems(json!({"x": 5})), ["/x invalid"]);
    let many: serde_json::Map<_, _> = (0..101).map(|n| (format!("p{n}"), json!({}))).collect();
    assert_eq!(problems(many.into()), [" too_many"]);
}
