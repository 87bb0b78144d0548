//! Strings with a pattern. The pattern is part of the schema, so that all problems of a file are found at once.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// A string with a pattern. Messages use the title ("`x` is not a valid TITLE") and the examples.
macro_rules! shaped {
    ($(#[doc = $doc:literal])+ $name:ident, title: $title:literal, pattern: $pattern:literal, examples: $examples:expr) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The text as written in the manifest.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "title": $title,
                    "description": concat!($($doc),+).trim(),
                    "pattern": $pattern,
                    "examples": $examples,
                })
            }
        }
    };
}

shaped! {
    /// A duration: a number and a unit (`ms`, `s`, `m`, `h`, `d` or `w`), as in `90s` or `1h30m`.
    DurationText, title: "duration", pattern: r"^([0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h|d|w)){1,6}$", examples: ["30s", "10m", "2h", "7d"]
}
shaped! {
    /// A file in the repository, by its path from the root: JSON, YAML, TOML or HCL.
    DataFile, title: "data file", pattern: r"^(?!/)(?!(.*/)?\.{1,2}/)(?!(.*/)?\.git/).*[^/]\.(json|ya?ml|toml|tf|tfvars|hcl|tofu)$", examples: ["infra/production.auto.tfvars", "deploy/values.yml"]
}
shaped! {
    /// A place in a document (RFC 6901).
    JsonPointer, title: "JSON pointer", pattern: r"^/.", examples: ["/ami_id", "/images/web"]
}
shaped! {
    /// The name of a variable of a repository.
    VariableName, title: "repository variable name", pattern: r"^(?![Gg][Ii][Tt][Hh][Uu][Bb]_)[A-Za-z_][A-Za-z0-9_]*$", examples: ["AMI_ID"]
}
shaped! {
    /// A size: a number and a unit (`KiB`, `MiB`, `GiB` or `TiB`), as in `500MiB`.
    SizeText, title: "size", pattern: r"^[1-9][0-9]{0,5}(KiB|MiB|GiB|TiB)$", examples: ["500MiB", "20GiB"]
}
shaped! {
    /// A SHA-256 checksum.
    Sha256Text, title: "SHA-256 checksum", pattern: r"^[0-9a-fA-F]{64}$", examples: ["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]
}
shaped! {
    /// An AWS region.
    Region, title: "AWS region", pattern: r"^[a-z]{2,4}(-[a-z]{2,4})?-(central|(north|south)(east|west)?|east|west)-[0-9]+$", examples: ["us-east-1", "eu-central-1"]
}
shaped! {
    /// The ID of a subnet.
    SubnetId, title: "subnet ID", pattern: r"^subnet-[0-9a-f]+$", examples: ["subnet-0123456789abcdef0"]
}
shaped! {
    /// The ID of a VPC.
    VpcId, title: "VPC ID", pattern: r"^vpc-[0-9a-f]+$", examples: ["vpc-0123456789abcdef0"]
}
shaped! {
    /// The ID of a security group.
    SecurityGroupId, title: "security group ID", pattern: r"^sg-[0-9a-f]+$", examples: ["sg-0123456789abcdef0"]
}
shaped! {
    /// A machine type: an EC2 instance type.
    MachineType, title: "machine type", pattern: r"^[a-z][a-z0-9]*(-[a-z0-9]+)*\.(nano|micro|small|medium|large|[0-9]{0,3}xlarge|metal(-[0-9]+xl)?)$", examples: ["t3.small", "m7g.large"]
}
shaped! {
    /// A login name.
    LoginName, title: "login name", pattern: r"^[A-Za-z_][A-Za-z0-9_.@-]{0,63}$", examples: ["ubuntu", "ec2-user"]
}
shaped! {
    /// A 12-digit AWS account ID, in quotes.
    AccountId, title: "AWS account ID", pattern: r"^[0-9]{12}$", examples: ["111122223333"]
}
shaped! {
    /// A range of IP addresses in CIDR notation.
    Cidr, title: "CIDR range", pattern: r"^([0-9]{1,3}(\.[0-9]{1,3}){3}/([0-9]|[12][0-9]|3[0-2])|[0-9a-fA-F:]*:[0-9a-fA-F:]*/([0-9]|[0-9]{2}|1[01][0-9]|12[0-8]))$", examples: ["203.0.113.0/24", "2001:db8::/32"]
}
shaped! {
    /// Permission bits in octal, in quotes.
    Mode, title: "file mode", pattern: r"^0?[0-7]{3,4}$", examples: ["0644", "0755"]
}
shaped! {
    /// `auto` (the next version after the highest published), `release` (only tags and releases create final
    /// versions), or a semantic version.
    VersionText, title: "version", pattern: r"^(auto|release|v?(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?)$", examples: ["auto", "release", "1.4.0"]
}
shaped! {
    /// A range of semantic versions. Image Builder's `2.x.x` works too.
    VersionRange, title: "version range", pattern: r"^[\^~<>=]*\s*v?([0-9]+|[xX*])(\.([0-9]+|[xX*])){0,2}(-[0-9A-Za-z.-]+)?(\s*,\s*[\^~<>=]*\s*v?([0-9]+|[xX*])(\.([0-9]+|[xX*])){0,2}(-[0-9A-Za-z.-]+)?)*$", examples: ["^2.1", "~1.4.2", ">=1.2, <2", "2.x.x"]
}
shaped! {
    /// The ARN of an IAM role.
    RoleArn, title: "IAM role ARN", pattern: r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+$", examples: ["arn:aws:iam::111122223333:role/bake"]
}
shaped! {
    /// A KMS key: its ID, its ARN or `alias/NAME`.
    KmsKey, title: "KMS key", pattern: r"^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(key|alias)/[\w/-]+|alias/[\w/-]+|(mrk-)?[0-9a-f-]{32,36})$", examples: ["alias/images"]
}
shaped! {
    /// A name: letters, digits, `.`, `_` and `-`.
    Name, title: "name", pattern: r"^[A-Za-z0-9][A-Za-z0-9._-]*$", examples: ["web"]
}

/// A percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Percent(#[schemars(range(min = 0, max = 200))] pub u16);

/// US dollars.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Dollars(pub serde_json::Number);

impl JsonSchema for Dollars {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Dollars".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1000 })
    }
}

/// A processor architecture, named as in EC2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum ArchitectureChoice {
    /// 64-bit Intel and AMD.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit Arm.
    #[serde(rename = "arm64")]
    Arm64,
}

impl SizeText {
    /// The size in bytes; `None` if the text is not a size.
    pub fn bytes(&self) -> Option<u64> {
        let (number, unit) = self.0.split_at(self.0.find(|c: char| !c.is_ascii_digit())?);
        let power = ["KiB", "MiB", "GiB", "TiB"].iter().position(|known| *known == unit)? + 1;
        number.parse::<u64>().ok()?.checked_mul(1 << (10 * power))
    }
}

impl DurationText {
    /// The duration; `None` if the text is not one. No duration that matches the pattern is too long.
    pub fn duration(&self) -> Option<Duration> {
        let mut total = Duration::ZERO;
        let mut rest = self.0.as_str();
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
            let (number, tail) = rest.split_at(digits);
            let unit_end = tail.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit_end);
            let seconds = match unit {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                "w" => 604_800.0,
                _ => return None,
            };
            let value: f64 = number.parse().ok()?;
            total = total.checked_add(Duration::try_from_secs_f64(value * seconds).ok()?)?;
            rest = tail;
        }
        Some(total)
    }
}

impl Mode {
    /// The permission bits.
    pub fn bits(&self) -> Option<u32> {
        u32::from_str_radix(&self.0, 8).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_add_up() {
        let duration = |text: &str| DurationText(text.to_owned()).duration();
        assert_eq!(duration("10m"), Some(Duration::from_mins(10)));
        assert_eq!(duration("1h30m"), Some(Duration::from_mins(90)));
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("1.5h"), Some(Duration::from_mins(90)));
        assert_eq!(duration("2w"), Some(Duration::from_hours(336)));
        // The longest duration that matches the pattern.
        assert!(duration(&"999999999w".repeat(6)).is_some());
        for wrong in ["", "10", "m", "10 minutes", "1y"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_are_powers_of_two() {
        let bytes = |text: &str| SizeText(text.to_owned()).bytes();
        assert_eq!((bytes("500MiB"), bytes("10GiB")), (Some(500 << 20), Some(10 << 30)));
        assert_eq!((bytes("1KiB"), bytes("999999TiB")), (Some(1024), Some(999_999 << 40)));
        for wrong in ["", "10", "MiB", "10 GiB", "10GB", "99999999999TiB"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn modes_are_octal() {
        assert_eq!(Mode("0644".to_owned()).bits(), Some(0o644));
        assert_eq!(Mode("755".to_owned()).bits(), Some(0o755));
    }
}
