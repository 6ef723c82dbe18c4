mod access;
mod blobs;
mod keys;
mod presets;
mod tokens;
