//! Tests of the modules for files and folders, on real files.

use ami_bake_testkit::shell::HostShell;

use crate::fixture::Fixture;

#[tokio::test]
async fn files_are_created_read_and_appended() {
    let mut fixture = Fixture::new().await;
    let text = fixture
        .build(
            r#"
- name: Create
  action: CreateFile
  inputs:
    - path: /opt/new folder/it's.txt
      content: "it's \"q\" $HOME `id` \\ %s\n"
    - {path: /opt/owned, content: x, owner: daemon, group: daemon, permissions: 0640}
    - {path: relative.txt, permissions: "755"}
    - {path: /opt/wide, content: "Grüße", encoding: UTF-16}
- name: Append
  action: AppendFile
  inputs:
    - {path: /opt/owned, content: y}
    - {path: /opt/wide, content: "!", encoding: utf16-LE}
- name: Read
  action: ReadFile
  inputs:
    - {path: /opt/owned}
    - {path: /opt/wide, encoding: UTF-16, printFileContent: true}
- name: Convert
  action: SetFileEncoding
  inputs: [{path: /opt/owned, encoding: utf32-BE}]
- name: Say
  action: ExecuteBash
  inputs:
    commands:
      - printf '%s|' "{{ build.Read.outputs.content }}"
      - stat -c '%a %U %G' /opt/owned /tmp/relative.txt; od -An -tx1 /opt/owned; cat "/opt/new folder/it's.txt"
"#,
        )
        .await
        .passes();
    assert_eq!(
        text,
        "Grüße!\nxy\nGrüße!|640 daemon daemon\n755 root root\n 00 00 00 78 00 00 00 79\nit's \"q\" $HOME `id` \\ %s\n"
    );
    for (steps, expected) in [
        ("[{path: /opt/owned, overwrite: false}]", "`/opt/owned` already exists, and overwrite is false"),
        ("[{path: /opt}]", "`/opt` is a folder"),
        ("[{path: /opt/x, owner: nobody-here}]", "the machine has no user `nobody-here`"),
    ] {
        let error = fixture.build(&format!("- {{name: A, action: CreateFile, inputs: {steps}}}")).await.fails();
        assert!(
            error.contains(&format!("the phase `build` failed at the step `A` (CreateFile): {expected}")),
            "{error}"
        );
    }
    let error = fixture.build("- {name: A, action: AppendFile, inputs: [{path: /opt/none}]}").await.fails();
    assert!(error.contains("web.yml:5: ") && error.contains("no such file: `/opt/none`"), "{error}");
}

#[tokio::test]
async fn folders_are_created_replaced_and_deleted() {
    let mut fixture = Fixture::new().await;
    fixture.sh("mkdir -p /opt/f/old /opt/full; touch /opt/full/x").await;
    fixture
        .build(
            r"
- name: Create
  action: CreateFolder
  inputs:
    - {path: /opt/f/, permissions: 0750, owner: daemon}
    - {path: /opt/a/b/c}
- {name: Drop, action: DeleteFolder, inputs: [{path: /opt/full, force: true}, {path: /opt/a/b/c}]}
",
        )
        .await
        .passes();
    assert_eq!(
        fixture.sh("stat -c '%a %U' /opt/f; ls -A /opt/f; ls /opt/a/b; ls -d /opt/full 2>/dev/null || true").await,
        "750 daemon\n"
    );
    for (step, expected) in [
        ("action: CreateFolder, inputs: [{path: /opt/f, overwrite: false}]", "already exists"),
        ("action: CreateFolder, inputs: [{path: /etc/}]", "`/etc/` is a system folder and is not replaced"),
        ("action: DeleteFolder, inputs: [{path: /opt/a}]", "`/opt/a` is not empty, and force is false"),
        ("action: DeleteFolder, inputs: [{path: /, force: true}]", "is the root folder"),
        ("action: DeleteFolder, inputs: [{path: /opt/none}]", "no such folder: `/opt/none`"),
    ] {
        let error = fixture.build(&format!("- {{name: A, {step}}}")).await.fails();
        assert!(error.contains(expected), "{error}");
    }
}

const TREE: &str = "mkdir -p /opt/s/sub '/opt/s/a b'; cd /opt/s; echo 1 >Sample1.txt; echo 2 >Sample2.txt; echo h >.hidden; echo d >sub/deep.log; chmod 640 Sample1.txt";

#[tokio::test]
async fn files_are_copied_moved_listed_and_deleted() {
    let mut fixture = Fixture::new().await;
    fixture.sh(TREE).await;
    let text = fixture
        .build(
            r#"
- name: Copy
  action: CopyFile
  inputs:
    - {source: /opt/s/Sample1.txt, destination: /opt/new/one.txt}
    - {source: /opt/s/Sample*, destination: /opt/copies/}
    - {source: /opt/s/*, destination: /opt/all/}
- {name: Move, action: MoveFile, inputs: [{source: /opt/copies/Sample2.txt, destination: /opt/moved.txt}]}
- {name: Listed, action: ListFiles, inputs: [{path: /opt/s, fileNamePattern: "*.txt"}]}
- {name: Deep, action: ListFiles, inputs: [{path: /opt/s/, recursive: true}]}
- name: Say
  action: ExecuteBash
  inputs:
    commands: ["echo '{{ build.Listed.outputs.files }}'; echo '{{ build.Deep.outputs.files }}'"]
- {name: Delete, action: DeleteFile, inputs: [{path: /opt/moved.txt}, {path: /opt/s/*}, {path: /opt/none/*.x}, {path: /opt/none, force: true}]}
"#,
        )
        .await
        .passes();
    assert_eq!(
        text,
        "/opt/s/Sample1.txt,/opt/s/Sample2.txt\n/opt/s/.hidden,/opt/s/Sample1.txt,/opt/s/Sample2.txt,/opt/s/sub/deep.log\n"
    );
    assert_eq!(fixture.sh("cat /opt/new/one.txt; ls -A /opt/copies /opt/all; find /opt/s -type f; ls /opt/moved.txt 2>/dev/null || true").await, "1\n/opt/all:\n.hidden\nSample1.txt\nSample2.txt\n\n/opt/copies:\nSample1.txt\n/opt/s/sub/deep.log\n");
    for (step, expected) in [
        ("action: CopyFile, inputs: [{source: /opt/none, destination: /opt/x}]", "no such file: `/opt/none`"),
        ("action: CopyFile, inputs: [{source: /opt/all/S*, destination: /opt/x}]", "end it with a slash"),
        (
            "action: MoveFile, inputs: [{source: /opt/all/Sample1.txt, destination: /opt/new/one.txt, overwrite: false}]",
            "overwrite is false",
        ),
        ("action: DeleteFile, inputs: [{path: /opt/none}]", "no such file: `/opt/none`"),
        ("action: DeleteFile, inputs: [{path: /opt/all}]", "`/opt/all` is a folder"),
        ("action: ListFiles, inputs: [{path: /opt/none}]", "no such folder: `/opt/none`"),
    ] {
        let error = fixture.build(&format!("- {{name: A, {step}}}")).await.fails();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn folders_are_copied_moved_linked_and_given_away() {
    let mut fixture = Fixture::new().await;
    fixture.sh(TREE).await;
    fixture
        .build(
            r#"
- name: Copy
  action: CopyFolder
  inputs:
    - {source: /opt/s, destination: /opt/copy}
    - {source: /opt/s/, destination: /opt/into/}
- {name: Again, action: CopyFolder, inputs: [{source: /opt/s/sub, destination: /opt/copy}]}
- {name: Move, action: MoveFolder, inputs: [{source: /opt/into/s, destination: /opt/moved}]}
- name: Link
  action: CreateSymlink
  inputs: [{path: /opt/links/sample, target: /opt/s/Sample1.txt}, {path: /opt/links/sample, target: /opt/s/Sample2.txt, force: true}]
- {name: Owner, action: SetFileOwner, inputs: [{path: /opt/s/Sample1.txt, owner: daemon}]}
- {name: Owners, action: SetFolderOwner, inputs: [{path: /opt/moved, owner: daemon, group: sys}]}
- {name: Mode, action: SetFilePermissions, inputs: [{path: /opt/s/Sample2.txt, permissions: 0777}]}
- {name: Modes, action: SetFolderPermissions, inputs: [{path: /opt/copy, permissions: "0700", recursive: false}]}
"#,
        )
        .await
        .passes();
    let seen = "ls /opt/copy; ls -A /opt/into /opt/moved; readlink /opt/links/sample; stat -c '%U %G %a' /opt/s/Sample1.txt /opt/moved/sub/deep.log /opt/s/Sample2.txt /opt/copy /opt/copy/deep.log";
    assert_eq!(
        fixture.sh(seen).await,
        "deep.log\n/opt/into:\n\n/opt/moved:\n.hidden\nSample1.txt\nSample2.txt\na b\nsub\n/opt/s/Sample2.txt\ndaemon daemon 640\ndaemon sys 644\nroot root 777\nroot root 700\nroot root 644\n"
    );
    for (step, expected) in [
        (
            "action: CreateSymlink, inputs: [{path: /opt/l, target: /opt/none}]",
            "the link target `/opt/none` does not exist",
        ),
        ("action: CreateSymlink, inputs: [{path: /opt/links/sample, target: /opt}]", "force is false"),
        ("action: CreateSymlink, inputs: [{path: /opt/s, target: /opt, force: true}]", "is not a link"),
        ("action: CopyFolder, inputs: [{source: /opt/s/sub, destination: /opt/s}]", "which would be replaced"),
        ("action: MoveFolder, inputs: [{source: /opt/s, destination: /etc}]", "a system folder"),
        ("action: SetFileOwner, inputs: [{path: /opt/s/Sample1.txt, owner: nobody-here}]", "no user `nobody-here`"),
        ("action: SetFolderPermissions, inputs: [{path: /opt/s/Sample1.txt, permissions: 0700}]", "no such folder"),
    ] {
        let error = fixture.build(&format!("- {{name: A, {step}}}")).await.fails();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(fixture.sh("cat /etc/hostname >/dev/null && ls /opt/s/sub").await, "deep.log\n");
}

/// Only busybox is available, as in a small image.
#[tokio::test]
async fn files_need_no_more_than_busybox() {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(std::path::Path::new).into_iter().find(|path| path.exists());
    let busybox = busybox.expect("a static busybox is missing; this test needs it: apt-get install -y busybox-static");
    let mut fixture = Fixture::on(HostShell::busybox(busybox).await);
    let outcome = fixture
        .build(
            r#"
- {name: Create, action: CreateFile, inputs: [{path: /a/b c, content: "x\0y", permissions: 0600, owner: www}]}
- {name: Folder, action: CreateFolder, inputs: [{path: /a/d}]}
- {name: Copy, action: CopyFile, inputs: [{source: /a/b*, destination: /a/d/}]}
- {name: Move, action: MoveFolder, inputs: [{source: /a/d, destination: /e}]}
- {name: Listed, action: ListFiles, inputs: [{path: /e}]}
- {name: Owner, action: SetFolderOwner, inputs: [{path: /e, owner: www}]}
- {name: Is, action: Assert, inputs: {and: [{stringEquals: "/e/b c", value: "{{ build.Listed.outputs.files }}"}, {fileExists: /e/b c}, {folderExists: /a}, {binaryExists: busybox}, {not: [{binaryExists: bash}]}]}}
- {name: Run, action: ExecuteBinary, inputs: {path: busybox, arguments: [stat, -c, "%a %U", /a/b c, /e/b c]}}
"#,
        )
        .await;
    assert_eq!(outcome.passes(), "600 www\n600 www\n");
    let error = fixture.build("- {name: A, action: ExecuteBash, inputs: {commands: [id]}}").await.fails();
    assert!(error.contains("the machine has no `bash`"), "{error}");
}
