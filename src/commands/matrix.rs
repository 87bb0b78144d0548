//! The command `ami-bake matrix`.

use std::collections::HashMap;
use std::ops::ControlFlow;

use ami_bake_core::engine::PlannedImage;
use ami_bake_core::event::Decision;
use ami_bake_core::plan::{Architecture, ImageKey};
use ami_bake_core::{Error, Result};
use serde_json::{Map, Value, json};

use super::planned::{PlannedImages, plan_images};
use crate::args::{TargetArgs, VersionArgs};
use crate::host::Host;
use crate::plural::counted;
use crate::program::Program;

/// Maximum number of jobs in a matrix (GitHub Actions, "Limits").
const JOBS: usize = 256;

/// Print a job matrix that bakes each image in a separate job
///
/// Contains every image that a bake would make, with its version fixed, so that jobs that run at the same time agree.
/// `levels` contains the same images in order: images that are built on another image of the manifest are one level
/// after it, since a matrix has no order. A job selects its image with `--image` and `--image-version`. `ami-bake
/// report --merge` merges the reports of the jobs.
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
    target: TargetArgs,

    #[command(flatten)]
    version: VersionArgs,

    /// Number of levels that the workflow has jobs for: more are an error
    #[arg(long, value_name = "NUMBER")]
    levels: Option<usize>,
}

pub(crate) async fn run(args: Args, program: &Program) -> Result<u8> {
    let planned = match plan_images(program, args.target, &args.version).await? {
        ControlFlow::Continue(PlannedImages::Planned(planned)) => planned,
        ControlFlow::Continue(PlannedImages::Nothing) => {
            let nothing = Matrix::of(&[]);
            nothing.output(program.host.as_ref());
            program.host.json(&nothing.value(), true);
            return Ok(0);
        }
        ControlFlow::Break(code) => return Ok(code),
    };
    let matrix = Matrix::of(&planned.images);
    if let Some(jobs) = matrix.levels.iter().map(Vec::len).find(|jobs| *jobs > JOBS) {
        let error = Error::preflight(format!(
            "a matrix of {jobs} images is too large: GitHub runs at most {JOBS} jobs"
        ))
        .help("Select fewer images with --image, or bake several in one job: a run bakes them in parallel too.");
        return planned.session.fail(error).await;
    }
    if let Some(limit) = args.levels.filter(|limit| matrix.levels.len() > *limit) {
        let (levels, jobs) = (counted(matrix.levels.len(), "level"), counted(limit, "level"));
        let error = Error::preflight(format!("the images form {levels}, and the workflow has jobs for {jobs}"))
            .help("Add a job for each further level, or bake the images in one job.");
        return planned.session.fail(error).await;
    }
    matrix.output(program.host.as_ref());
    // On one line, as GITHUB_OUTPUT needs it.
    program.host.json(&matrix.value(), true);
    Ok(planned.session.end(0).await)
}

/// The images to bake, in levels: those of a level depend only on images of earlier levels or on existing ones.
#[derive(Debug)]
pub(crate) struct Matrix {
    levels: Vec<Vec<Value>>,
}

impl Matrix {
    /// The matrix of a plan, in which each image comes after the one it is built on.
    pub(crate) fn of(images: &[PlannedImage]) -> Self {
        let mut known: HashMap<&ImageKey, (usize, Option<Architecture>)> = HashMap::new();
        let mut levels: Vec<Vec<Value>> = Vec::new();
        for image in images {
            let (key, version, level, architecture) = match image {
                PlannedImage::Decided { decision, .. } if matches!(**decision, Decision::Reuse { .. }) => continue,
                PlannedImage::Decided { key, version, source, base, .. } => {
                    let after = base.as_ref().and_then(|base| known.get(base));
                    (key, version, after.map_or(0, |(level, _)| level + 1), source.architecture)
                }
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

    /// True when there is an image to bake.
    pub(crate) fn is_changed(&self) -> bool {
        !self.levels.is_empty()
    }

    /// The number of images to bake.
    pub(crate) fn count(&self) -> usize {
        self.levels.iter().map(Vec::len).sum()
    }

    /// All images in the form of `strategy.matrix`. GitHub fails a job with an empty matrix, so jobs check `changed`
    /// first.
    pub(crate) fn all(&self) -> Value {
        json!({"include": self.levels.concat()})
    }

    /// Sets the outputs of an action.
    pub(crate) fn output(&self, host: &dyn Host) {
        host.output("changed", &self.is_changed().to_string());
        host.output("matrix", &self.value().to_string());
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
        // The base of the first image is not part of the plan: it counts as level 0.
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
