//! Home folders.

/// The home of a user, which Packer's scripts run in.
pub(super) fn home(user: &str) -> String {
    if user == "root" { "/root".to_owned() } else { format!("/home/{user}") }
}
