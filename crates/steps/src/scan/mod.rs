//! Searches for what must not be in an image and the seal can't remove: values of secrets, private keys, and
//! credentials in the files of common tools.

mod exempt;
mod forms;

use std::fmt::Write as _;
use std::path::PathBuf;

use ami_bake_core::plan::ImageSettings;
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result, Run};
use secrecy::ExposeSecret as _;

use crate::shell::{ask, ask_with};
use exempt::{KeyVerdict, classify, matches_any};
use forms::forms;

/// The purpose, for error messages.
const SEARCH: &str = "search the image for secrets, private keys and credentials";
/// Maximum number of files that an error lists.
const NAMED: usize = 20;

/// The machine's own time, in seconds since 1970: files that change from now on are searched.
pub(crate) async fn begin(run: &Run, on: &ConnectedMachine<'_>) -> Result<i64> {
    let text = ask(run, on, "read the machine's clock", "date +%s").await?.text("read the machine's clock")?;
    let time = text.trim().parse();
    time.map_err(|_| Error::build(format!("could not parse the machine's clock: `{}`", text.trim())))
}

/// Searches the files that changed according to the platform; if it does not know, those that changed since `since`;
/// without it all files.
///
/// # Errors
/// When anything is found; the error names each file.
pub(crate) async fn scan(
    run: &Run,
    on: &ConnectedMachine<'_>,
    settings: &ImageSettings,
    since: Option<i64>,
) -> Result<()> {
    let mut names = Vec::new();
    let mut patterns = String::new();
    for (name, value) in run.secrets() {
        let forms = forms(value.expose_secret());
        if forms.is_empty() {
            run.warn(
                format!("the secret `{name}` is too short to be searched for in the image"),
                Some("Only secrets of at least eight characters can be told apart from ordinary text.".to_owned()),
            );
            continue;
        }
        let quoted: Vec<String> = forms.iter().map(|form| quote(form)).collect();
        let _ = writeln!(patterns, "secret_{}() {{ printf '%s\\n' {}; }}", names.len(), quoted.join(" "));
        names.push(name);
    }
    let changes = run.until_cancelled(on.machine.changes(run)).await??;
    let script = format!(
        "listed={} since={} secrets={}\n{patterns}{}",
        if changes.is_some() { "1" } else { "" },
        since.map_or_else(String::new, |since| since.to_string()),
        names.len(),
        include_str!("scan.sh")
    );
    let list = changes.map(list).unwrap_or_default();
    let answer = ask_with(run, on, SEARCH, &script, &list).await?;
    let text = answer.text(SEARCH)?;
    let mut secrets = Vec::new();
    let mut keys = Vec::new();
    let mut credentials = Vec::new();
    for line in text.lines() {
        let mut fields = line.splitn(3, '\t');
        match (fields.next(), fields.next(), fields.next()) {
            (Some("secret"), Some(index), Some(path)) => {
                let name =
                    index.parse().ok().and_then(|index: usize| names.get(index)).map_or("?", |name| name.as_str());
                secrets.push(format!("{} (the secret `{name}`)", shown(run, path)));
            }
            (Some("key"), _, Some(path)) => match classify(path, &settings.allow)? {
                KeyVerdict::Found => keys.push(shown(run, path)),
                KeyVerdict::Harmless => {}
                KeyVerdict::Warn => run.warn(
                    format!("the private key {path} was created during the build: all machines of the image share it"),
                    Some("Create a new one at first boot if anything relies on it.".to_owned()),
                ),
            },
            (Some("credentials"), _, Some(path)) if !matches_any(path, &settings.allow)? => {
                credentials.push(shown(run, path));
            }
            (Some("done"), ..) => return verdict(&secrets, &keys, &credentials),
            _ => {}
        }
    }
    Err(Error::build(format!("could not {SEARCH}: the output of the machine is incomplete")))
}

/// Paths in the format of `xargs -0`.
fn list(paths: Vec<PathBuf>) -> Vec<u8> {
    let mut list = Vec::new();
    for path in paths {
        list.extend(path.into_os_string().into_encoded_bytes());
        list.push(0);
    }
    list
}

/// A path for a message, masked: a file's name can contain a secret, too.
fn shown(run: &Run, path: &str) -> String {
    run.masker().mask(&ami_bake_core::output::sanitize(path))
}

fn verdict(secrets: &[String], keys: &[String], credentials: &[String]) -> Result<()> {
    let kinds = [(secrets, "declared secrets"), (keys, "private keys"), (credentials, "credentials")];
    let lists: Vec<String> = kinds
        .into_iter()
        .filter(|(files, _)| !files.is_empty())
        .map(|(files, what)| format!("{what}, in:{}", list_of(files)))
        .collect();
    if lists.is_empty() {
        return Ok(());
    }
    let help = if secrets.is_empty() {
        "Delete them in the step that wrote them, or list a file that is meant to be there under `seal.allow`. Nothing was captured."
    } else {
        "Remove them in the step that wrote them: anyone who can launch the image can read its disk. Nothing was captured."
    };
    Err(Error::build(format!("the image would contain {}", lists.join("\nand "))).help(help))
}

/// The first files, one per line, and the number of the others.
fn list_of(files: &[String]) -> String {
    let mut lines: Vec<String> = files.iter().take(NAMED).map(|file| format!("\n  {file}")).collect();
    match files.len().saturating_sub(NAMED) {
        0 => {}
        1 => lines.push("\n  and 1 more file".to_owned()),
        more => lines.push(format!("\n  and {more} more files")),
    }
    lines.concat()
}
