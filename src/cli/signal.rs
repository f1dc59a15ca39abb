//! `pondhawk signal`: what `mosquitto_signal` does.

use std::path::Path;
use std::{fs, io};

use clap::ValueEnum;
use clap::builder::PossibleValue;
use nix::libc;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::program::Program;

/// What a broker is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Read the configuration again.
    ConfigReload,
    /// Open log files anew.
    LogRotate,
    /// End.
    Shutdown,
    /// Write subscriptions and Retained Messages to the log.
    TreePrint,
}

impl Errand {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::ConfigReload, "config-reload", "read the configuration again"),
        (Self::LogRotate, "log-rotate", "open log files anew"),
        (Self::Shutdown, "shutdown", "end"),
        (Self::TreePrint, "tree-print", "write what is subscribed and retained to the log"),
    ];

    fn number(self) -> i32 {
        match self {
            Self::ConfigReload => Signal::SIGHUP as i32,
            Self::LogRotate => libc::SIGRTMIN(),
            Self::Shutdown => Signal::SIGTERM as i32,
            Self::TreePrint => Signal::SIGUSR2 as i32,
        }
    }
}

impl ValueEnum for Errand {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::ConfigReload, Self::LogRotate, Self::Shutdown, Self::TreePrint]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (_, name, help) = Self::ALL.into_iter().find(|(errand, ..)| errand == self)?;
        Some(PossibleValue::new(name).help(help))
    }
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// The process of that number.
    Process(i32),
    /// Every broker of this name that runs.
    All,
}

/// Sends the signal and returns to how many.
///
/// # Errors
/// When a process cannot be signalled, or processes cannot be listed.
pub(super) fn send(errand: Errand, whom: Whom) -> io::Result<usize> {
    let pids = match whom {
        Whom::Process(pid) => vec![Pid::from_raw(pid)],
        Whom::All => brokers(Path::new("/proc"))?,
    };
    for pid in &pids {
        kill(*pid, errand.number())?;
    }
    Ok(pids.len())
}

/// Sends a signal by its number, which may be one of the real-time signals.
fn kill(pid: Pid, number: i32) -> io::Result<()> {
    match Signal::try_from(number) {
        Ok(signal) => Ok(nix::sys::signal::kill(pid, signal)?),
        // The safe wrapper knows no real-time signals; the shell's own command does.
        Err(_) => {
            let command = format!("kill -{number} {pid}");
            let status = std::process::Command::new("sh").args(["-c", &command]).status()?;
            match status.success() {
                true => Ok(()),
                false => Err(io::Error::other("the shell's kill failed")),
            }
        }
    }
}

/// The brokers that run, this process left out.
fn brokers(proc: &Path) -> io::Result<Vec<Pid>> {
    let own = std::process::id().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir(proc)? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        // A process that has just ended has no name any more.
        let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        let is_broker = [Program::Pondhawk, Program::Mosquitto]
            .iter()
            .any(|program| program.name() == name.trim_end());
        if is_broker && pid.to_string() != own {
            found.push(Pid::from_raw(pid));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_found_by_their_names() {
        let proc = tempfile::tempdir().expect("a temporary directory");
        for (pid, name) in [("11", "pondhawk\n"), ("12", "mosquitto\n"), ("13", "sh\n"), ("x", "")]
        {
            let directory = proc.path().join(pid);
            fs::create_dir(&directory).expect("make a directory");
            fs::write(directory.join("comm"), name).expect("write a file");
        }
        let mut found = brokers(proc.path()).expect("it can be read");
        found.sort();
        assert_eq!(found, [Pid::from_raw(11), Pid::from_raw(12)]);
    }
}
