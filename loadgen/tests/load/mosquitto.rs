//! The generator against Mosquitto, where it is installed.

use super::support::{Broker, number, short};

#[test]
fn every_qos_and_version_is_complete() {
    let Some(mosquitto) = Broker::mosquitto() else { return };
    for (load, copies) in [
        ("p2p --pairs 3 --qos 0 --version 3", 1),
        ("p2p --pairs 3 --qos 1 --version 4 --batch 4", 1),
        ("p2p --pairs 3 --qos 2 --version 5 --batch 2", 1),
        ("p2p --pairs 2 --qos 2 --version 4 --rate 400 --max-lag-ms 10000", 1),
        ("fanout --subs 6 --qos 2", 6),
        ("fanin --pubs 5 --subs 2 --qos 1 --version 5 --threads 2", 1),
    ] {
        let (code, json) = short(load, mosquitto.port);
        assert_eq!(code, 0, "{load}: {json}");
        let sent = number(&json, "/counts/sent");
        assert!(sent > 0, "{load}");
        assert_eq!(number(&json, "/counts/delivered"), sent * copies, "{load}");
        assert_eq!(number(&json, "/counts/unacknowledged"), 0, "{load}");
    }
}
