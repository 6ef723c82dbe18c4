llm-title = Models
llm-lead = Language models and embeddings, and how much they were used
llm-tokens-per-day = Tokens, day by day
llm-requests-per-day = Requests, day by day
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
llm-test-asked = Asked for one token
llm-test-answer = Answer
llm-test-no-model = No model was asked: the server lists none. Name some in models of the provider.
llm-test-first-token = First token after
llm-milliseconds = { $ms } ms
llm-advice-provider-auth = Check the provider’s api_key_file: the key is wrong, has ended or may not use this model.
llm-advice-provider-billing = Add credit to the account at the provider.
llm-advice-provider-rate-limited = Wait, or raise the limit of the account at the provider.
llm-advice-provider-error = The fault is at the provider: look at its log or its status page.
llm-advice-provider-unreachable = Check base_url, that the server runs, and the network and firewall between.
llm-advice-provider-timeout = See whether the server is overloaded or still loads its model; timeout_seconds can be raised.
llm-advice-provider-stream-cut = The server ended its answer early: look at its log, and at proxies between.
llm-advice-provider-bad-response = base_url must be that of an OpenAI-compatible API, usually ending in /v1.
llm-advice-provider-rejected = The server refuses the request: its reason stands above.
llm-advice-model-not-found = Check the model’s name, and that base_url ends where the API begins, usually /v1.
llm-advice-provider-quota = Raise the quota or the budget of the account at the provider, or use another provider.
llm-advice-provider-forbidden = The key is right but may not do this: look at the account’s models, regions and projects at the provider.
llm-advice-provider-moderation = The provider’s filter refuses the content: change the text, or use another model.
llm-advice-provider-overloaded = Wait, or use another model: the provider has more requests than it can answer.
llm-advice-provider-loading = Wait until the server has loaded its model; timeout_seconds says how long requests wait.
llm-advice-context-length-exceeded = Shorten the conversation or the passages, or give the model a larger context window.
llm-advice-provider-too-large = Send less at once; a proxy before the provider may also limit the size.
llm-advice-other = The log of this server says more.
llm-no-providers = No language model yet
llm-no-providers-text = Agents quote their documents word for word. To let a language model answer, add [llm.providers.NAME] with base_url and api_key_file to the configuration, and name one of its models in [llm.aliases].
llm-names = Names
llm-names-text = Agents and API clients use these names, whatever stands behind them
llm-name = Name
llm-stands-for = Stands for
llm-alias-none = nothing yet
llm-default = Agents without a model
llm-embedding = embedding
llm-embedding-size = { $dims } numbers a vector, texts up to { $tokens } tokens
llm-embedding-broken = cannot be used
llm-usage = Usage by model
llm-no-usage = Nothing was asked yet
llm-no-usage-text = Ask an agent a question, or call the API, and the use of each model appears here.
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
llm-adaptation-no-stream-options = asked without stream_options, tokens are estimated
llm-adaptation-max-tokens = limit sent as max_tokens
llm-adaptation-max-completion-tokens = limit sent as max_completion_tokens
llm-adaptation-system-for-developer = developer messages sent as system
llm-adaptation-no-system = system messages sent with the first question
llm-adaptation-alternate-turns = messages of one role in a row are joined
llm-adaptation-plain-content = lists of texts sent as one text
llm-adaptation-input-fields-only = fields of answers left out of messages
llm-adaptation-no-stream = answers asked for whole, then streamed from here
llm-adaptation-no-encoding-format = embeddings asked for without encoding_format

# Scopes of API keys
scope-inference = Asking agents and models (/v1)

# Navigation and overview
llm-nav = Models
llm-overview-tokens = Tokens today
llm-overview-tokens-by-day = Tokens by day
llm-overview-no-model = No language model is configured yet. Agents answer by quoting the passages they find; add a provider to let them write.
