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
knowledge-rejected-with-others = “{ $name }” was not added: { $reason } Other files of this upload were not added either: look at the list, and upload what is missing.
knowledge-refused-empty = The file is empty.
knowledge-refused-legacy_word = This is a Word document in the old .doc format: save it as .docx or PDF.
knowledge-refused-encrypted_office = This Office document is protected by a password: save it without one.
knowledge-refused-other_kind = Files of this kind are not supported. Supported are PDF, DOCX, HTML, Markdown, CSV, code and plain text.
knowledge-refused-payload_too_large = The file is too large.
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
knowledge-failure-original_missing = Its file is not in the object store. Tell your operator: a disk may not be mounted. Try again when it is back, or delete the document and upload it again.
knowledge-failure-killed = The server was killed twice while it worked on this document: perhaps it needs more memory than there is. Ask your operator before you try again.
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
knowledge-search-words-only = These passages were found by their words alone: the embedding model is not at hand, or this base is being indexed for another one.
knowledge-search-weak = Weak matches
knowledge-search-weak-text = These are the nearest passages that there are. They have few of the question's words, and their meaning is no closer to it than chance would bring it.
knowledge-score = Score
knowledge-by-meaning = By meaning: no. { $rank }
knowledge-by-words = By words: no. { $rank }
knowledge-page = page { $n }

knowledge-index = Index
knowledge-model = Embedding model
knowledge-generation = Generation
knowledge-selftest = Self-test
knowledge-selftest-text = Sentences of the documents are asked as questions, and each kind of search is scored (nDCG@10, 1 is perfect). The weights follow from it.
knowledge-selftest-none = Not measured yet: that happens when every document has been read, and needs some text.
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

knowledge-status-doubted = Ready, with doubts
knowledge-status-words_only = By words only
knowledge-count-doubted = { $n ->
    [one] { $n } ready document has doubts
   *[other] { $n } ready documents have doubts
}
knowledge-count-doubted-short = { $n } with doubts
knowledge-doubted-text = Part of their text may be missing or wrong: their page says what to look at.
knowledge-count-words-only = { $n ->
    [one] { $n } document is found by its words only
   *[other] { $n } documents are found by their words only
}
knowledge-words-only-text = The embedding model is missing. Once it is there, search by meaning finds them too; there is nothing to do.
knowledge-words-only-document = Found by its words only: the embedding model was missing when it was indexed. Once the model is there, search by meaning finds it too; there is nothing to do.

knowledge-report = Reading report
knowledge-report-fine = Everything was read; nothing is doubted.
knowledge-report-before = This document was read before reports were kept. Read it again to see what was left out.
knowledge-report-characters = Characters
knowledge-report-words = Words
knowledge-report-plausible = Plausible words
knowledge-report-tables = Tables
knowledge-report-form-fields = Filled form fields
knowledge-report-comments = Comments and notes
knowledge-report-images = Images without text
knowledge-report-without-text = Pages without text
knowledge-report-partly = Pages read only in part
knowledge-report-by-ocr = Pages read by OCR
knowledge-report-by-model = Pages read by a model
knowledge-report-hidden = Hidden characters found
knowledge-report-encoding = Encoding, guessed
knowledge-report-undecodable = Characters not decoded
knowledge-report-fonts = Unreadable fonts
knowledge-report-parts = Parts not read
knowledge-read-again = Read again
knowledge-read-with-ocr = Read again with OCR
knowledge-open-original = Open the original
knowledge-reading-again = The document is being read again. Until it is ready, searches do not find it.
knowledge-being-read = The document is being read already.

knowledge-doubt-pages_without_text = Pages without text.
knowledge-doubt-pages_without_text-do = Some pages have only pictures, or nothing at all. What stayed unread, and what to do about it, stands below.
knowledge-doubt-unreadable_fonts = Unreadable fonts.
knowledge-doubt-unreadable_fonts-do = Some fonts do not say which characters they show, so words may be missing or wrong. Compare the text with the original, or save the file anew in the program that made it.
knowledge-doubt-implausible_text = Odd text.
knowledge-doubt-implausible_text-do = Few of the words look like real words. Compare the text with the original.
knowledge-doubt-hidden_text = Hidden text.
knowledge-doubt-hidden_text-do = The file holds text that is not shown when it is opened; it was left out. Look at the examples below.
knowledge-doubt-unread_parts = Parts not read.
knowledge-doubt-unread_parts-do = Some parts of the file could not be read. Open the original and save it anew.
knowledge-doubt-undecodable_characters = Characters not decoded.
knowledge-doubt-undecodable_characters-do = Some characters stand in the text as �. Save the file in UTF-8 and upload it again.
knowledge-doubt-much_left_out = Much was left out.
knowledge-doubt-much_left_out-do = An unusual share of the text was taken for headers and footers. Look at the examples below.
knowledge-doubt-uncertain_order = Uncertain order.
knowledge-doubt-uncertain_order-do = The order of the text on a page could not be told. Compare the text with the original.
knowledge-doubt-read_from_pictures = Read from pictures.
knowledge-doubt-read_from_pictures-do = Some pages were recognised from their pictures; names and numbers may be misread. Compare them with the original.

knowledge-unread = Pages that stayed unread
knowledge-unread-pages = Page { $pages }:
knowledge-unread-off = the base reads text only. Switch on OCR in its settings, then read the document again.
knowledge-unread-not_installed = OCR is not installed on this server. Ask your operator to install tesseract and poppler-utils.
knowledge-unread-no_language = OCR has no data for the languages of this base. Ask your operator to install them, or choose others in the settings.
knowledge-unread-over_limit = the document has more pages without text than OCR may read of one document. Split it, or ask your operator to raise the limit.
knowledge-unread-out_of_time = the time for OCR of one document was used up. Split the document, or ask your operator to raise the limit.
knowledge-unread-ocr_failed = OCR broke off. Read the document again; if it fails again, open the original.
knowledge-unread-nothing_found = no words were found in the picture.
knowledge-unread-unclear = the picture is too unclear for OCR. Scan it again in better quality, or open the original.
knowledge-unread-over_budget = the budget for reading by a model is used up. Read the document again tomorrow, or ask your operator to raise it.
knowledge-unread-model_failed = the model could not be asked. Look at Models, then read the document again.

knowledge-unread-certainty = OCR is { $n } % sure
knowledge-unread-pages-limit = pages of one document: at most { $n }
knowledge-unread-tokens-limit = tokens a day: at most { $n }
knowledge-unread-too-long = it took too long
knowledge-unread-too-much-memory = it took too much memory
knowledge-part-on-page = page { $page }: { $part }
knowledge-part-page = it could not be read ({ $detail })
knowledge-part-packed_stream = a part that could not be unpacked ({ $detail })
knowledge-part-stream = a part that could not be understood ({ $detail })
knowledge-part-much_content = more content than is read
knowledge-part-many_characters = more characters than are read
knowledge-part-many_annotations = { $detail } notes and fields, of which { $name } were read
knowledge-part-broken_text = it ends in the middle of a text: the rest may be damaged
knowledge-part-missing_object = an object that the file does not have
knowledge-part-xfa = a form in XFA format, of which only the ordinary pages were read
knowledge-part-missing_end = the end of the file is missing (references that lead to nothing: { $detail })
knowledge-part-drawn_text = pages whose text seems to be drawn as shapes: { $detail }
knowledge-part-damaged_part = { $name } is damaged ({ $detail })
knowledge-part-missing_insert = an inserted file that is not in the document
knowledge-part-insert = { $name }: an inserted file that cannot be read ({ $detail })
knowledge-part-inserted_rtf = { $name }: inserted text in the RTF format
knowledge-part-inserted_archive = { $name }: an inserted web archive (MHT) without a page
knowledge-part-nested_document = { $name }: a document within documents
knowledge-part-embedded_object = an embedded object ({ $detail })
knowledge-part-active_x = an ActiveX control
knowledge-part-chart = { $name }: a chart or diagram
knowledge-part-sub_document = a sub-document that is not in the file
knowledge-part-mail_part = { $name }: a part of the message that cannot be decoded
knowledge-part-attached_message = the attached message { $name } ({ $detail })
knowledge-part-attachment = the attachment { $name } ({ $detail })
knowledge-part-nested_forms = a choice between forms of the text within others
knowledge-part-damaged_content = the content may not be whole ({ $detail })
knowledge-part-attached_files = files within the file: { $detail }
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
knowledge-left-out-comment = Comments in the source, which readers do not see
knowledge-left-out-duplicate = Text that the file holds twice

knowledge-reading = Pages without text
knowledge-reading-hint = Scanned pages, and pages whose fonts do not say which characters they show. For documents that are in the base already, choose “Read again” on their page.
knowledge-reading-ocr = Recognise them from their pictures (OCR)
knowledge-reading-text = Leave them: read text only
knowledge-ocr-languages = Languages for OCR
knowledge-ocr-languages-hint = Codes of tesseract, separated by spaces, such as eng rus. Empty: English and Russian, as far as they are installed.
knowledge-vision-model = Model for pages that OCR cannot read
knowledge-vision-model-hint = A model that understands pictures, written as provider/model. The pages are sent to it. Empty: no model is asked.
knowledge-ocr-here = OCR is installed on this server, with the languages { $languages }.
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
