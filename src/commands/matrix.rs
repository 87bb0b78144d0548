//! `ami-bake matrix`

use std::collections::HashMap;

use ami_bake_core::Error;
use ami_bake_core::engine::{self, PlannedImage};
use ami_bake_core::event::Decision;
use ami_bake_core::plan::{Architecture, ImageKey};
use serde_json::{Map, Value, json};

use crate::cli::{ManifestArgs, PlaceArgs};
use crate::commands::bake::VersionArgs;
use crate::session::{Parts, Session, Show, load};
use crate::ui::Ui;

/// GitHub starts no more jobs of one matrix (GitHub Actions, "Limits").
const JOBS: usize = 256;

/// Print what is to be baked as a job matrix, to bake each image on a runner of its own
///
/// Every image that a bake would make is there once, with the version that it gets, so that jobs that run side by side
/// agree. `levels` are the same images in order: what is built on an image of this manifest is one level after it, since a
/// matrix has no order. A job takes its part with `--image` and `--image-version`, and `ami-bake report --merge` folds the
/// jobs' reports into one.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake matrix >> matrix.json
  echo \"matrix=$(ami-bake matrix)\" >> \"$GITHUB_OUTPUT\"

In the job that bakes:
  strategy:
    matrix: ${{ fromJSON(needs.plan.outputs.matrix).levels[0] }}
  steps:
    - run: ami-bake bake --image ${{ matrix.image }} --image-version ${{ matrix.image }}=${{ matrix.version }}")]
pub(crate) struct Args {
    #[command(flatten)]
    manifest: ManifestArgs,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    version: VersionArgs,
}

pub(crate) async fn run(args: Args, ui: Ui) -> ami_bake_core::Result<u8> {
    let loaded = load(&args.manifest, args.place.region.as_deref(), false)?;
    loaded.show(ui);
    let Some(manifest) = loaded.manifest() else { return Ok(loaded.exit_code()) };
    let parts = Parts {
        show: Show::Warnings,
        creates: false,
        report: None,
        origin: loaded.facts().origin(),
        secrets: loaded.known_secrets(),
    };
    let session = Session::begin(parts, ui)?;
    let options = args.version.options(loaded.facts());
    let planned = async {
        let context = loaded.context(manifest, args.place, &session.run).await?;
        engine::plan(&session.run, &context, &options).await
    };
    let matrix = match planned.await {
        Ok(images) => Matrix::of(&images),
        Err(error) => {
            ui.say(&loaded.explain(ui)(&(&error).into()));
            return Ok(session.end(error.kind().exit_code()).await);
        }
    };
    if let Some(jobs) = matrix.levels.iter().map(Vec::len).find(|jobs| *jobs > JOBS) {
        let error =
            Error::preflight(format!("{jobs} images are to be baked, and GitHub starts {JOBS} jobs of a matrix"))
                .help("Bake them in parts with --image, or several in one job: one run bakes them side by side too.");
        return session.fail(error).await;
    }
    #[cfg(feature = "github")]
    matrix.output();
    // On one line, as it goes into an output.
    ui.data(&format!("{}\n", matrix.value()));
    Ok(session.end(0).await)
}

/// What is to be baked, by its distance from what is there.
#[derive(Debug)]
pub(crate) struct Matrix {
    levels: Vec<Vec<Value>>,
}

impl Matrix {
    /// Of a plan, whose images stand each after the one that it is built on.
    pub(crate) fn of(images: &[PlannedImage]) -> Self {
        let mut known: HashMap<&ImageKey, (usize, Option<Architecture>)> = HashMap::new();
        let mut levels: Vec<Vec<Value>> = Vec::new();
        for image in images {
            let (key, version, level, architecture) = match image {
                PlannedImage::Decided { decision, .. } if matches!(**decision, Decision::Reuse { .. }) => continue,
                PlannedImage::Decided { key, version, source, .. } => (key, version, 0, source.architecture),
                PlannedImage::WaitsFor { key, base, version } => {
                    let (level, architecture) = known.get(base).copied().unwrap_or_default();
                    (key, version, level + 1, architecture)
                }
            };
            known.insert(key, (level, architecture));
            levels.resize(levels.len().max(level + 1), Vec::new());
            levels[level].push(entry(key, version, architecture));
        }
        Self { levels }
    }

    /// True when there is something to bake.
    pub(crate) fn is_changed(&self) -> bool {
        !self.levels.is_empty()
    }

    /// How many images.
    pub(crate) fn count(&self) -> usize {
        self.levels.iter().map(Vec::len).sum()
    }

    /// All images, as `strategy.matrix` takes them. An empty one is none to GitHub, so that a job asks `changed` first.
    pub(crate) fn all(&self) -> Value {
        json!({"include": self.levels.concat()})
    }

    /// The outputs of an action.
    #[cfg(feature = "github")]
    pub(crate) fn output(&self) {
        if let Some(action) = crate::action::current() {
            action.output("changed", &self.is_changed().to_string());
            action.output("matrix", &self.value().to_string());
        }
    }

    fn value(&self) -> Value {
        let levels: Vec<Value> = self.levels.iter().map(|level| json!({"include": level})).collect();
        json!({"format": 1, "changed": self.is_changed(), "matrix": self.all(), "levels": levels})
    }
}

fn entry(key: &ImageKey, version: &semver::Version, architecture: Option<Architecture>) -> Value {
    let mut entry = Map::new();
    entry.insert("image".to_owned(), json!(key.to_string()));
    entry.insert("version".to_owned(), json!(version));
    if let Some(architecture) = architecture {
        entry.insert("architecture".to_owned(), json!(architecture));
    }
    Value::Object(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(key: &str, base: &str) -> PlannedImage {
        let version = semver::Version::new(1, 0, 0);
        PlannedImage::WaitsFor { key: ImageKey::new(key), base: ImageKey::new(base), version }
    }

    #[test]
    fn what_is_built_on_another_is_a_level_later() {
        // Their base is decided elsewhere, and is level 0 whatever it is.
        let matrix =
            Matrix::of(&[waits("base", "x"), waits("web", "base"), waits("shop", "web"), waits("pay", "base")]);
        let names: Vec<Vec<&str>> = matrix
            .levels
            .iter()
            .map(|level| level.iter().map(|entry| entry["image"].as_str().unwrap()).collect())
            .collect();
        assert_eq!(names, [vec![], vec!["base"], vec!["web", "pay"], vec!["shop"]]);
        assert_eq!((matrix.count(), matrix.is_changed()), (4, true));
        assert_eq!(matrix.value()["levels"][3], json!({"include": [{"image": "shop", "version": "1.0.0"}]}));
        let none = Matrix::of(&[]).value();
        assert_eq!(none, json!({"format": 1, "changed": false, "matrix": {"include": []}, "levels": []}));
    }
}
