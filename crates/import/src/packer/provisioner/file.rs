//! The file provisioner.

use super::Fields;
use crate::context::Context;
use crate::input::Reader;
use crate::packer::build::Image;
use crate::yaml::Map;

pub(super) fn steps(fields: &Fields, context: &Context, image: &Image) -> Vec<Map> {
    fields.drop(&["generated"], "files are looked for when the step runs", "");
    fields.drop(&["content"], "a step uploads files", "Put the text into a file, or write it by a `run` step.");
    let direction = fields.get("direction").and_then(|field| context.words(&field)?.known());
    let Some(destination) = fields.get("destination") else {
        fields.reader().drop("it has no `destination`", "Write the step by hand.");
        return Vec::new();
    };
    let down = direction.as_deref() == Some("download");
    let to = if down { context.path(&destination).map(Into::into) } else { context.text(&destination) };
    let Some(to) = to else { return Vec::new() };
    let sources = [fields.get("source"), fields.get("sources")];
    let mut steps = Vec::new();
    for source in sources.iter().flatten().flat_map(Reader::items) {
        let mut step = Map::default();
        if down {
            let Some(from) = context.text(&source) else { continue };
            step.set_from("download", from, &source);
            step.set_from("to", to.clone(), &destination);
        } else {
            let Some(from) = context.path(&source) else { continue };
            step.set_from("upload", from, &source);
            step.set_from("to", to.clone(), &destination);
            // Packer uploads as the login user.
            if let Some(user) = image.user.as_deref().filter(|user| *user != "root") {
                step.set("owner", user);
            }
        }
        steps.push(step);
    }
    steps
}
