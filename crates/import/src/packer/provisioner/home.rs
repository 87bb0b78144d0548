//! Home folders.

use crate::template::{Expr, Part, Words};

/// The home folder of a user, in which Packer's scripts run, as the manifest writes it. `user` is a name as the manifest
/// writes it: for a variable, its value decides, since root's home is not below `/home`.
pub(super) fn home(user: &str) -> String {
    home_words(user).manifest()
}

/// The home folder of a user.
pub(super) fn home_words(user: &str) -> Words {
    if user == "root" {
        return Words::text("/root");
    }
    match user.strip_prefix("${{ ").and_then(|code| code.strip_suffix(" }}")).filter(|code| !code.contains("}}")) {
        Some(code) => {
            let code = format!("{code} == 'root' && '/root' || format('/home/{{0}}', {code})");
            Words(vec![Part::Expr(Expr { code, known: None, secret: false, optional: false })])
        }
        None => Words(vec![Part::Text(format!("/home/{user}"))]),
    }
}

#[cfg(test)]
mod tests {
    use super::home;

    #[test]
    fn the_name_of_a_user_may_be_a_variable() {
        assert_eq!(home("root"), "/root");
        assert_eq!(home("ubuntu"), "/home/ubuntu");
        let code = "${{ vars.u == 'root' && '/root' || format('/home/{0}', vars.u) }}";
        assert_eq!(home("${{ vars.u }}"), code);
    }
}
