//! Who may do what: organisations, users, memberships, sessions, API keys.
