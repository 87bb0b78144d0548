//! Tests of `S3Download` and `S3Upload`, with a store in memory.

use crate::fixture::Fixture;

#[tokio::test]
async fn objects_are_brought_to_the_machine() {
    let mut fixture = Fixture::new().await;
    let large: Vec<u8> = (0..3_000_001_u32).map(|at| at.to_le_bytes()[0]).collect();
    for (at, content) in [
        ("s3://b/app", &b"one"[..]),
        ("s3://b/s/a.sh", b"a"),
        ("s3://b/s/in/b.sh", b"b"),
        ("s3://b/s/in/", b""),
        ("s3://b/large", &large),
        ("s3://b/cut", b"half"),
    ] {
        fixture.store.put(at, content);
    }
    fixture.sh("mkdir /opt/there").await;
    fixture
        .build(
            r#"
- name: Get
  action: S3Download
  inputs:
    - {source: "s3://b/app", destination: /opt/new folder/app}
    - {source: "s3://b/app", destination: /opt/there}
    - {source: "s3://b/large", destination: /opt/large, expectedBucketOwner: "123456789012"}
    - {source: "s3://b/s/*", destination: /opt/all}
- {name: Chained, action: ExecuteBash, inputs: {commands: ["chmod u+x '{{ build.Get.inputs[0].destination }}'"]}}
"#,
        )
        .await
        .passes();
    let seen = fixture.sh("cat '/opt/new folder/app' /opt/there/app; cd /opt/all; find . -type f | sort; stat -c '%s %a %U' /opt/large; ls -A /opt '/opt/new folder' | grep -c ami-bake || true").await;
    assert_eq!(seen, "oneone./a.sh\n./in/b.sh\n3000001 644 root\n0\n");
    assert_eq!(std::fs::read(fixture.shell.path("/opt/large")).unwrap(), large);
    for (inputs, expected) in [
        ("{source: s3://b/none, destination: /opt/x}", "read s3://b/none: there is no such object"),
        ("{source: s3://b/none/*, destination: /opt/x}", "no objects found at s3://b/none/*"),
        (
            "{source: s3://b/app, destination: /opt/there/app, overwrite: false}",
            "already exists, and overwrite is false",
        ),
        ("{source: s3://b/cut, destination: /opt/cut}", "download s3://b/cut to `/opt/cut` on the machine"),
    ] {
        let error = fixture.build(&format!("- {{name: A, action: S3Download, inputs: [{inputs}]}}")).await.fails();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(
        fixture.sh("ls -A /opt | grep -e cut -e ami-bake || true").await,
        "",
        "nothing of a broken download is left"
    );
}

#[tokio::test]
async fn files_are_stored_as_objects() {
    let mut fixture = Fixture::new().await;
    let long = "n".repeat(120);
    fixture
        .sh(&format!(
            "mkdir -p /opt/f/sub; cd /opt/f; printf 1 >a.txt; printf 2 >b.log; printf 3 >sub/c.txt; printf 4 >{long}"
        ))
        .await;
    fixture
        .build(
            r#"
- name: Put
  action: S3Upload
  inputs:
    - {source: /opt/f/a.txt, destination: "s3://b/one"}
    - {source: /opt/f/a.txt, destination: "s3://b/into/"}
    - {source: /opt/f/*, destination: "s3://b/flat/"}
    - {source: /opt/f/*, destination: "s3://b/deep", recurse: true}
    - {source: /opt/f/sub, destination: "s3://b/folder", recurse: true}
"#,
        )
        .await
        .passes();
    let mut expected: Vec<String> =
        ["one", "into/a.txt", "flat/a.txt", "flat/b.log", "deep/a.txt", "deep/b.log", "deep/sub/c.txt"]
            .map(str::to_owned)
            .to_vec();
    expected.extend([format!("flat/{long}"), format!("deep/{long}"), "folder/c.txt".to_owned()]);
    let mut expected: Vec<String> = expected.into_iter().map(|key| format!("s3://b/{key}")).collect();
    expected.sort();
    assert_eq!(fixture.store.names(), expected);
    assert_eq!(fixture.store.get("s3://b/deep/sub/c.txt").as_deref(), Some("3"));
    assert_eq!(fixture.store.get(&format!("s3://b/flat/{long}")).as_deref(), Some("4"));
    for (inputs, expected) in [
        ("{source: /opt/none, destination: s3://b/x}", "no such file: `/opt/none`"),
        ("{source: /opt/f/*.x, destination: s3://b/x}", "no files found at `/opt/f/*.x`"),
        ("{source: /opt/f, destination: s3://b/x}", "`/opt/f` is a folder, and recurse is false"),
    ] {
        let error = fixture.build(&format!("- {{name: A, action: S3Upload, inputs: [{inputs}]}}")).await.fails();
        assert!(error.contains(expected), "{error}");
    }
}
