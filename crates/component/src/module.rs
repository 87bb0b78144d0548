//! Table of the action modules (user guide, toe-action-modules): their inputs and where they run.

/// An action module.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) name: &'static str,
    pub(crate) action: Action,
    /// Form of its `inputs`.
    pub(crate) shape: Shape,
    pub(crate) fields: &'static [Field],
    /// Name of its output.
    pub(crate) output: Option<&'static str>,
}

/// The implementation of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    AppendFile,
    Assert,
    CopyFile,
    CopyFolder,
    CreateFile,
    CreateFolder,
    CreateSymlink,
    DeleteFile,
    DeleteFolder,
    ExecuteBash,
    ExecuteBinary,
    ExecuteDocument,
    ListFiles,
    MoveFile,
    MoveFolder,
    ReadFile,
    Reboot,
    S3Download,
    S3Upload,
    SetFileEncoding,
    SetFileOwner,
    SetFilePermissions,
    SetFolderOwner,
    SetFolderPermissions,
    UpdateOs,
    WebDownload,
    /// A module that only runs on Windows.
    Windows,
}

/// Form of the `inputs` of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A map.
    Map,
    /// A list of maps, which are processed in order.
    List,
    /// One comparison or logical operator.
    Condition,
    /// Anything; not checked.
    Any,
}

/// A key of `inputs`.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) needed: bool,
    pub(crate) kind: FieldKind,
}

/// Type of a key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldKind {
    Text,
    /// A path on the machine.
    Path,
    /// A URL of an object in S3.
    Object,
    Address,
    Flag,
    Seconds,
    Permissions,
    Encoding,
    Algorithm,
    /// A list of texts.
    Texts,
    /// A list of maps of `name` and `value`.
    Parameters,
}

const fn needed(name: &'static str, kind: FieldKind) -> Field {
    Field { name, needed: true, kind }
}

const fn may(name: &'static str, kind: FieldKind) -> Field {
    Field { name, needed: false, kind }
}

const fn list(name: &'static str, action: Action, fields: &'static [Field]) -> Module {
    Module { name, action, shape: Shape::List, fields, output: None }
}

const fn map(name: &'static str, action: Action, fields: &'static [Field], output: Option<&'static str>) -> Module {
    Module { name, action, shape: Shape::Map, fields, output }
}

const fn windows(name: &'static str) -> Module {
    Module { name, action: Action::Windows, shape: Shape::Any, fields: &[], output: Some("stdout") }
}

const OVERWRITE: Field = may("overwrite", FieldKind::Flag);
const PATH: Field = needed("path", FieldKind::Path);
const ENCODING: Field = may("encoding", FieldKind::Encoding);
const BUCKET_OWNER: Field = may("expectedBucketOwner", FieldKind::Text);
const OWNER: Field = needed("owner", FieldKind::Text);
const GROUP: Field = may("group", FieldKind::Text);
const RECURSIVE: Field = may("recursive", FieldKind::Flag);
const FROM_TO: &[Field] = &[needed("source", FieldKind::Path), needed("destination", FieldKind::Path), OVERWRITE];

/// All modules.
pub(crate) const MODULES: &[Module] = &[
    Module { name: "Assert", action: Action::Assert, shape: Shape::Condition, fields: &[], output: None },
    map("ExecuteBash", Action::ExecuteBash, &[needed("commands", FieldKind::Texts)], Some("stdout")),
    map("ExecuteBinary", Action::ExecuteBinary, &[PATH, may("arguments", FieldKind::Texts)], Some("stdout")),
    Module {
        name: "ExecuteDocument",
        action: Action::ExecuteDocument,
        shape: Shape::Map,
        fields: &[
            needed("document", FieldKind::Text),
            may("document-s3-bucket-owner", FieldKind::Text),
            may("phases", FieldKind::Text),
            may("parameters", FieldKind::Parameters),
        ],
        output: Some("status"),
    },
    list(
        "S3Download",
        Action::S3Download,
        &[needed("source", FieldKind::Object), needed("destination", FieldKind::Path), BUCKET_OWNER, OVERWRITE],
    ),
    list(
        "S3Upload",
        Action::S3Upload,
        &[
            needed("source", FieldKind::Path),
            needed("destination", FieldKind::Object),
            may("recurse", FieldKind::Flag),
            BUCKET_OWNER,
        ],
    ),
    Module {
        name: "WebDownload",
        action: Action::WebDownload,
        shape: Shape::List,
        fields: &[
            needed("source", FieldKind::Address),
            needed("destination", FieldKind::Path),
            OVERWRITE,
            may("checksum", FieldKind::Text),
            may("algorithm", FieldKind::Algorithm),
            may("ignoreCertificateErrors", FieldKind::Flag),
        ],
        output: Some("destination"),
    },
    list("AppendFile", Action::AppendFile, &[PATH, may("content", FieldKind::Text), ENCODING]),
    list("CopyFile", Action::CopyFile, FROM_TO),
    list("CopyFolder", Action::CopyFolder, FROM_TO),
    list(
        "CreateFile",
        Action::CreateFile,
        &[
            PATH,
            may("content", FieldKind::Text),
            ENCODING,
            may("owner", FieldKind::Text),
            GROUP,
            may("permissions", FieldKind::Permissions),
            OVERWRITE,
        ],
    ),
    list(
        "CreateFolder",
        Action::CreateFolder,
        &[PATH, may("owner", FieldKind::Text), GROUP, may("permissions", FieldKind::Permissions), OVERWRITE],
    ),
    list(
        "CreateSymlink",
        Action::CreateSymlink,
        &[PATH, needed("target", FieldKind::Path), may("force", FieldKind::Flag)],
    ),
    list("DeleteFile", Action::DeleteFile, &[PATH, may("force", FieldKind::Flag)]),
    list("DeleteFolder", Action::DeleteFolder, &[PATH, may("force", FieldKind::Flag)]),
    Module {
        name: "ListFiles",
        action: Action::ListFiles,
        shape: Shape::List,
        fields: &[PATH, may("fileNamePattern", FieldKind::Text), RECURSIVE],
        output: Some("files"),
    },
    list("MoveFile", Action::MoveFile, FROM_TO),
    list("MoveFolder", Action::MoveFolder, FROM_TO),
    Module {
        name: "ReadFile",
        action: Action::ReadFile,
        shape: Shape::List,
        fields: &[PATH, ENCODING, may("printFileContent", FieldKind::Flag)],
        output: Some("content"),
    },
    list("SetFileEncoding", Action::SetFileEncoding, &[PATH, ENCODING]),
    list("SetFileOwner", Action::SetFileOwner, &[PATH, OWNER, GROUP]),
    list("SetFolderOwner", Action::SetFolderOwner, &[PATH, OWNER, GROUP, RECURSIVE]),
    list("SetFilePermissions", Action::SetFilePermissions, &[PATH, needed("permissions", FieldKind::Permissions)]),
    list(
        "SetFolderPermissions",
        Action::SetFolderPermissions,
        &[PATH, needed("permissions", FieldKind::Permissions), RECURSIVE],
    ),
    map("Reboot", Action::Reboot, &[may("delaySeconds", FieldKind::Seconds)], None),
    map("UpdateOS", Action::UpdateOs, &[may("include", FieldKind::Texts), may("exclude", FieldKind::Texts)], None),
    windows("ExecutePowerShell"),
    windows("InstallMSI"),
    windows("UninstallMSI"),
    windows("SetRegistry"),
];

/// The module with this name.
pub(crate) fn module(name: &str) -> Option<&'static Module> {
    MODULES.iter().find(|module| module.name == name)
}

impl Module {
    /// Whether its inputs may be omitted.
    pub(crate) fn takes_nothing(&self) -> bool {
        self.shape == Shape::Any || self.shape == Shape::Map && self.fields.iter().all(|field| !field.needed)
    }

    /// Whether it accesses the cloud with the bake's credentials.
    pub(crate) fn needs_services(&self) -> bool {
        matches!(self.action, Action::S3Download | Action::S3Upload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thirty_modules_have_names_of_their_own_and_are_documented() {
        let mut names: Vec<&str> = MODULES.iter().map(|module| module.name).collect();
        let windows = MODULES.iter().filter(|module| module.action == Action::Windows).count();
        assert_eq!((names.len(), windows), (30, 4));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 30);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/component.md");
        let page = std::fs::read_to_string(path).unwrap();
        for name in names {
            assert!(page.contains(&format!("`{name}`")), "{name} is not in docs/component.md");
        }
    }
}
