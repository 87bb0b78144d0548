//! Lists the installed packages of a machine.

use std::collections::BTreeMap;

use ami_bake_core::Result;
use ami_bake_core::Run;
use ami_bake_core::event::Package;
use ami_bake_core::output::sanitize;
use ami_bake_core::provision::ConnectedMachine;

use crate::shell::ask;

/// The packages of dpkg, rpm or apk; empty if the machine has none of them.
pub(crate) async fn packages(run: &Run, on: &ConnectedMachine<'_>) -> Result<Vec<Package>> {
    let text = ask(run, on, "list the installed packages", include_str!("packages.sh")).await?;
    Ok(parse(&text.text("list the installed packages")?))
}

/// Parses lines of name, version and architecture. The name includes the architecture if a package has several.
fn parse(text: &str) -> Vec<Package> {
    let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split('\t').map(sanitize);
        if let (Some(name), Some(version), architecture) = (fields.next(), fields.next(), fields.next())
            && !name.is_empty()
        {
            found.entry(name).or_default().push((architecture.unwrap_or_default(), version));
        }
    }
    let mut packages: Vec<Package> = Vec::new();
    for (name, builds) in found {
        let several = builds.iter().any(|(architecture, _)| *architecture != builds[0].0);
        packages.extend(builds.into_iter().map(|(architecture, version)| Package {
            name: if several { format!("{name}:{architecture}") } else { name.clone() },
            version,
        }));
    }
    packages.sort();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_architecture_is_reported_where_there_are_several() {
        let packages =
            parse("zlib\t1.3\tx86_64\nlibc6\t2.36\tamd64\nlibc6\t2.36\ti386\nkernel\t6.2\tx\nkernel\t6.1\tx\n\n");
        let texts: Vec<String> =
            packages.iter().map(|package| format!("{} {}", package.name, package.version)).collect();
        assert_eq!(texts, ["kernel 6.1", "kernel 6.2", "libc6:amd64 2.36", "libc6:i386 2.36", "zlib 1.3"]);
    }
}
