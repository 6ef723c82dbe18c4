mod access;
mod blobs;
mod keys;
mod tokens;
