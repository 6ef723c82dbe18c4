use serde_json::{Value, json};

use super::{super::words, *};

fn refusal(failure: Failure, body: &str) -> Refusal {
    let said = words::read(body);
    Refusal {
        provider: "p".into(),
        failure,
        status: 400,
        message: said.words,
        code: said.code,
        param: said.param,
        kind: said.kind,
        retry_after: None,
    }
}

fn req(value: Value) -> ChatRequest {
    serde_json::from_value(value).unwrap()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn the_words_of_real_servers_lead_to_what_they_take() {
    use Adaptation::{
        AlternateTurns, InputFieldsOnly, MaxCompletionTokens, NoStream, NoStreamOptions, NoSystem, PlainContent,
        SystemForDeveloper,
    };
    let stream = req(json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "x"}], "top_p": 1}));
    for (f, b, r, e) in [
        (
            Failure::Rejected,
            r#"{"detail":[{"loc":["body","stream_options"],"msg":"extra fields not permitted"}]}"#,
            stream.clone(),
            Some(NoStreamOptions),
        ),
        (Failure::Rejected, r#"{"error":"extra fields not permitted"}"#, stream.clone(), Some(NoStreamOptions)),
        (
            Failure::Rejected,
            r#"{"error":{"message":"Unrecognized request argument supplied: stream_options","param":""}}"#,
            stream.clone(),
            Some(NoStreamOptions),
        ),
        (
            Failure::Rejected,
            r#"{"error":{"message":"Unrecognized request argument supplied: top_p"}}"#,
            stream.clone(),
            None,
        ),
        (
            Failure::Rejected,
            r#"{"error":{"message":"Unsupported value: 'stream' does not support true with this model.","param":"stream"}}"#,
            stream.clone(),
            Some(NoStream),
        ),
        (
            Failure::Rejected,
            r#"{"error":{"message":"Unsupported parameter: 'top_p' is not supported with this model.","param":"top_p"}}"#,
            stream.clone(),
            None,
        ),
        (
            Failure::Rejected,
            r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","param":"max_tokens"}}"#,
            req(json!({"model":"m","max_tokens":5,"messages":[]})),
            Some(MaxCompletionTokens),
        ),
        (
            Failure::Rejected,
            r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","max_completion_tokens"],"msg":"Extra inputs are not permitted"}]}}"#,
            req(json!({"model":"m","max_tokens":5,"messages":[]})),
            None,
        ),
        (
            Failure::Rejected,
            r#"{"error":{"message":"developer is not one of ['system', 'assistant', 'user', 'tool', 'function'] - 'messages.[0].role'"}}"#,
            req(json!({"model":"m","messages":[{"role":"developer","content":"x"}]})),
            Some(SystemForDeveloper),
        ),
        (
            Failure::Rejected,
            r#"{"error":{"message":"Unexpected role 'developer'"}}"#,
            req(json!({"model":"m","messages":[{"role":"developer","content":"x"}]})),
            Some(SystemForDeveloper),
        ),
        (
            Failure::Rejected,
            r#"{"message":"System role not supported"}"#,
            req(json!({"model":"m","messages":[{"role":"system","content":"x"}]})),
            Some(NoSystem),
        ),
        (
            Failure::Rejected,
            r#"{"message":"Only user, assistant and tool roles are supported, got system."}"#,
            req(json!({"model":"m","messages":[{"role":"system","content":"x"}]})),
            Some(NoSystem),
        ),
        (
            Failure::Rejected,
            r#"{"error":{"message":"Unsupported value: 'messages[0].role' does not support 'system' with this model.","param":"messages[0].role"}}"#,
            req(json!({"model":"m","messages":[{"role":"system","content":"x"}]})),
            Some(NoSystem),
        ),
        (
            Failure::Server,
            r#"{"error":{"code":500,"message":"Jinja Exception: Conversation roles must alternate user/assistant/"}}"#,
            stream.clone(),
            Some(AlternateTurns),
        ),
        (
            Failure::Server,
            r#"{"error":{"code":500,"message":"After the optional system message, conversation roles must alternate user and assistant roles except for tool calls and results."}}"#,
            req(json!({"model":"m","messages":[{"role":"system","content":"x"}]})),
            Some(AlternateTurns),
        ),
        (
            Failure::Rejected,
            r#"{"error":{"message":"Invalid type for 'messages[0].content': expected a string, but got an array instead","param":"messages[0].content"}}"#,
            req(json!({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]})),
            Some(PlainContent),
        ),
        (
            Failure::Rejected,
            r#"{"error":{"message":"json: cannot unmarshal array into Go struct field Message.messages.content of type string"}}"#,
            req(json!({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]})),
            Some(PlainContent),
        ),
        (
            Failure::Rejected,
            r#"{"error":{"message":"jinja template rendering failed. System message must be at the beginning."}}"#,
            req(json!({"model":"m","messages":[{"role":"user","content":"x"},{"role":"system","content":"y"}]})),
            Some(AlternateTurns),
        ),
        (
            Failure::Rejected,
            r#"{"error":{"message":"invalid message content type: <nil>","type":"invalid_request_error"}}"#,
            req(json!({"model":"m","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"a"}]}]})),
            Some(PlainContent),
        ),
        (
            Failure::Rejected,
            r#"{"error":{"message":"invalid message content type: <nil>","type":"invalid_request_error"}}"#,
            req(json!({"model":"m","messages":[{"role":"user","content":"x"}]})),
            None,
        ),
        (
            Failure::Rejected,
            r#"{"detail":[{"type":"extra_forbidden","loc":["body","messages",1,"assistant","reasoning_content"],"msg":"Extra inputs are not permitted","input":"\n"}]}"#,
            req(json!({"model":"m","messages":[{"role":"assistant","content":"x","reasoning_content":"y"}]})),
            Some(InputFieldsOnly),
        ),
    ] {
        assert_eq!(remedy(&refusal(f, b), &r, &Adaptations::new(), false), e, "{b}");
    }
}
