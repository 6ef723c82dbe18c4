mod addresses;
mod bodies;
mod codes;
mod documents;
mod posts;
mod signatures;

/// Amazon's own example credentials.
const ACCESS_KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const STAMP: &str = "20130524T000000Z";
