mail-title = Mail
mail-lead = What was sent, what waits, and what mail servers answered
mail-tabs = Parts of mail
mail-tab-messages = Messages
mail-tab-templates = Templates
mail-tab-branding = Branding
mail-tab-suppressions = Suppressed addresses
mail-tab-domains = Domains
mail-tab-sources = Bounces
mail-whose = Belongs to
mail-whose-organisation = The organisation's
mail-whose-installation = The installation's
mail-for-installation = For mail of the whole installation
mail-not-configured = No SMTP server is configured: mail waits here. It is sent as soon as mail.smtp_host and mail.from are set in the configuration.
mail-not-configured-admin = Mail is not set up on this installation yet: it waits here and is sent later. Ask an operator to configure an SMTP server.
mail-failing = The mail server has not accepted mail since
mail-test = Send me a test
mail-test-to = A test message to { $address } is queued.
mail-test-suppressed = Nothing is sent to { $address }: it is on the list of suppressed addresses.

# Messages
mail-search = Search address, subject, error or Message-ID
mail-any-state = Any status
mail-any-bounced = bounced or marked as spam
mail-more-filters = Recipient and time
mail-recipient-whole = Recipient's whole address
mail-since = From (UTC)
mail-until = Until (UTC)
mail-export = Export as CSV
mail-many-retry = Send all of these again
mail-many-retry-ask = { $n ->
    [0] No message is found any more.
    [one] { $n } message is queued again, with its Message-ID.
   *[other] { $n } messages are queued again, each with its Message-ID.
} Messages whose text was deleted with their link, or that are of no use any more, are left out.
mail-many-cancel = Cancel all of these
mail-many-cancel-ask = { $n ->
    [0] No message is found any more.
    [one] { $n } message is not sent.
   *[other] { $n } messages are not sent.
} They can be queued again later, unless they have a link that opens an account.
mail-many-at-once = There are more: so many are changed at once. Repeat it for the others.
mail-many-retried = Queued again: { $n }. Left out, because they have no text any more or are of no use: { $skipped }.
mail-many-cancelled = Cancelled: { $n }. Left out, because they are being sent: { $skipped }.
mail-many-more = Changed: { $n }. Left out: { $skipped }. There may be more: repeat it for the others.
mail-any-kind = Any kind
mail-none = No mail yet
mail-none-text = Messages appear here as soon as something is to be sent. Send yourself a test to try the way out.
mail-recipient = Recipient
mail-kind = Kind
mail-attempts = Attempts
mail-waiting = Waiting
mail-oldest = Longest wait
mail-later = For later
mail-scheduled = Scheduled
mail-expires = Of no use after
mail-next-attempt = Next attempt
mail-state-queued = queued
mail-state-sending = sending
mail-state-sent = sent
mail-state-failed = failed
mail-state-suppressed = suppressed
mail-state-cancelled = cancelled
mail-bounced-hard = bounced
mail-bounced-soft = bounced, temporary
mail-bounced-refused = refused by policy
mail-bounced-complaint = marked as spam
mail-kind-verify = Address confirmation
mail-kind-welcome = Welcome
mail-kind-invitation = Invitation
mail-kind-password-reset = Password reset
mail-kind-new-device = Sign-in from a new device
mail-kind-mfa-changed = Two-factor change
mail-kind-alert = Alert
mail-kind-digest = Digest
mail-kind-activity = Deal or task
mail-kind-backup-report = Backup report
mail-kind-weekly-report = Weekly report
mail-kind-incident = Incident
mail-kind-status-confirm = Subscription to a status page
mail-kind-status-update = News of a status page
mail-kind-api = Sent by API
mail-kind-test = Test

# One message
mail-error = Error
mail-error-expired = it could not be sent in time, and is of no use any more
mail-error-cut-off = the process ended during the attempt
mail-error-suppressed = the recipient was suppressed
mail-error-last = { $error }; the last attempt: { $answer }
mail-from = From
mail-from-configured = the configured sender
mail-to = To
mail-reply-to = Reply to
mail-template = Template
mail-language = Language
mail-sent-at = Sent
mail-bounced-at = Bounced
mail-maybe-sent = It may have arrived twice: a connection ended after the text was sent and before the server answered.
mail-idempotency-key = Idempotency key
mail-retry = Send now
mail-retry-ask = Tries this message at once, with the same Message-ID.
mail-retried = Message queued
mail-cancel = Do not send
mail-cancel-ask = The message is not sent. It can be queued again later.
mail-cancelled = Message cancelled
mail-attempts-title = Attempts
mail-no-attempts = No attempt yet
mail-attempt-began = Began
mail-attempt-outcome = Result
mail-attempt-answer = Server's answer
mail-attempt-took = Duration
mail-attempt-open = under way
mail-outcome-sent = accepted
mail-outcome-deferred = try again
mail-outcome-rejected = refused
mail-outcome-lost = cut off
mail-outcome-suppressed = suppressed
mail-outcome-unknown = no answer
mail-outcome-account = no access to the server
mail-content = Content
mail-secret = This message has a link that opens an account. Only its recipient may read it, so its text is not shown here. It is deleted once the message has ended.
mail-view-html = Light
mail-view-dark = Dark
mail-view-phone = Phone
mail-view-text = Text
mail-views = View
mail-preview = Preview of the message
mail-images = Load remote images
mail-images-hint = Remote images are not loaded: their server would see that the message was opened.
mail-attachments = Attachments
mail-download = Download { $name }
mail-headers = Additional headers

# Templates
mail-templates-lead = Texts of mail, in the languages of its recipients. A changed one is used instead of the built-in text.
mail-templates-changed = changed
mail-templates-built-in = built in
mail-template-name = Template
mail-template-edit = Text
mail-template-subject = Subject
mail-template-text = Text part
mail-template-html = HTML part
mail-template-text-hint = For readers without HTML.
mail-template-html-hint = Tags and inline styles as mail programs know them. Scripts are never run.
mail-template-fields = Fields
mail-template-field = Field
mail-template-meaning = Meaning
mail-template-example = Example
mail-template-optional = may be empty
mail-template-fields-text = Written as { "{{ name }}" } they are replaced when the mail is made.
mail-template-preview = Preview
mail-template-preview-hint = With example data. It shows what is typed above, also before it is saved.
mail-template-view-text = Subject and text
mail-template-saved = Template saved
mail-template-reset = Back to the built-in text
mail-template-reset-ask = Deletes your text in this language. The built-in text is used again.
mail-template-was-reset = The built-in text is used again
mail-template-test = Send me a test
mail-template-test-hint = The saved text with example data, to { $address }.

# Own templates
mail-own-templates = Own templates
mail-own-templates-text = For mail that your programs send by the API: they name the template and give its fields.
mail-own-template-new = New template
mail-own-template-name = Name
mail-own-template-name-hint = By which programs name it: lower-case letters, digits, dots, hyphens and underscores.
mail-own-template-example = Example
mail-own-template-example-hint = JSON: a value for each field. The template uses no other fields, and the preview shows these.
mail-own-template-no-text = no text in this language
mail-own-template-delete = Delete
mail-own-template-delete-ask = Programs that use this template get an error from now on. Mail that was made of it is sent.
mail-own-template-deleted = Template deleted
error-mail-own-template-exists = There is a template of this name already.

# Branding
mail-branding-lead = How mail of this organisation looks
mail-branding-name = Name
mail-branding-name-hint = Shown at the top of each mail.
mail-branding-color = Colour
mail-branding-color-hint = Of buttons and lines, such as #0a756b.
mail-branding-logo = Address of the logo
mail-branding-logo-hint = https. Many mail programs load no images: the name is shown then.
mail-branding-footer = Footer
mail-branding-footer-hint = For example the company's name and postal address.
mail-branding-from = Sender's name
mail-branding-from-hint = Shown instead of an address by mail programs.
mail-branding-reply-to = Reply to
mail-branding-reply-to-hint = Address for answers. Empty: the sender's.
mail-branding-saved = Branding saved
mail-branding-preview = Preview

# Suppressions
mail-suppressions-lead = Addresses that get no more mail: they do not exist, complained, unsubscribed, or were added by hand
mail-suppressions-search = Search addresses
mail-suppressions-none = No suppressed addresses
mail-suppressions-none-text = An address is added when its server says that it does not exist, and when its owner complains or unsubscribes. You can also add one.
mail-suppressions-new = Add an address
mail-suppressions-address = E-mail address
mail-suppressions-kind = Which mail
mail-suppressions-all = all mail
mail-suppressions-reason = Reason
mail-suppressions-any-reason = Any reason
mail-suppressions-detail = Detail
mail-suppressions-detail-hint = For example who asked for it.
mail-suppressions-added = Address added
mail-suppressions-remove = Remove
mail-suppressions-remove-ask = { $address } gets mail again. If the address does not exist, its server's refusals harm the sender's reputation.
mail-suppressions-removed = Address removed
mail-import = Import addresses
mail-import-text = A CSV file with one address in each line. The exports of SendGrid, Mailgun, Amazon SES, Postmark and of this page are understood; a list of addresses alone is enough. Addresses that are suppressed already stay as they are.
mail-import-reason = Reason, where the file has none
mail-import-file = CSV file
mail-import-done = Added: { $added }. Suppressed before: { $known }. Lines left out: { $rejected }.
mail-import-more = The first hundred are shown.
mail-reason-hard-bounce = does not exist
mail-reason-complaint = complained
mail-reason-unsubscribed = unsubscribed
mail-reason-manual = by hand

# Domains
mail-domains-lead = Domains that mail is sent from. Their DNS records prove to receivers that it is really yours.
mail-domains-none = No domains yet
mail-domains-none-text = Add the domain of your sender's address. You get the DNS records to publish, and their check.
mail-domains-new = Add a domain
mail-domains-domain = Domain
mail-domains-domain-hint = What stands behind the @ of the sender's address, such as example.com.
mail-domains-added = Domain added. Publish its records at your DNS provider, then check them.
mail-domains-checked = Last check
mail-domains-never = not yet
mail-domains-verified = verified
mail-domains-not-verified = not verified
mail-domains-not-verified-text = Mail is sent from this domain once a check has found the RSA record of DKIM.
mail-domains-failing = record missing
mail-domains-failing-text = If the RSA record of DKIM does not come back within three days, no more mail is sent from this domain. It has been missing since
mail-domains-check = Check the records
mail-domains-was-checked = Records checked
mail-domains-delete = Remove
mail-domains-delete-ask = Deletes the domain and its keys. Mail from it is no longer signed, and a domain added again gets other keys.
mail-domains-deleted = Domain removed
mail-domains-records = DNS records
mail-domains-records-text = Publish these at your DNS provider. It may take an hour until they can be seen everywhere.
mail-domains-record = Record
mail-domains-do = What to do
mail-domains-do-again = The name server did not answer. Check again in a few minutes.
mail-domains-spf-text = An SPF record of { $domain } names the servers of your mail provider, which tells you what to write: for example v=spf1 include:spf.example.net ~all. A domain has only one such record.
mail-domains-type = Type
mail-domains-host = Name
mail-domains-value = Value
mail-domains-found = Found
mail-domains-nothing = nothing
mail-domains-state-pass = published
mail-domains-state-warn = could be better
mail-domains-state-fail = missing or wrong
mail-domains-state-unknown = no answer
mail-domains-what-spf = SPF: which servers may send for the domain
mail-domains-what-dkim-rsa = DKIM: the RSA key that signs each mail
mail-domains-what-dkim-ed25519 = DKIM: the Ed25519 key that signs each mail
mail-domains-what-dmarc = DMARC: what receivers do with mail that proves neither
mail-domains-what-reverse = Reverse name of the sending server's address
mail-domains-do-spf = Receivers cannot tell that your mail server may send for this domain. Add it to the SPF record; a domain has only one.
mail-domains-do-dkim-rsa = Signatures cannot be verified. Publish the record as it stands, and no other of its name; providers that split long values join them again.
mail-domains-do-dkim-ed25519 = Mail is signed with this key, too, once the record is there. The RSA one is enough for delivery: some DNS providers take no such record.
mail-domains-do-dmarc = Large providers require this record of everybody who sends much mail. Begin with p=none, and read the reports.
mail-domains-do-reverse = The provider of the server sets this name, not your DNS provider. It must be the name in mail.hostname and lead back to the same address.

# Bounce sources
mail-sources-lead = Providers that report here which mail bounced, was marked as spam, or whose recipients unsubscribed
mail-mailbox = Mailbox of bounces
mail-mailbox-read = is read
mail-mailbox-failing = cannot be read
mail-mailbox-never = not read yet
mail-mailbox-server = Server and user
mail-mailbox-read-at = Last read
mail-mailbox-failing-since = Fails since
mail-sources-none = No bounce reports yet
mail-sources-none-text = Add your mail provider and give it the address that is shown. Mail that bounces is then seen here, and nothing more goes to addresses that do not exist.
mail-sources-new = Add a provider
mail-sources-provider = Provider
mail-sources-secret = Signing secret
mail-sources-secret-hint = SendGrid: the verification key. Mailgun: the HTTP webhook signing key. Resend: whsec_… Amazon SES: the ARN of the topic. Postmark: user:password, may be empty.
mail-sources-made = Provider added
mail-sources-once = Give the provider this address for its webhooks. It is shown only once: copy it now.
mail-sources-last = Last report
mail-sources-never = never
mail-sources-refused = not taken
mail-sources-refused-since = since
mail-sources-delete = Remove
mail-sources-delete-ask = Reports sent to this address are refused from now on.
mail-sources-deleted = Provider removed

# Overview
mail-overview-waiting = Mail waiting
mail-overview-failing = cannot be sent
mail-overview-not-configured = Mail waits to be sent: no SMTP server is configured.
mail-overview-set-up = Show it

error-mail-state = The message can no longer be changed like this: it is being sent, was sent, was cancelled, is of no use any more, or had a link that opens an account. Its page says which.
error-mail-domain-exists = This domain is there already. Remove it first if you want new keys.
error-mail-domain-taken = Another organisation of this installation has already shown that it controls this domain.
error-invalid-secret = This is not what the provider shows. SendGrid: a key that begins with MFkw. Resend: whsec_… Amazon SES: arn:aws:sns:… Postmark: user:password.

# What checks say
mail-said-line = Line { $line }: { $what }
mail-said-control = a line break or another control character is not allowed here
mail-said-invisible = it contains an invisible character: type it instead of pasting it
mail-said-form = expected one address, such as ada@example.com
mail-said-local = the part before the @ is empty, too long or has a character that cannot be there
mail-said-domain = the part after the @ is not the name of a domain
mail-said-ascii = use an address with ASCII characters before the @: many servers refuse mail with others
mail-said-color = expected a colour such as #0a756b
mail-said-logo = expected an address that begins with https://: mail programs load no other images
mail-said-no-addresses = The file has no column with addresses. Name one of them address in the first line.
mail-said-utf8 = it is not UTF-8: save the file in this encoding
mail-said-most-characters = at most { $n } characters
mail-said-most-bytes = at most { $n } bytes
mail-said-most-lines = A file has at most { $n } lines: import it in parts.
mail-said-most-address = an address has at most { $n } characters
mail-said-most-name = a name has at most { $n } characters
mail-said-many-domains = at most 20 domains
mail-said-many-sources = at most 20 providers
mail-said-dns-another = there is another record of this name, which receivers may take instead: remove it
mail-said-dns-missing = the record is missing
mail-said-dns-other-key = the record has another key
mail-said-dns-no-spf = the record is missing: name the servers of your mail provider in it
mail-said-dns-plus-all = it permits every server of the world (+all)
mail-said-dns-no-all = it does not end with ~all or -all, so it says nothing about other servers
mail-said-dns-several-spf = there are several SPF records, so none counts (RFC 7208 section 4.5)
mail-said-dns-no-dmarc = the record is missing: large providers want one from those who send much
mail-said-dns-only-watches = it only watches (p=none)
mail-said-dns-no-policy = it has no policy (p=)
mail-said-dns-several-dmarc = there are several DMARC records, so none counts
mail-said-dns-testing = it says that the domain is only testing DKIM (t=y): receivers treat its mail as if it were not signed
mail-said-dns-v-first = v= is not its first tag: some receivers do not take it
mail-said-dns-no-key = it has no key (p=, in a small letter)
mail-said-dns-withdrawn = the key was withdrawn (p= is empty)
mail-said-dns-sha256 = it does not permit sha256, with which mail is signed (h=)
mail-said-dns-not-mail = it is not for mail (s=)
mail-said-dns-kind = it is said to be a key of another kind (k=)
mail-said-dns-version = receivers know no other version than v=DKIM1
mail-said-dns-escaped = the form of the DNS provider has escaped the semicolons: enter them so that no backslash is before them
mail-said-dns-unreadable = receivers cannot read it
mail-said-dns-network = it permits every server of the world (a network of length 0)
mail-said-dns-behind-all = what stands behind `all` is not looked at: put it before
mail-said-dns-nobody = it permits nobody to send: name the servers of your mail provider in it
mail-said-dns-lookups = it makes receivers look up more than 10 names, after which they give up
mail-said-dns-many-lookups = it makes receivers look up almost 10 names besides those of what it includes: they give up after 10
mail-said-dns-dmarc-value = receivers cannot read a value in it: a policy is none, quarantine or reject (p=, sp=)
mail-said-dns-pct = its policy holds for no mail (pct=0)
mail-said-dns-dmarc-testing = it says that the policy is only tested (t=y)
mail-said-dns-parent-watches = the parent domain's policy holds, which only watches
mail-said-dns-parent = the parent domain's policy holds
mail-said-dns-no-address = the name has no address
mail-said-dns-other-name = an address of it has another name: of no consequence when a provider's server sends

scope-mail-send = Send mail

# Unsubscribing
mail-unsubscribe-title = Unsubscribe
mail-unsubscribe-lead = Mail to { $address }
mail-unsubscribe-button = Unsubscribe from: { $kind }
mail-unsubscribe-choose = Send me
mail-unsubscribe-other = Mail about your account, such as a password reset, is sent in any case.
mail-unsubscribe-blocked = At present this address gets no mail at all: its server refused mail, or its owner complained. Ask an administrator to change that.
mail-unsubscribe-done = You are unsubscribed
mail-unsubscribe-saved = Saved
mail-unsubscribe-invalid = This link does not work
mail-unsubscribe-invalid-text = Open the link from the mail again. If it is broken over lines, copy it whole.
