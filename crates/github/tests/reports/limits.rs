//! Documents of bakes that exceed GitHub's limits.

use ami_bake_core::event::Package;
use ami_bake_core::mask::Masker;
use ami_bake_core::report::{PackageChanges, Report};
use ami_bake_github::{Context, comment, release, summary};
use ami_bake_testkit::report;

/// Many images with many packages, and logs of long lines.
fn large(images: usize, packages: usize) -> Report {
    let (mut good, bad) = (report::good(), report::bad());
    let mut all = Vec::new();
    for number in 0..images {
        let mut image = if number % 5 == 0 { bad.images[0].clone() } else { good.images[1].clone() };
        image.name = format!("web-{number}");
        image.key.variant = Some(number.to_string());
        let added = (0..packages).map(|p| Package { name: format!("päckage-{p}"), version: "1.2.3-4😀".into() });
        image.packages = Some(PackageChanges { added: added.collect(), ..PackageChanges::default() });
        for step in &mut image.steps {
            step.log = (0..60).map(|line| format!("{line} {}", "😀x".repeat(400))).collect();
        }
        all.push(image);
    }
    good.images = all;
    good.exit_code = Some(5);
    good
}

#[test]
fn every_document_stays_inside_its_limit_and_says_what_is_missing() {
    let masker = Masker::default();
    let context = Context { run_url: Some("https://github.com/shop/images/actions/runs/42"), ..Context::new(&masker) };
    for (images, packages) in [(3, 5000), (40, 800), (256, 50)] {
        let large = large(images, packages);
        let text = comment::render(&large, &context, "bake/build/shop");
        assert!(text.encode_utf16().count() <= 64_000 && text.len() > 20_000, "{images}: {}", text.len());
        assert!(text.contains("Left out: ") && text.contains("(https://github.com/shop/images/actions/runs/42)"));
        assert!(text.ends_with("<!-- ami-bake: bake/build/shop -->\n"), "a comment without its marker is never found");
        let summary = summary::render(&large, &context);
        assert!(summary.len() <= 1 << 20 && summary.contains("web-2"), "{images}: {}", summary.len());
        let people = "What people wrote. ".repeat(5000);
        let notes = release::merged(&people, "shop", &release::render(&large, &context));
        assert!(notes.encode_utf16().count() <= 125_000 && notes.starts_with(people.trim_end()), "{images}");
        assert!(notes.ends_with("<!-- ami-bake:end shop -->"));
        for document in [&text, &summary, &notes] {
            assert_eq!(document.matches("<details>").count(), document.matches("</details>").count(), "{images}");
            assert_eq!(document.matches("\n```").count() % 2, 0, "{images}");
        }
    }
}
