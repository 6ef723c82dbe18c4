//! Branches of a conversation: parents, siblings, and which of them are shown.
