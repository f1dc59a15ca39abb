//! How the rest of the process starts the shards and speaks to them.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use super::driver::{Driver, DriverCommand};
use super::pages::{Ask, Page};
use super::{Command, Settings, Shard, Shared};
use crate::auth::Methods;
use crate::config::ListenerRuntime;
use crate::metrics::Snapshot;
use crate::protocol::Message;
use crate::reactor::{Clock, Reactor, ReactorConfig};
use crate::sync::{Arc, Ordering};
use crate::transport::ListenSocket;
use crate::util::SetAside;

/// The running shard threads.
pub struct Shards {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Shards {
    /// Starts one thread for each configured shard, without enhanced authentication methods.
    ///
    /// # Errors
    /// When the system refuses a poll instance or a thread.
    pub fn start(settings: Arc<Settings>) -> io::Result<Self> {
        Self::start_with(settings, Methods::default())
    }

    /// Like [`Shards::start`], with these authentication methods on offer.
    ///
    /// # Errors
    /// When the system refuses a poll instance or a thread.
    pub fn start_with(settings: Arc<Settings>, methods: Methods) -> io::Result<Self> {
        let config = Arc::clone(&settings.runtime);
        let shared = Arc::new(Shared::new(config.shards, config.turn.mailbox_high_water, methods));
        let clock = Clock::start();
        let mut threads = Vec::with_capacity(config.shards);
        for id in 0..config.shards as u16 {
            let mut reactor = Reactor::new(ReactorConfig { clock, spin_us: 0 })?;
            shared.mailboxes[usize::from(id)].attach(reactor.waker());
            let (shared, settings) = (Arc::clone(&shared), Arc::clone(&settings));
            let run = move || {
                if settings.runtime.pin_shards {
                    pin(id);
                }
                let shard = Shard::new(id, shared, settings, reactor.now());
                let mut driver = match Driver::new(shard, &reactor) {
                    Ok(driver) => driver,
                    Err(error) => fail(id, &error.to_string()),
                };
                if let Err(error) = reactor.run(&mut driver) {
                    fail(id, &error.to_string());
                }
            };
            let guarded = move || {
                if catch_unwind(AssertUnwindSafe(run)).is_err() {
                    fail(id, "it panicked");
                }
            };
            threads.push(thread::Builder::new().name(format!("shard-{id}")).spawn(guarded)?);
        }
        Ok(Self { shared, threads })
    }

    /// A handle for the control plane.
    pub fn handle(&self) -> Handle {
        Handle { shared: Arc::clone(&self.shared) }
    }

    /// Waits for the threads, after [`Handle::stop`].
    pub fn join(self) {
        for thread in self.threads {
            // A shard that panicked has ended the process already.
            let _ = thread.join();
        }
    }
}

/// A shard that fails takes its sessions with it, and nothing acknowledged may be lost quietly:
/// the process ends, and a service manager starts it again.
fn fail(id: u16, why: &str) -> ! {
    tracing::error!(target: "error", "Shard {id} has failed: {why}. The broker stops.");
    // The log's writer thread gets its last line out.
    thread::sleep(std::time::Duration::from_millis(100));
    std::process::abort();
}

/// Keeps the shard's thread on one core: the `id`-th of those that the process may use.
fn pin(id: u16) {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;
    let own = Pid::from_raw(0);
    let Ok(allowed) = sched_getaffinity(own) else { return };
    let cores: Vec<usize> =
        (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false)).collect();
    let Some(core) = cores.get(usize::from(id) % cores.len().max(1)) else { return };
    let mut only = CpuSet::new();
    let pinned = only.set(*core).and_then(|()| sched_setaffinity(own, &only));
    if let Err(error) = pinned {
        tracing::warn!(
            target: "warning",
            "Shard {id} could not be pinned to core {core}: {error}."
        );
    }
}

/// The control plane's way to the shards. Every call returns at once.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    fn push(&self, shard: usize, command: Command) {
        let weight = command.weight();
        self.shared.mailboxes[shard].push(vec![command], weight);
    }

    fn push_all(&self, command: impl Fn() -> Command) {
        for shard in 0..self.shared.shards() {
            self.push(shard, command());
        }
    }

    /// Gives a bound, listening socket to a shard, which accepts for all.
    pub fn listen(&self, id: u32, socket: ListenSocket, settings: Arc<ListenerRuntime>) {
        let command = DriverCommand::Listen { id, socket, settings };
        self.push(id as usize % self.shared.shards(), Command::Driver(Box::new(command)));
    }

    /// Closes a listening socket.
    pub fn unlisten(&self, id: u32) {
        self.push_all(|| Command::Driver(Box::new(DriverCommand::Unlisten { id })));
    }

    /// Stop accepting, say goodbye to every Client, close.
    pub fn drain(&self) {
        self.push_all(|| Command::Drain);
    }

    /// Live connections, about.
    pub fn connections(&self) -> usize {
        self.shared.connections()
    }

    /// Makes every shard write to the log what it holds.
    pub fn describe(&self) {
        self.push_all(|| Command::Driver(Box::new(DriverCommand::Describe)));
    }

    /// Ends the shard threads.
    pub fn stop(&self) {
        self.push_all(|| Command::Driver(Box::new(DriverCommand::Stop)));
        self.shared.pages.end();
    }

    /// Waits for a request for a file; `None` when the broker ends. For one thread.
    pub fn next_page(&self) -> Option<Ask> {
        self.shared.pages.next()
    }

    /// Answers a request for a file.
    pub fn send_page(&self, shard: u16, page: Page) {
        let command = DriverCommand::from(page);
        self.push(usize::from(shard), Command::Driver(Box::new(command)));
    }

    /// Other settings come into force.
    pub fn apply(&self, settings: Arc<Settings>) {
        self.push_all(|| Command::Apply(Arc::clone(&settings)));
    }

    /// Publishes messages of the broker itself: each goes to the shard that owns its topic. This
    /// is the only way to the topics below `$SYS`; Clients cannot write there.
    pub fn publish(&self, messages: Vec<Message>) {
        let mut batches: Vec<_> = (0..self.shared.shards()).map(|_| (Vec::new(), 0)).collect();
        for message in messages {
            let owner = self.shared.owner(self.shared.topic_hash(message.topic()));
            let (batch, weight) = &mut batches[usize::from(owner)];
            let command = Command::Announce(message);
            *weight += command.weight();
            batch.push(command);
        }
        for (mailbox, (batch, weight)) in self.shared.mailboxes.iter().zip(batches) {
            if !batch.is_empty() {
                mailbox.push(batch, weight);
            }
        }
    }

    /// The sum of all shards' counters.
    pub fn snapshot(&self) -> Snapshot {
        self.shared.snapshot()
    }

    /// Sets the memory pressure, 0 to 3.
    pub fn pressure(&self, level: u8) {
        self.shared.set_pressure(level);
    }

    /// Has each shard send the free memory that the allocator has set aside for its thread.
    pub fn hand_over(&self, to: &mpsc::Sender<SetAside>) {
        self.push_all(|| Command::Driver(Box::new(DriverCommand::HandOver(to.clone()))));
    }

    /// Has each shard give the end of its thread's heap back to the system.
    pub fn give_back(&self) {
        self.push_all(|| Command::Driver(Box::new(DriverCommand::GiveBack)));
    }

    /// Commands waiting in each shard's mailbox, and connections on each shard.
    pub fn shard_loads(&self) -> Vec<(usize, u32)> {
        let mailboxes = self.shared.mailboxes.iter();
        // Relaxed: figures for people.
        mailboxes
            .zip(&self.shared.load)
            .map(|(mailbox, load)| (mailbox.depth_commands(), load.load(Ordering::Relaxed)))
            .collect()
    }
}
