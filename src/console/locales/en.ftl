# The shell
console-skip = Skip to content
console-navigation = Navigation
console-switch-org = Switch organisation
console-theme = Theme
console-theme-system = System
console-theme-light = Light
console-theme-dark = Dark
console-language = Language
console-account = Account
console-change-password = Change password
console-api-docs = API reference
console-sign-out = Sign out
console-insecure = This connection is not encrypted: passwords and documents can be read in transit. Put TLS in front and set server.public_url to https.
console-role-viewer = Viewer
console-role-member = Member
console-role-admin = Administrator
console-role-owner = Owner

# Navigation
console-nav-build = Build
console-nav-operate = Operate
console-nav-settings = Settings
console-nav-overview = Overview

# Words that pages share
console-save = Save
console-cancel = Cancel
console-close = Close
console-create = Create
console-edit = Edit
console-delete = Delete
console-rename = Rename
console-search = Search
console-copy = Copy
console-copied = Copied
console-name = Name
console-status = Status
console-created = Created
console-updated = Updated
console-actions = Actions
console-all = All
console-none = None
console-yes = Yes
console-no = No
console-optional = optional
console-pages = Pages
console-first-page = First page
console-next-page = Next page
console-nothing-found = Nothing found
console-nothing-found-text = No entry matches the search. Try fewer or other words.
console-clear-search = Clear the search
console-try-again = Try again
console-refresh = Refresh
console-live-away = The server does not answer. This page is updated again as soon as it does.
console-live-signed-out = You are signed out. This page is no longer updated.
console-live-outdated = This page is no longer updated: it belongs to another session, organisation or version.
console-to-overview = To the overview
console-conflict-theirs = Take theirs
console-conflict-mine = Keep mine
console-chart-table = Show as table
console-chart-time = Time
console-request-id = Request

# Errors
console-error-not-found = Page not found
console-error-not-found-detail = There is nothing at this address, or it belongs to another organisation.
console-error-forbidden = Not allowed
console-error-forbidden-detail = Your role in this organisation does not allow this. An administrator can change it.
console-error-refused = That did not work
console-error-refused-detail = The request was invalid. Go back and try again.
console-error-unavailable = Temporarily unavailable
console-error-unavailable-detail = Holdfast cannot reach its database or is starting. It usually takes a few seconds.
console-error-internal = Something went wrong
console-error-internal-detail = The error has been logged. If it persists, give your operator the number below.
error-csrf = The form is out of date. Open the page again and repeat what you did.
error-invalid-form = The form could not be read. Check the values and send it again.
error-payload-too-large = That is larger than this server accepts.

# Overview
console-overview = Overview
console-milliseconds = { $n } ms
console-seconds = { $n } s
console-minutes = { $n } min
console-hours = { $n } h
console-days = { $n } d
console-overview-in-progress = { $n } in progress
console-overview-failed = { $n } failed
console-overview-no-answer = could not be read
console-steps = First steps
console-steps-done = { $done } of { $all } done
console-step-done = done

# API reference
console-docs-lead = Every call takes an API key as a bearer token. Errors are problem+json with a stable code.
console-docs-contents = Operations
console-docs-filter = Filter operations
console-docs-parameters = Parameters
console-docs-request = Request body
console-docs-responses = Responses
console-docs-required = required
