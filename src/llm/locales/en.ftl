llm-title = Models
llm-lead = Language models, embeddings, and their use
llm-tokens-per-day = Tokens per day
llm-requests-per-day = Requests per day
llm-failed = Failed
llm-thirty-days = Last 30 days
llm-providers = Providers
llm-providers-text = Model servers from the configuration file
llm-provider = Provider
llm-address = Address
llm-key = Key
llm-key-set = Set
llm-key-none = None
llm-offered = Models
llm-offered-all = all that the server lists
llm-test = Test
llm-tested = Test of { $name }
llm-test-ok = works
llm-test-failed = does not work
llm-test-list = List of models
llm-test-models = reachable, lists { $n ->
    [one] { $n } model
   *[other] { $n } models
}
llm-test-asked = Requested one token
llm-test-answer = Answer
llm-test-no-model = No model could be tested: the server lists none. Set models for the provider.
llm-test-first-token = Time to first token
llm-advice-provider-auth = Check the provider’s api_key_file: the key is wrong, has expired or may not use this model.
llm-advice-provider-billing = Add credit to the account at the provider.
llm-advice-provider-rate-limited = Wait, or raise the limit of the account at the provider.
llm-advice-provider-error = The provider has a fault: check its log or its status page.
llm-advice-provider-unreachable = Check base_url, that the server is running, and the network and firewall between.
llm-advice-provider-timeout = Check whether the server is overloaded or still loading its model; timeout_seconds can be raised.
llm-advice-provider-stream-cut = The server ended its answer early: check its log, and proxies between.
llm-advice-provider-bad-response = base_url must be that of an OpenAI-compatible API, usually ending in /v1.
llm-advice-provider-rejected = The server refuses the request: see its reason above.
llm-advice-model-not-found = Check the model’s name, and that base_url ends with the API’s base path, usually /v1.
llm-advice-provider-quota = Raise the quota or the budget of the account at the provider, or use another provider.
llm-advice-provider-forbidden = The key is valid but not allowed to do this: check the account’s models, regions and projects at the provider.
llm-advice-provider-moderation = The provider’s filter refuses the content: change the text, or use another model.
llm-advice-provider-overloaded = Wait, or use another model: the provider has more requests than it can answer.
llm-advice-provider-loading = Wait until the server has loaded its model; timeout_seconds says how long requests wait.
llm-advice-context-length-exceeded = Shorten the conversation or reduce the sources, or give the model a larger context window.
llm-advice-provider-too-large = Send less at once; a proxy in front of the provider may also limit the size.
llm-advice-other = See this server’s log.
llm-no-providers = No language model yet
llm-no-providers-text = Agents quote their documents word for word. To have a language model answer, add [llm.providers.NAME] with base_url and api_key_file to the configuration, and set one of its models in [llm.aliases].
llm-names = Aliases
llm-names-text = Agents and API clients use these names, whatever the model behind them
llm-name = Alias
llm-stands-for = Model
llm-alias-none = not set
llm-default = Default for agents
llm-embedding = embedding
llm-embedding-size = { $dims } dimensions, texts up to { $tokens } tokens
llm-embedding-broken = cannot be used
llm-usage = Usage by model
llm-no-usage = No requests yet
llm-no-usage-text = Ask an agent a question or call the API to see the use of each model here.
llm-model = Model
llm-requests = Requests
llm-tokens-in = Tokens in
llm-tokens-out = Tokens out
llm-first-token = First token, s
llm-duration = Duration, s
llm-estimated = { $n ->
    [one] tokens of { $n } request are estimated
   *[other] tokens of { $n } requests are estimated
}
llm-adaptation-no-stream-options = sent without stream_options; tokens are estimated
llm-adaptation-max-tokens = limit sent as max_tokens
llm-adaptation-max-completion-tokens = limit sent as max_completion_tokens
llm-adaptation-system-for-developer = developer messages sent as system
llm-adaptation-no-system = system messages sent with the first question
llm-adaptation-alternate-turns = consecutive messages of one role are joined
llm-adaptation-plain-content = lists of texts sent as one text
llm-adaptation-input-fields-only = answer-only fields removed from messages
llm-adaptation-no-stream = answers requested whole, then streamed from here
llm-adaptation-no-encoding-format = embeddings requested without encoding_format

# Scopes of API keys
scope-inference = Query agents and models (/v1)

# Navigation and overview
llm-nav = Models
llm-overview-tokens = Tokens today
llm-overview-tokens-by-day = Tokens by day
llm-overview-no-model = No language model is configured yet. Agents answer by quoting the passages they find; add a provider to let them write answers.
