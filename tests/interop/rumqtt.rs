//! rumqttc, which runs in this process: one small runtime for each client.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, Sender, channel};

use rumqttc::v5::mqttbytes::v5::{ConnectProperties, Filter, LastWill, Packet, PublishProperties};
use rumqttc::{Outgoing, v5};
use tokio::runtime::{Builder, Runtime};

use crate::clients::{Client, Connect, Message, Version};
use crate::support::broker::PATIENCE;

/// As large as the broker's limit.
const PACKET_SIZE_MAX: u32 = 16 << 20;

/// What a client waits for.
#[derive(Debug)]
enum Event {
    Connected {
        session_present: bool,
    },
    Granted(u8),
    /// QoS 0: written; QoS 1 and 2: acknowledged.
    Published,
}

type Deliver = Box<dyn Fn(Message) + Send>;

enum Handle {
    V4(rumqttc::AsyncClient),
    V5(v5::AsyncClient),
}

/// A client; its connection is lost when it is dropped.
pub struct Rumqtt {
    deliver: Option<Deliver>,
    // Dropping the runtime drops the event loop and with it the socket.
    runtime: Option<Runtime>,
    handle: Option<Handle>,
    events: Option<Receiver<Event>>,
    aliases: HashSet<u16>,
}

impl Rumqtt {
    /// A client that is not connected yet; `deliver` is given each message that comes.
    pub fn new(deliver: Deliver) -> Rumqtt {
        Rumqtt {
            deliver: Some(deliver),
            runtime: None,
            handle: None,
            events: None,
            aliases: HashSet::new(),
        }
    }

    fn wait(&self) -> Event {
        let events = self.events.as_ref().expect("connected");
        events.recv_timeout(PATIENCE).expect("rumqttc reports the broker's answer")
    }

    fn handle(&self) -> &Handle {
        self.handle.as_ref().expect("connected")
    }
}

impl Client for Rumqtt {
    fn connect(&mut self, port: u16, version: Version, options: &Connect) -> bool {
        let deliver = self.deliver.take().expect("connects once");
        let (sender, events) = channel();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let handle = match version {
            Version::V5 => {
                let (client, driver) = v5::AsyncClient::new(options_v5(port, options), 100);
                runtime.spawn(drive_v5(driver, sender, deliver));
                Handle::V5(client)
            }
            Version::V31 | Version::V311 => {
                let (client, driver) = rumqttc::AsyncClient::new(options_v4(port, options), 100);
                runtime.spawn(drive_v4(driver, sender, deliver));
                Handle::V4(client)
            }
        };
        self.runtime = Some(runtime);
        self.handle = Some(handle);
        self.events = Some(events);
        match self.wait() {
            Event::Connected { session_present } => session_present,
            other => panic!("CONNACK expected, not {other:?}"),
        }
    }

    fn subscribe(&mut self, filter: &str, qos: u8) -> u8 {
        match self.handle() {
            Handle::V4(client) => client.try_subscribe(filter, qos_v4(qos)).expect("subscribe"),
            Handle::V5(client) => {
                let filter = Filter::new(filter, qos_v5(qos));
                client.try_subscribe_many([filter]).expect("subscribe");
            }
        }
        match self.wait() {
            Event::Granted(qos) => qos,
            other => panic!("SUBACK expected, not {other:?}"),
        }
    }

    fn publish(&mut self, message: &Message, alias: Option<u16>) -> bool {
        let Message { topic, payload, qos, retain } = message.clone();
        let aliased = alias.is_some_and(|alias| !self.aliases.insert(alias));
        match self.handle() {
            Handle::V4(client) => client.try_publish(topic, qos_v4(qos), retain, payload).unwrap(),
            Handle::V5(client) => {
                let topic = if aliased { String::new() } else { topic };
                let properties = PublishProperties { topic_alias: alias, ..Default::default() };
                let qos = qos_v5(qos);
                client
                    .try_publish_with_properties(topic, qos, retain, payload, properties)
                    .unwrap();
            }
        }
        match self.wait() {
            Event::Published => aliased,
            other => panic!("an acknowledgement expected, not {other:?}"),
        }
    }

    fn leave(&mut self) {
        match self.handle() {
            Handle::V4(client) => client.try_disconnect().expect("disconnect"),
            Handle::V5(client) => client.try_disconnect().expect("disconnect"),
        }
        // The driver ends when the broker has closed the connection, and drops its sender.
        let ended = self.events.as_ref().expect("connected").recv_timeout(PATIENCE);
        assert!(ended.is_err(), "nothing comes after DISCONNECT: {ended:?}");
    }

    fn cut(&mut self) {
        self.runtime.take().expect("connected").shutdown_timeout(PATIENCE);
    }
}

fn qos_v4(qos: u8) -> rumqttc::QoS {
    rumqttc::qos(qos).expect("a QoS")
}

fn qos_v5(qos: u8) -> v5::mqttbytes::QoS {
    v5::mqttbytes::qos(qos).expect("a QoS")
}

fn options_v4(port: u16, connect: &Connect) -> rumqttc::MqttOptions {
    let mut options = rumqttc::MqttOptions::new(&connect.id, "127.0.0.1", port);
    options.set_clean_session(connect.clean);
    options.set_max_packet_size(PACKET_SIZE_MAX as usize, PACKET_SIZE_MAX as usize);
    if let Some(Message { topic, payload, qos, retain }) = connect.will.clone() {
        options.set_last_will(rumqttc::LastWill::new(topic, payload, qos_v4(qos), retain));
    }
    options
}

/// No Topic Alias Maximum: rumqttc 0.25 hands over a message whose alias stands alone without its
/// topic.
fn options_v5(port: u16, connect: &Connect) -> v5::MqttOptions {
    let mut options = v5::MqttOptions::new(&connect.id, "127.0.0.1", port);
    options.set_clean_start(connect.clean);
    let mut properties = ConnectProperties::new();
    properties.max_packet_size = Some(PACKET_SIZE_MAX);
    properties.session_expiry_interval = (!connect.clean).then_some(3600);
    options.set_connect_properties(properties);
    if let Some(Message { topic, payload, qos, retain }) = connect.will.clone() {
        options.set_last_will(LastWill::new(topic, payload, qos_v5(qos), retain, None));
    }
    options
}

/// Runs the event loop until the connection ends.
async fn drive_v4(mut driver: rumqttc::EventLoop, events: Sender<Event>, deliver: Deliver) {
    use rumqttc::{Packet, SubscribeReasonCode};
    while let Ok(event) = driver.poll().await {
        let event = match event {
            rumqttc::Event::Incoming(Packet::ConnAck(packet)) => {
                Event::Connected { session_present: packet.session_present }
            }
            rumqttc::Event::Incoming(Packet::SubAck(packet)) => match packet.return_codes[0] {
                SubscribeReasonCode::Success(qos) => Event::Granted(qos as u8),
                SubscribeReasonCode::Failure => Event::Granted(0x80),
            },
            rumqttc::Event::Incoming(Packet::Publish(packet)) => {
                deliver(Message {
                    topic: packet.topic,
                    payload: packet.payload.to_vec(),
                    qos: packet.qos as u8,
                    retain: packet.retain,
                });
                continue;
            }
            rumqttc::Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_))
            | rumqttc::Event::Outgoing(Outgoing::Publish(0)) => Event::Published,
            _ => continue,
        };
        // The scenario may be over.
        let _ = events.send(event);
    }
}

/// Runs the event loop until the connection ends.
async fn drive_v5(mut driver: v5::EventLoop, events: Sender<Event>, deliver: Deliver) {
    use v5::mqttbytes::v5::SubscribeReasonCode;
    while let Ok(event) = driver.poll().await {
        let event = match event {
            v5::Event::Incoming(Packet::ConnAck(packet)) => {
                Event::Connected { session_present: packet.session_present }
            }
            v5::Event::Incoming(Packet::SubAck(packet)) => match packet.return_codes[0] {
                SubscribeReasonCode::Success(qos) => Event::Granted(qos as u8),
                _ => Event::Granted(0x80),
            },
            v5::Event::Incoming(Packet::Publish(packet)) => {
                deliver(Message {
                    topic: String::from_utf8(packet.topic.to_vec()).expect("UTF-8"),
                    payload: packet.payload.to_vec(),
                    qos: packet.qos as u8,
                    retain: packet.retain,
                });
                continue;
            }
            v5::Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_))
            | v5::Event::Outgoing(Outgoing::Publish(0)) => Event::Published,
            _ => continue,
        };
        // The scenario may be over.
        let _ = events.send(event);
    }
}
