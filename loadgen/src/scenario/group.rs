//! A group: clients that do the same.

use std::time::Duration;

use pondhawk::protocol::{QoS, Version, check_topic_filter, check_topic_name, split_shared};

use super::expect::Fields;
use super::problem::Problem;
use super::profile::{Arrivals, Profile};
use super::size::Sizes;
use super::topic::Template;
use super::values;

/// Clients that do the same.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Clients; with [`Group::takeover`] twice as many seats.
    pub count: u32,
    /// Index of the first client.
    pub first: u64,
    /// Protocol version.
    pub version: Version,
    /// ClientId.
    pub client_id: Template,
    /// Keep Alive; zero for none.
    pub keep_alive: Duration,
    /// Clean Session or Clean Start.
    pub clean: bool,
    /// Session Expiry Interval, s.
    pub session_expiry_s: u32,
    /// Receive Maximum announced.
    pub receive_maximum: u16,
    /// User Name.
    pub username: Option<Template>,
    /// Password.
    pub password: Option<Template>,
    /// Topic Filters of each client.
    pub subscribe: Vec<Template>,
    /// Topic of each client's publications.
    pub publish: Option<Template>,
    /// QoS of publications.
    pub publish_qos: QoS,
    /// QoS of subscriptions.
    pub subscribe_qos: QoS,
    /// Publications are to be retained.
    pub retain: bool,
    /// Payload lengths.
    pub sizes: Sizes,
    /// Messages for each write.
    pub batch: u64,
    /// Messages per second over the group; `None` for a closed loop.
    pub rate: Option<Profile>,
    /// How batches are spread.
    pub arrivals: Arrivals,
    /// Closed loop: messages outstanding for each publisher, whole batches.
    pub window: u64,
    /// Most bytes read per second by each client.
    pub read_rate: Option<u64>,
    /// What does not arrive here breaks no promise.
    pub may_lose: bool,
    /// Clients that leave and come back per second.
    pub churn: f64,
    /// They leave with a DISCONNECT.
    pub churn_clean: bool,
    /// How long they stay away.
    pub churn_pause: Duration,
    /// All connections dropped at once.
    pub storm: Option<Storm>,
    /// Takeovers per second.
    pub takeover: f64,
    /// Will Message.
    pub will: Option<Will>,
    /// When the group connects.
    pub start: Start,
}

/// All connections of a group dropped at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storm {
    /// When, after the load began.
    pub at: Duration,
    /// The time over which they come back.
    pub within: Duration,
    /// When the next one follows.
    pub every: Option<Duration>,
}

/// A Will Message.
#[derive(Clone, Debug)]
pub struct Will {
    /// Will Topic.
    pub topic: Template,
    /// Will QoS.
    pub qos: QoS,
    /// Will Retain.
    pub retain: bool,
}

/// When a group connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Before the load.
    First,
    /// When all messages have been sent.
    Last,
}

impl Group {
    /// What the options of a `[[group]]` mean; problems go to `problems`.
    pub fn read(fields: &Fields, problems: &mut Vec<Problem>) -> Self {
        let name = fields.name();
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) || name.is_empty() {
            let why = "is no name; write letters, digits, - and _";
            problems.push(fields.problem("name", why));
        }
        if !fields.has("count") {
            problems.push(fields.problem("count", "missing; say how many clients"));
        }
        let client_id = Template::read(&format!("lg-{name}-%i"));
        let mut group = Self { name, ..Self::plain(client_id.expect("the template is constant")) };
        group.read_client(fields, problems);
        group.read_topics(fields, problems);
        group.read_load(fields, problems);
        group.read_course(fields, problems);
        group.check(fields, problems);
        group
    }

    /// A group in which every option has its default.
    fn plain(client_id: Template) -> Self {
        Self {
            name: String::new(),
            count: 0,
            first: 0,
            version: Version::V311,
            client_id,
            keep_alive: Duration::ZERO,
            clean: true,
            session_expiry_s: 0,
            receive_maximum: u16::MAX,
            username: None,
            password: None,
            subscribe: Vec::new(),
            publish: None,
            publish_qos: QoS::AtMostOnce,
            subscribe_qos: QoS::AtMostOnce,
            retain: false,
            sizes: Sizes::Fixed(crate::client::stamp::STAMP_LEN),
            batch: 1,
            rate: None,
            arrivals: Arrivals::Even,
            window: 0,
            read_rate: None,
            may_lose: false,
            churn: 0.0,
            churn_clean: true,
            churn_pause: Duration::ZERO,
            storm: None,
            takeover: 0.0,
            will: None,
            start: Start::First,
        }
    }

    fn read_client(&mut self, fields: &Fields, problems: &mut Vec<Problem>) {
        set(&mut self.count, fields.take("count", problems, clients));
        set(&mut self.first, fields.take("first", problems, values::count));
        set(&mut self.version, fields.take("version", problems, values::version));
        set(&mut self.client_id, fields.take("client_id", problems, plain_template));
        set(&mut self.keep_alive, fields.take("keep_alive", problems, keep_alive));
        set(&mut self.clean, fields.take("clean", problems, values::truth));
        let expiry = fields.take("session_expiry", problems, values::duration);
        set(&mut self.session_expiry_s, expiry.map(|expiry| expiry.as_secs() as u32));
        set(&mut self.receive_maximum, fields.take("receive_maximum", problems, u16_from_1));
        self.username = fields.take("username", problems, plain_template);
        self.password = fields.take("password", problems, plain_template);
    }

    fn read_topics(&mut self, fields: &Fields, problems: &mut Vec<Problem>) {
        self.subscribe = fields.take_all("subscribe", problems, filter_template);
        self.publish = fields.take("publish", problems, topic_template);
        let qos = fields.take("qos", problems, values::qos).unwrap_or(QoS::AtMostOnce);
        (self.publish_qos, self.subscribe_qos) = (qos, qos);
        set(&mut self.publish_qos, fields.take("publish_qos", problems, values::qos));
        set(&mut self.subscribe_qos, fields.take("subscribe_qos", problems, values::qos));
        set(&mut self.retain, fields.take("retain", problems, values::truth));
        let will_qos = fields.take("will_qos", problems, values::qos);
        let will_retain = fields.take("will_retain", problems, values::truth);
        self.will = fields.take("will_topic", problems, topic_template).map(|topic| Will {
            topic,
            qos: will_qos.unwrap_or(QoS::AtMostOnce),
            retain: will_retain.unwrap_or(false),
        });
    }

    fn read_load(&mut self, fields: &Fields, problems: &mut Vec<Problem>) {
        set(&mut self.sizes, fields.take("size", problems, Sizes::read));
        set(&mut self.batch, fields.take("batch", problems, from_1));
        self.rate = fields.take("rate", problems, Profile::read).flatten();
        let each = fields.take("rate_per_client", problems, Profile::read).flatten();
        match (&self.rate, each) {
            (Some(_), Some(_)) => {
                let why = "there is a rate already; leave one of rate and rate_per_client out";
                problems.push(fields.problem("rate_per_client", why));
            }
            (None, Some(each)) => self.rate = Some(each.scaled(f64::from(self.count))),
            _ => {}
        }
        set(&mut self.arrivals, fields.take("arrivals", problems, Arrivals::read));
        let window = fields.take("window", problems, values::count).unwrap_or(0);
        if window != 0 && window < self.batch {
            let why = "is less than a batch; write at least as many as batch";
            problems.push(fields.problem("window", why));
        }
        if window != 0 && self.rate.is_some() {
            let why = "is for a closed loop; leave it or the rate out";
            problems.push(fields.problem("window", why));
        }
        self.window = window.max(self.batch).next_multiple_of(self.batch);
    }

    fn read_course(&mut self, fields: &Fields, problems: &mut Vec<Problem>) {
        self.read_rate = fields.take("read_rate", problems, read_rate).flatten();
        set(&mut self.may_lose, fields.take("may_lose", problems, values::truth));
        set(&mut self.churn, fields.take("churn", problems, values::number));
        set(&mut self.churn_clean, fields.take("churn_clean", problems, values::truth));
        set(&mut self.churn_pause, fields.take("churn_pause", problems, values::duration));
        set(&mut self.takeover, fields.take("takeover", problems, values::number));
        set(&mut self.start, fields.take("start", problems, start));
        let within = fields.take("storm_within", problems, values::duration);
        let every = fields.take("storm_every", problems, some_time).flatten();
        self.storm = fields.take("storm_at", problems, some_time).flatten().map(|at| Storm {
            at,
            within: within.unwrap_or(Duration::from_secs(1)),
            every,
        });
    }

    fn check(&self, fields: &Fields, problems: &mut Vec<Problem>) {
        let storms = self.storm.is_some();
        let leaves = self.churn > 0.0 || storms;
        let complaints = [
            (
                self.version != Version::V5 && self.session_expiry_s > 0,
                "session_expiry",
                "is of MQTT 5.0; set version = \"5.0\" or leave it out",
            ),
            (
                leaves && self.takeover > 0.0,
                "takeover",
                "does not go with churn or storms; make two groups of it",
            ),
            (
                self.takeover > 0.0 && self.publish.is_some(),
                "takeover",
                "is for clients that do not publish; make a group for the publishers",
            ),
            (
                leaves
                    && self.clean
                    && !self.subscribe.is_empty()
                    && !self.may_lose
                    && self.subscribe_qos != QoS::AtMostOnce,
                "may_lose",
                "a clean session that leaves misses messages; set may_lose = true or clean = false",
            ),
            (
                self.rate.is_some() && self.publish.is_none(),
                "rate",
                "nothing is published; add publish = \"topic\"",
            ),
            (
                self.start == Start::Last && self.publish.is_some(),
                "start",
                "the last to start cannot publish; make a group for the publishers",
            ),
        ];
        for (wrong, key, why) in complaints {
            if wrong {
                problems.push(fields.problem(key, why));
            }
        }
    }

    /// Connections that the group may hold at once.
    pub fn seats(&self) -> u32 {
        if self.takeover > 0.0 { self.count * 2 } else { self.count }
    }

    /// Whether connections of this group end by themselves.
    pub fn comes_and_goes(&self) -> bool {
        self.churn > 0.0 || self.storm.is_some() || self.takeover > 0.0
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn clients(text: &str) -> Result<u32, String> {
    let count = values::count(text)?;
    u32::try_from(count)
        .ok()
        .filter(|count| (1..=100_000_000).contains(count))
        .ok_or_else(|| format!("{count} clients; write 1 to 100,000,000"))
}

fn from_1(text: &str) -> Result<u64, String> {
    match values::count(text)? {
        0 => Err("is 0; write 1 or more".to_owned()),
        count => Ok(count),
    }
}

fn u16_from_1(text: &str) -> Result<u16, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("'{text}' is out of bounds; write 1 to 65535"))
}

fn keep_alive(text: &str) -> Result<Duration, String> {
    let time = values::duration(text)?;
    let whole = time.subsec_nanos() == 0 && time.as_secs() <= u64::from(u16::MAX);
    whole
        .then_some(time)
        .ok_or_else(|| format!("'{text}' is out of bounds; write whole seconds up to 65535s"))
}

fn some_time(text: &str) -> Result<Option<Duration>, String> {
    if text == "none" { Ok(None) } else { values::duration(text).map(Some) }
}

fn read_rate(text: &str) -> Result<Option<u64>, String> {
    if text == "unlimited" { Ok(None) } else { values::count(text).map(Some) }
}

fn start(text: &str) -> Result<Start, String> {
    match text {
        "first" => Ok(Start::First),
        "last" => Ok(Start::Last),
        _ => Err(format!("'{text}' is no start; write first or last")),
    }
}

fn plain_template(text: &str) -> Result<Template, String> {
    let template = Template::read(text)?;
    match template.choices() {
        1 => Ok(template),
        _ => Err("only topics can be drawn at random; write %i".to_owned()),
    }
}

fn topic_template(text: &str) -> Result<Template, String> {
    let template = Template::read(text)?;
    check_topic_name(&template.render(0, 0)).map_err(|error| {
        format!("'{text}' is no Topic Name ({}); leave wildcards out", error.what)
    })?;
    Ok(template)
}

fn filter_template(text: &str) -> Result<Template, String> {
    let template = plain_template(text)?;
    let sample = template.render(0, 0);
    let wrong = |why: &str| format!("'{text}' is no Topic Filter ({why}); correct it");
    check_topic_filter(&sample).map_err(|error| wrong(error.what))?;
    split_shared(&sample).map_err(|error| wrong(error.what))?;
    Ok(template)
}
