//! Which processors brokers and generator run on.

use std::str::FromStr;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::failure::Failure;

/// Processors of the brokers and of the generator.
///
/// A message costs a broker more CPU time when its peer runs on another core than when
/// both share one, because the socket's cache lines travel. Left alone the scheduler does now this,
/// now that, which widens the spread of any comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    broker: Vec<usize>,
    generator: Vec<usize>,
}

impl FromStr for Placement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (broker, generator) = text.split_once('/').ok_or("expected BROKER/GENERATOR")?;
        Ok(Self { broker: processors(broker)?, generator: processors(generator)? })
    }
}

impl Placement {
    /// Moves this thread, and what it starts from now on, to the brokers' processors.
    ///
    /// # Errors
    /// If the machine does not have them.
    pub fn enter_broker(&self) -> Result<(), Failure> {
        enter(&self.broker)
    }

    /// Moves this thread, and what it starts from now on, to the generator's processors.
    ///
    /// # Errors
    /// If the machine does not have them.
    pub fn enter_generator(&self) -> Result<(), Failure> {
        enter(&self.generator)
    }
}

fn enter(processors: &[usize]) -> Result<(), Failure> {
    let mut set = CpuSet::new();
    let of = |error| Failure::of(&format!("processors {processors:?}"), error);
    processors.iter().try_for_each(|&processor| set.set(processor)).map_err(of)?;
    sched_setaffinity(Pid::from_raw(0), &set).map_err(of)
}

fn processors(text: &str) -> Result<Vec<usize>, String> {
    let number = |text: &str| text.parse().map_err(|_| format!("'{text}' is no processor"));
    text.split(',').map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_listed_for_each_side() {
        let placement = "0,2/1".parse();
        assert_eq!(placement, Ok(Placement { broker: vec![0, 2], generator: vec![1] }));
        assert!("0".parse::<Placement>().is_err());
        assert!("0/x".parse::<Placement>().is_err());
    }
}
