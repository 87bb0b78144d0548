//! References: what they name has to be there, and to come before.

use ami_bake_manifest::Document as Given;
use ami_bake_manifest::diagnostic::{Diagnostic, Span};
use ami_bake_manifest::tree::{Kind, Node};
use ami_bake_manifest::words;

use crate::document::{Document, Step, Turns};
use crate::reference::{Reference, parse, references};
use crate::run::{CONTEXT, ENVIRONMENT, REFUSED_METADATA};

/// Tells of references to nothing.
pub(super) fn judge(document: &Document, given: &Given<'_>, findings: &mut Vec<Diagnostic>) {
    let phases: Vec<&str> = document.phases.iter().map(|phase| phase.name.as_str()).collect();
    for (phase_at, phase) in document.phases.iter().enumerate() {
        for (step_at, step) in phase.steps.iter().enumerate() {
            each(step, &mut |text, span| {
                for (_, inner) in references(text) {
                    let reference = parse(inner, &phases);
                    let place = Place { document, given, step, at: (phase_at, step_at) };
                    if let Some(finding) = place.judge(inner, &reference) {
                        findings.push(Diagnostic { span: Some(span), ..finding });
                    }
                }
            });
        }
    }
}

/// Every text of a step that may hold references.
pub(crate) fn each(step: &Step, found: &mut dyn FnMut(&str, Span)) {
    let mut walk = |node: &Node| walk(node, found);
    if let Some(condition) = &step.assertion {
        condition.values(&mut |node| walk(node));
    } else if let Some(inputs) = &step.inputs {
        walk(inputs);
    }
    if let Some(gate) = &step.gate {
        gate.test.values(&mut |node| walk(node));
    }
    match step.repeat.as_ref().map(|repeat| &repeat.turns) {
        Some(Turns::Each(items)) => items.iter().for_each(&mut walk),
        Some(Turns::Split { list, .. }) => walk(list),
        Some(Turns::Count { .. }) | None => {}
    }
}

fn walk(node: &Node, found: &mut dyn FnMut(&str, Span)) {
    match &node.kind {
        Kind::Scalar(scalar) => found(&scalar.text, node.span),
        Kind::List(items) => items.iter().for_each(|item| walk(item, found)),
        Kind::Map(entries) => entries.iter().for_each(|entry| walk(&entry.value, found)),
    }
}

struct Place<'a> {
    document: &'a Document,
    given: &'a Given<'a>,
    step: &'a Step,
    /// Phase and step.
    at: (usize, usize),
}

impl Place<'_> {
    fn judge(&self, inner: &str, reference: &Reference<'_>) -> Option<Diagnostic> {
        let finding = |message: String| Diagnostic::error("unknown-reference", None, message);
        match reference {
            Reference::Variable(name) | Reference::ParameterOf(name) => {
                if self.document.variable(name).is_some() {
                    return None;
                }
                let names = self.document.variables.iter().map(|variable| variable.name.as_str());
                let finding = finding(format!("the document declares no parameter or constant `{name}`"));
                Some(match words::near(name, names) {
                    Some(near) => finding.help(format!("Did you mean `{near}`?")),
                    None => finding.help(format!("Declare it below `parameters`: `- {name}: {{type: string}}`.")),
                })
            }
            Reference::Turn { name, .. } => {
                let looped = self.step.repeat.as_ref().is_some_and(|repeat| repeat.is_called(name));
                // Without a loop AWSTOE leaves it as it is, which nobody means.
                (!looped && *name == "loop").then(|| {
                    Diagnostic::warning(
                        "no-loop",
                        None,
                        format!("`{{{{ {inner} }}}}` stays as it is: the step `{}` has no `loop`", self.step.name),
                    )
                })
            }
            Reference::Output { phase, step, field } => self.chained(phase, step).or_else(|| {
                let target = self.document.phase(phase)?.steps.iter().find(|other| other.name == *step)?;
                let known = target.module.output;
                let any = known == Some("status");
                (!any && known != Some(*field)).then(|| {
                    let finding = finding(format!("the step `{step}` puts out no `{field}`"));
                    match known {
                        Some(known) => finding.help(format!("`{}` puts out `{known}`.", target.module.name)),
                        None => finding.help(format!("`{}` puts out nothing.", target.module.name)),
                    }
                })
            }),
            Reference::Input { phase, step, .. } => self.chained(phase, step),
            Reference::Env(name) => {
                let known = ENVIRONMENT.contains(name) || self.given.env.iter().any(|variable| variable == name);
                (!known).then(|| {
                    finding(format!("`{name}` is not in the environment of the document"))
                        .help(format!("Set it in the manifest's step: `env: {{{name}: …}}`."))
                })
            }
            Reference::Context(key) => (!CONTEXT.contains(key)).then(|| {
                finding(format!("there is no `context:{key}` here"))
                    .help(format!("There is {}.", words::list(&CONTEXT, "and")))
            }),
            Reference::Metadata(path) => {
                let path = path.trim_start_matches('/');
                REFUSED_METADATA
                    .iter()
                    .any(|refused| path.starts_with(refused))
                    .then(|| finding(format!("`{path}` holds credentials, which AWSTOE refuses to read")))
            }
            Reference::Parameter(_) => None,
            Reference::Other => self.go_style(inner),
        }
    }

    /// A step of this document that runs before this one, on the same machine.
    fn chained(&self, phase: &str, step: &str) -> Option<Diagnostic> {
        let finding = |message: String| Diagnostic::error("unknown-reference", None, message);
        let phase_at = self.document.phases.iter().position(|section| section.name == phase)?;
        let steps = &self.document.phases[phase_at].steps;
        let Some(step_at) = steps.iter().position(|other| other.name == step) else {
            let names = steps.iter().map(|step| step.name.as_str());
            let finding = finding(format!("the phase `{phase}` has no step `{step}`"));
            return Some(match words::near(step, names) {
                Some(near) => finding.help(format!("Did you mean `{near}`?")),
                None => finding,
            });
        };
        if (phase_at, step_at) >= self.at {
            return Some(finding(format!("the step `{step}` of `{phase}` runs later")));
        }
        let (from, to) = (phase, self.document.phases[self.at.0].name.as_str());
        (from != "test" && to == "test").then(|| {
            finding(format!("`{phase}` ran on another machine: nothing of it is known in `test`"))
                .help("Test machines boot the finished image; find the value out there again.")
        })
    }

    /// `{{.Name}}`: how several public documents write it, and AWSTOE doesn't read it.
    fn go_style(&self, inner: &str) -> Option<Diagnostic> {
        let name = inner.strip_prefix('.')?;
        self.document.variable(name)?;
        Some(
            Diagnostic::warning(
                "go-style",
                None,
                format!("`{{{{{inner}}}}}` is not replaced: it is no reference of AWSTOE"),
            )
            .help(format!("Write `{{{{ {name} }}}}`.")),
        )
    }
}
