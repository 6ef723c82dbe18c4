knowledge-title = Knowledge
knowledge-lead = Collections of your documents that agents answer from and searches look into.
knowledge-new = New knowledge base
knowledge-new-lead = Give it a name; documents come next.
knowledge-create-first = New knowledge base
knowledge-empty = No knowledge base yet
knowledge-empty-text = Make one, drop in PDF, Word, HTML, Markdown or text files, and ask.
knowledge-find = Find a knowledge base
knowledge-name-example = Team handbook
knowledge-description = Description
knowledge-description-hint = What the documents are about, for your colleagues.
knowledge-created = “{ $name }” was created. Add its first documents.
knowledge-saved = Saved.
knowledge-deleted = “{ $name }” was deleted.
knowledge-count-documents = { $n ->
    [0] no documents
    [one] { $n } document
   *[other] { $n } documents
}
knowledge-count-passages = { $n ->
    [one] { $n } passage
   *[other] { $n } passages
}
knowledge-count-pending = { $n } in progress
knowledge-count-failed = { $n } failed
knowledge-count-tokens = { $n ->
    [one] { $n } token
   *[other] { $n } tokens
}
knowledge-documents = Documents
knowledge-search-tab = Search
knowledge-settings = Settings

knowledge-drop = Drop documents here, or choose files
knowledge-choose = Choose files
knowledge-kinds = PDF, DOCX, HTML, Markdown, CSV, code and text, up to { $limit } each
knowledge-upload = Upload
knowledge-duplicate = is here already
knowledge-network = The connection broke off. Try again.
knowledge-uploaded = { $n ->
    [one] One document was added.
   *[other] { $n } documents were added.
}
knowledge-duplicates = { $n ->
    [one] This document is here already.
   *[other] These documents are here already.
}
knowledge-rejected = “{ $name }” was not added: { $reason }
knowledge-nothing-chosen = Choose at least one file.
knowledge-no-documents = No documents yet
knowledge-no-documents-text = Drop files into the field above. Each is ready to be found within moments.
knowledge-find-document = Find a document
knowledge-document = Document
knowledge-passages = Passages
knowledge-size = Size
knowledge-added = Added
knowledge-progress = Progress
knowledge-status-queued = Queued
knowledge-status-extracting = Reading
knowledge-status-embedding = Indexing
knowledge-status-ready = Ready
knowledge-status-failed = Failed
knowledge-failure-encrypted = Protected by a password: save it without one.
knowledge-failure-malformed = The file is damaged.
knowledge-failure-no_text = No text found: it has only images, or nothing at all.
knowledge-failure-too_large_input = The file is too large.
knowledge-failure-too_large_output = It unpacks to more text than can be read.
knowledge-failure-timeout = Reading it took too long.
knowledge-failure-out_of_memory = Reading it took too much memory.
knowledge-failure-unsupported = Not a kind of document that can be read.
knowledge-failure-process = The reading process failed. Try again.
knowledge-failure-embedding = The embedding model could not be used. Ask your operator, then try again.
knowledge-failure-internal = Something went wrong here; it has been logged. Try again.

knowledge-search-title = Search in { $name }
knowledge-ask = Ask a question or type some words
knowledge-mode = Kind of search
knowledge-mode-hybrid = Both
knowledge-mode-vector = By meaning
knowledge-mode-text = By words
knowledge-search-empty = Try a search
knowledge-search-empty-text = You see the passages that an agent would be given, best first, with their scores.
knowledge-search-nothing = No passage answers this. Documents that are not ready yet are not found yet.
knowledge-search-no-match = Nothing in this base seems to answer that.
knowledge-search-weak = Weak matches
knowledge-search-weak-text = These are the nearest passages, but they have few of the question's words and are no nearer in meaning than by chance.
knowledge-score = Score
knowledge-by-meaning = By meaning: no. { $rank }
knowledge-by-words = By words: no. { $rank }
knowledge-page = page { $n }

knowledge-index = Index
knowledge-model = Embedding model
knowledge-generation = Generation
knowledge-selftest = Self-test
knowledge-selftest-text = Sentences of the documents are asked as questions, and each kind of search is scored (nDCG@10, 1 is perfect). The weights follow from it.
knowledge-selftest-none = Not measured yet: it needs some more text.
knowledge-language = Language
knowledge-any-language = Any
knowledge-language-eng = English
knowledge-language-rus = Russian
knowledge-questions = Questions
knowledge-weights = Weights, meaning : words
knowledge-delete = Delete this knowledge base
knowledge-delete-text = All its documents, their text and their index go with it. Agents lose it as a source.
knowledge-delete-question = Delete “{ $name }” with all its documents? This cannot be undone.

knowledge-download = Download
knowledge-delete-document-question = Delete “{ $name }”? Its text and its index entries go with it. This cannot be undone.
knowledge-document-deleted = “{ $name }” was deleted.
knowledge-renamed = Renamed.
knowledge-retrying = It is tried again.
knowledge-not-failed = This document has not failed.
knowledge-text = Text
knowledge-in-text = show in the text
knowledge-no-text = No text yet
knowledge-no-text-text = It appears when the document has been read.
knowledge-no-text-failed = No text
knowledge-no-text-failed-text = This document could not be read. The reason is given beside; correct the file and upload it again.
knowledge-cited = The cited passage is marked
knowledge-earlier = Earlier text
knowledge-later = Later text
knowledge-kind = Kind
knowledge-kind-pdf = PDF
knowledge-kind-docx = Word (DOCX)
knowledge-kind-html = HTML
knowledge-kind-markdown = Markdown
knowledge-kind-csv = Table (CSV)
knowledge-kind-code = Code or settings
knowledge-kind-text = Text
knowledge-table-header = The header of the table that this passage is cut from
knowledge-pages = Pages
knowledge-ready-at = Ready
knowledge-filename = File name
