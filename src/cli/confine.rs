//! What a run is allowed to be: the options that every command which looks at strangers' octets has in common.
//!
//! Knows their names. Whether there is such a user, and what this kernel can hold back, is for `app` to find out.

use clap::Args;

#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct ConfineArgs {
    /// Started by root: go on as this user when all is open [default: who called sudo, else nobody]
    #[arg(long, value_name = "NAME", help_heading = "Privileges")]
    pub user: Option<String>,
    /// Leave Landlock and seccomp out: a hostile frame that takes over the program may then do whatever you may
    #[arg(long, help_heading = "Privileges")]
    pub no_sandbox: bool,
}

/// How a run gives up what it does not need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confinement {
    /// As whom a run that root started goes on, by name or number; `None`: who called sudo, else `nobody`.
    pub user: Option<String>,
    /// Landlock and seccomp are put on.
    pub sandbox: bool,
}

impl From<ConfineArgs> for Confinement {
    fn from(args: ConfineArgs) -> Confinement {
        Confinement { user: args.user, sandbox: !args.no_sandbox }
    }
}
