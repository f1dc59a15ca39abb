//! A configuration as text: TOML that reads back as the same configuration.

use super::options::Opt;
use super::schema::Config;
use super::table::{LISTENER_SECTIONS, SECTIONS};

/// Which options are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of them; those without a value as comments that say what holds then.
    All,
    /// Those that differ from their default.
    Changed,
}

impl Config {
    /// The configuration in TOML.
    pub fn to_toml(&self, extent: Extent) -> String {
        let mut text = String::new();
        for section in &SECTIONS {
            write_options(&mut text, section.title, section.options, self, extent);
        }
        if self.local_only {
            let ports: Vec<_> = self.listeners.iter().map(|l| l.port.to_string()).collect();
            text.push_str(&format!(
                "\n# No listener is configured: port {} of the loopback interface.\n",
                ports.join(", ")
            ));
            return text.trim_start().into();
        }
        for listener in &self.listeners {
            text.push_str("\n[[listener]]\n");
            for section in &LISTENER_SECTIONS {
                write_options(&mut text, "", section.options, listener, extent);
            }
        }
        text.trim_start().into()
    }
}

fn write_options<T: Default>(
    text: &mut String,
    title: &str,
    options: &[Opt<T>],
    target: &T,
    extent: Extent,
) {
    let default = T::default();
    if extent == Extent::All && !title.is_empty() {
        text.push_str(&format!("\n# {title}\n"));
    }
    for option in options {
        match (option.show)(target) {
            // The port is what a listener is known by.
            Some(value) if extent == Extent::All || option.name == "port" => {
                text.push_str(&format!("{} = {value}\n", option.name));
            }
            Some(value) if !option.same(target, &default) => {
                text.push_str(&format!("{} = {value}\n", option.name));
            }
            None if extent == Extent::All => {
                text.push_str(&format!("# {}: {}\n", option.name, option.spec.unset));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::tests::{listener_samples, parse, samples};
    use crate::config::table::Listener;

    #[test]
    fn what_is_written_reads_back_as_the_same() {
        let whole = parse("t", &samples()).expect("the samples are valid");
        let mut local = whole.clone();
        local.local_only = true;
        local.listeners = vec![Listener::default()];
        for extent in [Extent::All, Extent::Changed] {
            let text = whole.to_toml(extent);
            assert_eq!(parse("t", &text).expect("it is valid"), whole, "{text}");
            let text = local.to_toml(extent);
            assert_eq!(parse("t", &text).expect("it is valid").listeners, [], "{text}");
        }
    }

    #[test]
    fn every_listener_option_reads_back() {
        let whole = Config { listeners: vec![listener_samples()], ..Config::default() };
        for extent in [Extent::All, Extent::Changed] {
            let text = whole.to_toml(extent);
            let read = crate::config::file::parse("t", &text);
            assert_eq!(read.config.listeners, whole.listeners, "{text}");
        }
    }

    #[test]
    fn what_is_not_changed_is_left_out() {
        let mut config = Config { listeners: vec![Listener::default()], ..Config::default() };
        config.clients.max_keepalive = 60;
        assert_eq!(
            config.to_toml(Extent::Changed),
            "max_keepalive = 60\n\n[[listener]]\nport = 1883\n"
        );
    }
}
