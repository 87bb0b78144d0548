//! Tests of images: what a capture keeps, and when layers are deleted.

use ami_bake_core::plan::{BakedQuery, ImageKey, SourceQuery};
use ami_bake_core::platform::Platform;

use crate::fixture::{LocalFixture, plan, sh};

fn layers(fixture: &LocalFixture) -> usize {
    std::fs::read_dir(fixture.store().join("layers")).unwrap().count()
}

#[tokio::test]
async fn three_layers_deep_files_are_what_they_were() {
    let fixture = LocalFixture::new();
    let host = fixture.source("host").await;
    let first = "mkdir -p /opt/a/sub /opt/gone /opt/emptied && echo 1 >/opt/a/keep && echo 1 >/opt/a/drop && \
                 echo 1 >/opt/gone/x && echo 1 >/opt/emptied/old && echo l >/opt/l1 && ln /opt/l1 /opt/l2 && \
                 chown 1234:4321 /opt/a/keep && chmod 6751 /opt/a/keep && touch -d @1600000000 /opt/a/keep && \
                 ln -s nowhere /opt/a/link && mkfifo /opt/a/pipe && rm /usr/share/doc/bash/copyright /etc/issue";
    let first = fixture.bake(&host, "1.0.0", first).await;
    let second = "rm -r /opt/gone /opt/a/drop && rm -r /opt/emptied && mkdir /opt/emptied && \
                  echo new >/opt/emptied/new && mv /opt/a/sub /opt/a/moved && echo 2 >>/opt/l1";
    let second = fixture.bake(&first.as_source(), "2.0.0", second).await;
    let third = fixture.bake(&second.as_source(), "3.0.0", "echo back >/opt/a/drop && mkdir /opt/gone").await;
    assert_eq!(third.parts.len(), 3);

    let (machine, inside) = fixture.launch(&third.as_source()).await;
    let seen = sh(
        inside.as_ref(),
        "cd /opt; stat -c '%a %u %g %Y' a/keep; cat a/drop; ls -A gone; ls emptied; ls -d a/moved a/sub 2>/dev/null; \
         readlink a/link; test -p a/pipe && echo pipe; ls /etc/issue /usr/share/doc/bash/copyright 2>/dev/null; cat l1",
    )
    .await;
    assert_eq!(seen, "6751 1234 4321 1600000000\nback\nnew\na/moved\nnowhere\npipe\nl\n2\n");
    machine.destroy(&fixture.run).await.unwrap();

    let (machine, inside) = fixture.launch(&first.as_source()).await;
    let seen = sh(inside.as_ref(), "cat /opt/a/drop /opt/emptied/old; stat -c %h /opt/l1; cat /opt/l1").await;
    assert_eq!(seen, "1\n1\n2\nl\n", "the layers below are as they were captured, hard links too");
    machine.destroy(&fixture.run).await.unwrap();

    assert_eq!(layers(&fixture), 3);
    fixture.local.delete_image(&fixture.run, &second.id).await.unwrap();
    assert_eq!(layers(&fixture), 3, "the third stands on it");
    fixture.local.delete_image(&fixture.run, &third.id).await.unwrap();
    assert_eq!(layers(&fixture), 1);
    assert!(fixture.run.ledger().open_entries().is_empty());
}

#[tokio::test]
async fn extended_attributes_survive() {
    let fixture = LocalFixture::new();
    let host = fixture.source("host").await;
    let script = "echo x >/opt/f && python3 -c \"import os; os.setxattr('/opt/f', 'user.note', b'kept'); \
                  os.setxattr('/opt/f', 'security.capability', bytes.fromhex('0100000200040000000000000000000000000000'))\"";
    let image = fixture.bake(&host, "1.0.0", script).await;
    let (machine, inside) = fixture.launch(&image.as_source()).await;
    let read = "python3 -c \"import os; print(os.getxattr('/opt/f', 'user.note'), len(os.getxattr('/opt/f', 'security.capability')))\"";
    assert_eq!(sh(inside.as_ref(), read).await, "b'kept' 20\n");
    machine.destroy(&fixture.run).await.unwrap();
}

#[tokio::test]
async fn versions_are_found_replaced_and_never_a_candidate() {
    let fixture = LocalFixture::new();
    let host = fixture.source("host").await;
    let find = async |range: Option<&str>| {
        let version = range.map(|range| ami_bake_core::version::range(range).unwrap());
        let query = BakedQuery { namespace: "shop".into(), key: ImageKey::new("web"), version, sibling: false };
        fixture.local.find_source(&fixture.run, &SourceQuery::Baked(query)).await
    };
    let error = find(None).await.unwrap_err();
    assert!(error.to_string().contains("shop/web") && error.help_text().is_some(), "{error}");
    for version in ["1.2.0", "1.10.0", "2.0.0-pr.7.abc"] {
        fixture.bake(&host, version, "true").await;
    }
    // A candidate of a higher version.
    let (machine, _inside) = fixture.launch(&host).await;
    fixture.capture(machine.as_ref(), &plan(&host, "9.0.0")).await;
    machine.destroy(&fixture.run).await.unwrap();

    let version = |source: ami_bake_core::plan::SourceImage| source.version.unwrap().to_string();
    assert_eq!(version(find(None).await.unwrap()), "1.10.0");
    assert_eq!(version(find(Some("~1.2")).await.unwrap()), "1.2.0");
    assert!(find(Some("^3")).await.is_err());

    let again = fixture.bake(&host, "1.10.0", "echo again >/opt/again").await;
    assert_eq!(find(None).await.unwrap().id, again.id, "a version that is baked again is replaced");
    assert_eq!(layers(&fixture), 4, "three images and a candidate");
}

#[tokio::test]
async fn a_layer_without_an_image_goes_with_the_next_run() {
    let fixture = LocalFixture::new();
    let half = fixture.store().join("layers/lyr-half");
    std::fs::create_dir_all(half.join("etc")).unwrap();
    let host = fixture.source("host").await;
    let (machine, _inside) = fixture.launch(&host).await;
    assert!(!half.exists());
    machine.destroy(&fixture.run).await.unwrap();
}
