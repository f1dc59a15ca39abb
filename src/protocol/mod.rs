//! The MQTT codec: one packet model for all versions, sans-IO.
