//! Rebuilds the crate when a file of an embedded pack changes.

fn main() {
    println!("cargo:rerun-if-changed=china-2020");
}
