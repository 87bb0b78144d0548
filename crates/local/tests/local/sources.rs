//! What a machine can start from.

use std::path::Path;
use std::process::Command;

use ami_bake_core::ErrorKind;
use ami_bake_core::plan::SourceQuery;
use ami_bake_core::platform::Platform;

use crate::fixture::{LocalFixture, sh, small_root};

fn pack(root: &Path, to: &Path, how: &str) {
    let done = Command::new("tar").args([how]).arg(to).arg("-C").arg(root).arg(".").status().unwrap();
    assert!(done.success());
}

#[tokio::test]
async fn a_folder_and_tarballs_boot() {
    let fixture = LocalFixture::new();
    let root = fixture.folder.path().join("root");
    small_root(&root);
    std::fs::write(root.join("opt/mark"), "small\n").unwrap();
    let (plain, packed) = (fixture.folder.path().join("root.tar"), fixture.folder.path().join("root.tar.gz"));
    pack(&root, &plain, "-cf");
    pack(&root, &packed, "-czf");
    let mut identities = Vec::new();
    for path in [&root, &plain, &packed] {
        let source = fixture.source(path.to_str().unwrap()).await;
        let image = fixture.bake(&source, "1.0.0", "echo more >>/opt/mark; rm -r /var").await;
        let (machine, inside) = fixture.launch(&image.as_source()).await;
        assert_eq!(
            sh(inside.as_ref(), "cat /opt/mark; id -u; cat /etc/hosts; ls -d /var || echo none").await.lines().next(),
            Some("small")
        );
        assert_eq!(sh(inside.as_ref(), "ls -d /var 2>/dev/null || echo none").await, "none\n");
        machine.destroy(&fixture.run).await.unwrap();
        identities.push(source.identity);
    }
    assert_eq!(std::fs::read_to_string(root.join("opt/mark")).unwrap(), "small\n", "the folder is as it was");
    let again = fixture.source(plain.to_str().unwrap()).await;
    assert_eq!(again.identity, identities[1]);
    std::fs::write(root.join("opt/mark"), "other!\n").unwrap();
    assert_ne!(
        fixture.source(root.to_str().unwrap()).await.identity,
        identities[0],
        "a changed folder is another source"
    );
}

#[tokio::test]
async fn what_is_no_root_file_system_is_refused_by_name() {
    let fixture = LocalFixture::new();
    let folder = fixture.folder.path().join("not-a-root");
    std::fs::create_dir_all(folder.join("etc")).unwrap();
    let tarball = fixture.folder.path().join("not-a-root.tar");
    pack(&folder, &tarball, "-cf");
    let text = fixture.folder.path().join("notes.txt");
    std::fs::write(&text, "hello ".repeat(500)).unwrap();
    for (path, why) in
        [(&folder, "it has no /bin/sh"), (&tarball, "it has no /bin/sh"), (&text, "it is not a tar file")]
    {
        let query = SourceQuery::Reference(path.to_str().unwrap().to_owned());
        let error = fixture.local.find_source(&fixture.run, &query).await.unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()) && error.to_string().contains(why), "{error}");
        assert!(error.help_text().is_some() && error.kind() == ErrorKind::Preflight, "{error:?}");
    }
    assert_eq!(std::fs::read_dir(fixture.store().join("layers")).unwrap().count(), 0);
    let query = SourceQuery::Parameter("/images/base".to_owned());
    let error = fixture.local.find_source(&fixture.run, &query).await.unwrap_err();
    assert!(error.help_text().is_some_and(|help| help.contains("`local` source")), "{error:?}");
}
