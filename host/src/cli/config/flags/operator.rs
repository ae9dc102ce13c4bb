//! The folders and files of a server, as flags of the operator's commands.

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::folders::FolderArgs;

/// The heading of the flags that are of no use while the server runs: the server has the plugins and keys.
const HEADING: &str = "Without a running server";
/// The flags that find the server.
const FIND_THE_SERVER: [&str; 2] = ["config", "data"];

/// Flags of a command that the running server carries out. They are those of [`FolderArgs`]. The ones that only matter without
/// a server are not in `-h`, and in `--help` under a heading of their own.
#[derive(Default, Clone)]
pub(in crate::cli) struct OperatorArgs(FolderArgs);

impl From<OperatorArgs> for FolderArgs {
    fn from(args: OperatorArgs) -> Self {
        args.0
    }
}

impl FromArgMatches for OperatorArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        FolderArgs::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl Args for OperatorArgs {
    fn augment_args(command: Command) -> Command {
        set_apart(FolderArgs::augment_args(command))
    }

    fn augment_args_for_update(command: Command) -> Command {
        set_apart(FolderArgs::augment_args_for_update(command))
    }
}

fn set_apart(command: Command) -> Command {
    let folders = FolderArgs::augment_args(Command::new("folders"));
    let is_apart = |arg: &Arg| {
        let id = arg.get_id();
        !FIND_THE_SERVER.contains(&id.as_str()) && folders.get_arguments().any(|flag| flag.get_id() == id)
    };
    command.mut_args(|arg| match is_apart(&arg) {
        true => arg.help_heading(HEADING).hide_short_help(true),
        false => arg,
    })
}
