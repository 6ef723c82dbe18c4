//! Unit tests. Pictures are made here, by the encoders of libraries, and compared by their sizes and colours: encoders may change their bytes.

mod bombs;
mod children;
mod headers;
mod made;
mod options;
mod pictures;
mod plans;
