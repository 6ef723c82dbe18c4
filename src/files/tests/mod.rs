mod access;
mod blobs;
mod keys;
mod presets;
mod ranges;
mod serving;
mod tokens;
