//! Makes a new file in `migrations` part of the program: `sqlx::migrate!` alone notices changes of those that it has read.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../../migrations");
}
