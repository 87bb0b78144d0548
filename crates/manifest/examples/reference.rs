//! Prints the reference page: `cargo run -p ami-bake-manifest --example reference > docs/manifest.md`
#![allow(clippy::print_stdout)]

fn main() {
    print!("{}", ami_bake_manifest::reference());
}
