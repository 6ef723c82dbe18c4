//! What the OpenAPI document says of the API.

use serde_json::{Map, Value, json};

/// A body that the schema accepts: its example, which the reference shows and which must work, or only what is required.
pub fn sample(document: &Value, schema: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        return sample(document, document.pointer(name.trim_start_matches('#')).unwrap());
    }
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    for key in ["allOf", "oneOf", "anyOf"] {
        if let Some(parts) = schema[key].as_array() {
            let mut all = Map::new();
            for part in parts {
                match sample(document, part) {
                    Value::Object(fields) if key == "allOf" => all.extend(fields),
                    other => return other,
                }
            }
            return all.into();
        }
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    match schema["type"].as_str().or_else(|| schema["type"][0].as_str()) {
        Some("integer" | "number") => json!(schema["minimum"].as_i64().unwrap_or(1)),
        Some("boolean") => json!(false),
        Some("array") => json!([]),
        Some("string") => json!("sample text"),
        _ => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let fields = required.iter().map(|name| name.as_str().unwrap());
            fields.map(|name| (name.to_owned(), sample(document, &schema["properties"][name]))).collect()
        }
    }
}

/// The smallest body for a `POST` at this path that makes something (answers 201). `None` where there is no such `POST`, or it takes files.
pub fn creates(document: &Value, path: &str) -> Option<Value> {
    let post = &document["paths"][path]["post"];
    post["responses"].get("201")?;
    let content = &post["requestBody"]["content"];
    match content["application/json"].get("schema") {
        Some(schema) => Some(sample(document, schema)),
        None => content.is_null().then(|| json!({})),
    }
}
