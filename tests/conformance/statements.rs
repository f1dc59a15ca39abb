//! The tables: one statement, or one fault, a line, its fields separated by tabs.

/// Whom a statement binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binds {
    /// The broker: as the server, or as the receiver that has to notice.
    Broker,
    /// Clients only.
    Client,
    /// A server that connects to other servers, which this one does not do yet.
    Bridge,
}

impl Binds {
    fn parse(word: &str) -> Binds {
        match word {
            "server" | "both" => Binds::Broker,
            "client" => Binds::Client,
            "bridge" => Binds::Bridge,
            _ => panic!("a statement binds server, client, both or bridge, not {word:?}"),
        }
    }

    /// Whether it is about something the broker does not have.
    pub fn is_absent(self) -> bool {
        self == Binds::Bridge
    }
}

/// A numbered statement of a specification.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Its number without brackets and `MQTT-`.
    pub number: String,
    pub binds: Binds,
    /// What it asks for, in words of our own.
    pub text: String,
}

impl Statement {
    /// What it is sorted by.
    pub fn order(&self) -> Vec<u32> {
        let parts = self.number.split(['.', '-']);
        parts.map(|part| part.parse().expect("a number")).collect()
    }
}

/// A fault known from other brokers.
#[derive(Clone, Debug)]
pub struct Fault {
    /// A letter and a number.
    pub id: String,
    /// What the broker needs to have before the fault is possible; empty if it has it.
    pub needs: String,
    /// What a client does.
    pub scenario: String,
    /// What has to happen.
    pub behaviour: String,
}

fn rows<const FIELDS: usize>(table: &str) -> impl Iterator<Item = [&str; FIELDS]> {
    table.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        fields.try_into().unwrap_or_else(|_| panic!("{FIELDS} fields: {line:?}"))
    })
}

/// Reads a table of statements.
pub fn parse(table: &str) -> Vec<Statement> {
    rows(table)
        .map(|[number, binds, text]| Statement {
            number: number.into(),
            binds: Binds::parse(binds),
            text: text.into(),
        })
        .collect()
}

/// Reads the table of faults.
pub fn parse_faults(table: &str) -> Vec<Fault> {
    rows(table)
        .map(|[id, needs, scenario, behaviour]| Fault {
            id: id.into(),
            needs: needs.into(),
            scenario: scenario.into(),
            behaviour: behaviour.into(),
        })
        .collect()
}
