//! The command `ami-bake completions`.

use clap_complete::Shell;

use crate::program::Program;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake completions bash > ~/.local/share/bash-completion/completions/ami-bake
  ami-bake completions zsh  > ~/.zfunc/_ami-bake
  ami-bake completions fish > ~/.config/fish/completions/ami-bake.fish")]
pub(crate) struct Args {
    /// Shell to print the script for
    shell: Shell,
}

/// Prints completions; `surface` is the whole command line.
pub(crate) fn run(args: &Args, surface: &mut clap::Command, program: &Program) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, surface, "ami-bake", &mut script);
    program.host.data(&String::from_utf8_lossy(&script));
    0
}
