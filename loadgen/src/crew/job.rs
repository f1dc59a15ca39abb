//! What a process is to do.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use serde::{Deserialize, Serialize};

use crate::engine::{Fleet, FleetSettings};
use crate::net::{Dialer, Endpoint, Sources, TlsSettings, client_config, raise_descriptor_limit};
use crate::plan::{Plan, Share};
use crate::result::Slice;
use crate::scenario::{Scenario, Setting};

/// A process's part in a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Name of the scenario.
    pub name: String,
    /// Its text.
    pub text: String,
    /// The settings applied to it.
    pub settings: Vec<(String, String)>,
    /// Which part.
    pub share: Share,
    /// Whom to load.
    pub targets: Vec<Endpoint>,
    /// What TLS trusts and shows; files are those of the machine that reads them.
    pub tls: TlsSettings,
    /// Where connections come from.
    pub sources: Sources,
    /// Clients of the processes before this one.
    pub offset: u64,
    /// Clients subscribe only when they are told to.
    pub wait_to_subscribe: bool,
    /// The processes are on machines with different clocks.
    pub foreign_clocks: bool,
    /// When interval 0 begins, in the clock of the one who reads it.
    pub epoch_ns: u64,
}

impl Job {
    /// The job of one part of a scenario.
    pub fn new(scenario: &Scenario, targets: Vec<Endpoint>, sources: Sources) -> Self {
        let settings = &scenario.settings;
        let pair = |setting: &Setting| (setting.key.clone(), setting.value.clone());
        Self {
            name: scenario.name.clone(),
            text: scenario.text.clone(),
            settings: settings.iter().map(pair).collect(),
            share: Share::WHOLE,
            targets,
            tls: TlsSettings::default(),
            sources,
            offset: 0,
            wait_to_subscribe: false,
            foreign_clocks: false,
            epoch_ns: 0,
        }
    }

    /// The scenario, read again.
    ///
    /// # Errors
    /// If it cannot be, as when the other side has another version.
    pub fn scenario(&self) -> Result<Scenario, String> {
        let settings: Vec<_> =
            self.settings.iter().map(|(key, value)| Setting::new(key, value)).collect();
        Scenario::read(&self.name, &self.text, &settings).map_err(|problems| {
            let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
            lines.join("\n")
        })
    }

    /// Starts the threads; nothing is connected yet.
    ///
    /// # Errors
    /// If the scenario cannot be shared, a file is of no use, or a limit is in the way.
    pub fn launch(&self, slices: Sender<Slice>) -> Result<Fleet, String> {
        let plan = Plan::new(Arc::new(self.scenario()?), self.share)?;
        raise_descriptor_limit(plan.seats.len() as u64)?;
        let secure = self.targets.iter().any(|target| target.tls);
        let tls = if secure { Some(client_config(&self.tls)?) } else { None };
        let dialer =
            Dialer::new(self.targets.clone(), self.sources.clone(), tls, self.offset as usize);
        let settings = FleetSettings {
            dialer,
            epoch_ns: self.epoch_ns,
            wait_to_subscribe: self.wait_to_subscribe,
            foreign_clocks: self.foreign_clocks,
            slices,
        };
        Fleet::launch(Arc::new(plan), settings).map_err(|error| error.to_string())
    }
}
