//! API reference: reads the `OpenAPI` document once and prepares it for `templates/api_docs.html`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Nesting depth from which only the type's name is shown; also ends recursive schemas.
const MAX_DEPTH: usize = 5;

/// The whole reference.
pub(super) struct Reference {
    pub version: String,
    pub tags: Vec<Tag>,
}

/// The operations of one tag.
pub(super) struct Tag {
    pub name: String,
    pub description: String,
    pub operations: Vec<Operation>,
}

pub(super) struct Operation {
    /// Anchor for links within the page.
    pub id: String,
    pub method: String,
    pub path: String,
    pub summary: String,
    pub description: String,
    pub parameters: Vec<Field>,
    pub request: Option<Body>,
    pub responses: Vec<Answer>,
    pub curl: String,
}

/// A request or response body in one content type.
pub(super) struct Body {
    pub content_type: String,
    pub fields: Vec<Field>,
    pub example: String,
}

pub(super) struct Answer {
    pub status: String,
    pub description: String,
    pub body: Option<Body>,
}

/// A row of a schema: a parameter or a property.
pub(super) struct Field {
    /// For a nested property including its path: `data[].id`.
    pub name: String,
    pub depth: usize,
    /// `query`, `path`, `header`, or empty for a property.
    pub place: String,
    pub kind: String,
    pub required: bool,
    pub description: String,
}

impl Reference {
    pub fn new(document: &Value) -> Self {
        let mut tags: Vec<Tag> = items(document, "tags")
            .iter()
            .map(|tag| Tag { name: string(tag, "name"), description: string(tag, "description"), operations: vec![] })
            .collect();
        let paths = document["paths"].as_object().into_iter().flatten();
        for (path, methods) in paths {
            for method in ["get", "post", "put", "patch", "delete"] {
                let Some(operation) = methods.get(method) else { continue };
                let tag = operation["tags"][0].as_str().unwrap_or("other");
                let read = Reader(document).operation(path, method, operation, items(methods, "parameters"));
                match tags.iter_mut().find(|known| known.name == tag) {
                    Some(known) => known.operations.push(read),
                    None => tags.push(Tag { name: tag.to_owned(), description: String::new(), operations: vec![read] }),
                }
            }
        }
        tags.retain(|tag| !tag.operations.is_empty());
        Self { version: string(&document["info"], "version"), tags }
    }
}

/// Resolves references within the document.
struct Reader<'a>(&'a Value);

impl<'a> Reader<'a> {
    fn operation(&self, path: &str, method: &str, operation: &'a Value, shared: &'a [Value]) -> Operation {
        let parameters: Vec<Field> =
            shared.iter().chain(items(operation, "parameters")).map(|p| self.parameter(self.resolve(p))).collect();
        let request = self.body(self.resolve(&operation["requestBody"]));
        // Responses common to all operations are described once, at the top.
        let responses = operation["responses"].as_object().into_iter().flatten();
        let responses = responses.filter(|(_, answer)| answer["$ref"].is_null()).map(|(status, answer)| {
            let answer = self.resolve(answer);
            Answer { status: status.clone(), description: string(answer, "description"), body: self.body(answer) }
        });
        let mut summary = string(operation, "summary");
        if summary.is_empty() {
            summary = string(operation, "operationId").replace('_', " ");
        }
        Operation {
            id: format!("{method}{}", path.replace(|c: char| !c.is_ascii_alphanumeric(), "-")),
            curl: curl(method, path, request.as_ref()),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary,
            description: string(operation, "description"),
            parameters,
            request,
            responses: responses.collect(),
        }
    }

    fn parameter(&self, parameter: &'a Value) -> Field {
        Field {
            name: string(parameter, "name"),
            depth: 0,
            place: string(parameter, "in"),
            kind: self.kind(&parameter["schema"]),
            required: parameter["required"] == true,
            description: describe(parameter, &parameter["schema"]),
        }
    }

    fn body(&self, holder: &'a Value) -> Option<Body> {
        let (content_type, media) = holder["content"].as_object()?.iter().next()?;
        let schema = &media["schema"];
        let mut fields = Vec::new();
        self.fields(schema, "", 0, &mut fields);
        let example = match media.get("example") {
            Some(example) => example.clone(),
            None => self.example(schema, 0),
        };
        let example = if content_type.contains("json") && !example.is_null() {
            serde_json::to_string_pretty(&example).unwrap_or_default()
        } else {
            String::new()
        };
        Some(Body { content_type: content_type.clone(), fields, example })
    }

    /// Follows `$ref`; returns an unresolvable reference unchanged.
    fn resolve(&self, mut value: &'a Value) -> &'a Value {
        for _ in 0..MAX_DEPTH {
            let target = value["$ref"].as_str().and_then(|r| self.0.pointer(r.trim_start_matches('#')));
            match target {
                Some(target) => value = target,
                None => break,
            }
        }
        value
    }

    /// The schema without `null` alternatives: `oneOf: [null, X]` and `anyOf` of one are `X`.
    fn concrete(&self, schema: &'a Value) -> &'a Value {
        let schema = self.resolve(schema);
        for key in ["oneOf", "anyOf", "allOf"] {
            let mut variants = items(schema, key).iter().filter(|variant| variant["type"] != "null");
            if let (Some(only), None) = (variants.next(), variants.next()) {
                return self.resolve(only);
            }
        }
        schema
    }

    fn properties(&self, schema: &'a Value) -> Vec<(&'a String, &'a Value, bool)> {
        let mut all = Vec::new();
        let parts = std::iter::once(schema).chain(items(schema, "allOf")).map(|part| self.resolve(part));
        for part in parts {
            let required = items(part, "required");
            let properties = part["properties"].as_object().into_iter().flatten();
            all.extend(properties.map(|(name, p)| (name, p, required.iter().any(|r| r == name.as_str()))));
        }
        all
    }

    fn fields(&self, schema: &'a Value, prefix: &str, depth: usize, out: &mut Vec<Field>) {
        if depth > MAX_DEPTH {
            return;
        }
        let schema = self.concrete(schema);
        if schema["type"] == "array" {
            return self.fields(&schema["items"], &format!("{prefix}[]"), depth, out);
        }
        for (name, property, required) in self.properties(schema) {
            let joint = if prefix.is_empty() { "" } else { "." };
            let path = format!("{prefix}{joint}{name}");
            out.push(Field {
                name: path.clone(),
                depth,
                place: String::new(),
                kind: self.kind(property),
                required,
                description: describe(property, self.concrete(property)),
            });
            self.fields(property, &path, depth + 1, out);
        }
        for variant in items(schema, "oneOf").iter().chain(items(schema, "anyOf")) {
            self.fields(variant, prefix, depth + 1, out);
        }
    }

    fn kind(&self, schema: &'a Value) -> String {
        let nullable =
            items(schema, "type").iter().chain(items(schema, "oneOf")).any(|t| t == "null" || t["type"] == "null");
        let schema = self.concrete(schema);
        let base = match &schema["type"] {
            Value::String(name) => name.clone(),
            Value::Array(names) => {
                names.iter().filter_map(Value::as_str).find(|n| *n != "null").unwrap_or("any").to_owned()
            }
            _ if schema["properties"].is_object() || schema["allOf"].is_array() => "object".to_owned(),
            _ if schema["oneOf"].is_array() || schema["anyOf"].is_array() => "one of".to_owned(),
            _ => "any".to_owned(),
        };
        let text = match (base.as_str(), schema["format"].as_str()) {
            ("array", _) => format!("{}[]", self.kind(&schema["items"])),
            (_, Some(format)) => format!("{base} ({format})"),
            _ => base,
        };
        if nullable { format!("{text} | null") } else { text }
    }

    fn example(&self, schema: &'a Value, depth: usize) -> Value {
        let schema = self.concrete(schema);
        if let Some(given) =
            schema.get("example").or_else(|| schema["examples"].get(0)).or_else(|| schema.get("default"))
        {
            return given.clone();
        }
        if let Some(first) = schema["enum"].get(0) {
            return first.clone();
        }
        if depth > MAX_DEPTH {
            return Value::Null;
        }
        let properties = self.properties(schema);
        if !properties.is_empty() {
            let fields = properties.into_iter().map(|(name, p, _)| (name.clone(), self.example(p, depth + 1)));
            return Value::Object(fields.collect::<Map<_, _>>());
        }
        let kind = match &schema["type"] {
            Value::Array(names) => names.iter().filter_map(Value::as_str).find(|n| *n != "null"),
            other => other.as_str(),
        };
        match (kind, schema["format"].as_str()) {
            (Some("array"), _) => json!([self.example(&schema["items"], depth + 1)]),
            (Some("string"), Some("uuid")) => json!("0193a5b0-7e1c-7c3a-9f52-2f4f0c1d8e6a"),
            (Some("string"), Some("date-time")) => json!("2026-01-31T12:00:00Z"),
            (Some("string"), _) => json!("string"),
            (Some("integer"), _) => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
            (Some("number"), _) => json!(0.5),
            (Some("boolean"), _) => json!(true),
            (Some("object"), _) => json!({}),
            _ => items(schema, "oneOf").first().map_or(Value::Null, |first| self.example(first, depth + 1)),
        }
    }
}

fn curl(method: &str, path: &str, request: Option<&Body>) -> String {
    let mut lines = vec![format!("curl {}\"$HOLDFAST{path}\"", verb(method))];
    lines.push("-H \"Authorization: Bearer $HOLDFAST_API_KEY\"".to_owned());
    match request {
        Some(body) if body.content_type.starts_with("multipart/") => lines.push("-F file=@document.pdf".to_owned()),
        Some(body) if body.content_type.contains("json") => {
            lines.push(format!("-H \"Content-Type: {}\"", body.content_type));
            lines.push(format!("-d '{}'", body.example.replace('\'', "'\\''")));
        }
        Some(body) => lines.push(format!("-H \"Content-Type: {}\" --data-binary @file", body.content_type)),
        None => {}
    }
    lines.join(" \\\n  ")
}

fn verb(method: &str) -> String {
    if method == "get" { String::new() } else { format!("-X {} ", method.to_uppercase()) }
}

/// The description plus the schema's constraints: default, range, lengths, allowed values.
fn describe(holder: &Value, schema: &Value) -> String {
    let mut text = string(holder, "description");
    if text.is_empty() {
        text = string(schema, "description");
    }
    let mut limits = BTreeMap::new();
    for (key, label) in [
        ("default", "default"),
        ("minimum", "min"),
        ("maximum", "max"),
        ("minLength", "min length"),
        ("maxLength", "max length"),
        ("enum", "one of"),
    ] {
        if let Some(value) = schema.get(key).or_else(|| holder.get(key)) {
            let shown = match value {
                Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
                other => plain(other),
            };
            limits.insert(label, shown);
        }
    }
    for (label, value) in limits {
        text = format!("{}{}{label}: {value}", text.trim_end(), if text.is_empty() { "" } else { " · " });
    }
    text
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn string(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn items<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_laid_out_with_its_schemas() {
        let document = json!({
            "info": {"version": "1"},
            "paths": {"/api/v1/agents/{id}": {"post": {
                "tags": ["agents"], "summary": "Change", "operationId": "change",
                "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}},
                "responses": {"204": {"description": "done"}}
            }}},
            "components": {"schemas": {"Node": {"type": "object", "required": ["name"], "properties": {
                "name": {"type": "string", "maxLength": 80, "description": "Shown"},
                "children": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}},
                "note": {"oneOf": [{"type": "null"}, {"type": "string"}]}
            }}}}
        });
        let reference = Reference::new(&document);
        let operation = &reference.tags[0].operations[0];
        assert_eq!((reference.tags[0].name.as_str(), operation.method.as_str()), ("agents", "POST"));
        assert_eq!(operation.parameters[0].kind, "string (uuid)");
        let fields = &operation.request.as_ref().unwrap().fields;
        let name = fields.iter().find(|field| field.name == "name").unwrap();
        assert!(name.required && name.description == "Shown · max length: 80", "{}", name.description);
        assert!(fields.iter().any(|field| field.name == "children[].name" && field.depth == 1));
        assert!(fields.iter().any(|field| field.name == "note" && field.kind == "string | null"));
        assert!(operation.curl.starts_with("curl -X POST \"$HOLDFAST/api/v1/agents/{id}\""), "{}", operation.curl);
    }
}
