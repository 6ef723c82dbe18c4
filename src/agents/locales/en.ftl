agents-title = Agents
agents-lead = Agents answer from your documents and cite their sources.
agents-new = New agent
agents-edit = Edit agent
agents-empty = No agents yet
agents-empty-text = Give an agent a name, instructions and a knowledge base, then ask it a question.
agents-search = Search agents
agents-bases = { $n ->
    [0] no knowledge
    [one] { $n } knowledge base
   *[other] { $n } knowledge bases
}
agents-documents = { $n ->
    [one] { $n } document
   *[other] { $n } documents
}
agents-name = Name
agents-name-hint = Shown to the people who use it.
agents-slug = Slug
agents-slug-hint = Applications use it as model agent/slug. Leave empty to derive it from the name.
agents-description = Description
agents-instructions = Instructions
agents-instructions-hint = The agent's purpose, its tone, and what it must not do. Holdfast adds the rules about sources.
agents-knowledge = Knowledge
agents-no-bases = There are no knowledge bases yet.
agents-make-base = Create one
agents-model = Model
agents-model-hint = fast and quality are aliases set by the operator.
agents-model-default = Default
agents-details = Retrieval, temperature and limits
agents-mode = Search
agents-mode-hybrid = Meaning and words
agents-mode-vector = Meaning
agents-mode-text = Words
agents-limit = Sources
agents-max-tokens = Tokens of all sources
agents-temperature = Temperature
agents-max-output = Maximum answer length, tokens
agents-left-to-model = Empty: the model's default.
agents-starters = Questions to begin with
agents-starters-hint = One in a line, at most six. They are offered where a conversation begins.
agents-pictures = The model takes pictures
agents-pictures-hint = Then pictures may be given with a question.
agents-note = Note
agents-note-hint = Reason for the change, shown in the list of versions.
agents-created = { $name } is ready. Ask a question.
agents-saved = { $name } is saved; version { $version } is in use.
agents-changed-meanwhile = Someone else changed this agent in the meantime. This is its current state; make your change again.
agents-delete = Delete this agent
agents-delete-text = Its versions and conversations are deleted too. Knowledge bases stay.
agents-delete-question = Delete { $name } with all of its conversations?
agents-deleted = { $name } was deleted.
agents-version = Version
agents-versions = Versions
agents-versions-lead = Every change of the settings creates a version. You can return to an older one at any time.
agents-search-versions = Search notes and instructions
agents-answers = In use
agents-roll-back = Use this version
agents-rolled-back = Version { $version } of { $name } is in use.
agents-use = How to use it
agents-as-model = As a model
agents-new-conversation = New conversation
agents-conversation = Conversation
agents-conversations = Conversations
agents-search-conversations = Search conversations
agents-no-conversations = Your conversations with this agent will appear here.
agents-untitled = Untitled
agents-conversation-title = Title
agents-conversation-renamed = Renamed.
agents-conversation-deleted = The conversation was deleted.
agents-delete-conversation = Delete conversation
agents-delete-conversation-question = Delete this conversation with all of its messages?
agents-ask-title = Ask a question
agents-ask-text = The answer cites its sources; open one to read it in its document.
agents-ask-something = Write a question first.
agents-placeholder = Ask { $name }
agents-question = Question
agents-send = Send
agents-stop = Stop
agents-being-written = Writing the answer.
agents-stopped = Stopped.
agents-searching = Searching the documents…
agents-regenerate = Answer again
agents-only-weak = Only weak matches: nothing in the documents matches this question well. Check the sources before you rely on the answer.
agents-found-only-weak = Only weak matches were found: nothing in the documents matches this question well.
agents-weak = weak match
agents-left-out = { $n ->
    [one] { $n } more source was found but did not fit into this agent's token limit: the model did not see it.
   *[other] { $n } more sources were found but did not fit into this agent's token limit: the model did not see them.
}
agents-question-cut = The documents were searched only for the first { $n } characters of the question. To search for the rest, ask a shorter question.
agents-words-only = The documents were searched by words only: the embedding model is not available, or they are being indexed for another one.
agents-arrived = The question had arrived: here it is, with the answer so far.
agents-earlier-left-out = The model no longer sees the messages above this line: it is shown only the latest questions and answers.
agents-bases-gone = { $n ->
    [one] { $n } of this agent's knowledge bases has been deleted. It answers without it.
   *[other] { $n } of this agent's knowledge bases have been deleted. It answers without them.
}
agents-beyond = May answer beyond the documents
agents-beyond-hint = When the documents do not contain the answer, the model may answer from its own knowledge and says so. Otherwise it says that the documents do not contain the answer.
agents-source-deleted = Deleted since
agents-page = p. { $page }
agents-tokens = { $n ->
    [one] { $n } token
   *[other] { $n } tokens
}
agents-thinking = Thinking
agents-cut-off = The answer was cut off at its length limit.
agents-continue = Continue
agents-ended-with = The model ended with “{ $reason }”.
agents-why-other = The answer failed.
agents-why-answer-broke-off = The provider broke the answer off. The text so far is kept.
agents-why-answer-empty = The model answered nothing. Ask again, or choose another model.
agents-why-answer-filtered = The provider's content filter blocked the answer. Rephrase the question.
agents-why-answer-needs-tools = The model asked for a tool that it was not given. Choose another model for this agent.
agents-why-answer-only-thinking = The model used up its limit on thinking and did not get to an answer. Raise the agent's maximum answer length, or ask again.
agents-why-answer-refused = The model refused to answer.
agents-why-interrupted = The answer was interrupted by a restart of the server. The text so far is kept.
agents-why-provider-auth = The model's provider does not accept the server's key. The operator must correct it.
agents-why-provider-bad-response = The answer of the model's provider cannot be read. The operator must check its address.
agents-why-provider-billing = The account at the model's provider has no credit left.
agents-why-provider-error = The model's provider failed. Try again in a moment.
agents-why-provider-rate-limited = The model's provider limits the rate of requests. Try again in a minute.
agents-why-provider-rejected = The model's provider refused the request. The operator can find the reason in the log.
agents-why-provider-stream-cut = The connection to the model's provider broke off in the middle of the answer. The text so far is kept.
agents-why-provider-timeout = The model's provider did not answer in time. Try again.
agents-why-provider-unreachable = The model's provider cannot be reached.
agents-why-model-not-found = The agent's model no longer exists. Choose another in the agent's settings.
agents-why-too-many-answers = Too many answers are in progress right now. Try again in a few seconds.
agents-why-conversation-busy = This conversation has an answer in progress in another window. Wait for it, or stop it there.
agents-why-conversation-full = This conversation is full. Start a new one.
agents-why-nothing-to-regenerate = There is no answer to regenerate yet.
agents-why-nothing-to-continue = The last answer is complete: there is nothing to continue.
agents-why-validation-failed = The text is empty or too long.
agents-why-unauthorized = You are signed out. Sign in again in another window, then send the question again.
agents-why-conversation-not-found = This conversation has been deleted.
agents-why-offline = The server cannot be reached. Check the connection, then try again.
agents-why-provider-forbidden = The account at the model's provider is not allowed to do this. The operator must check its models and regions.
agents-why-provider-loading = The model is still being loaded. Try again in a minute.
agents-why-provider-moderation = The provider's filter refuses this text. Rephrase it.
agents-why-provider-overloaded = The model's provider is overloaded. Try again in a minute.
agents-why-provider-quota = The quota of the account at the model's provider is exhausted.
agents-why-provider-too-large = The request is too large for the model's provider. Start a new conversation.
agents-why-context-length-exceeded = The conversation is too long for the model. Start a new one.

# Scopes of API keys
scope-agents-read = Read agents
scope-agents-write = Change agents

# Navigation and overview
agents-nav = Agents
agents-overview-ask = Ask an agent
agents-overview-conversations = Conversations today
agents-overview-conversations-by-day = Conversations by day
agents-overview-agents = Agents
agents-step-agent = Create an agent
agents-step-agent-text = Give it instructions and the knowledge it may use.
agents-step-question = Ask a question
agents-step-question-text = The answer cites the passages it is based on.
