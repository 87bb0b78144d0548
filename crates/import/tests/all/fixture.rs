//! A folder with files, and the result of an import.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ami_bake_import::{Finding, Imported, Refused, Request, Source, import};
use ami_bake_manifest::diagnostic::{Style, text};
use ami_bake_manifest::{Manifest, Options};
use tempfile::TempDir;

/// A folder with files in it.
pub(crate) struct Fixture(TempDir);

impl Fixture {
    pub(crate) fn new(files: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        Self(folder)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn request(&self, files: &[(&str, &str)]) -> Request {
        let source = |(name, text): &(&str, &str)| Source { path: PathBuf::from(name), text: (*text).to_owned() };
        request(files.iter().map(source).collect(), self.0.path().to_owned(), PathBuf::new())
    }

    pub(crate) fn import(&self, request: &Request) -> TestImport {
        let imported = import(request).unwrap_or_else(|refused| panic!("{}", shown(&refused)));
        self.check(&imported);
        TestImport(imported)
    }

    /// The result passes the manifest's own check, apart from missing files and what is not supported yet.
    fn check(&self, imported: &Imported) {
        let Some(manifest) = &imported.manifest else { return };
        let options = Options { check: true, ..Options::default() };
        for (path, text) in &imported.files {
            self.write(path, text);
        }
        let loaded = Manifest::load_text("bake.yml", manifest, self.0.path().to_owned(), &options);
        let later =
            |code: &str| code == "not-supported-yet" || (code == "no-such-file" && !imported.missing.is_empty());
        let wrong: Vec<_> =
            loaded.findings.into_iter().filter(|finding| finding.is_error() && !later(finding.code)).collect();
        assert!(wrong.is_empty(), "{}\n{manifest}", text(&wrong, &loaded.sources, Style::Plain));
    }
}

/// A request without variables.
pub(crate) fn request(files: Vec<Source>, working: PathBuf, output: PathBuf) -> Request {
    Request { files, var_files: Vec::new(), sets: Vec::new(), environment: BTreeMap::new(), working, output, now: None }
}

pub(crate) fn shown(refused: &Refused) -> String {
    text(&refused.findings, &refused.sources, Style::Plain)
}

/// Imports a template alone.
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

/// Imports one amazon-ebs builder with further fields, and provisioners.
pub(crate) fn ebs(fields: &str, provisioners: &str) -> TestImport {
    let comma = if fields.is_empty() { "" } else { "," };
    template(&format!(
        r#"{{"builders": [{{"type": "amazon-ebs", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0",
            "instance_type": "t3.small", "ssh_username": "ubuntu", "ami_name": "web {{{{timestamp}}}}"{comma} {fields}}}],
            "provisioners": [{provisioners}]}}"#
    ))
}

/// The result of an import.
pub(crate) struct TestImport(pub(crate) Imported);

impl TestImport {
    #[track_caller]
    pub(crate) fn manifest(&self) -> &str {
        self.0.manifest.as_deref().unwrap_or_else(|| panic!("nothing was imported: {:#?}", self.0.findings))
    }

    /// The manifest contains these lines, in this order.
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

    /// A field is reported, with a reason that contains this text.
    #[track_caller]
    pub(crate) fn reports(&self, path: &str, why: &str) -> &Self {
        let found = |finding: &Finding| finding.path == path && finding.why.contains(why);
        assert!(self.0.findings.iter().any(found), "expected {path}: {why}\nin {:#?}", self.0.findings);
        self
    }

    /// The paths of fields that the import does not know.
    pub(crate) fn unknown(&self) -> Vec<&str> {
        let unknown = self.0.findings.iter().filter(|finding| finding.why.contains("not supported by ami-bake"));
        unknown.map(|finding| finding.path.as_str()).collect()
    }
}
