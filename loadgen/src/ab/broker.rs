//! A broker process that lives as long as the comparison.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::args::BrokerCommand;
use crate::failure::Failure;

/// How long a broker may take to listen, and to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);

/// A running broker; ended when dropped.
pub struct BrokerProcess {
    /// Name in the report.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
}

impl BrokerProcess {
    /// Starts a broker on a free port and waits until it listens.
    ///
    /// # Errors
    /// If it cannot be started, ends, or does not listen within ten seconds.
    pub fn start(broker: &BrokerCommand) -> Result<Self, Failure> {
        let address = free_address()?;
        let port = address.port().to_string();
        let mut command = match &broker.command {
            Some(line) => {
                let mut shell = Command::new("sh");
                // exec, so that the process is the broker and not the shell.
                shell.arg("-c").arg(format!("exec {}", line.replace("{port}", &port)));
                shell
            }
            None => {
                let mut own = Command::new(std::env::current_exe()?);
                own.args(["null", "--port", &port]);
                own
            }
        };
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = child.spawn().map_err(|error| Failure::of(&broker.name, error))?;
        let mut process = Self { name: broker.name.clone(), address, child };
        process.await_listening()?;
        Ok(process)
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn await_listening(&mut self) -> Result<(), Failure> {
        let begin = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(Failure::of(&self.name, format!("ended at once: {status}")));
            }
            if begin.elapsed() > PATIENCE {
                return Err(Failure::of(
                    &self.name,
                    format!("does not listen on {}", self.address),
                ));
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for BrokerProcess {
    fn drop(&mut self) {
        let begin = Instant::now();
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        while matches!(self.child.try_wait(), Ok(None)) {
            if begin.elapsed() > PATIENCE {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            thread::sleep(LOOK);
        }
    }
}

/// A loopback address nobody listens on just now.
fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
