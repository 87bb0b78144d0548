//! Writes an OCI image layout, with one layer for each layer of the image (OCI Image Format Specification 1.0).

use std::io::{self, Write};
use std::path::Path;

use ami_bake_core::plan::Architecture;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::archive::Archive;
use super::plan::{ExportPlan, create};
use super::tree::alone;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Media type of the layers: not compressed, so that writing is as fast as the disk. Tools that push an image compress
/// its layers.
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A blob, by its hash and size.
struct Blob {
    digest: String,
    size: u64,
}

impl Blob {
    fn descriptor(&self, kind: &str) -> Value {
        json!({"mediaType": kind, "digest": format!("sha256:{}", self.digest), "size": self.size})
    }
}

/// Writes the layout into the folder `to`.
pub(super) fn layout(plan: &ExportPlan, to: &Path) -> io::Result<()> {
    let blobs = to.join("blobs/sha256");
    std::fs::create_dir_all(&blobs)?;
    let mut layers = Vec::new();
    // Lowest layer first, as in the format.
    for layer in plan.layers.iter().rev() {
        let partial = blobs.join("partial");
        let mut archive = Archive::new(Hashed::new(create(&partial)?));
        alone(layer, &mut |name, node| archive.add(name, node))?;
        let blob = archive.finish()?.finish()?;
        std::fs::rename(&partial, blobs.join(&blob.digest))?;
        layers.push(blob);
    }
    let config = store(&blobs, &config(plan, &layers))?;
    let manifest = store(
        &blobs,
        &json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor(CONFIG),
            "layers": layers.iter().map(|layer| layer.descriptor(LAYER)).collect::<Vec<_>>(),
            "annotations": annotations(plan),
        }),
    )?;
    let mut entry = manifest.descriptor(MANIFEST);
    entry["platform"] = json!({"architecture": architecture(plan), "os": "linux"});
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": reference(&plan.image.version)});
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]});
    std::fs::write(to.join("index.json"), index.to_string())?;
    std::fs::write(to.join("oci-layout"), json!({"imageLayoutVersion": "1.0.0"}).to_string())
}

/// Writes the layout as a tar file.
pub(super) fn archive(plan: &ExportPlan) -> io::Result<()> {
    let folder = plan.work.join("layout");
    layout(plan, &folder)?;
    let mut archive = tar::Builder::new(create(&plan.to)?);
    archive.mode(tar::HeaderMode::Deterministic);
    for name in ["oci-layout", "index.json"] {
        archive.append_path_with_name(folder.join(name), name)?;
    }
    archive.append_dir_all("blobs", folder.join("blobs"))?;
    archive.into_inner()?.flush()
}

fn config(plan: &ExportPlan, layers: &[Blob]) -> Value {
    let mut labels = annotations(plan);
    for (name, value) in &plan.image.tags {
        labels[name] = json!(value);
    }
    let created = plan.image.created.to_string();
    let history: Vec<Value> = layers.iter().map(|_| json!({"created": created, "created_by": "ami-bake"})).collect();
    json!({
        "created": created,
        "architecture": architecture(plan),
        "os": "linux",
        "config": {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Cmd": ["/bin/sh"],
            "WorkingDir": "/",
            "Labels": labels,
        },
        "rootfs": {
            "type": "layers",
            "diff_ids": layers.iter().map(|layer| format!("sha256:{}", layer.digest)).collect::<Vec<_>>(),
        },
        "history": history,
    })
}

/// The annotations of the image specification.
fn annotations(plan: &ExportPlan) -> Value {
    json!({
        "org.opencontainers.image.title": plan.image.name,
        "org.opencontainers.image.version": plan.image.version,
        "org.opencontainers.image.created": plan.image.created.to_string(),
    })
}

/// The version as a tag, which can't contain `+` (OCI Distribution Specification 1.0).
fn reference(version: &str) -> String {
    if version.is_empty() { "latest".to_owned() } else { version.replace('+', "_") }
}

/// Go's name of the architecture.
fn architecture(plan: &ExportPlan) -> &'static str {
    match plan.image.architecture {
        Some(Architecture::Arm64) => "arm64",
        Some(Architecture::X86_64) | None => "amd64",
    }
}

fn store(blobs: &Path, content: &Value) -> io::Result<Blob> {
    let mut text = Hashed::new(Vec::new());
    text.write_all(content.to_string().as_bytes())?;
    let bytes = text.inner.clone();
    let blob = text.finish()?;
    std::fs::write(blobs.join(&blob.digest), bytes)?;
    Ok(blob)
}

/// A writer that hashes and counts the bytes.
struct Hashed<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Hashed<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), size: 0 }
    }

    fn finish(mut self) -> io::Result<Blob> {
        use std::fmt::Write as _;
        self.inner.flush()?;
        let mut digest = String::new();
        for byte in self.hash.finalize() {
            let _ = write!(digest, "{byte:02x}");
        }
        Ok(Blob { digest, size: self.size })
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
