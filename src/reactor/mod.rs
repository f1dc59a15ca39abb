//! A shard's event loop: tokens and bytes, no MQTT.
