//! Home folders.

/// The home folder of a user, in which Packer's scripts run.
pub(super) fn home(user: &str) -> String {
    if user == "root" { "/root".to_owned() } else { format!("/home/{user}") }
}
