//! Valid names of AMIs.

use ami_bake_core::plan::ImagePlan;
use ami_bake_core::{Error, Result, version};

/// Valid lengths of an AMI name (EC2 API, RegisterImage, `Name`).
const LENGTHS: std::ops::RangeInclusive<usize> = 3..=128;
/// Characters that an AMI name may have besides ASCII letters and digits (same page).
const SIGNS: &str = "()[] ./-'@_";

/// The final name of a plan's image. Build metadata of its version is written so that EC2 accepts it.
///
/// # Errors
/// When EC2 would refuse the name.
pub(crate) fn of_plan(plan: &ImagePlan) -> Result<String> {
    let spelled = plan.settings.name.replace(&plan.version.to_string(), &version::in_name(&plan.version));
    validate_name(&spelled)?;
    Ok(spelled)
}

/// Refuses a name that EC2 would refuse; the error has the position in the name.
pub(crate) fn validate_name(name: &str) -> Result<()> {
    let help = format!(
        "An AMI name has {} to {} characters: letters, digits, spaces and any of ( ) [ ] . / - ' @ _",
        LENGTHS.start(),
        LENGTHS.end()
    );
    let length = name.chars().count();
    if !LENGTHS.contains(&length) {
        return Err(Error::preflight(format!("invalid image name {name:?}: it has {length} characters")).help(help));
    }
    match name.chars().enumerate().find(|(_, character)| !allowed(*character)) {
        None => Ok(()),
        Some((at, character)) => Err(Error::preflight(format!(
            "invalid image name {name:?}: EC2 does not allow {character:?} at character {}",
            at + 1
        ))
        .help(help)),
    }
}

fn allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || SIGNS.contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_signs_are_those_of_the_api() {
        for good in ["abc", "web/api-x86_64/1.2.3", "it's (new) [v2] a@b", &"x".repeat(128)] {
            assert!(validate_name(good).is_ok(), "{good}");
        }
        assert!(validate_name("ab").unwrap_err().to_string().contains("2 characters"));
        assert!(validate_name(&"x".repeat(129)).unwrap_err().to_string().contains("129 characters"));
        for (bad, place) in
            [("web+1", "'+' at character 4"), ("wéb", "'é' at character 2"), ("a:bc", "':' at character 2")]
        {
            let error = validate_name(bad).unwrap_err();
            assert!(error.to_string().contains(place), "{error}");
            assert!(error.help_text().unwrap().contains("3 to 128"));
        }
    }
}
