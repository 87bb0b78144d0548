//! Warnings, and resources that still exist.

use ami_bake_core::report::{Report, StepResult};

use crate::context::Context;
use crate::markdown::{Block, heading};

pub(super) fn notices(report: &Report, context: &Context<'_>) -> Vec<Block> {
    let escape = context.escape();
    let of = |image: Option<&String>| image.map(|image| format!("<b>{}</b>: ", escape.text(image))).unwrap_or_default();
    let mut lines: Vec<String> = Vec::new();
    for notice in &report.warnings {
        let help = notice.help.as_deref().map(|help| format!(" {}", escape.text(help))).unwrap_or_default();
        let message = escape.text(notice.message.trim_end_matches('.'));
        let end = if help.is_empty() { "" } else { "." };
        lines.push(format!("- ⚠️ {}{message}{end}{help}\n", of(notice.image.as_ref())));
    }
    for image in &report.images {
        for step in image.steps.iter().filter(|step| step.result == Some(StepResult::Ignored)) {
            let why = step.failure.as_ref().map(|failure| format!(": {}", escape.text(&failure.message)));
            let (name, why) = (escape.code(&step.name), why.unwrap_or_default());
            lines.push(format!("- ⚠️ {}{name} failed (ignored){why}\n", of(Some(&image.name))));
        }
    }
    for kept in &report.kept {
        // The SSH command is meant to be copied: in code no zero-width spaces are inserted.
        let (what, why) = (escape.text(&kept.what), escape.code(&kept.why));
        lines.push(format!("- 📌 {}kept {what}: {why}\n", of(kept.image.as_ref())));
    }
    for left in &report.left {
        let (what, why) = (escape.text(&left.what), escape.text(&left.why));
        lines.push(format!("- 🧹 {}left behind {what}: {why}\n", of(left.image.as_ref())));
    }
    if lines.is_empty() {
        return Vec::new();
    }
    let list = Block {
        about: "warnings".to_owned(),
        open: String::new(),
        lines,
        close: "\n".to_owned(),
        keep_end: false,
        more: Some("- … and {} more\n".to_owned()),
    };
    vec![heading("warnings", "Warnings"), list]
}
