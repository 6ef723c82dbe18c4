mod access;
mod keys;
mod tokens;
