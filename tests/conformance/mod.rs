//! Which tests show which statement of the specifications, and which guard against a fault known
//! from other brokers; collected from the tests themselves.
//!
//! A test says what it shows at the end of its doc comment:
//!
//! ```text
//! /// Shows 5.0 [MQTT-3.3.1-5], [MQTT-3.3.1-8]; 3.1.1 [MQTT-3.3.1-5].
//! ```
//!
//! A test that guards against a fault has the fault's number at the front of its name (`b14_`).
//! `mqtt-5.0.tsv` and `mqtt-3.1.1.tsv` list every numbered statement with whom it binds, in words
//! of our own; `faults.tsv` lists the faults. From these and the tests `docs/conformance.md` and
//! `docs/faults.md` are written:
//!
//! ```sh
//! POND_WRITE_PAGES=1 cargo test --test tidy
//! ```

mod check;
mod evidence;
mod page;
mod statements;
