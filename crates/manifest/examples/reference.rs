//! Prints the reference page, or with `schema` the JSON Schema, to be compared with the repository's copies.
#![allow(clippy::print_stdout)]

fn main() {
    if std::env::args().nth(1).as_deref() == Some("schema") {
        println!("{:#}", ami_bake_manifest::schema());
    } else {
        print!("{}", ami_bake_manifest::reference());
    }
}
