//! `ami-bake completions`

use clap_complete::Shell;

use crate::cli;
use crate::ui::Ui;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ami-bake completions bash > ~/.local/share/bash-completion/completions/ami-bake
  ami-bake completions zsh  > ~/.zfunc/_ami-bake
  ami-bake completions fish > ~/.config/fish/completions/ami-bake.fish")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args, ui: Ui) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli::command(), "ami-bake", &mut script);
    ui.data(&String::from_utf8_lossy(&script));
    0
}
