# Words of this capability
auth-email = E-mail
auth-name = Your name
auth-password = Password
auth-password-new = New password
auth-password-current = Current password
auth-password-hint = 10 characters or more. A few words are fine.
auth-role = Role
auth-never = Never
auth-ends = Expires
auth-saved = Saved

# Sign-in
auth-login = Sign in
auth-login-wrong = Wrong e-mail or password.
auth-login-too-many = Too many attempts. Wait a minute and try again.
auth-login-busy = Too many people are signing in right now. Try again in a few seconds.
auth-login-no-organisation = This account is not a member of any organisation. Ask an administrator to add you.
auth-login-forgotten = Forgot your password? Ask an administrator of your organisation: they can create a link for you to set a new one. It comes by mail, where mail is set up, or from them.

# Password
auth-password-change = Change password
auth-password-change-text = Your other sessions will be signed out.
auth-password-forced = You signed in with a one-time password. Choose your own to continue.
auth-password-changed = Password changed. Your other sessions were signed out.

# One-time links
auth-accept-join = Join
auth-accept-join-org = Join { $organisation }
auth-accept-join-text = This invitation is for { $email }.
auth-accept-sign-in = You already have an account here. Sign in with it to join.
auth-accept-other = You are signed in as { $email }. Sign out, then open the link again as the person it is for.
auth-accept-reset = Set a new password
auth-accept-reset-text = For { $email }. All sessions of this account will be signed out.
auth-accept-invalid = This link no longer works
auth-accept-invalid-text = It was already used, has expired, or was revoked. Ask the sender for a new one.
auth-accept-done = Welcome

# Account
auth-account = Account
auth-account-notices = Notices by mail
auth-sessions = Active sessions
auth-sessions-text = End sessions that you do not recognise, then change your password.
auth-sessions-end-others = Sign out everywhere else
auth-sessions-end-others-ask = All other sessions end at once.
auth-sessions-ended = Signed out everywhere else
auth-session-ended = Session ended
auth-session-end = Sign out
auth-session-current = This session
auth-session-seen = last active
auth-session-unknown = Unknown browser

# Members
auth-members = Members
auth-members-text = People in this organisation and their roles.
auth-member = Person
auth-member-since = Joined
auth-last-sign-in = Last sign-in
auth-members-search = Search by e-mail or name
auth-members-add = Add a member
auth-members-make-link = Create link
auth-members-link-made = Link for { $email }
auth-members-reset-made = Link for { $email } to set a new password
auth-members-link-once = Copy it now: it cannot be shown again. It works once, for 72 hours. Send it through a channel you trust.
auth-members-link-mailed = A mail with it to this address was written, too.
auth-members-open-links = Unused links
auth-members-link-delete = Revoke
auth-members-link-deleted = Link revoked
auth-members-role-changed = Role of { $email } changed
auth-members-remove = Remove
auth-members-remove-ask = { $email } loses access to this organisation at once, and links they created stop working. Their API keys stay, because applications may be using them.
auth-members-revoke-keys = Also revoke the API keys they created
auth-members-removed = Member removed
auth-members-leave = Leave
auth-members-leave-ask = You lose access to this organisation at once.
auth-members-reset = Password link
auth-members-reset-refused = Only an operator can reset this person's password: they also belong to other organisations, or their role is not below yours.

# API keys
auth-keys = API keys
auth-keys-text = For applications: any OpenAI client at /v1, and everything else at /api/v1.
auth-keys-new = New API key
auth-keys-name-hint = What it is for.
auth-keys-last-day = Last day
auth-keys-last-day-hint = Empty: works until revoked.
auth-keys-scopes = Permissions
auth-keys-made = API key { $name }
auth-keys-once = Copy it now: it cannot be shown again.
auth-keys-search = Search by name or prefix
auth-keys-none = No API keys yet
auth-keys-none-text = Create one above to connect your first application.
auth-keys-last-used = Last used
auth-keys-state-active = Active
auth-keys-state-ended = Expired
auth-keys-state-revoked = Revoked
auth-keys-revoke = Revoke
auth-keys-revoke-ask = Applications that use { $name } stop working at once. This cannot be undone.
auth-keys-revoked = API key revoked

# Organisation
auth-organisation = Organisation
auth-organisation-text = Agents, knowledge, members and keys belong to it.
auth-organisation-slug = Short name
auth-organisation-id = ID

# Errors
error-wrong-password = The current password is wrong.
error-password-too-short = At least 10 characters.
error-password-too-long = At most 512 bytes.
error-password-is-email = The password must not be the e-mail address.
error-password-common = This is one of the most common passwords. Choose another.
error-password-unchanged = The new password must differ from the current one.
error-last-owner = An organisation must keep at least one owner. Make someone else an owner first.
error-already-member = This person is already a member.
error-slug-taken = This short name is taken.
error-email-taken = An account with this e-mail already exists.

# Scopes of API keys
scope-admin = Members, API keys, settings

# Navigation and overview
auth-nav-api-keys = API keys
auth-nav-members = Members
auth-nav-organisation = Organisation
auth-overview-keys = API keys
auth-step-api = Connect your application
auth-step-api-text = Create an API key and point any OpenAI client here.
