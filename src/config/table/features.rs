//! Options that turn parts of the protocol off or choose between its ways.

use crate::config::Config;
use crate::config::options::{Spec, options};
use crate::config::words::SharedStrategy;

options! {
    /// Features: what the broker offers. MQTT 5 Clients are told what is off.
    struct Features(config: Config => config.features);

    /// Whether messages may be retained. A Client that retains one regardless is disconnected.
    retain_available: bool = true, Spec::ANY, Applied, Mosquitto;

    /// How often Retained Messages are looked through for those whose Message Expiry Interval has
    /// passed. Whatever this says, none is sent after that.
    retain_expiry_interval: i64 = 0,
        Spec::between(1, 10_000_000).unit("minutes").zero("the broker's own pace"),
        Applied, Mosquitto;

    /// Whether Topic Filters may have wildcards.
    wildcard_subscription_available: bool = true, Spec::ANY, Applied, Pondhawk;

    /// Whether subscriptions may have a Subscription Identifier.
    subscription_identifiers_available: bool = true, Spec::ANY, Applied, Pondhawk;

    /// Whether shared subscriptions (`$share/…`) are offered.
    shared_subscription_available: bool = true, Spec::ANY, Applied, Pondhawk;

    /// How the member of a shared subscription that gets a message is chosen.
    shared_subscription_strategy: SharedStrategy = SharedStrategy::RoundRobin,
        Spec::ANY, Applied, Pondhawk;

    /// Whether a Client with overlapping subscriptions gets a message once for each of them
    /// rather than once.
    allow_duplicate_messages: bool = false, Spec::ANY, Applied, Mosquitto;
}
