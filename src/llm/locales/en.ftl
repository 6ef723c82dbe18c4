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
llm-key-set = set
llm-key-none = none
llm-offered = Models
llm-offered-all = all that the server lists
llm-test = Test
llm-test-ok = { $name } answers in { $ms } ms and lists { $n ->
    [one] { $n } model
   *[other] { $n } models
}
llm-test-failed = { $name } does not work: { $error }
llm-no-providers = No language model yet
llm-no-providers-text = Agents quote their documents word for word. Add [llm.providers.NAME] with base_url and api_key_file to the configuration to let a language model answer.
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
