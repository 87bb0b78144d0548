//! `expect: {user: …}`.

use ami_bake_core::plan::Probe;
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result, Run};

use crate::poll::Observation;
use crate::shell::{ask, check_user};

/// Checks the user account.
pub(super) async fn look(run: &Run, on: &ConnectedMachine<'_>, probe: &Probe) -> Result<Observation> {
    let Probe::User { name, exists, groups, shell, home } = probe else { return Ok(Observation::Met) };
    check_user(name)?;
    let script = format!(
        "name={}; id -u \"$name\" >/dev/null 2>&1 || exit 3\n\
         getent passwd \"$name\" 2>/dev/null || grep \"^$name:\" /etc/passwd\nid -Gn \"$name\"",
        quote(name)
    );
    let answer = ask(run, on, "look up the user", &script).await?;
    if answer.status == 3 {
        return Ok(if *exists {
            Observation::unmet(format!("expected the user `{name}` to exist, but it does not"))
        } else {
            Observation::Met
        });
    }
    if !exists {
        return Ok(Observation::unmet(format!("expected the user `{name}` not to exist, but it does")));
    }
    let text = answer.text("look up the user")?;
    let (entry, member) = text.trim_end().split_once('\n').ok_or_else(|| {
        Error::build(format!("could not parse the machine's output about the user `{name}`: `{}`", text.trim()))
    })?;
    let fields: Vec<&str> = entry.split(':').collect();
    let member: Vec<&str> = member.split_whitespace().collect();
    for group in groups {
        if !member.contains(&group.as_str()) {
            let member = member.join(", ");
            return Ok(Observation::unmet(format!(
                "expected the user `{name}` in the group `{group}`, but it is in {member}"
            )));
        }
    }
    for (what, expected, field) in [("home folder", home, 5), ("login shell", shell, 6)] {
        let seen = fields.get(field).copied().unwrap_or_default();
        if let Some(expected) = expected
            && expected != seen
        {
            return Ok(Observation::unmet(format!(
                "expected the {what} of `{name}` to be `{expected}`, but it is `{seen}`"
            )));
        }
    }
    Ok(Observation::Met)
}
