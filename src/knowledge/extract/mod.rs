//! From a file of a user to blocks of text with page, heading and offsets.
