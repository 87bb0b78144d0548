//! The formats, by the ends of file names.

use ami_bake_core::{Error, Result};

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// JSON, also `.tfvars.json` and `.tf.json`.
    Json,
    /// YAML, one document.
    Yaml,
    /// TOML.
    Toml,
    /// HCL: Terraform, OpenTofu and Packer.
    Hcl,
}

impl FileFormat {
    /// The format of a file with this name.
    ///
    /// # Errors
    /// When the name has none of the known ends.
    pub fn of(file: &str) -> Result<Self> {
        let end = file.rsplit('/').next().unwrap_or(file).rsplit_once('.').map_or("", |(_, end)| end);
        match end.to_ascii_lowercase().as_str() {
            "json" => Ok(Self::Json),
            "yml" | "yaml" => Ok(Self::Yaml),
            "toml" => Ok(Self::Toml),
            "tf" | "tfvars" | "hcl" | "tofu" => Ok(Self::Hcl),
            _ => Err(Error::usage(format!("the format of `{file}` is not supported"))
                .help("Use a file that ends in .json, .yml, .yaml, .toml, .tf, .tfvars or .hcl.")),
        }
    }
}
