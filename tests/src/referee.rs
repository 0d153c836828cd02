//! A referee between a machine and its driver: breaks of the contract panic where they happen.

use std::collections::BTreeMap;

use tlsfinger_core::machine::{Endpoint, LookupId, TransportId};
use tlsfinger_core::{Input, Instant, Machine, Output, limits};

use crate::concise;

/// A machine whose two sides are held to the contract of `tlsfinger-core`.
///
/// Everything is handed on unchanged. A break panics with the rule's number and both sides' last
/// words. Driver rules are only checked by [`strict`](Self::strict) referees, since a test may
/// well want to play a bad driver.
#[derive(Debug)]
pub struct Referee<M> {
    machine: M,
    strict: bool,
    now: Instant,
    transports: BTreeMap<TransportId, Transport>,
    /// The lookups, and whether the answer is still to come.
    lookups: BTreeMap<LookupId, bool>,
    last_close: Instant,
    /// The last input, and how many outputs it may still cause.
    last_input: String,
    allowance: usize,
    /// What the machine said when it had nothing more to do, if it said so since the last input.
    resting: Option<Output>,
    /// What it must say next because the last input was stale and no time passed.
    must_say: Option<Output>,
    told: bool,
}

#[derive(Debug, Default)]
struct Transport {
    datagrams: bool,
    opened: bool,
    closed: bool,
    gone: bool,
}

/// Outputs that any input may cause; each octet received may cause one more.
const OUTPUTS_PER_INPUT: usize = 256;

impl<M: Machine> Referee<M> {
    /// Puts the machine under supervision; the driver may do what it likes.
    pub fn new(machine: M) -> Self {
        Self {
            machine,
            strict: false,
            now: Instant::START,
            transports: BTreeMap::new(),
            lookups: BTreeMap::new(),
            last_close: Instant::START,
            last_input: "the beginning".to_owned(),
            allowance: OUTPUTS_PER_INPUT,
            resting: None,
            must_say: None,
            told: false,
        }
    }

    /// Puts machine and driver under supervision.
    pub fn strict(machine: M) -> Self {
        Self { strict: true, ..Self::new(machine) }
    }

    /// Looks away from the driver.
    pub fn lenient(self) -> Self {
        Self { strict: false, ..self }
    }

    /// Gives the machine back.
    pub fn into_inner(self) -> M {
        self.machine
    }

    /// Tells whether an input for `id` would still reach anybody.
    pub fn is_alive(&self, id: TransportId) -> bool {
        self.transports.get(&id).is_some_and(|transport| !transport.gone)
    }

    #[track_caller]
    fn rule(&self, number: u8, holds: bool, what: &str) {
        assert!(holds, "contract rule {number}: {what}, at {} after {}", self.now, self.last_input);
    }

    /// Keeps the books on an input; tells whether it is for something alive.
    fn note_input(&mut self, input: &Input) -> bool {
        match input {
            Input::Tick | Input::Add(_) | Input::Stop(_) => true,
            Input::HostFound(id, _) => {
                let pending = self.lookups.get_mut(id).is_some_and(std::mem::take);
                self.driver_rule(4, pending, "a lookup is answered once");
                pending
            }
            Input::Opened(id) => {
                let alive = self.is_alive(*id);
                let opened = self.transport(*id).is_none_or(|transport| transport.opened);
                self.driver_rule(4, alive && !opened, "Opened comes once and first");
                if let Some(transport) = self.transports.get_mut(id) {
                    transport.opened = true;
                }
                alive
            }
            Input::Received(id, bytes) => {
                let opened = self.transport(*id).is_some_and(|transport| transport.opened);
                self.driver_rule(4, opened && self.is_alive(*id), "Received comes after Opened");
                let datagrams = self.transport(*id).is_some_and(|transport| transport.datagrams);
                self.driver_rule(4, datagrams || !bytes.is_empty(), "a stream brings bytes");
                self.is_alive(*id)
            }
            Input::Ended(id) | Input::Failed(id, _) => {
                let alive = self.is_alive(*id);
                self.driver_rule(4, alive, "a transport has one last word");
                if let Some(transport) = self.transports.get_mut(id) {
                    transport.gone = true;
                }
                alive
            }
        }
    }

    fn transport(&self, id: TransportId) -> Option<&Transport> {
        self.transports.get(&id)
    }

    #[track_caller]
    fn driver_rule(&self, number: u8, holds: bool, what: &str) {
        if self.strict {
            self.rule(number, holds, what);
        }
    }

    fn note_output(&mut self, output: &Output) {
        match output {
            Output::Open(id, endpoint) => {
                let next = TransportId(self.transports.len() as u64);
                self.rule(2, *id == next, "transport ids are given in order and never reused");
                let datagrams = matches!(endpoint, Endpoint::Udp(_));
                self.transports.insert(*id, Transport { datagrams, ..Transport::default() });
            }
            Output::FindHost(id, _) => {
                let next = LookupId(self.lookups.len() as u64);
                self.rule(2, *id == next, "lookup ids are given in order and never reused");
                self.lookups.insert(*id, true);
            }
            Output::Send(id, bytes) => {
                let open = self.transport(*id).is_some_and(|it| !it.closed && !it.gone);
                self.rule(3, open, &format!("{} while it is open", concise::output(output)));
                self.rule(3, !bytes.is_empty(), "something is sent");
            }
            Output::Close(id) => {
                let open = self.transport(*id).is_some_and(|it| !it.closed && !it.gone);
                self.rule(3, open, &format!("{} while it is open", concise::output(output)));
                if let Some(transport) = self.transports.get_mut(id) {
                    transport.closed = true;
                }
                self.last_close = self.now;
            }
            Output::Pass { socket, over } => {
                let open = self.transport(*socket).is_some_and(|it| !it.closed && !it.gone);
                self.rule(3, open && self.is_alive(*over), "both sockets of Pass are open");
            }
            Output::Tell(_) | Output::Finished(_) | Output::Want(_) => {}
            Output::Wait(until, _) => {
                self.rule(6, !self.told || *until > self.now, "Wait is later than now");
            }
            Output::Done => {
                let left = self.transports.values().filter(|transport| !transport.gone);
                let mut left = left.peekable();
                let lingered = self.now >= self.last_close + limits::LINGER;
                self.rule(4, left.peek().is_none() || lingered, "Done comes after last words");
                self.rule(4, left.all(|transport| transport.closed), "Done leaves nothing open");
            }
        }
    }
}

impl<M: Machine> Machine for Referee<M> {
    fn handle_input(&mut self, now: Instant, input: Input) {
        let alive = self.note_input(&input);
        let passed = now > self.now;
        self.driver_rule(6, now >= self.now, "time does not run backwards");
        self.now = self.now.max(now);
        self.last_input = input.to_string().chars().take(200).collect();
        let bytes = if let Input::Received(_, bytes) = &input { bytes.len() } else { 0 };
        // An input may come before all outputs of the last one were taken.
        let unused = if self.resting.is_some() { 0 } else { self.allowance };
        self.allowance = unused + OUTPUTS_PER_INPUT + bytes;
        self.must_say = if alive || passed { self.done_already() } else { self.resting.clone() };
        self.resting = None;
        self.told = true;
        self.machine.handle_input(now, input);
    }

    fn poll_output(&mut self) -> Output {
        let output = self.machine.poll_output();
        let rests = matches!(output, Output::Wait(..) | Output::Done);
        if rests {
            let again = self.machine.poll_output();
            self.rule(1, again == output, "polling changes nothing");
        }
        if let Some(said) = &self.resting {
            self.rule(1, *said == output, "polling changes nothing");
            return output;
        }
        if let Some(expected) = self.must_say.take() {
            let what = format!(
                "{} and not {}: an input for nobody changes nothing and Done stays",
                concise::output(&expected),
                concise::output(&output)
            );
            self.rule(2, expected == output, &what);
        }
        self.rule(1, self.allowance > 0, "outputs per input are bounded");
        self.allowance -= 1;
        self.note_output(&output);
        if rests {
            self.resting = Some(output.clone());
        }
        output
    }
}

impl<M> Referee<M> {
    fn done_already(&self) -> Option<Output> {
        self.resting.clone().filter(|output| *output == Output::Done)
    }
}

#[cfg(test)]
mod tests {
    use crate::peer::{Act, Peer, Silence};
    use crate::playbook::tcp;
    use crate::toy::{Flaw, Toy};
    use crate::world::{Link, World};

    /// Says one line.
    struct Greeter(Option<Act>);

    impl Peer for Greeter {
        fn received(&mut self, _: &[u8]) {}

        fn act(&mut self) -> Option<Act> {
            self.0.take()
        }
    }

    /// Runs a toy with a flaw; tells what the referee said.
    fn verdict(flaw: Flaw) -> Result<(), String> {
        let at = tcp("192.0.2.1:25");
        let toy = Toy::new(at.clone(), flaw);
        let greeter = || -> Box<dyn Peer> { Box::new(Greeter(Some(Act::Send("hi\n".into())))) };
        let run = move || {
            World::new(toy).listen(at, Link::default(), greeter).with_ghosts().run();
        };
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        panic.map_err(|text| *text.downcast::<String>().expect("the referee speaks"))
    }

    #[test]
    fn flaws_are_found() {
        let table = [
            (Flaw::ChangesItsMind, "contract rule 1: polling changes nothing"),
            (Flaw::Babbles, "contract rule 1: outputs per input are bounded"),
            (Flaw::ReusesIds, "contract rule 2: transport ids"),
            (Flaw::HearsGhosts, "contract rule 2: done and not send"),
            (Flaw::SendsAfterClose, "contract rule 3: send t0 \"wait\\r\\n\" while it is open"),
            (Flaw::LeavesEarly, "contract rule 4: Done comes after last words"),
            (Flaw::WaitsForThePast, "contract rule 6: Wait is later than now"),
            (Flaw::RisesAgain, "contract rule 2: done and not wait"),
        ];
        for (flaw, rule) in table {
            let found = verdict(flaw).unwrap_err();
            assert!(found.starts_with(rule), "{flaw:?}: {found}");
        }
        assert_eq!(verdict(Flaw::None), Ok(()));
    }

    #[test]
    #[should_panic(expected = "no end after")]
    fn live_locks_fail() {
        let at = tcp("192.0.2.1:25");
        let toy = Toy::new(at.clone(), Flaw::NeverEnds);
        let silence = || -> Box<dyn Peer> { Box::new(Silence) };
        World::new(toy).listen(at, Link::default(), silence).run();
    }
}
