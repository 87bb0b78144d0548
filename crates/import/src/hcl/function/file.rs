//! Functions of paths and files.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use globset::GlobBuilder;
use hcl_edit::parser::parse_template;
use sha2::{Digest, Sha256, Sha512};

use super::{Arguments, Fault, Outcome, Trouble, Value, encode};
use crate::hcl::evaluate::Scope;
use crate::hcl::template;
use crate::paths::normal;

/// A larger file has no place in a manifest.
const SIZE: u64 = 1 << 20;
/// No folder of a template holds more files.
const FILES: usize = 10_000;

pub(super) fn call(all: &Arguments, name: &str) -> Option<Outcome<Value>> {
    let part = |take: fn(&Path) -> Option<&std::ffi::OsStr>| {
        all.string(0).map(|path| {
            Value::text(take(Path::new(&path)).map(|part| part.to_string_lossy().into_owned()).unwrap_or_default())
        })
    };
    Some(match name {
        "basename" => part(Path::file_name),
        "dirname" => all.string(0).map(|path| {
            let folder = Path::new(&path).parent().map(|folder| folder.to_string_lossy().into_owned());
            Value::text(folder.filter(|folder| !folder.is_empty()).unwrap_or_else(|| ".".to_owned()))
        }),
        "abspath" => {
            all.string(0).map(|path| Value::text(normal(&all.scope.module.paths.working.join(path)).to_string_lossy()))
        }
        "pathexpand" => all.string(0).and_then(|path| match path.strip_prefix("~/") {
            Some(_) => Err(Fault::trouble("a path in the home of whoever bakes is another one for everybody")),
            None => Ok(Value::text(path)),
        }),
        "file" => read(all).and_then(|bytes| text(all, bytes).map(Value::text)),
        "filebase64" => read(all).map(|bytes| Value::text(STANDARD.encode(bytes))),
        "filesha256" => read(all).map(|bytes| Value::text(encode::hex(&Sha256::digest(bytes)))),
        "filesha512" => read(all).map(|bytes| Value::text(encode::hex(&Sha512::digest(bytes)))),
        "fileexists" => all.string(0).map(|path| Value::Bool(all.scope.module.paths.find(&path).full.is_file())),
        "templatefile" => templatefile(all),
        "fileset" => fileset(all),
        "templatedir" => Err(Fault::trouble("the function `templatedir` has no counterpart")),
        _ => return None,
    })
}

fn read(all: &Arguments) -> Outcome<Vec<u8>> {
    let path = all.string(0)?;
    let found = all.scope.module.paths.find(&path);
    let meta = std::fs::metadata(&found.full).map_err(|_| missing(&path))?;
    if !meta.is_file() || meta.len() > SIZE {
        return Err(Fault::trouble(format!("{path} is no file, or a larger one than a manifest can hold")));
    }
    let bytes = std::fs::read(&found.full).map_err(|_| missing(&path))?;
    all.scope.module.spend(bytes.len())?;
    Ok(bytes)
}

fn missing(path: &str) -> Fault {
    Fault::Trouble(
        Trouble::new(format!("the file {path} that it reads is not there")).help("Import again where the file is."),
    )
}

fn text(all: &Arguments, bytes: Vec<u8>) -> Outcome<String> {
    String::from_utf8(bytes).map_err(|_| all.wrong("the file is not UTF-8"))
}

fn templatefile(all: &Arguments) -> Outcome<Value> {
    let text = text(all, read(all)?)?;
    let names = match all.values.get(1) {
        Some(_) => all.map(1)?,
        None => Vec::new(),
    };
    let parsed = parse_template(&text).map_err(|error| {
        all.wrong(&format!("{} can't be read as a template: {}", all.string(0).unwrap_or_default(), error.message()))
    })?;
    // A template sees only what it is given; its mistakes are told at the call.
    let mut inner = Scope::new(all.scope.module, all.scope.file);
    inner.own = names;
    let value = template::value(&inner, &parsed.iter().collect::<Vec<_>>()).map_err(|fault| match fault {
        Fault::Wrong(wrong) => all.wrong(&wrong.message),
        trouble @ Fault::Trouble(_) => trouble,
    })?;
    all.scope.note(inner.take_notes());
    Ok(value)
}

fn fileset(all: &Arguments) -> Outcome<Value> {
    let (folder, pattern) = (all.string(0)?, all.string(1)?);
    let base = all.scope.module.paths.find(&folder).full;
    let glob = GlobBuilder::new(&pattern).literal_separator(true).build();
    let glob = glob.map_err(|_| all.wrong("the pattern can't be read"))?.compile_matcher();
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = vec![base.clone()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            all.scope.module.spend(256)?;
            let path = entry.path();
            // Links are not followed: they may lead in circles.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
            } else if let Ok(rest) = path.strip_prefix(&base)
                && glob.is_match(rest)
            {
                found.push(rest.to_string_lossy().into_owned());
            }
            if found.len() > FILES {
                return Err(Fault::trouble("the pattern finds more files than a template can name"));
            }
        }
    }
    found.sort();
    Ok(Value::List(found.into_iter().map(Value::text).collect()))
}
