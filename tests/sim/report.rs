//! What has been run, in one line of figures.

use crate::run::{Faults, Totals};

impl Totals {
    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.turns += other.turns;
        self.publications += other.publications;
        self.deliveries += other.deliveries;
        self.bytes_in += other.bytes_in;
        self.bytes_lost += other.bytes_lost;
        self.packets_out += other.packets_out;
        self.publishes_out += other.publishes_out;
        self.faults.add(&other.faults);
    }

    /// Prints the totals, with the processor time that this process has used.
    pub fn print(&self) {
        let faults = &self.faults;
        println!(
            "{} seeds, {} steps, {} turns, {} messages in, {} out; faults: {} cuts, {} takeovers, \
             {} moves between shards, {} torn packets, {} stalls, {} clock steps, {} full \
             mailboxes, {} full queues, {} expiries, {} wills, {} shutdowns, \
             {} offences, {} denials; {:.1} s of processor time",
            self.seeds,
            self.steps,
            self.turns,
            self.publications,
            self.deliveries,
            faults.cuts,
            faults.takeovers,
            faults.moves,
            faults.pieces,
            faults.stalls,
            faults.clock_steps,
            faults.full_mailboxes,
            faults.full_queues,
            faults.expiries,
            faults.wills,
            faults.drains,
            faults.offences,
            faults.denials,
            processor_seconds()
        );
    }
}

impl Faults {
    fn add(&mut self, other: &Self) {
        self.cuts += other.cuts;
        self.takeovers += other.takeovers;
        self.moves += other.moves;
        self.pieces += other.pieces;
        self.stalls += other.stalls;
        self.clock_steps += other.clock_steps;
        self.full_mailboxes += other.full_mailboxes;
        self.full_queues += other.full_queues;
        self.expiries += other.expiries;
        self.wills += other.wills;
        self.drains += other.drains;
        self.offences += other.offences;
        self.denials += other.denials;
    }
}

/// Processor time of this process, user and system.
pub fn processor_seconds() -> f64 {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return 0.0 };
    (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6
}
