//! Inputs that a client has tokenized before requesting embeddings (`LangChain` does by default).

use serde_json::Value;

use super::error::LlmError;

/// Input of an embeddings request.
pub(super) enum Input {
    Texts(Vec<String>),
    Tokens(Vec<Vec<u32>>),
}

/// Reads `input`: a text, texts, tokens of one text, tokens of several.
pub(super) fn read(input: Value, most: usize) -> Result<Input, LlmError> {
    const EXPECTED: &str = "input must be a text, a list of texts, or tokens of them as numbers";
    let wrong = |at: usize| LlmError::invalid(format!("input[{at}]"), "invalid_value", EXPECTED);
    let list = match input {
        Value::String(text) => vec![Value::String(text)],
        // The tokens of one text.
        Value::Array(list) if list.first().is_some_and(Value::is_number) => vec![Value::Array(list)],
        Value::Array(list) if !list.is_empty() => list,
        _ => return Err(LlmError::invalid("input", "invalid_value", EXPECTED)),
    };
    if list.len() > most {
        return Err(LlmError::invalid("input", "too_many_inputs", format!("at most {most} texts, got {}", list.len())));
    }
    let empty =
        |at: usize| LlmError::invalid(format!("input[{at}]"), "input_empty", "a text to embed must not be empty");
    if list.first().is_some_and(Value::is_array) {
        let tokens = |(at, item): (usize, &Value)| {
            let ids = item.as_array().ok_or_else(|| wrong(at))?;
            let id = |id: &Value| id.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(|| wrong(at));
            if ids.is_empty() { Err(empty(at)) } else { ids.iter().map(id).collect::<Result<Vec<u32>, _>>() }
        };
        return list.iter().enumerate().map(tokens).collect::<Result<_, _>>().map(Input::Tokens);
    }
    let text = |(at, item): (usize, Value)| match item {
        Value::String(text) if text.trim().is_empty() => Err(empty(at)),
        Value::String(text) => Ok(text),
        _ => Err(wrong(at)),
    };
    list.into_iter().enumerate().map(text).collect::<Result<_, _>>().map(Input::Texts)
}

/// Decodes tokens of `cl100k_base`, the encoding of OpenAI's embedding models, which `LangChain` uses for every model
/// that it does not know.
pub(super) fn decode(tokens: &[Vec<u32>]) -> Result<Vec<String>, LlmError> {
    let encoding = tiktoken_rs::cl100k_base_singleton();
    let text = |(at, ids): (usize, &Vec<u32>)| {
        let bytes = encoding.decode_bytes(ids).map_err(|_| {
            let text = "a token is not in cl100k_base: send the text, or tokens of that encoding";
            LlmError::invalid(format!("input[{at}]"), "invalid_token", text)
        })?;
        // A client may have cut inside a character.
        let text = String::from_utf8_lossy(&bytes).trim_matches(char::REPLACEMENT_CHARACTER).to_owned();
        if text.trim().is_empty() {
            return Err(LlmError::invalid(format!("input[{at}]"), "input_empty", "a text to embed must not be empty"));
        }
        Ok(text)
    };
    tokens.iter().enumerate().map(text).collect()
}
