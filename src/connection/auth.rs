//! AUTH: enhanced authentication during CONNECT and re-authentication later [MQTT-4.12].

use super::admission::Admitted;
use super::machine::State;
use super::within::{ANSWER_TOO_LARGE, write_within};
use super::{Close, Connection, Flow, Host, Traced, Way};
use crate::auth::{Identity, Proof, Request, Step};
use crate::protocol::{Auth, Connect, Packet, PacketType, ReasonCode, UserProperties, Version};

const FAILED: &str = "authentication failed";

/// An exchange of AUTH packets: plain data, no method's object in it.
#[derive(Debug)]
pub(super) struct Exchange {
    method: Box<str>,
    /// What the method has to remember between packets.
    state: Vec<u8>,
    /// The CONNECT that waits for the result; empty in a re-authentication.
    connect: Vec<u8>,
    /// A re-authentication is under way.
    active: bool,
}

impl Exchange {
    /// The method of a connection that is through with CONNECT.
    pub(super) fn running(method: &str) -> Box<Self> {
        let method = method.into();
        Box::new(Self { method, state: Vec::new(), connect: Vec::new(), active: false })
    }
}

/// Starts the exchange that a CONNECT asks for. `Ok(None)`: AUTH was sent, the answer is awaited.
pub(super) fn begin<H: Host>(
    connection: &mut Connection,
    host: &mut H,
    connect: &Connect<'_>,
    name: &str,
    raw: &[u8],
) -> Result<Option<Admitted>, Close> {
    let Some(method) = host.methods().find(name).cloned() else {
        #[cfg(feature = "canary")]
        if crate::util::canary::Canary::UnknownMethod.sings() {
            return Ok(Some(admitted(host, connect.username, None)));
        }
        // [MQTT-4.12.0-1]
        return Err(Close::refused(ReasonCode::BAD_AUTHENTICATION_METHOD, "unknown method"));
    };
    let request = Request {
        client_id: connect.client_id,
        username: connect.username,
        data: connect.properties.authentication_data.unwrap_or_default(),
    };
    let mut exchange = Exchange::running(name);
    match method.start(request, &mut exchange.state) {
        Step::Success(data) => Ok(Some(admitted(host, connect.username, data))),
        Step::Fail(reason) => Err(Close::refused(reason, FAILED)),
        Step::Continue(data) => {
            exchange.connect = raw.to_vec();
            connection.state = State::Authenticating(exchange);
            let reason = ReasonCode::CONTINUE_AUTHENTICATION;
            write_auth(connection, host, reason, name, Some(&data)).map(|()| None)
        }
    }
}

/// The method vouches for the name in CONNECT, if there is one.
fn admitted<H: Host>(host: &H, username: Option<&str>, data: Option<Vec<u8>>) -> Admitted {
    let identity = Identity::new(username, Proof::Method);
    let data = data.map(Vec::into_boxed_slice);
    Admitted { identity, data, generation: host.policy_generation() }
}

impl Connection {
    /// The exchange that AUTH packets belong to, if the CONNECT named a method.
    fn exchange(&mut self) -> Option<&mut Exchange> {
        match &mut self.state {
            State::Authenticating(exchange) => Some(exchange),
            State::Running(running) => running.auth.as_deref_mut(),
            State::AwaitConnect | State::Pending(_) => None,
        }
    }

    pub(super) fn handle_auth<H: Host>(&mut self, host: &mut H, auth: &Auth<'_>) -> Flow {
        let Some(exchange) = self.exchange() else { return unexpected() };
        if auth.method != Some(&*exchange.method) {
            // [MQTT-4.12.0-5]
            return Close::refused(ReasonCode::PROTOCOL_ERROR, "authentication method changed")
                .into();
        }
        let Some(method) = host.methods().find(&exchange.method).cloned() else {
            return Close::refused(ReasonCode::BAD_AUTHENTICATION_METHOD, "unknown method").into();
        };
        let data = auth.data.unwrap_or_default();
        let waiting = exchange.active || !exchange.connect.is_empty();
        let step = match (auth.reason, waiting) {
            (ReasonCode::CONTINUE_AUTHENTICATION, true) => {
                method.proceed(data, &mut exchange.state)
            }
            (ReasonCode::REAUTHENTICATE, false) => {
                exchange.active = true;
                exchange.state.clear();
                let request = Request { client_id: "", username: None, data };
                method.start(request, &mut exchange.state)
            }
            _ => return unexpected(),
        };
        self.after_step(host, step)
    }

    /// What a method says of a failure, in a CONNACK, or in a DISCONNECT, which has no reasons of
    /// its own for credentials [MQTT-3.14.2-1].
    fn reason_now(&self, reason: ReasonCode) -> ReasonCode {
        let told = self.session().is_none() || reason.valid_in(PacketType::Disconnect);
        if told { reason } else { ReasonCode::NOT_AUTHORIZED }
    }

    fn after_step<H: Host>(&mut self, host: &mut H, step: Step) -> Flow {
        let Some(exchange) = self.exchange() else { return unexpected() };
        let name = exchange.method.clone();
        match step {
            Step::Fail(reason) => Close::refused(self.reason_now(reason), FAILED).into(),
            Step::Continue(data) => {
                let reason = ReasonCode::CONTINUE_AUTHENTICATION;
                write_auth(self, host, reason, &name, Some(&data)).into()
            }
            Step::Success(data) if exchange.connect.is_empty() => {
                exchange.active = false;
                write_auth(self, host, ReasonCode::SUCCESS, &name, data.as_deref()).into()
            }
            Step::Success(data) => {
                let raw = std::mem::take(&mut exchange.connect);
                self.state = State::AwaitConnect;
                self.with_held_connect(host, &raw, |connection, host, connect| {
                    let admitted = admitted(host, connect.username, data);
                    connection.connect_admitted(host, connect, &raw, admitted)
                })
            }
        }
    }
}

pub(super) fn unexpected() -> Flow {
    Close::refused(ReasonCode::PROTOCOL_ERROR, "AUTH not allowed now").into()
}

fn write_auth<H: Host>(
    connection: &Connection,
    host: &mut H,
    reason: ReasonCode,
    method: &str,
    data: Option<&[u8]>,
) -> Result<(), Close> {
    let packet = Packet::Auth(Auth {
        reason,
        method: Some(method),
        data,
        reason_string: None,
        user_properties: UserProperties::default(),
    });
    if !write_within(host, connection.key, Version::V5, &packet) {
        return Err(ANSWER_TOO_LARGE);
    }
    let kind = PacketType::Auth;
    host.trace_link(connection.key, Way::Sending, || Traced::Reason { kind, code: reason.0 });
    Ok(())
}
