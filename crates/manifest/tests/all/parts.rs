//! The parts of a digest, by which a bake says what changed.

use std::path::PathBuf;
use std::sync::Arc;

use ami_bake_core::plan::{DigestParts, ImageKey};
use ami_bake_manifest::{Manifest, Options};

use crate::fixture::draft;
use crate::plan::source;

/// What a digest is made of: each part is named when it changes, and what an image does not use is not.
#[test]
fn the_parts_of_a_digest_are_named() {
    let folder = folder_of_site();
    std::fs::create_dir_all(folder.join("site")).unwrap();
    std::fs::write(folder.join("site/index.html"), "1").unwrap();
    let text = "format: 1\nname: shop\nvars: {nginx: \"1.24\", other: a, size: 8}\nimages:\n  web:\n    source: {ami: {id: ami-0123456789abcdef0}}\n    \
        machine: {disk: {size: \"${{ vars.size }}\"}}\n    build:\n      - name: Install nginx\n        run: apt-get install -y nginx=${{ vars.nginx }}\n      \
        - upload: site\n        to: /srv\n    publish: {description: \"${{ vars.other }}\"}\n";
    let parts = |text: &str, sets: &[(&str, &str)]| {
        let sets = sets.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let options = Options { sets, ..Options::default() };
        let loaded = Manifest::load_text("bake.yml", text, folder.clone(), &options);
        let manifest = loaded.manifest.unwrap_or_else(|| panic!("{:?}", loaded.findings));
        let draft = draft(&Arc::new(manifest), &ImageKey::new("web")).resolve_blocking(&source()).unwrap();
        draft.parts().clone()
    };
    let before = parts(text, &[]);
    let tag = before.to_tag().unwrap();
    let since = |now: DigestParts| -> Vec<String> {
        let changes = now.changes_since(&tag).unwrap();
        changes.into_iter().map(|part| format!("{:?} {}", part.kind, part.name.unwrap_or_default())).collect()
    };
    assert_eq!(since(parts(text, &[])), Vec::<String>::new());
    assert_eq!(since(parts(text, &[("nginx", "1.26")])), ["Variable nginx", "Step(Build) Install nginx"]);
    assert_eq!(since(parts(text, &[("size", "9")])), ["Disks ", "Variable size"]);
    assert_eq!(since(parts(&text.replace("shop\n", "shop\nversion: 2.0.0\n"), &[])), Vec::<String>::new());
    std::fs::write(folder.join("site/index.html"), "2").unwrap();
    assert_eq!(since(parts(text, &[])), ["File site/index.html"]);
    let shown: Vec<String> =
        before.reported().into_iter().map(|part| part.name).filter(|name| !name.is_empty()).collect();
    assert_eq!(shown, ["Install nginx", "upload /srv", "site", "site/index.html", "nginx", "size"]);
    std::fs::remove_dir_all(folder).unwrap();
}

/// A folder of this test.
fn folder_of_site() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("ami-bake-parts-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder.canonicalize().unwrap()
}
