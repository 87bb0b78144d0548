//! What a manifest or a template may read of this computer, whatever Git says of it (docs/action.md, "What a manifest may read").

use std::os::unix::fs::symlink;

use crate::fixture::Fixture;

fn manifest(step: &str) -> String {
    format!(
        "format: 1\nname: shop\nplatform: local\nimages:\n  web:\n    source: {{local: host}}\n    build:\n      - {step}\n"
    )
}

/// A repository with a submodule, a linked worktree and Git's folders in their usual places and in others.
fn repository(fixture: &Fixture) {
    for (name, text) in [
        ("secret", "hunter2"),
        ("main/x.sh", "echo x"),
        ("main/.git/config", "hunter2"),
        ("main/.git/modules/sub/config", "hunter2"),
        ("main/sub/.git", "gitdir: ../.git/modules/sub"),
        ("main/sub/x.sh", "echo x"),
        ("linked/.git", "gitdir: ../main/.git/worktrees/linked"),
        ("linked/x.sh", "echo x"),
        // git init --separate-git-dir=data, and a bare repository.
        ("separate/.git", "gitdir: data"),
        ("separate/data/config", "hunter2"),
        ("separate/data/HEAD", "ref: refs/heads/main"),
        ("separate/data/refs/heads/main", ""),
        ("separate/data/objects/info/packs", ""),
        ("archive/images/x.sh", "echo x"),
    ] {
        fixture.write(name, text);
    }
}

#[test]
fn no_form_of_a_git_repository_opens_more_than_its_work_tree() {
    let fixture = Fixture::new();
    repository(&fixture);
    let root = fixture.folder().display().to_string();
    let names =
        [("GIT_DIR", "main/.git"), ("GIT_WORK_TREE", ""), ("GIT_CEILING_DIRECTORIES", ""), ("GIT_COMMON_DIR", "")];
    for (folder, path, refused) in [
        ("main", "sub/x.sh", ""),
        ("main", "../secret", "is outside of"),
        ("main", ".git/modules/sub/config", "Git's own folder"),
        ("main", "../linked/x.sh", "is outside of"),
        ("main/sub", "x.sh", ""),
        ("main/sub", "../x.sh", "is outside of"),
        ("main/sub", "../.git/modules/sub/config", "is outside of"),
        ("main/sub", ".git", "Git's own folder"),
        ("linked", "x.sh", ""),
        ("linked", "../main/x.sh", "is outside of"),
        ("linked", "../main/.git/config", "is outside of"),
        ("separate", "data/config", "Git's own folder"),
        ("separate", "data/refs/heads/main", "Git's own folder"),
        // Paths of Windows are names here.
        ("main", "..\\secret", "not found"),
        ("main", "C:\\secret", "not found"),
        ("main", "\\\\?\\C:\\secret", "not found"),
    ] {
        fixture.write(&format!("{folder}/bake.yml"), &manifest(&format!("script: '{path}'")));
        let mut command = fixture.command(&["check", &format!("{folder}/bake.yml")]);
        command.envs(names.map(|(name, path)| (name, format!("{root}/{path}"))));
        let outcome = fixture.finish(command.spawn().unwrap());
        assert_eq!(outcome.code, Some(if refused.is_empty() { 0 } else { 3 }), "{folder} {path}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(refused) && !outcome.stderr.contains("hunter2"), "{path}: {}", outcome.stderr);
    }
}

/// actions/checkout downloads an archive where there is no Git: the workspace is the tree then.
#[test]
fn without_git_a_link_does_not_lead_out_of_the_workspace() {
    let fixture = Fixture::new();
    repository(&fixture);
    for name in ["bake.yml", "images/web.pkr.hcl", "images/web.auto.pkrvars.hcl", "images/web.json"] {
        symlink(fixture.path("secret"), fixture.path("archive").join(name)).unwrap();
    }
    fixture.write("archive/images/bake.yml", &manifest("script: ../images/x.sh"));
    let run = |arguments: &[&str]| {
        let mut command = fixture.command(arguments);
        command.env("GITHUB_WORKSPACE", fixture.path("archive"));
        fixture.finish(command.spawn().unwrap())
    };
    run(&["check", "archive/images/bake.yml"]).exits(0);
    for arguments in [
        &["check", "archive/bake.yml"][..],
        &["check", "archive/images"],
        &["import", "archive/images"],
        &["import", "archive/images/web.json"],
        &["check", "archive/images/bake.yml", "--var-file", "archive/bake.yml"],
    ] {
        let outcome = run(arguments);
        assert!(matches!(outcome.code, Some(2 | 3)), "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("is a link that leads out of"), "{arguments:?}: {}", outcome.stderr);
        assert!(!format!("{}{}", outcome.stdout, outcome.stderr).contains("hunter2"), "{arguments:?}");
    }
}

/// The confinement also holds inside an uploaded folder, for links and for Git's own folder.
#[cfg(feature = "local")]
#[test]
fn what_is_in_an_uploaded_folder_is_confined_too() {
    let fixture = Fixture::new();
    repository(&fixture);
    fixture.write("main/site/index.html", "hello");
    symlink(fixture.path("secret"), fixture.path("main/site/link")).unwrap();
    symlink(fixture.path("main/x.sh"), fixture.path("main/site/own")).unwrap();
    symlink(fixture.path("linked"), fixture.path("main/site/up")).unwrap();
    symlink(fixture.path("main/.git"), fixture.path("main/site/zgit")).unwrap();
    fixture.write("main/site/sub/.git", "gitdir: ../../.git/modules/sub");
    for (step, refused) in [
        ("{upload: site, to: /srv}", ""),
        ("{upload: site, to: /srv, follow-links: true}", "site/link"),
        ("{upload: site, to: /srv, follow-links: true, exclude: [link]}", "site/up"),
        ("{upload: site, to: /srv, follow-links: true, exclude: [link, up]}", "Git's own folder"),
        (
            "{upload: site, to: /srv, follow-links: true, exclude: [link, up, sub, '!.git', '!zgit']}",
            "Git's own folder",
        ),
        ("{upload: site, to: /srv, follow-links: true, exclude: [link, up, zgit]}", ""),
        ("{upload: ., to: /srv}", ""),
        ("{upload: ., to: /srv, exclude: [.git]}", ""),
        ("{upload: .git, to: /srv}", "Git's own folder"),
        ("{upload: .git, to: /srv, exclude: ['!.git']}", "Git's own folder"),
        ("{upload: .git/config, to: /srv, exclude: ['!.git', '!config']}", "Git's own folder"),
    ] {
        fixture.write("main/bake.yml", &manifest(step));
        for command in ["check", "plan"] {
            let outcome = fixture.run(&[command, "main/bake.yml"]);
            assert_eq!(outcome.code, Some(if refused.is_empty() { 0 } else { 3 }), "{step}: {}", outcome.stderr);
            let lines = refused.is_empty() || outcome.stderr.contains("main/bake.yml:8");
            assert!(outcome.stderr.contains(refused) && lines, "{step}: {}", outcome.stderr);
        }
    }
}

/// A person may send the repository that the manifest is in by its name; nobody sends another one, nor a stranger any.
#[cfg(feature = "local")]
#[test]
fn a_repository_is_sent_only_when_its_own_manifest_asks_for_it() {
    let fixture = Fixture::new();
    repository(&fixture);
    let stranger =
        [("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", "issue_comment"), ("GITHUB_REF", "refs/heads/main")];
    let left_out = "not uploaded, since Git's own folders may contain credentials: ";
    let others = "is Git's own, and not of the repository that this manifest is in";
    let strangers = "is Git's own, which can't be uploaded in this workflow run";
    let manifests = |folder: &str, from: &str, exclude: &str, said: &str, by_stranger: &str| {
        let step = format!("{{upload: {from}, to: /srv, exclude: [{exclude}]}}");
        fixture.write(&format!("{folder}/bake.yml"), &manifest(&step));
        for (variables, said) in [(&[][..], said), (&stranger[..], by_stranger)] {
            let arguments = ["check", &format!("{folder}/bake.yml"), "--allow-files", "."];
            let mut command = fixture.command(&arguments);
            command.envs(variables.iter().copied());
            let outcome = fixture.finish(command.spawn().unwrap());
            let refused = said == others || said == strangers;
            let shown = format!("{folder} {from} {exclude}: {}\n{}", outcome.stdout, outcome.stderr);
            assert_eq!(outcome.code, Some(if refused { 3 } else { 0 }), "{shown}");
            let output = format!("{}{}", outcome.stdout, outcome.stderr);
            assert!(output.contains(said) && !output.contains("hunter2"), "{shown}");
            assert!(said != left_out || !output.contains("error"), "{shown}");
        }
    };
    manifests("main", ".", "", left_out, left_out);
    manifests("main", ".", "'!*'", left_out, left_out);
    manifests("main", ".", "'!/.git'", "", strangers);
    manifests("main", ".", "'!.git'", others, strangers);
    manifests("separate", ".", "", left_out, left_out);
    manifests("separate", ".", "'!.git', '!data'", "", strangers);
    manifests("main", "../separate", "", left_out, left_out);
    manifests("main", "../separate", "'!data'", others, strangers);
    manifests("main", "../separate", "'!.git'", others, strangers);
    manifests("main/sub", "..", "'!/.git'", others, strangers);
    manifests("linked", "..", "'!.git'", others, strangers);
    fixture.write("main/.bakeignore", "!/.git\n");
    manifests("main", ".", "", "", strangers);
    // A link to another repository is no part of this one, although its name is `.git`.
    symlink(fixture.path("main/.git"), fixture.path("archive/.git")).unwrap();
    fixture.write("archive/bake.yml", &manifest("{upload: ., to: /srv, exclude: ['!.git'], follow-links: true}"));
    fixture.run(&["check", "archive/bake.yml", "--allow-files", "."]).exits(3).says(others);
}
