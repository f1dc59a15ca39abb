//! The control plane: everything that may wait, on one thread.
//!
//! [`run()`] starts an actix system on the calling thread and returns when the broker has ended.
//! In it:
//! - [`Supervisor`] leads the broker through its [`Phase`]s, binds listeners and hands them to the
//!   shards, reloads the configuration, and stops.
//! - [`metrics`] samples the shards' counters and decides the memory pressure.
//! - [`sys`] keeps the topics below `$SYS` up to date.
//! - [`Inherited`] are sockets that the service manager has opened for the broker.
//! - [`AccessFiles`] reads password and access control files before a configuration comes into
//!   force; [`Passwords`] checks passwords on threads of its own.
//! - [`signals`] turns signals into messages to the supervisor.
//!
//! # When an actor panics
//! [`keeper`] runs each actor in a future that catches the panic, logs it, and after a pause
//! makes the actor anew. What must outlive an actor is in the [`Estate`]: the configuration in
//! force, the sockets handed over, the phase. The shards own the sockets and know nothing of all
//! this, so clients never notice. Actors that the supervisor keeps end with it and begin anew with
//! it.
//!
//! # Meeting the data plane
//! Through [`DataPlane`] alone, which is [`shard::Handle`](crate::shard::Handle) in the broker
//! and a fake in tests. Its calls return at once.

pub mod keeper;
pub mod listeners;
pub mod log;
pub mod metrics;
pub mod random;
pub mod signals;
pub mod sys;

mod access;
mod estate;
mod inherited;
mod lifecycle;
mod pace;
mod pages;
mod passwords;
mod plane;
mod prepare;
mod pressure;
mod remote;
mod run;
mod secrets;
mod secure;
mod service;
mod socket_file;
mod sockets;
mod supervisor;
mod trim;
mod watch;

pub use access::AccessFiles;
pub use estate::Estate;
pub use inherited::Inherited;
pub use lifecycle::{Lifecycle, Phase};
pub use pages::serve_pages;
pub use passwords::Passwords;
pub use plane::DataPlane;
pub use prepare::{Checked, Prepare, Steps, prepare};
pub use remote::Remote;
pub use run::{Setup, run};
pub use secure::Secure;
pub use sockets::{Bound, Fresh, open_all};
pub use supervisor::{Outcome, Reload, Reloads, ReopenLog, Stop, Supervisor};
pub use trim::keep_until_trimmed;
pub use watch::Watch;
