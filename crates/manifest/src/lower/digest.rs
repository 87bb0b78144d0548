//! Computes the digest of an image (docs/dev/lifecycle.md, "Digest and cache").

use ami_bake_core::plan::{Digester, ImagePlan, PartKind, Phase, ReadInputs, Step};
use ami_bake_core::{Error, Result};
use serde_json::json;

use crate::access::FileAccess;
use crate::model::step_type;
use crate::step_files::{FileDigest, SentFiles};

/// The digest of a plan, its parts, and the hashes of the local files that its steps send; each file is opened once. The
/// clock is not part of the digest: `cache-for` compares the age of an image of the same digest.
///
/// # Errors
/// When a file that a step names can't be read.
pub(crate) fn digest(plan: &ImagePlan, access: &FileAccess) -> Result<ReadInputs> {
    let (mut digester, mut sent) = (Digester::default(), SentFiles::default());
    digester.begin(PartKind::Source, "");
    digester.part("source", &plan.source.identity);
    let machine = &plan.machine;
    digester.begin(PartKind::Disks, "");
    digester.part("disk", json!([machine.disk, machine.volumes]).to_string());
    digester.begin(PartKind::UserData, "");
    digester.part("user-data", machine.user_data.as_deref().unwrap_or_default());
    digester.begin(PartKind::Imds, "");
    digester.part("metadata", json!(plan.settings.imds_v2).to_string());
    if let Some(container) = &plan.settings.container {
        digester.begin(PartKind::Container, "");
        digester.part("container", json!(container.changes).to_string());
    }
    digester.begin(PartKind::Seal, "");
    digester.part("seal", json!([plan.settings.keep, plan.settings.allow]).to_string());
    for phase in [Phase::Build, Phase::Validate, Phase::Test] {
        for step in plan.steps(phase) {
            digester.begin(PartKind::Step(phase), step.name.as_str());
            digester.part("phase", phase.as_str());
            self::step(&mut digester, step, &mut sent, access)?;
        }
    }
    let (digest, parts) = digester.finish_with_parts();
    Ok(ReadInputs { digest, parts, inputs: sent.into_inputs() })
}

fn step(digester: &mut Digester, step: &Step, sent: &mut SentFiles, access: &FileAccess) -> Result<()> {
    let name = step.action.name();
    let known = step_type(name).ok_or_else(|| Error::internal(format!("unknown step type `{name}`")))?;
    let mut action = step.action.clone();
    known.clear_paths(&mut action);
    // `verb` is the label of the first release; another one would change the digest of every image.
    digester.part("verb", json!(action).to_string());
    digester.part("env", json!(step.env).to_string());
    digester.part("on-failure", json!(step.on_failure).to_string());
    known.digest(&mut FileDigest { step, access, digester, sent })
}
