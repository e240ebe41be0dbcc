//! Exit codes: the same number means the same thing in every command.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok,
    /// Something failed that no other code names.
    Failure,
    /// The command line was not understood.
    Usage,
    /// The configuration is wrong.
    Configuration,
    /// The server cannot be reached.
    Unreachable,
    /// Not authenticated, or not allowed.
    Denied,
    /// What was asked for does not exist.
    NotFound,
    /// It exists already, or changed in between.
    Conflict,
    /// No quorum, or no answer in time.
    Unavailable,
}

impl Exit {
    /// All of them, by number.
    pub const ALL: [Self; 9] = [
        Self::Ok,
        Self::Failure,
        Self::Usage,
        Self::Configuration,
        Self::Unreachable,
        Self::Denied,
        Self::NotFound,
        Self::Conflict,
        Self::Unavailable,
    ];

    /// Ends the process here and now, without what the C library runs at an ordinary exit: threads
    /// that still write to RocksDB would find its statics gone and abort. The log makes up for
    /// whatever was not flushed.
    pub fn at_once(self) -> ! {
        signal_hook::low_level::exit(i32::from(self.code()))
    }

    /// The number given to the shell.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Configuration => 3,
            Self::Unreachable => 4,
            Self::Denied => 5,
            Self::NotFound => 6,
            Self::Conflict => 7,
            Self::Unavailable => 8,
        }
    }

    /// The meaning in a few words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done",
            Self::Failure => "failure; for a server: it could not start, or was told twice to stop",
            Self::Usage => "the command line was not understood",
            Self::Configuration => "bad configuration",
            Self::Unreachable => "the server cannot be reached",
            Self::Denied => "not authenticated, or not allowed",
            Self::NotFound => "not found",
            Self::Conflict => "conflict: it exists already, or changed in between",
            Self::Unavailable => "no quorum, or no answer in time",
        }
    }

    /// The table for `--help`.
    pub fn table() -> String {
        let lines = Self::ALL.map(|exit| format!("  {}  {}", exit.code(), exit.meaning()));
        format!("Exit codes:\n{}", lines.join("\n"))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
