agents-title = Agents
agents-lead = An agent answers from your documents and says where it read it.
agents-new = New agent
agents-edit = Edit agent
agents-empty = No agents yet
agents-empty-text = Give an agent a name, instructions and a knowledge base, and ask it something.
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
agents-name-hint = Shown to the people who ask.
agents-slug = Slug
agents-slug-hint = Applications use it as model agent/slug. Empty makes one from the name.
agents-description = Description
agents-instructions = Instructions
agents-instructions-hint = What it is for, how it speaks, what it must not do. The rules about sources are added by Holdfast.
agents-knowledge = Knowledge
agents-no-bases = There is no knowledge base yet.
agents-make-base = Make one
agents-model = Model
agents-model-hint = fast and quality are aliases that the operator sets.
agents-model-default = Default
agents-details = Retrieval, temperature and limits
agents-mode = Search
agents-mode-hybrid = Meaning and words
agents-mode-vector = Meaning
agents-mode-text = Words
agents-limit = Passages
agents-max-tokens = Tokens of all passages
agents-temperature = Temperature
agents-max-output = Longest answer, tokens
agents-left-to-model = Empty leaves it to the model.
agents-note = Note
agents-note-hint = Why you changed it, for the list of versions.
agents-created = { $name } is ready. Ask something.
agents-saved = { $name } is saved; version { $version } answers now.
agents-changed-meanwhile = Somebody else changed this agent meanwhile. This is its present state; make your change again.
agents-delete = Delete this agent
agents-delete-text = Its versions and conversations go with it. Knowledge bases stay.
agents-delete-question = Delete { $name } with all of its conversations?
agents-deleted = { $name } is deleted.
agents-version = Version
agents-versions = Versions
agents-versions-lead = Every change of the settings is a version. An older one can answer again at once.
agents-search-versions = Search notes and instructions
agents-answers = In use
agents-roll-back = Use again
agents-rolled-back = Version { $version } of { $name } answers now.
agents-use = Use it
agents-as-model = As a model
agents-new-conversation = New conversation
agents-conversation = Conversation
agents-conversations = Conversations
agents-search-conversations = Search conversations
agents-no-conversations = Your conversations with this agent will appear here.
agents-untitled = Without a title
agents-conversation-title = Title
agents-conversation-renamed = Renamed.
agents-conversation-deleted = The conversation is deleted.
agents-delete-conversation = Delete conversation
agents-delete-conversation-question = Delete this conversation with all of its messages?
agents-ask-title = Ask something
agents-ask-text = The answer cites the passages that it comes from; open one to read it in its document.
agents-ask-something = Write a question first.
agents-placeholder = Ask { $name }
agents-question = Question
agents-send = Send
agents-stop = Stop
agents-being-written = The answer is being written.
agents-stopped = Stopped.
agents-searching = Searching the documents…
agents-regenerate = Answer again
agents-only-weak = Only weak matches: nothing in the documents matches this question well. Check the sources before you rely on the answer.
agents-found-only-weak = Only weak matches were found: nothing in the documents matches this question well.
agents-weak = weak match
agents-left-out = { $n ->
    [one] { $n } more passage was found, but did not fit into this agent's limit on tokens: the model did not see it.
   *[other] { $n } more passages were found, but did not fit into this agent's limit on tokens: the model did not see them.
}
agents-question-cut = The documents were searched for the first { $n } characters of the question only. To search for the rest of it, ask again in fewer words.
agents-words-only = The documents were searched by words alone: the embedding model is not at hand, or they are being indexed for another one.
agents-arrived = The question had arrived: here it is, with what was written of its answer.
agents-earlier-left-out = The model no longer sees the messages above this line: it is shown the latest questions and answers only.
agents-bases-gone = { $n ->
    [one] { $n } of this agent's knowledge bases has been deleted. It answers without it.
   *[other] { $n } of this agent's knowledge bases have been deleted. It answers without them.
}
agents-beyond = May answer beyond the documents
agents-beyond-hint = Where the documents do not answer, the model may answer from what it knows, and says so. Otherwise it says that the documents do not contain the answer.
agents-source-deleted = Deleted since then
agents-page = p. { $page }
agents-seconds = { $seconds } s
agents-tokens = { $n ->
    [one] { $n } token
   *[other] { $n } tokens
}
agents-thinking = Thinking
agents-cut-off = The answer was cut off at its length limit.
agents-continue = Continue
agents-ended-with = The model ended with “{ $reason }”.
agents-why-other = The answer failed.
agents-why-answer-broke-off = The provider broke the answer off. What was written is kept.
agents-why-answer-empty = The model answered nothing. Ask again, or choose another model.
agents-why-answer-filtered = The provider's content filter held the answer back. Ask in other words.
agents-why-answer-needs-tools = The model asked for a tool that it was not given. Choose another model for this agent.
agents-why-answer-only-thinking = The model thought, but did not get to an answer. Raise the agent's longest answer, or ask again.
agents-why-answer-refused = The model refused to answer.
agents-why-interrupted = The answer was interrupted by a restart of the server. What was written is kept.
agents-why-provider-auth = The model's provider does not accept the server's key. The operator must set it right.
agents-why-provider-bad-response = The model's provider answered with something that cannot be read. The operator must look at its address.
agents-why-provider-billing = The account at the model's provider has no credit left.
agents-why-provider-error = The model's provider failed. Try again in a moment.
agents-why-provider-rate-limited = The model's provider limits the rate of requests. Try again in a minute.
agents-why-provider-rejected = The model's provider refused the request. The operator finds its reason in the log.
agents-why-provider-stream-cut = The connection to the model's provider broke off in the middle of the answer. What was written is kept.
agents-why-provider-timeout = The model's provider did not answer in time. Try again.
agents-why-provider-unreachable = The model's provider cannot be reached.
agents-why-model-not-found = The agent's model does not exist any more. Choose another in the agent's settings.
agents-why-too-many-answers = Too many answers are being written right now. Try again in a few seconds.
agents-why-conversation-busy = This conversation is being answered in another window. Wait for the answer, or stop it there.
agents-why-conversation-full = This conversation is full. Begin a new one.
agents-why-nothing-to-regenerate = There is no answer yet that could be written again.
agents-why-nothing-to-continue = The last answer is complete: there is nothing to continue.
agents-why-validation-failed = The text is empty or too long.
agents-why-unauthorized = You are signed out. Sign in again in another window, then send the question again.
agents-why-conversation-not-found = This conversation has been deleted.
agents-why-offline = The server cannot be reached. Check the connection, then try again.
agents-why-provider-forbidden = The account at the model's provider may not do this. The operator must look at its models and regions.
agents-why-provider-loading = The model is still being loaded. Try again in a minute.
agents-why-provider-moderation = The provider's filter refuses this text. Ask in other words.
agents-why-provider-overloaded = The model's provider has too much to do. Try again in a minute.
agents-why-provider-quota = The quota of the account at the model's provider is used up.
agents-why-provider-too-large = The request is larger than the model's provider takes. Begin a new conversation.
agents-why-context-length-exceeded = The conversation is longer than the model takes. Begin a new one.

# Scopes of API keys
scope-agents-read = Reading agents
scope-agents-write = Changing agents

# Navigation and overview
agents-nav = Agents
agents-overview-ask = Ask an agent
agents-overview-conversations = Conversations today
agents-overview-conversations-by-day = Conversations by day
agents-overview-agents = Agents
agents-step-agent = Create an agent
agents-step-agent-text = Give it instructions and the knowledge it may use.
agents-step-question = Ask a question
agents-step-question-text = The answer cites the passages it stands on.
