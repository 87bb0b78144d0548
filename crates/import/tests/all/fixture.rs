//! A test folder with files, and assertions about the result of an import.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ami_bake_core::plan::{Architecture, Draft, ImageKey, ImagePlan, Recipe as _, SourceImage};
use ami_bake_import::{Finding, Imported, Refused, Request, Source, import};
use ami_bake_manifest::access::VisibleEnv;
use ami_bake_manifest::diagnostic::{Style, text};
use ami_bake_manifest::{Manifest, Options, Task};
use semver::Version;
use tempfile::TempDir;

/// A temporary folder with files.
pub(crate) struct Fixture(Arc<TempDir>);

impl Fixture {
    pub(crate) fn new(files: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        Self(Arc::new(folder))
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The path of a file in the folder.
    pub(crate) fn file(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    pub(crate) fn link(&self, to: &str, name: &str) {
        std::os::unix::fs::symlink(to, self.0.path().join(name)).unwrap();
    }

    pub(crate) fn request(&self, files: &[(&str, &str)]) -> Request {
        let source = |(name, text): &(&str, &str)| Source { path: PathBuf::from(name), text: (*text).to_owned() };
        request(files.iter().map(source).collect(), self.0.path().to_owned(), PathBuf::new())
    }

    pub(crate) fn import(&self, request: &Request) -> TestImport {
        let imported = import(request).unwrap_or_else(|refused| panic!("{}", shown(&refused)));
        self.check(&imported);
        TestImport { imported, folder: Arc::clone(&self.0) }
    }

    /// Asserts that the result passes the manifest's own check, apart from missing files and unsupported fields.
    fn check(&self, imported: &Imported) {
        let Some(manifest) = &imported.manifest else { return };
        let options = Options { check: true, ..Options::default() };
        for (path, text) in &imported.files {
            self.write(path, text);
        }
        let loaded = Manifest::load_text("bake.yml", manifest, self.0.path().to_owned(), &options);
        let later = |code: &str| {
            code == "not-supported-yet"
                || code == "local-play"
                || (code == "file-not-allowed" && imported.findings.iter().any(is_forbidden))
                || (code == "no-such-file" && !imported.missing.is_empty())
        };
        let wrong: Vec<_> =
            loaded.findings.into_iter().filter(|finding| finding.is_error() && !later(finding.code)).collect();
        assert!(wrong.is_empty(), "{}\n{manifest}", text(&wrong, &loaded.sources, Style::Plain));
    }
}

/// Whether a finding says that a file may not be read.
pub(crate) fn is_forbidden(finding: &Finding) -> bool {
    finding.why.contains("is outside of") || finding.why.contains("is in Git's own folder")
}

/// A request without variables.
pub(crate) fn request(files: Vec<Source>, working: PathBuf, output: PathBuf) -> Request {
    Request {
        files,
        var_files: Vec::new(),
        sets: Vec::new(),
        environment: VisibleEnv::default(),
        allow_files: Vec::new(),
        working,
        output,
        now: None,
    }
}

pub(crate) fn shown(refused: &Refused) -> String {
    text(&refused.findings, &refused.sources, Style::Plain)
}

/// Imports a template without other files.
pub(crate) fn template(text: &str) -> TestImport {
    let fixture = Fixture::new(&[
        "a.sh",
        "b.sh",
        "site/index.html",
        "play.yml",
        "requirements.yml",
        "cookbooks/x/metadata.rb",
        "roles/web/x",
    ]);
    fixture.import(&fixture.request(&[("web.json", text)]))
}

/// Imports one amazon-ebs builder with additional fields and provisioners.
pub(crate) fn ebs(fields: &str, provisioners: &str) -> TestImport {
    let comma = if fields.is_empty() { "" } else { "," };
    template(&format!(
        r#"{{"builders": [{{"type": "amazon-ebs", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0",
            "instance_type": "t3.small", "ssh_username": "ubuntu", "ami_name": "web {{{{timestamp}}}}"{comma} {fields}}}],
            "provisioners": [{provisioners}]}}"#
    ))
}

/// The source image of every plan.
fn source_image() -> SourceImage {
    SourceImage {
        id: "ami-0123456789abcdef0".to_owned(),
        name: "ubuntu".to_owned(),
        owner: "099720109477".to_owned(),
        created: None,
        tags: BTreeMap::new(),
        architecture: Some(Architecture::X86_64),
        identity: "ami-0123456789abcdef0".to_owned(),
        version: None,
    }
}

/// The plans of all images of a manifest as text, or why there are none.
pub(crate) fn plans(
    manifest: &str,
    folder: &Path,
    allowed: &[PathBuf],
    sets: &[(String, String)],
) -> Result<String, String> {
    let options = Options {
        sets: sets.to_vec(),
        allow_files: allowed.to_vec(),
        now: "2026-03-07T15:04:09Z".parse().unwrap(),
        ..Options::default()
    };
    let loaded = Manifest::load_text("bake.yml", manifest, folder.to_owned(), &options);
    let shown = text(&loaded.findings, &loaded.sources, Style::Plain);
    let manifest = Arc::new(loaded.manifest.filter(|_| !shown.contains("error[")).ok_or(shown)?);
    let plan = |draft: Draft| {
        let plan = draft.resolve_blocking(&source_image()).and_then(|resolved| resolved.at(&Version::new(1, 0, 0)));
        let plan = plan.map_err(|error| error.to_string())?;
        Ok(format!("{}\n{:#?}\n{:#?}\n{:#?}\n", plan.key, plan.machine, plan.settings, plan.digest))
    };
    manifest.drafts().into_iter().map(plan).collect()
}

/// The result of an import.
pub(crate) struct TestImport {
    pub(crate) imported: Imported,
    folder: Arc<TempDir>,
}

impl TestImport {
    #[track_caller]
    pub(crate) fn manifest(&self) -> &str {
        self.imported
            .manifest
            .as_deref()
            .unwrap_or_else(|| panic!("nothing was imported: {:#?}", self.imported.findings))
    }

    /// Asserts that the manifest contains these lines, in this order.
    #[track_caller]
    pub(crate) fn says(&self, lines: &str) -> &Self {
        let body = self.manifest().split("\n# Not imported:").next().unwrap_or_default();
        assert!(body.contains(lines), "expected:\n{lines}\nin:\n{}", self.manifest());
        self
    }

    #[track_caller]
    pub(crate) fn lacks(&self, text: &str) -> &Self {
        let body = self.manifest();
        assert!(!body.contains(text), "did not expect {text:?} in:\n{body}");
        self
    }

    /// Asserts that a field is reported, with a reason that contains this text.
    #[track_caller]
    pub(crate) fn reports(&self, path: &str, why: &str) -> &Self {
        let found = |finding: &Finding| finding.path == path && finding.why.contains(why);
        assert!(self.imported.findings.iter().any(found), "expected {path}: {why}\nin {:#?}", self.imported.findings);
        self
    }

    /// The plan of an image with these variables of the environment and the command line, or the error of the bake.
    pub(crate) fn try_plan(
        &self,
        image: &str,
        env: &[(&str, &str)],
        sets: &[(&str, &str)],
    ) -> Result<ImagePlan, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let options = Options {
            env: env.iter().map(owned).collect::<BTreeMap<_, _>>().into(),
            sets: sets.iter().map(owned).collect(),
            images: vec![image.to_owned()],
            now: "2026-03-07T15:04:09Z".parse().unwrap(),
            ..Options::default()
        };
        let loaded = Manifest::load_text("bake.yml", self.manifest(), self.folder.path().to_owned(), &options);
        let shown = text(&loaded.findings, &loaded.sources, Style::Plain);
        let manifest = Arc::new(loaded.manifest.filter(|_| !shown.contains("error[")).ok_or(shown)?);
        let draft = manifest.drafts().into_iter().find(|draft| draft.variant.key == ImageKey::new(image)).unwrap();
        draft
            .resolve_blocking(&source_image())
            .and_then(|resolved| resolved.at(&Version::new(1, 0, 0)))
            .map_err(|error| error.to_string())
    }

    /// The plan of the image `web`.
    #[track_caller]
    pub(crate) fn plan(&self, env: &[(&str, &str)], sets: &[(&str, &str)]) -> ImagePlan {
        self.try_plan("web", env, sets).unwrap_or_else(|shown| panic!("{shown}\n{}", self.manifest()))
    }

    /// The secrets that a bake requires.
    pub(crate) fn required_secrets(&self) -> Vec<String> {
        let options = Options { check: true, ..Options::default() };
        let loaded = Manifest::load_text("bake.yml", self.manifest(), self.folder.path().to_owned(), &options);
        loaded.manifest.unwrap().required_secrets(Task::Bake).into_iter().map(str::to_owned).collect()
    }

    /// Paths of fields that the import does not know.
    pub(crate) fn unknown(&self) -> Vec<&str> {
        let unknown = self.imported.findings.iter().filter(|finding| finding.why.contains("not supported by ami-bake"));
        unknown.map(|finding| finding.path.as_str()).collect()
    }
}
