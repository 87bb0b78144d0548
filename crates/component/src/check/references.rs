//! Checks references: their target must exist, and precede them.

use ami_bake_manifest::Document as Given;
use ami_bake_manifest::diagnostic::Diagnostic;
use ami_bake_manifest::words;

use crate::document::{Document, Step, each_text};
use crate::reference::{CONTEXT, ENVIRONMENT, REFUSED_METADATA, Reference, parse, references};

/// Reports references to unknown names.
pub(super) fn validate(document: &Document, given: &Given<'_>, findings: &mut Vec<Diagnostic>) {
    let phases: Vec<&str> = document.phases.iter().map(|phase| phase.name.as_str()).collect();
    for (phase_at, phase) in document.phases.iter().enumerate() {
        for (step_at, step) in phase.steps.iter().enumerate() {
            each_text(step, &mut |text, span| {
                for (_, inner) in references(text) {
                    let reference = parse(inner, &phases);
                    let site = Site { document, given, step, at: (phase_at, step_at) };
                    if let Some(finding) = site.validate(inner, &reference) {
                        findings.push(Diagnostic { span: Some(span), ..finding });
                    }
                }
            });
        }
    }
}

/// Location of a reference.
struct Site<'a> {
    document: &'a Document,
    given: &'a Given<'a>,
    step: &'a Step,
    /// Indices of phase and step.
    at: (usize, usize),
}

impl Site<'_> {
    fn validate(&self, inner: &str, reference: &Reference<'_>) -> Option<Diagnostic> {
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
                // Outside of a loop AWSTOE does not replace it.
                (!looped && *name == "loop").then(|| {
                    Diagnostic::warning(
                        "no-loop",
                        None,
                        format!("`{{{{ {inner} }}}}` is not replaced: the step `{}` has no `loop`", self.step.name),
                    )
                })
            }
            Reference::Output { phase, step, field } => self.chained(phase, step).or_else(|| {
                let target = self.document.phase(phase)?.steps.iter().find(|other| other.name == *step)?;
                let known = target.module.output;
                let any = known == Some("status");
                (!any && known != Some(*field)).then(|| {
                    let finding = finding(format!("the step `{step}` has no output `{field}`"));
                    match known {
                        Some(known) => finding.help(format!("`{}` has the output `{known}`.", target.module.name)),
                        None => finding.help(format!("`{}` has no outputs.", target.module.name)),
                    }
                })
            }),
            Reference::Input { phase, step, .. } => self.chained(phase, step),
            Reference::Env(name) => {
                let known = ENVIRONMENT.contains(name) || self.given.env.iter().any(|variable| variable == name);
                (!known).then(|| {
                    finding(format!("the environment variable `{name}` is not set for the document"))
                        .help(format!("Set it in the manifest's step: `env: {{{name}: …}}`."))
                })
            }
            Reference::Context(key) => (!CONTEXT.contains(key)).then(|| {
                finding(format!("unknown reference `context:{key}`"))
                    .help(format!("Available: {}.", words::list(&CONTEXT, "and")))
            }),
            Reference::Metadata(path) => {
                let path = path.trim_start_matches('/');
                REFUSED_METADATA
                    .iter()
                    .any(|refused| path.starts_with(refused))
                    .then(|| finding(format!("`{path}` contains credentials, which AWSTOE does not read")))
            }
            Reference::Parameter(_) => None,
            Reference::Other => self.go_style(inner),
        }
    }

    /// Checks a reference to a step: it must be in this document, and run before this one on the same machine.
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
            finding(format!("`{phase}` runs on another machine: its outputs are not available in `test`"))
                .help("Test machines boot the finished image: get the value again in `test`.")
        })
    }

    /// Reports `{{.Name}}`, which several public documents use but AWSTOE does not support.
    fn go_style(&self, inner: &str) -> Option<Diagnostic> {
        let name = inner.strip_prefix('.')?;
        self.document.variable(name)?;
        Some(
            Diagnostic::warning(
                "go-style",
                None,
                format!("`{{{{{inner}}}}}` is not replaced: it is not an AWSTOE reference"),
            )
            .help(format!("Write `{{{{ {name} }}}}`.")),
        )
    }
}
