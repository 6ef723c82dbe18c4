//! The files that are compiled into the binary: the only list of them. A test compares it with the folders, so a file
//! that is missing here fails there by name.
//!
//! `include_bytes!` rather than a macro that walks a folder: it works the same in every profile, the compiler tracks
//! each file, and sources cannot slip in.

/// The messages of one capability.
pub struct Locale {
    pub capability: &'static str,
    pub en: &'static str,
    pub ru: &'static str,
}

macro_rules! locales {
    ($($capability:literal)*) => {
        /// `src/<capability>/locales/{en,ru}.ftl`
        pub const LOCALES: &[Locale] = &[$(Locale {
            capability: $capability,
            en: include_str!(concat!("../", $capability, "/locales/en.ftl")),
            ru: include_str!(concat!("../", $capability, "/locales/ru.ftl")),
        }),*];
    };
}

macro_rules! assets {
    ($($capability:literal: $($file:literal)*;)*) => {
        /// `src/<capability>/assets/<file>`, as (`<capability>/<file>`, content).
        pub const ASSETS: &[(&str, &[u8])] = &[$($((
            concat!($capability, "/", $file),
            include_bytes!(concat!("../", $capability, "/assets/", $file)).as_slice(),
        )),*),*];
    };
}

// One capability per line.
locales! {
    "agents"
    "alerting"
    "auth"
    "backup"
    "console"
    "jobs"
    "knowledge"
    "llm"
    "logs"
    "webhooks"
}

assets! {
    "agents": "chat.js";
    "console": "console.css" "console.js" "http.js" "sse.js" "upload.js" "icons.svg" "favicon.svg";
    "knowledge": "knowledge.js";
}
