//! Modules for files and folders: each entry of the inputs is a call of a function in `files.sh`.

use ami_bake_core::output::{OutputSink, Stream};
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result};

use super::Attempt;
use super::inputs::Inputs;
use crate::document::permissions;
use crate::encoding::Encoding;
use crate::module::Action;
use crate::scope::Outputs;

/// Maximum size in bytes of a text that is converted to another encoding.
const CONVERTED: usize = 8 << 20;

/// Processes all entries in order; the first failure ends it.
pub(super) async fn act(
    attempt: &Attempt<'_>,
    action: Action,
    entries: &[Inputs<'_>],
    outputs: &mut Outputs,
    output: &mut dyn OutputSink,
) -> Result<()> {
    for inputs in entries {
        let said = match action {
            Action::SetFileEncoding => return convert(attempt, entries).await,
            action => sh(attempt, &line(action, *inputs)?).await?,
        };
        match action {
            Action::ReadFile => {
                let text = decode(Encoding::given(inputs.text("encoding"))?, &said, &inputs.path("path")?)?;
                if inputs.flag("printFileContent", false)? && !attempt.step.quiet {
                    output.write(Stream::Stdout, text.as_bytes());
                    output.write(Stream::Stdout, b"\n");
                }
                join(outputs, "content", '\n', &text);
            }
            Action::ListFiles => {
                let files: Vec<_> = said.split(|byte| *byte == 0).filter(|path| !path.is_empty()).collect();
                let mut files: Vec<_> = files.into_iter().map(String::from_utf8_lossy).collect();
                files.sort();
                join(outputs, "files", ',', &files.join(","));
            }
            _ => {}
        }
    }
    Ok(())
}

fn decode(encoding: Encoding, bytes: &[u8], path: &str) -> Result<String> {
    encoding.decode(bytes).map_err(|_| {
        Error::build(format!("`{path}` is not valid {}", encoding.name()))
            .help("Set `encoding` to the file's encoding; binary files can't be read.")
    })
}

fn join(outputs: &mut Outputs, name: &str, between: char, text: &str) {
    match outputs.get_mut(name) {
        Some(all) => {
            all.push(between);
            all.push_str(text);
        }
        None => _ = outputs.insert(name.to_owned(), text.to_owned()),
    }
}

async fn sh(attempt: &Attempt<'_>, line: &str) -> Result<Vec<u8>> {
    attempt.machine.sh(&format!("{}\n{line}\n", include_str!("files.sh")), attempt.deadline).await?.passed()
}

/// The function call for one entry.
fn line(action: Action, inputs: Inputs<'_>) -> Result<String> {
    let word = |name: &str| quote(inputs.text(name).unwrap_or_default());
    let path = || inputs.path("path").map(|path| quote(&path));
    let overwrite = || inputs.flag("overwrite", true);
    let mode = || match inputs.text("permissions") {
        None => Ok("''".to_owned()),
        Some(text) => permissions(text)
            .map(|mode| format!("{mode:04o}"))
            .ok_or_else(|| Error::build(format!("`{text}` is not a valid file mode"))),
    };
    let moved = |call: &str| -> Result<String> {
        let (from, to) = (inputs.path("source")?, inputs.path("destination")?);
        Ok(format!("{call} {} {} {}", overwrite()?, quote(&to), glob(&from)))
    };
    Ok(match action {
        Action::AppendFile | Action::CreateFile => {
            let bytes = Encoding::given(inputs.text("encoding"))?.encode(inputs.text("content").unwrap_or_default());
            let content = content(&bytes);
            if action == Action::AppendFile {
                format!("{content}\nappend_file {}", path()?)
            } else {
                let (owner, group) = (word("owner"), word("group"));
                format!("{content}\ncreate_file {} {} {owner} {group} {}", path()?, overwrite()?, mode()?)
            }
        }
        Action::CreateFolder => {
            format!("create_folder {} {} {} {} {}", path()?, overwrite()?, word("owner"), word("group"), mode()?)
        }
        Action::CreateSymlink => {
            format!("create_symlink {} {} {}", path()?, quote(&inputs.path("target")?), inputs.flag("force", false)?)
        }
        Action::DeleteFile => {
            let path = inputs.path("path")?;
            format!("delete_file {} {} {}", name_has_star(&path), inputs.flag("force", false)?, glob(&path))
        }
        Action::DeleteFolder => format!("delete_folder {} {}", path()?, inputs.flag("force", false)?),
        Action::ListFiles => {
            let pattern = inputs.text("fileNamePattern").unwrap_or("*").replace('\\', "\\\\");
            let pattern = pattern.replace('?', "\\?").replace('[', "\\[");
            format!("list_files {} {} {}", path()?, quote(&pattern), inputs.flag("recursive", false)?)
        }
        Action::ReadFile => format!("read_file {}", path()?),
        Action::CopyFile => moved("transfer_file copy")?,
        Action::MoveFile => moved("transfer_file move")?,
        Action::CopyFolder => moved("transfer_folder copy")?,
        Action::MoveFolder => moved("transfer_folder move")?,
        Action::SetFileOwner => format!("set_owner file {} {} {} false", path()?, word("owner"), word("group")),
        Action::SetFolderOwner => {
            let recursive = inputs.flag("recursive", true)?;
            format!("set_owner folder {} {} {} {recursive}", path()?, word("owner"), word("group"))
        }
        Action::SetFilePermissions => format!("set_mode file {} {} false", path()?, mode()?),
        Action::SetFolderPermissions => {
            format!("set_mode folder {} {} {}", path()?, mode()?, inputs.flag("recursive", true)?)
        }
        other => return Err(Error::internal(format!("{other:?} is not a module for files"))),
    })
}

/// `SetFileEncoding`: converts UTF-8 to another encoding.
async fn convert(attempt: &Attempt<'_>, entries: &[Inputs<'_>]) -> Result<()> {
    for inputs in entries {
        let path = quote(&inputs.path("path")?);
        let bytes = sh(attempt, &format!("read_file {path}")).await?;
        if bytes.len() > CONVERTED {
            return Err(Error::build(format!("`{}` is larger than {} MiB", inputs.path("path")?, CONVERTED >> 20)));
        }
        let text = decode(Encoding::Utf8, &bytes, &inputs.path("path")?)?;
        let bytes = Encoding::given(inputs.text("encoding"))?.encode(&text);
        sh(attempt, &format!("{}\nreplace_content {path}", content(&bytes))).await?;
    }
    Ok(())
}

/// A shell function that prints these bytes.
fn content(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.contains('\0')
    {
        return format!("content() {{ printf %s {}; }}", quote(text));
    }
    let mut script = String::from("content() {\n");
    for chunk in bytes.chunks(1024) {
        script.push_str("printf '");
        for byte in chunk {
            script.push_str(&format!("\\{byte:03o}"));
        }
        script.push_str("'\n");
    }
    script.push('}');
    script
}

/// Whether the last component of a path is a pattern.
fn name_has_star(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.contains('*'))
}

/// A path as shell words: `*` in its last component matches any text, everything else is literal. Names that begin with
/// a dot match, too, as with Go's `Glob`.
pub(super) fn glob(path: &str) -> String {
    if !name_has_star(path) {
        return quote(path);
    }
    let at = path.rfind('/').map_or(0, |at| at + 1);
    let (folder, name) = path.split_at(at);
    let parts: Vec<String> =
        name.split('*').map(|part| if part.is_empty() { String::new() } else { quote(part) }).collect();
    let folder = if folder.is_empty() { String::new() } else { quote(folder) };
    let pattern = format!("{folder}{}", parts.join("*"));
    if name.starts_with('*') { format!("{pattern} {folder}.{}", parts.join("*")) } else { pattern }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_in_the_name_alone() {
        assert_eq!(glob("/a b/c?[d"), "'/a b/c?[d'");
        assert_eq!(glob("/a*/b"), "'/a*/b'");
        assert_eq!(glob("/a/Sam*.txt"), "/a/Sam*.txt");
        assert_eq!(glob("/a/*log"), "/a/*log /a/.*log");
        assert_eq!(glob("x*"), "x*");
    }
}
