//! Golden files of the rendered documents.

use ami_bake_core::mask::Masker;
use ami_bake_github::{Context, comment, release, summary};
use ami_bake_testkit::report;

/// Replaces the program's version, which these tests are not about.
fn stable(text: &str) -> String {
    text.replace(concat!("ami-bake ", env!("CARGO_PKG_VERSION")), "ami-bake VERSION")
}

#[test]
fn a_good_bake() {
    let (masker, previous) = (Masker::default(), report::before());
    let context = Context {
        previous: Some(&previous),
        run_url: Some("https://github.com/shop/images/actions/runs/42"),
        ..Context::new(&masker)
    };
    insta::assert_snapshot!(stable(&summary::render(&report::good(), &context)));
    let notes = release::merged("What people wrote.\n", "shop", &release::render(&report::good(), &context));
    insta::assert_snapshot!("release_notes", stable(&notes));
}

#[test]
fn a_failed_bake() {
    let masker = Masker::default();
    masker.add("198.51.100.7");
    let context = Context { untrusted: true, ..Context::new(&masker) };
    insta::assert_snapshot!(stable(&comment::render(&report::bad(), &context, "bake/build/shop")));
}
