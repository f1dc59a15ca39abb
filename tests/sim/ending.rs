//! The end of a run: everything is let through, every session comes back for what is its own, and
//! then the books have to balance and nothing may be left over.

use pondhawk::shard::Command;

use crate::plan::Op;
use crate::run::Run;
use crate::spec::{ConnectSpec, SubSpec};

/// The CONNECT with which a session is asked for all that waits in it.
fn open_handed(clean: bool, expiry_s: u32) -> ConnectSpec {
    ConnectSpec {
        level: 5,
        clean,
        expiry_s,
        keep_alive_s: 0,
        receive_maximum: u16::MAX,
        maximum_packet_size: u32::MAX,
        alias_maximum: 0,
        will: None,
        username: None,
        unknown_method: false,
        eager: false,
    }
}

impl Run {
    /// See the module's documentation.
    pub fn finish(&mut self) {
        self.set_pressure(0);
        // A connection that was left behind may have won the session; nobody reads it.
        for client in 0..self.clients.len() {
            while !self.clients[client].old.is_empty() {
                self.apply(&Op::Cut { client, old: true, reset: false });
            }
        }
        if self.model.draining {
            self.let_everything_through();
            return self.check_drained();
        }
        self.let_everything_through();
        // Whoever comes back may lose its connection again to a full queue, and a Client that
        // sends the same to itself again each time would do so for ever: it starts anew.
        let mut round = 0;
        while self.call_back(round == 8) {
            round += 1;
            self.let_everything_through();
        }
        self.model.check_claims_served();
        self.model.check_account(&self.world.counters());
        self.check_exactly_once();
        self.check_counters();
        self.check_retained();
        self.end_all();
        self.check_empty();
    }

    /// Every session that is without a connection gets one. False if there was none.
    fn call_back(&mut self, clean: bool) -> bool {
        let mut any = false;
        for client in 0..self.clients.len() {
            let session = self.model.current.get(&client);
            if session.is_some_and(|own| self.model.sessions[*own].line.is_none()) {
                let clean = clean || self.clients[client].forgotten;
                let spec = open_handed(clean, 3_600);
                self.apply(&Op::Connect { client, shard: client % self.plan.shards, spec });
                any = true;
            }
        }
        any
    }

    /// Nothing stalls any more; Clients read and answer until nobody has anything to say.
    fn let_everything_through(&mut self) {
        for line in 0..self.lines.len() {
            self.world.stall(line, usize::MAX);
        }
        for _ in 0..3_000 {
            let mut busy = false;
            for line in 0..self.lines.len() {
                if !self.lines[line].left || !self.lines[line].out.is_empty() {
                    busy |= self.feed(line, usize::MAX) > 0;
                }
            }
            busy |= self.rest();
            for line in 0..self.lines.len() {
                busy |= self.read(line, usize::MAX) > 0;
            }
            for client in 0..self.clients.len() {
                busy |= self.answer(client, usize::MAX, 0);
            }
            if !busy {
                return self.check_at_rest();
            }
        }
        panic!("the broker and its Clients never come to rest");
    }

    /// A Client that comes now sees what is retained.
    fn check_retained(&mut self) {
        let client = self.clients.len() - 1;
        let everything = SubSpec {
            filter: "#".into(),
            group: None,
            qos: 2,
            no_local: false,
            retain_as_published: false,
            retain_handling: 0,
        };
        self.apply(&Op::Connect { client, shard: 0, spec: open_handed(true, 0) });
        self.let_everything_through();
        self.seen.clear();
        self.apply(&Op::Subscribe { client, filters: vec![everything], subscription_id: 0 });
        self.let_everything_through();
        self.model.check_stored(&std::mem::take(&mut self.seen));
        self.apply(&Op::Disconnect { client, reason: 0, expiry_s: None });
        self.let_everything_through();
    }

    /// No Client has taken a QoS 2 message more often than it was published to it.
    fn check_exactly_once(&self) {
        for (number, client) in self.clients.iter().enumerate() {
            for (mid, taken) in &client.taken_twice {
                let may = self.model.most_at_qos2(number, *mid);
                assert!(*taken <= may, "client {number} took message {mid} {taken} times of {may}");
            }
        }
    }

    fn check_counters(&mut self) {
        let counters = self.world.counters();
        let value = |name: &str| counters.value(name).expect("listed");
        assert_eq!(value("queued_messages"), 0, "messages wait although everybody took all");
        assert_eq!(value("queued_bytes"), 0);
        assert_eq!(value("output_bytes"), 0);
        assert_eq!(value("input_bytes"), 0, "input is held of nobody");
        let bound = self.model.lines.iter().filter(|line| line.bound).count() as i64;
        assert_eq!(value("clients_connected"), bound);
        assert_eq!(value("sessions"), self.model.current.len() as i64);
        assert_eq!(value("subscriptions"), self.model.subscriptions() as i64);
        assert_eq!(value("bytes_received"), self.world.bytes_in as i64);
        let sent =
            value("publish_sent_qos0") + value("publish_sent_qos1") + value("publish_sent_qos2");
        if self.totals.bytes_lost == 0 {
            assert_eq!(sent, self.totals.publishes_out as i64, "PUBLISH packets sent");
            assert_eq!(value("messages_sent"), self.totals.packets_out as i64);
        } else {
            assert!(sent >= self.totals.publishes_out as i64);
        }
    }

    /// Every session ends.
    fn end_all(&mut self) {
        for client in 0..self.clients.len() {
            let shard = client % self.plan.shards;
            self.apply(&Op::Connect { client, shard, spec: open_handed(true, 0) });
            self.let_everything_through();
            self.apply(&Op::Disconnect { client, reason: 0, expiry_s: None });
            self.let_everything_through();
        }
        // Whatever is still set has its time.
        self.pass(200_000_000);
        self.let_everything_through();
    }

    fn check_empty(&self) {
        let counters = self.world.counters();
        for name in [
            "sessions",
            "clients_connected",
            "subscriptions",
            "subscriptions_shared",
            "connections",
            "session_bytes",
            "queued_messages",
            "queued_bytes",
            "output_bytes",
            "input_bytes",
        ] {
            assert_eq!(counters.value(name), Some(0), "{name} of an empty broker");
        }
        let shared = self.world.shared();
        assert_eq!(shared.directory.len(), 0, "ClientIds are left in the directory");
        assert_eq!(shared.router.filter_count(), 0, "filters are left in the routing trie");
        assert_eq!(shared.connections(), 0, "connections are left in the shards' loads");
        assert!(self.world.is_mail_done(), "mail is left");
        for shard in 0..self.plan.shards {
            let timers = self.world.shard(shard).pending_timers();
            // The search for expired Retained Messages goes on as long as there are some.
            assert!(timers <= 1, "{timers} timers are left");
        }
    }

    pub fn drain(&mut self) {
        for shard in 0..self.plan.shards {
            self.world.command(shard, Command::Drain);
        }
        self.model.draining = true;
    }

    /// After the goodbye nobody is connected.
    fn check_drained(&self) {
        let counters = self.world.counters();
        assert_eq!(counters.value("connections"), Some(0));
        assert_eq!(counters.value("clients_connected"), Some(0));
        assert_eq!(self.world.shared().connections(), 0);
        for (number, line) in self.model.lines.iter().enumerate() {
            assert!(!line.bound, "connection {number} outlived the goodbye");
        }
    }
}
