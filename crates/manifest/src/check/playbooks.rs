//! Playbooks of steps, as far as they would not do what a bake is for.

use std::path::Path;

use ami_bake_core::Route;
use ami_bake_core::plan::{ImagePlan, Verb};

use super::steps::own;
use crate::diagnostic::{Diagnostic, FileId, Sources, Span};
use crate::lower::playbook;
use crate::manifest::ImageEntry;
use crate::tree::{self, Node};

/// Warns of plays that would run on this computer instead of the machine, and notes files that the digest can't have.
pub(super) fn plan(image: &ImageEntry, plan: &ImagePlan, sources: &mut Sources, findings: &mut Vec<Diagnostic>) {
    for step in plan.build.iter().chain(&plan.validate).chain(&plan.test) {
        let Verb::Ansible { playbook, requirements, folder, args, .. } = &step.verb else { continue };
        asks(image, step.route.key("args"), args, findings);
        let parts = playbook::parts(playbook, requirements.as_deref(), folder, args, &step.env);
        for place in parts.unsuited {
            let Some((file, _)) = read(&place.file, sources) else { continue };
            let span = Span { file, start: place.start, end: place.end };
            if !findings.iter().any(|told| told.span == Some(span)) {
                findings.push(unsuited(span));
            }
        }
        for unknown in parts.unknown {
            let Some((file, _)) = read(&unknown.file, sources) else { continue };
            let span = Span { file, start: unknown.start, end: unknown.end };
            if !findings.iter().any(|told| told.span == Some(span)) {
                findings.push(not_known(span));
            }
        }
        // What isn't there has been told, and a playbook may hold tags that Ansible alone knows.
        let Some((file, text)) = read(playbook, sources) else { continue };
        let Some(tree) = tree::parse(file, &text, &mut Vec::new()) else { continue };
        for play in tree.items() {
            let Some(connection) = play.get("connection").filter(|node| node.as_text() == Some("local")) else {
                continue;
            };
            let told = findings.iter().any(|told| told.span == Some(connection.span));
            if !told {
                findings.push(elsewhere(connection));
            }
        }
    }
}

/// The playbook among the sources, and its text.
fn read(path: &Path, sources: &mut Sources) -> Option<(FileId, String)> {
    let shown = path.display().to_string();
    let shown = shown.strip_prefix("./").unwrap_or(&shown);
    if let Some(file) = sources.find(shown) {
        return Some((file, sources.text(file).to_owned()));
    }
    let text = std::fs::read_to_string(path).ok()?;
    Some((sources.add(shown, text.clone()), text))
}

fn elsewhere(connection: &Node) -> Diagnostic {
    Diagnostic::warning(
        "local-connection",
        connection.span,
        "this play runs on the computer that bakes, not on the machine",
    )
    .help("Take `connection: local` out, and write `hosts: all`: the step brings a connection to the machine.")
}

/// Passwords are asked for at the terminal, where a bake never is: it would wait for ever.
fn asks(image: &ImageEntry, route: Route, args: &[String], findings: &mut Vec<Diagnostic>) {
    let asks = |arg: &&String| {
        matches!(arg.as_str(), "-k" | "-K" | "-J" | "--ask-pass" | "--ask-become-pass")
            || arg.starts_with("--ask-vault-pass")
            || arg.ends_with("@prompt")
    };
    if let Some(arg) = args.iter().find(asks) {
        findings.push(
            Diagnostic::error("asks", image.node.place(&own(&route)), format!("`{arg}` asks for a password, and nobody answers while a bake runs"))
                .help("Give a file: `--vault-password-file FILE` among `args`, or `ANSIBLE_VAULT_PASSWORD_FILE` in `env`. The machine's login needs none.")
                .route(route),
        );
    }
}

fn unsuited(span: Span) -> Diagnostic {
    Diagnostic::warning(
        "synchronize",
        span,
        "`synchronize` runs rsync over a login of its own, and the bake has none to give",
    )
    .help("Take the module `copy`, or a step `upload`.")
}

fn not_known(span: Span) -> Diagnostic {
    Diagnostic::note("unknown-file", span, "which file this is shows only when the playbook runs")
        .label("a change of it leads to no new bake")
        .help("Keep it in a folder beside the playbook, such as `files` or `vars`, name it without an expression, or give the step `cache-for`.")
}
