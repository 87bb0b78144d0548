//! The example of https: a TLS server in a real sandbox, with a self-signed certificate.

use std::path::Path;

use crate::fixture::Fixture;

#[test]
fn the_example_of_https_bakes_and_fails_with_verification() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/https/bake.yml");
    let manifest = std::fs::read_to_string(path).unwrap();
    Fixture::with(&manifest).run(&["bake"]).exits(0).says("The page is served over https");
    let name = "      - name: The page is served over https\n";
    let strict = manifest.replace("tls-verify: false, ", "").replace(name, &format!("{name}        timeout: 2s\n"));
    let failed = Fixture::with(&strict).run(&["bake"]);
    let expected = "expected https://127.0.0.1:18443/index.html to answer, but its certificate is not trusted";
    assert!(failed.stderr.contains(expected), "{}", failed.stderr);
    assert!(failed.stderr.contains("`tls-verify: false` accepts any certificate"), "{}", failed.stderr);
}
