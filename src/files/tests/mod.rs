mod access;
mod keys;
mod presets;
mod tokens;
