mod access;
mod keys;
mod ranges;
mod serving;
mod tokens;
