curl {{address}}/v1/chat/completions \
  -H "Authorization: Bearer {{key}}" \
  -H "Content-Type: application/json" \
  -d '{"model": "{{model}}", "messages": [{"role": "user", "content": "Hello"}]}'
