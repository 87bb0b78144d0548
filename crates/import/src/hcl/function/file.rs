//! Functions of paths and files.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use ami_bake_manifest::access::FileError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use globset::GlobBuilder;
use hcl_edit::parser::parse_template;
use indexmap::IndexMap;
use sha2::{Digest, Sha256, Sha512};

use super::arguments::Arguments;
use super::encode;
use crate::hcl::error::{EvalError, EvalResult};
use crate::hcl::scope::Scope;
use crate::hcl::template;
use crate::hcl::value::HclValue;
use crate::paths::normal;
use crate::template::Unsupported;

/// Maximum size in bytes of a file; larger ones do not belong in a manifest.
const SIZE: u64 = 1 << 20;
/// Maximum length in bytes of a pattern; no hand-written one is longer.
const PATTERN: usize = 1000;
/// Maximum number of files that a pattern may match.
const FILES: usize = 10_000;

pub(super) fn call(all: &Arguments, name: &str) -> Option<EvalResult<HclValue>> {
    let part = |take: fn(&Path) -> Option<&std::ffi::OsStr>| {
        all.string(0).map(|path| {
            HclValue::text(take(Path::new(&path)).map(|part| part.to_string_lossy().into_owned()).unwrap_or_default())
        })
    };
    Some(match name {
        "basename" => part(Path::file_name),
        "dirname" => all.string(0).map(|path| {
            let folder = Path::new(&path).parent().map(|folder| folder.to_string_lossy().into_owned());
            HclValue::text(folder.filter(|folder| !folder.is_empty()).unwrap_or_else(|| ".".to_owned()))
        }),
        "abspath" => all
            .string(0)
            .map(|path| HclValue::text(normal(&all.scope.module.paths.working.join(path)).to_string_lossy())),
        "pathexpand" => all.string(0).and_then(|path| match path.strip_prefix("~/") {
            Some(_) => Err(EvalError::unsupported("paths in a home folder are different on every computer")),
            None => Ok(HclValue::text(path)),
        }),
        "file" => read(all).and_then(|bytes| text(all, bytes).map(HclValue::text)),
        "filebase64" => read(all).map(|bytes| made(all, STANDARD.encode(bytes))),
        "filesha256" => read(all).map(|bytes| made(all, encode::hex(&Sha256::digest(bytes)))),
        "filesha512" => read(all).map(|bytes| made(all, encode::hex(&Sha512::digest(bytes)))),
        "fileexists" => found(all).map(|(_, full)| HclValue::Bool(full.is_file())),
        "templatefile" => templatefile(all),
        "fileset" => fileset(all),
        "templatedir" => Err(EvalError::unsupported("the function `templatedir` is not supported")),
        _ => return None,
    })
}

/// The file that the first argument names: the path as written, and the absolute path.
fn found(all: &Arguments) -> EvalResult<(String, PathBuf)> {
    let path = all.string(0)?;
    let found = all.scope.module.paths.find(&path);
    match found.forbidden {
        Some((why, help)) => {
            Err(EvalError::refused(all.scope.file, all.span.clone(), format!("`{}`: {why}", all.name), help))
        }
        None => Ok((path, found.full)),
    }
}

fn read(all: &Arguments) -> EvalResult<Vec<u8>> {
    let (path, full) = found(all)?;
    let bytes = all.scope.module.paths.access.read(&full, SIZE).map_err(|error| match error {
        FileError::NotAFile | FileError::TooLarge(_) => {
            EvalError::unsupported(format!("{path} is not a file, or is larger than 1 MiB"))
        }
        _ => missing(&path),
    })?;
    all.scope.module.spend(bytes.len())?;
    if let Ok(text) = std::str::from_utf8(&bytes) {
        all.scope.module.private.add(text, &format!("{}({path:?})", all.name));
    }
    Ok(bytes)
}

/// A value made from a file's content.
fn made(all: &Arguments, value: String) -> HclValue {
    let path = all.string(0).unwrap_or_default();
    all.scope.module.private.add(&value, &format!("{}({path:?})", all.name));
    HclValue::text(value)
}

fn missing(path: &str) -> EvalError {
    EvalError::Unsupported(
        Unsupported::new(format!("it reads {path}, which was not found")).help("Add the file and import again."),
    )
}

fn text(all: &Arguments, bytes: Vec<u8>) -> EvalResult<String> {
    String::from_utf8(bytes).map_err(|_| all.invalid("the file is not UTF-8"))
}

fn templatefile(all: &Arguments) -> EvalResult<HclValue> {
    let text = text(all, read(all)?)?;
    let names = match all.values.get(1) {
        Some(_) => all.map(1)?,
        None => IndexMap::new(),
    };
    let parsed = parse_template(&text).map_err(|error| {
        let at = error.location();
        all.invalid(&format!(
            "{} is not a valid template: line {}, column {}",
            all.string(0).unwrap_or_default(),
            at.line(),
            at.column()
        ))
    })?;
    // A template file only sees the variables that it is given; its errors are shown at the call.
    let mut inner = Scope::new(all.scope.module, all.scope.file);
    inner.own = names.into_iter().map(|(name, value)| (name, Rc::new(value))).collect();
    let value = template::value(&inner, &parsed.iter().collect::<Vec<_>>()).map_err(|error| match error {
        EvalError::Invalid(error) => all.invalid(&error.message),
        EvalError::Refused(error) => {
            EvalError::refused(all.scope.file, all.span.clone(), error.message.clone(), error.help.clone())
        }
        other => other,
    })?;
    all.scope.note(inner.take_notes());
    let origin = format!("{}({:?})", all.name, all.string(0).unwrap_or_default());
    value.texts(&mut |text| all.scope.module.private.add(text, &origin));
    Ok(value)
}

fn fileset(all: &Arguments) -> EvalResult<HclValue> {
    let pattern = all.string(1)?;
    let (_, base) = found(all)?;
    if pattern.len() > PATTERN {
        return Err(all.invalid("the pattern is longer than 1000 bytes"));
    }
    let glob = GlobBuilder::new(&pattern).literal_separator(true).build();
    let glob = glob.map_err(|_| all.invalid("not a valid pattern"))?.compile_matcher();
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = vec![base.clone()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            all.scope.module.spend(256)?;
            let path = entry.path();
            // A pattern must not match files of Git's own folder.
            if entry.file_name().eq_ignore_ascii_case(".git") {
                continue;
            }
            // Links are not followed: they may form a cycle.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
            } else if let Ok(rest) = path.strip_prefix(&base)
                && glob.is_match(rest)
            {
                found.push(rest.to_string_lossy().into_owned());
            }
            if found.len() > FILES {
                return Err(EvalError::unsupported("the pattern matches more than 10000 files"));
            }
        }
    }
    found.sort();
    Ok(HclValue::List(found.into_iter().map(HclValue::text).collect()))
}
