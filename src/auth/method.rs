//! Enhanced authentication [MQTT-4.12]: pluggable methods driven by AUTH packets.

use super::Verifier;
use crate::protocol::ReasonCode;
use crate::sync::Arc;

/// What a method is told when an exchange begins.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// ClientId, empty when the server is to assign one.
    pub client_id: &'a str,
    /// User Name of the CONNECT.
    pub username: Option<&'a str>,
    /// Authentication Data that the Client sent, empty when none.
    pub data: &'a [u8],
}

/// A method's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this and wait for the Client's next AUTH packet (0x18).
    Continue(Vec<u8>),
    /// The Client is who it says; the data, if any, goes into CONNACK or the final AUTH.
    Success(Option<Vec<u8>>),
    /// Refused with this reason code.
    Fail(ReasonCode),
}

/// One authentication method. It answers at once; `state` carries what it has to remember
/// between two packets of one exchange.
pub trait Method: Send + Sync {
    /// The Authentication Method's name on the wire.
    fn name(&self) -> &str;
    /// First packet of an exchange: CONNECT, or AUTH with reason 0x19.
    fn start(&self, request: Request<'_>, state: &mut Vec<u8>) -> Step;
    /// A following AUTH packet.
    fn proceed(&self, data: &[u8], state: &mut Vec<u8>) -> Step;
}

/// The ways to authenticate that this broker offers: methods by name, and whoever checks
/// passwords. None by default.
#[derive(Clone, Default)]
pub struct Methods {
    methods: Vec<Arc<dyn Method>>,
    verifier: Option<Arc<dyn Verifier>>,
}

impl Methods {
    /// Adds a method; a later one of the same name is never reached.
    pub fn add(&mut self, method: Arc<dyn Method>) {
        self.methods.push(method);
    }

    /// Passwords are checked by `verifier`. Without one, a Client whose password would have to
    /// be checked is refused.
    pub fn verify_with(&mut self, verifier: Arc<dyn Verifier>) {
        self.verifier = Some(verifier);
    }

    /// The method of that name; without one the Client gets 0x8C [MQTT-4.12.0-1].
    pub fn find(&self, name: &str) -> Option<&Arc<dyn Method>> {
        self.methods.iter().find(|method| method.name() == name)
    }

    /// Whoever checks passwords.
    pub fn verifier(&self) -> Option<&Arc<dyn Verifier>> {
        self.verifier.as_ref()
    }
}

impl std::fmt::Debug for Methods {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.methods.iter().map(|method| method.name())).finish()
    }
}
