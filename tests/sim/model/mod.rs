//! The model broker: what the specification demands, as plain and slow code.
//!
//! It is told what the broker has handled and what it has written, in the order in which that
//! happened, and objects to what it does not allow. It has no shards, no queues and no buffers;
//! what it knows of the real broker is what an observer at its sockets knows, and how long a
//! message may take from one shard to another.
//!
//! # What is left open
//! A message takes effect at once on the shard that handles it and some turns later on others.
//! So each message has a *window*: from the moment its PUBLISH was handled ([`Publication::from`])
//! to the moment by which it has surely reached every shard ([`Model::settled`]). A subscription
//! that holds throughout the window *must* get it, one that holds at some moment of it *may*, any
//! other *must not*. With one shard a window is a single moment and nothing is left open.
//! [`ledger`] has the same for what may be dropped: each message that was owed and did not come
//! needs a reason, and the broker's counters have to name just as many of each.
//!
//! - [`time`] moments, windows, spans; [`filter`] which topics a filter matches;
//! - [`publication`] a message and its window; [`session`] what a session is owed;
//! - [`broker`] what each packet means; [`lifetime`] the beginning and end of sessions, Wills;
//! - [`said`] what each answer has to be; [`delivery`] what a PUBLISH of the broker has to be;
//! - [`retained`] Retained Messages, with [`pairs`] for those that look alike;
//! - [`ledger`] the final account.

pub mod broker;
mod delivery;
mod filter;
pub mod ledger;
pub mod lifetime;
mod pairs;
mod publication;
mod retained;
mod said;
mod session;
mod time;
