//! Publishers on different shards replace one Retained Message at the same time.

use std::thread;

use crate::support::Version::{V5, V311};
use crate::support::broker::{Options, each_broker};
use crate::support::client::Client;
use crate::support::fresh;

#[test]
fn c14_what_is_retained_is_what_everyone_saw_last() {
    let options = Options::default().set("max_queued_messages", 0);
    each_broker(&options, |broker| {
        for _ in 0..10 {
            let topic = fresh("c14");
            let mut watchers: Vec<Client> = (0..4)
                .map(|_| {
                    let mut client = Client::connect(broker, V311, &fresh("c14-w"));
                    client.subscribe(&topic, 1);
                    client
                })
                .collect();
            let publishers: Vec<Client> =
                (0..3).map(|_| Client::connect(broker, V5, &fresh("c14-p"))).collect();
            thread::scope(|scope| {
                for (lane, mut publisher) in publishers.into_iter().enumerate() {
                    let topic = &topic;
                    scope.spawn(move || {
                        for number in 0..50 {
                            publisher.publish_retained(topic, format!("{lane}:{number}"), 1);
                        }
                    });
                }
            });
            let mut late = Client::connect(broker, V5, &fresh("c14-l"));
            late.subscribe(&topic, 1);
            let kept = late.receive().text().to_owned();
            for watcher in &mut watchers {
                let last = (0..150).map(|_| watcher.receive().text().to_owned()).last().unwrap();
                assert_eq!(last, kept);
            }
        }
    });
}
