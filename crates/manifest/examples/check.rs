//! Checks a manifest: `cargo run -p ami-bake-manifest --example check -- bake.yml`
#![allow(clippy::print_stdout)]
use ami_bake_manifest::diagnostic::{Style, github_annotations, json, text};
use ami_bake_manifest::{Manifest, Options};

fn main() {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap_or_else(|| "bake.yml".to_owned());
    let form = args.next().unwrap_or_default();
    let start = std::time::Instant::now();
    let options = Options { check: true, ..Options::default() };
    let loaded = Manifest::load(path.as_ref(), &options);
    let time = start.elapsed();
    match form.as_str() {
        "json" => println!("{:#}", json(&loaded.findings, &loaded.sources)),
        "github" => print!("{}", github_annotations(&loaded.findings, &loaded.sources)),
        _ => print!("{}", text(&loaded.findings, &loaded.sources, Style::Plain)),
    }
    println!("{} in {time:?}", if loaded.manifest.is_some() { "ok" } else { "not ok" });
}
