//! Checks playbooks for plays and tasks that do not work in a bake.

use std::path::Path;

use ami_bake_core::Route;
use ami_bake_core::plan::{AnsibleStep, ImagePlan, SecretPart, StepAction, Value};

use super::steps::own;
use crate::diagnostic::{Diagnostic, FileId, Sources, Span};
use crate::manifest::{ImageEntry, Manifest};
use crate::playbook;
use crate::tree::{self, Node};

/// Warns about plays that would run on this computer instead of the machine, and notes files that the digest can't
/// cover.
pub(super) fn plan(
    manifest: &Manifest,
    image: &ImageEntry,
    plan: &ImagePlan,
    sources: &mut Sources,
    findings: &mut Vec<Diagnostic>,
) {
    for step in plan.build.iter().chain(&plan.validate).chain(&plan.test) {
        let StepAction::Ansible(AnsibleStep { playbook, requirements, folder, args, host, vars, .. }) = &step.action
        else {
            continue;
        };
        if args.iter().any(|arg| arg.contains(CONNECTION)) {
            findings.push(connects(image, step.route.key("args")));
        }
        let text = |part: &SecretPart| matches!(part, SecretPart::Text(text) if text.contains(CONNECTION));
        if matches!(vars, Value::Plain(text) if text.contains(CONNECTION))
            || matches!(vars, Value::Secret(parts) if parts.iter().any(text))
        {
            findings.push(connects(image, step.route.key("vars")));
        }
        asks(image, step.route.key("args"), args, findings);
        let parts = playbook::parts(playbook, requirements.as_deref(), folder, args, &step.env, &manifest.files);
        for place in parts.unsuited {
            let Some((file, _)) = read(manifest, &place.file, sources) else { continue };
            let span = Span { file, start: place.start, end: place.end };
            if !findings.iter().any(|told| told.span == Some(span)) {
                findings.push(unsuited(span));
            }
        }
        for unknown in parts.unknown {
            let Some((file, _)) = read(manifest, &unknown.file, sources) else { continue };
            let span = Span { file, start: unknown.start, end: unknown.end };
            if !findings.iter().any(|told| told.span == Some(span)) {
                findings.push(not_known(span));
            }
        }
        for (path, why) in parts.unread.iter().filter(|(path, _)| path != playbook) {
            findings.push(not_read(image, step.route.key("ansible"), path, why));
        }
        // Missing files are reported elsewhere, and a playbook may use YAML tags that only Ansible knows.
        let Some((file, text)) = read(manifest, playbook, sources) else { continue };
        let Some(tree) = tree::parse(file, &text, &mut Vec::new()) else { continue };
        for play in tree.items() {
            let local = play.get("connection").filter(|node| node.as_text() == Some("local"));
            let here =
                play.get("hosts").filter(|hosts| host.as_deref().is_none_or(|host| !is_here(host)) && is_local(hosts));
            let wrong = [local.map(ignored), here.map(elsewhere)];
            for finding in wrong.into_iter().flatten() {
                if !findings.iter().any(|told| told.span == finding.span) {
                    findings.push(finding);
                }
            }
        }
    }
}

/// Maximum size of a playbook in bytes; larger ones are not read.
const LIMIT: u64 = 1 << 20;

/// Adds the playbook to the sources; returns it with its text. A file that the manifest may not read is never shown.
fn read(manifest: &Manifest, path: &Path, sources: &mut Sources) -> Option<(FileId, String)> {
    let shown = path.display().to_string();
    let shown = shown.strip_prefix("./").unwrap_or(&shown);
    if let Some(file) = sources.find(shown) {
        return Some((file, sources.text(file).to_owned()));
    }
    let text = String::from_utf8(manifest.files.read(path, LIMIT).ok()?).ok()?;
    Some((sources.add(shown, text.clone()), text))
}

/// Whether `host` is a name of the computer that Ansible runs on, unless the inventory has a host of that name
/// (Ansible, `C.LOCALHOST`).
fn is_here(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "::1")
}

/// Whether the hosts of a play include this computer.
fn is_local(hosts: &Node) -> bool {
    let list = hosts.items().iter().chain([hosts]).filter_map(Node::as_text);
    list.flat_map(|text| text.split([',', ';']))
        .flat_map(|text| [text].into_iter().chain(text.split(':')))
        .map(str::trim)
        .any(is_here)
}

fn elsewhere(hosts: &Node) -> Diagnostic {
    Diagnostic::error(
        "local-play",
        hosts.span,
        "this play would run on the computer that runs ami-bake, not on the machine",
    )
    .help("Write `hosts: all` in the playbook, or set `host: localhost` in the step: then `localhost` is the machine.")
}

/// The warning about a play's `connection`: the inventory names the connection, and its variables override the keywords
/// of a play (Ansible, variable precedence).
fn ignored(connection: &Node) -> Diagnostic {
    Diagnostic::warning(
        "local-connection",
        connection.span,
        "`connection: local` is ignored: the play runs on the machine",
    )
    .help("Remove it. The step provides the connection to the machine.")
}

/// The variable that names the connection; as an extra variable it overrides the inventory (Ansible, variable
/// precedence).
const CONNECTION: &str = "ansible_connection";

fn connects(image: &ImageEntry, route: Route) -> Diagnostic {
    let message = "`ansible_connection` replaces the connection to the machine: the playbook would not run on it";
    Diagnostic::error("local-play", image.node.place(&own(&route)), message)
        .help("Remove it. The step provides the connection to the machine.")
        .route(route)
}

/// Reports arguments for which Ansible would prompt for a password, and wait forever.
fn asks(image: &ImageEntry, route: Route, args: &[String], findings: &mut Vec<Diagnostic>) {
    let asks = |arg: &&String| {
        matches!(arg.as_str(), "-k" | "-K" | "-J" | "--ask-pass" | "--ask-become-pass")
            || arg.starts_with("--ask-vault-pass")
            || arg.ends_with("@prompt")
    };
    if let Some(arg) = args.iter().find(asks) {
        findings.push(
            Diagnostic::error("asks", image.node.place(&own(&route)), format!("`{arg}` prompts for a password, but a bake is not interactive"))
                .help("Use a file: `--vault-password-file FILE` in `args`, or `ANSIBLE_VAULT_PASSWORD_FILE` in `env`. The login needs no password.")
                .route(route),
        );
    }
}

fn unsuited(span: Span) -> Diagnostic {
    Diagnostic::warning(
        "synchronize",
        span,
        "`synchronize` is not supported: it runs rsync over its own SSH connection",
    )
    .help("Use the module `copy` or an `upload` step.")
}

/// Its own content counts; what it names can only be found by reading it.
fn not_read(image: &ImageEntry, route: Route, path: &Path, why: &str) -> Diagnostic {
    let message = format!("the files that `{}` names are not part of the digest: {why}", path.display());
    Diagnostic::note("unread-file", image.node.place(&own(&route)), message)
        .label("changes to them do not invalidate the cache")
        .help("Move it into the repository, allow its folder with `--allow-files DIR` (input `allow-files`), or add `cache-for` to the step.")
        .route(route)
}

fn not_known(span: Span) -> Diagnostic {
    Diagnostic::note("unknown-file", span, "this file is only known when the playbook runs")
        .label("changes to it do not invalidate the cache")
        .help("Move it to a folder next to the playbook, such as `files` or `vars`, use its path without an expression, or add `cache-for` to the step.")
}
