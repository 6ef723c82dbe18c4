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
agents-failed = The answer broke off.
agents-searching = Searching the documents…
agents-regenerate = Answer again
agents-source-deleted = Deleted since then
agents-page = p. { $page }
agents-seconds = { $seconds } s
agents-tokens = { $n ->
    [one] { $n } token
   *[other] { $n } tokens
}
agents-not-asked = Not sent: { $reason }
agents-not-answered = No answer: { $reason }
