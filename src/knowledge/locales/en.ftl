knowledge-title = Knowledge
knowledge-lead = Collections of documents that agents and search use.
knowledge-new = New knowledge base
knowledge-new-lead = Give it a name; documents come next.
knowledge-create-first = New knowledge base
knowledge-empty = No knowledge base yet
knowledge-empty-text = Create one, add PDF, Word, HTML, Markdown or text files, and ask.
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
knowledge-duplicate = already in this base
knowledge-network = The connection was lost. Try again.
knowledge-uploaded = { $n ->
    [one] One document was added.
   *[other] { $n } documents were added.
}
knowledge-duplicates = { $n ->
    [one] This document is already in the base.
   *[other] These documents are already in the base.
}
knowledge-rejected = “{ $name }” was not added: { $reason }
knowledge-rejected-with-others = “{ $name }” was not added: { $reason } Other files of this upload were not added either: check the list and upload the missing ones.
knowledge-refused-empty = The file is empty.
knowledge-refused-legacy_word = This is a Word document in the old .doc format: save it as .docx or PDF.
knowledge-refused-encrypted_office = This Office document is password-protected: save it without a password.
knowledge-refused-other_kind = This kind of file is not supported. Supported are PDF, DOCX, HTML, Markdown, CSV, code and plain text.
knowledge-refused-payload_too_large = The file is too large.
knowledge-nothing-chosen = Choose at least one file.
knowledge-no-documents = No documents yet
knowledge-no-documents-text = Drop files into the field above. They become searchable within moments.
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
knowledge-failure-encrypted = Password-protected: save it without a password.
knowledge-failure-malformed = The file is damaged.
knowledge-failure-no_text = No text found: it has only images or is empty.
knowledge-failure-too_large_input = The file is too large.
knowledge-failure-too_large_output = It unpacks to too much text.
knowledge-failure-timeout = Reading it took too long.
knowledge-failure-out_of_memory = Reading it took too much memory.
knowledge-failure-unsupported = This kind of document is not supported.
knowledge-failure-process = The reading process failed. Try again.
knowledge-failure-original_missing = Its file is missing from the object store. Tell your operator: a disk may not be mounted. Try again when it is back, or delete the document and upload it again.
knowledge-failure-killed = The server was killed twice while it processed this document, which may need more memory than there is. Ask your operator before you try again.
knowledge-failure-embedding = The embedding model was not available. Ask your operator, then try again.
knowledge-failure-internal = An internal error occurred and has been logged. Try again.

knowledge-search-title = Search in { $name }
knowledge-ask = Ask a question or type some words
knowledge-mode = Search mode
knowledge-mode-hybrid = Both
knowledge-mode-vector = By meaning
knowledge-mode-text = By words
knowledge-search-empty = Try a search
knowledge-search-empty-text = You see the passages that an agent would get, best first, with their scores.
knowledge-search-nothing = No passage answers this. Documents that are not ready yet are not found yet.
knowledge-search-no-match = Nothing in this base seems to answer that.
knowledge-search-words-only = These passages were found by words only: the embedding model is not available, or this base is being indexed again for another model.
knowledge-search-weak = Weak matches
knowledge-search-weak-text = These are the nearest passages, but they have few of the question's words, and their meaning is no closer to it than chance.
knowledge-score = Score
knowledge-by-meaning = By meaning: no. { $rank }
knowledge-by-words = By words: no. { $rank }
knowledge-page = page { $n }

knowledge-index = Index
knowledge-model = Embedding model
knowledge-generation = Generation
knowledge-selftest = Self-test
knowledge-selftest-text = Sentences from the documents are used as questions, and each search mode is scored (nDCG@10, 1 is perfect). The weights are derived from the scores.
knowledge-selftest-none = Not measured yet: the test runs when all documents have been read, and needs some text.
knowledge-language = Language
knowledge-any-language = Any
knowledge-language-eng = English
knowledge-language-rus = Russian
knowledge-questions = Questions
knowledge-weights = Weights, meaning : words
knowledge-delete = Delete this knowledge base
knowledge-delete-text = All its documents, their text and the index are deleted. Agents lose it as a source.
knowledge-delete-question = Delete “{ $name }” with all its documents? This cannot be undone.

knowledge-download = Download
knowledge-delete-document-question = Delete “{ $name }”? Its text and its index entries are deleted too. This cannot be undone.
knowledge-document-deleted = “{ $name }” was deleted.
knowledge-renamed = Renamed.
knowledge-retrying = The document is being processed again.
knowledge-not-failed = This document has not failed.
knowledge-text = Text
knowledge-in-text = show in the text
knowledge-no-text = No text yet
knowledge-no-text-text = It appears when the document has been read.
knowledge-no-text-failed = No text
knowledge-no-text-failed-text = This document could not be read; the reason is shown beside. Correct the file and upload it again.
knowledge-cited = The cited passage is marked
knowledge-earlier = Earlier text
knowledge-later = Later text
knowledge-kind = Kind
knowledge-kind-pdf = PDF
knowledge-kind-docx = Word (DOCX)
knowledge-kind-html = HTML
knowledge-kind-markdown = Markdown
knowledge-kind-csv = Table (CSV)
knowledge-kind-code = Code or configuration
knowledge-kind-text = Text
knowledge-table-header = Header of the table that this passage comes from
knowledge-pages = Pages
knowledge-ready-at = Ready
knowledge-filename = File name

knowledge-status-doubted = Ready, with doubts
knowledge-status-words_only = Words only
knowledge-count-doubted = { $n ->
    [one] { $n } ready document has doubts
   *[other] { $n } ready documents have doubts
}
knowledge-count-doubted-short = { $n } with doubts
knowledge-doubted-text = Part of their text may be missing or wrong: the document's page says what to check.
knowledge-count-words-only = { $n ->
    [one] { $n } document is found by words only
   *[other] { $n } documents are found by words only
}
knowledge-words-only-text = The embedding model is not available. As soon as it is, search by meaning finds them too; you need not do anything.
knowledge-words-only-document = Found by words only: the embedding model was not available when the document was indexed. As soon as it is, search by meaning finds it too; you need not do anything.

knowledge-report = Reading report
knowledge-report-fine = Everything was read; there are no doubts.
knowledge-report-before = This document was read before reports existed. Read it again to see what was left out.
knowledge-report-characters = Characters
knowledge-report-words = Words
knowledge-report-plausible = Plausible words
knowledge-report-tables = Tables
knowledge-report-form-fields = Filled form fields
knowledge-report-comments = Comments and notes
knowledge-report-images = Images without a description
knowledge-report-without-text = Pages without text
knowledge-report-partly = Partly readable pages
knowledge-report-by-ocr = Pages read by OCR
knowledge-report-by-model = Pages read by a model
knowledge-report-hidden = Hidden characters found
knowledge-report-encoding = Encoding (guessed)
knowledge-report-undecodable = Undecodable characters
knowledge-report-fonts = Unreadable fonts
knowledge-report-parts = Parts not read
knowledge-read-again = Read again
knowledge-read-with-ocr = Read again with OCR
knowledge-open-original = Open the original
knowledge-reading-again = The document is being read again. Until it is ready, searches do not find it.
knowledge-being-read = The document is already being read.

knowledge-doubt-pages_without_text = Pages without text.
knowledge-doubt-pages_without_text-do = Some pages have only images or are empty. The unread pages, and what to do about them, are listed below.
knowledge-doubt-unreadable_fonts = Unreadable fonts.
knowledge-doubt-unreadable_fonts-do = Some fonts do not say which characters they show, so words may be missing or wrong. Compare the text with the original, or export the file again from the program that made it.
knowledge-doubt-implausible_text = Odd text.
knowledge-doubt-implausible_text-do = Few of the words look like real words. Compare the text with the original.
knowledge-doubt-hidden_text = Hidden text.
knowledge-doubt-hidden_text-do = The file has text that is invisible when it is opened; it was left out. See the examples below.
knowledge-doubt-unread_parts = Parts not read.
knowledge-doubt-unread_parts-do = Some parts of the file could not be read. Open the original and save it again.
knowledge-doubt-undecodable_characters = Undecodable characters.
knowledge-doubt-undecodable_characters-do = Some characters were replaced by �. Save the file as UTF-8 and upload it again.
knowledge-doubt-much_left_out = Much was left out.
knowledge-doubt-much_left_out-do = An unusually large part of the text was treated as headers and footers. See the examples below.
knowledge-doubt-uncertain_order = Uncertain order.
knowledge-doubt-uncertain_order-do = The reading order of a page could not be determined. Compare the text with the original.
knowledge-doubt-read_from_pictures = Read from images.
knowledge-doubt-read_from_pictures-do = Some pages were read from their images; names and numbers may be wrong. Compare them with the original.

knowledge-unread = Unread pages
knowledge-unread-pages = Page { $pages }:
knowledge-unread-off = this base reads text only. Turn on OCR in its settings, then read the document again.
knowledge-unread-not_installed = OCR is not installed on this server. Ask your operator to install tesseract and poppler-utils.
knowledge-unread-no_language = OCR has no data for the languages of this base. Ask your operator to install it, or select other languages in the settings.
knowledge-unread-over_limit = the document has more pages without text than OCR may read per document. Split it, or ask your operator to raise the limit.
knowledge-unread-out_of_time = the OCR time limit of the document was reached. Split the document, or ask your operator to raise the limit.
knowledge-unread-ocr_failed = OCR failed. Read the document again; if it fails again, open the original.
knowledge-unread-nothing_found = no words were found in the image.
knowledge-unread-unclear = the image is too poor for OCR. Scan it again in better quality, or open the original.
knowledge-unread-over_budget = the daily budget for reading with a model is used up. Read the document again tomorrow, or ask your operator to raise it.
knowledge-unread-model_failed = the model could not be reached. Check the Models page, then read the document again.

knowledge-unread-certainty = OCR confidence: { $n } %
knowledge-unread-pages-limit = pages per document: at most { $n }
knowledge-unread-tokens-limit = tokens per day: at most { $n }
knowledge-unread-too-long = it took too long
knowledge-unread-too-much-memory = it took too much memory
knowledge-part-on-page = page { $page }: { $part }
knowledge-part-page = could not be read ({ $detail })
knowledge-part-packed_stream = a part that could not be unpacked ({ $detail })
knowledge-part-stream = a part that could not be parsed ({ $detail })
knowledge-part-much_content = more content than the limit
knowledge-part-many_characters = more characters than the limit
knowledge-part-many_annotations = { $detail } notes and fields, of which { $name } were read
knowledge-part-broken_text = the content ends inside a text: the rest may be damaged
knowledge-part-missing_object = an object that is missing from the file
knowledge-part-xfa = an XFA form, of which only the ordinary pages were read
knowledge-part-missing_end = the end of the file is missing (dangling references: { $detail })
knowledge-part-drawn_text = pages whose text seems to be drawn as shapes: { $detail }
knowledge-part-damaged_part = { $name } is damaged ({ $detail })
knowledge-part-missing_insert = an inserted file that is missing from the document
knowledge-part-insert = { $name }: an inserted file that cannot be read ({ $detail })
knowledge-part-inserted_rtf = { $name }: inserted text in the RTF format
knowledge-part-inserted_archive = { $name }: an inserted web archive (MHT) without a page
knowledge-part-nested_document = { $name }: a document nested too deeply
knowledge-part-embedded_object = an embedded object ({ $detail })
knowledge-part-active_x = an ActiveX control
knowledge-part-chart = { $name }: a chart or diagram
knowledge-part-sub_document = a sub-document that is missing from the file
knowledge-part-mail_part = { $name }: a part of the message that cannot be decoded
knowledge-part-attached_message = the attached message { $name } ({ $detail })
knowledge-part-attachment = the attachment { $name } ({ $detail })
knowledge-part-nested_forms = nested alternatives of the text
knowledge-part-damaged_content = the content may be incomplete ({ $detail })
knowledge-part-attached_files = embedded files: { $detail }
knowledge-part-attached_file = an attached file that was not read ({ $name })
knowledge-part-more = and { $detail } more
knowledge-part-other = { $detail }

knowledge-left-out-nothing = Nothing was left out.
knowledge-left-out = { $n ->
    [one] { $n } character was left out
   *[other] { $n } characters were left out
}
knowledge-left-out-times = { $n ->
    [one] in one place
   *[other] in { $n } places
}
knowledge-left-out-page_number = Page numbers
knowledge-left-out-running_line = Repeated headers and footers (kept once)
knowledge-left-out-navigation = Navigation of a web page
knowledge-left-out-hidden = Hidden text
knowledge-left-out-revision = Deleted by tracked changes
knowledge-left-out-script = Scripts and style sheets
knowledge-left-out-comment = Comments in the source, invisible to readers
knowledge-left-out-duplicate = Text that the file contains twice

knowledge-reading = Pages without text
knowledge-reading-hint = Scanned pages, and pages with fonts that do not say which characters they show. For documents already in the base, use “Read again” on their page.
knowledge-reading-ocr = Read their images with OCR
knowledge-reading-text = Skip them: read text only
knowledge-ocr-languages = Languages for OCR
knowledge-ocr-languages-hint = Tesseract language codes, separated by spaces, such as eng rus. Empty: English and Russian, if installed.
knowledge-vision-model = Model for pages that OCR cannot read
knowledge-vision-model-hint = A vision model, written as provider/model. Images of the pages are sent to it. Empty: no model is used.
knowledge-ocr-here = OCR is installed on this server with these languages: { $languages }.
knowledge-ocr-missing = OCR is not installed on this server: pages without text stay unread, and the reading reports say so. Ask your operator to install tesseract and poppler-utils.

# Scopes of API keys
scope-knowledge-read = Read and search knowledge
scope-knowledge-write = Change knowledge

# Navigation and overview
knowledge-nav = Knowledge
knowledge-overview-add = Add documents
knowledge-overview-documents = Documents ready
knowledge-overview-in-bases = { $n ->
    [0] no knowledge base yet
    [one] in { $n } knowledge base
   *[other] in { $n } knowledge bases
}
knowledge-step-base = Create a knowledge base
knowledge-step-base-text = A place for documents that belong together.
knowledge-step-documents = Drop in documents
knowledge-step-documents-text = PDF, Word, HTML, Markdown or text; each is ready in seconds.

# Errors
error-base-name-taken = There is a knowledge base of this name already. Choose another name.
