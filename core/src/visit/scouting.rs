//! After a session: another connection asks, by a hand-made ClientHello, what the server would do
//! with a client that speaks more than this program.

use std::mem;
use std::sync::Arc;

use super::{State, Visit, usable};
use crate::config::Config;
use crate::context::Cx;
use crate::judge::{ReferenceNames, judge_flight};
use crate::machine::Input;
use crate::report::{Alert, Event, Grounds, Observation, ScoutCause, Scouted, TlsVersion};
use crate::resolve::Target;
use crate::session::Approach;
use crate::tls::scout::{Flight, FlightEnd, ScoutHello};
use crate::tls::sni_of;

/// What a scout is to ask.
#[derive(Clone, Debug)]
pub(super) struct Errand {
    cause: ScoutCause,
    hello: Arc<ScoutHello>,
    /// The number of the session that it is about.
    session: usize,
}

impl Visit {
    /// Decides what a scout asks after the last session, whose handshake may have failed for want of
    /// something that is not spoken here.
    pub(super) fn errand_after_failure(&self, observation: &Observation) -> Option<Errand> {
        let wider = self.config.scout.as_ref().filter(|_| !self.draining)?;
        observation.handshake_error.as_ref().filter(|error| error.may_be_for_want())?;
        let hello = wider.question(observation.offer.as_deref().and_then(sni_of))?;
        let (cause, session) = (ScoutCause::HandshakeFailed, self.sessions.len());
        Some(Errand { cause, hello: Arc::new(hello), session })
    }

    /// Decides what a scout asks after all sessions: of a server that agreed to TLS 1.2, whether it
    /// would rather be anonymous. TLS 1.3 has no anonymous suites. A visit for one kind of keys
    /// leaves that to the one for any.
    fn errand_of_anonymity(&self) -> Option<(Errand, Arc<Target>)> {
        let idle = !self.draining && !self.held && self.keys.is_none();
        let wider = self.config.scout.as_ref().filter(|_| idle)?;
        let (session, first) = self.sessions.iter().enumerate().find(|(_, session)| {
            let tls = session.observation.tls.as_ref();
            session.scouted.is_none()
                && tls.is_some_and(|tls| tls.version == TlsVersion::Tls12 && !tls.resumed)
        })?;
        let server_name = first.observation.offer.as_deref().and_then(sni_of);
        let hello = Arc::new(wider.question_of_anonymity(server_name)?);
        let errand = Errand { cause: ScoutCause::MaybeAnonymous, hello, session };
        Some((errand, first.target.clone()))
    }

    /// Sends a scout if there is more to ask; what follows the sessions follows then.
    pub(super) fn conclude(&mut self, cx: &mut Cx) {
        match self.errand_of_anonymity() {
            Some((errand, target)) => self.send_scout(errand, target),
            None => self.inspect(cx),
        }
    }

    /// Wants another connection, for a scout.
    pub(super) fn send_scout(&mut self, errand: Errand, target: Arc<Target>) {
        self.scout = Some(errand);
        self.state = State::Turning(target);
    }

    /// Tells whether the visit waits to be [allowed](Self::take_turn) another connection to its
    /// server.
    pub(crate) const fn wants_turn(&self) -> bool {
        matches!(self.state, State::Turning(_))
    }

    /// Allows the connection that the visit waits for.
    pub(crate) fn take_turn(&mut self, cx: &mut Cx) {
        if let State::Turning(target) = mem::replace(&mut self.state, State::Over) {
            if let Some(errand) = &self.scout {
                cx.tell(Event::Scouting(target.peer.clone(), errand.hello()));
            }
            self.connect(cx, target);
            self.handle(cx, &Input::Tick);
        }
    }

    /// Takes what a scout found out; the visit goes on without one, or with the next.
    pub(super) fn scouted(
        &mut self,
        cx: &mut Cx,
        mut approach: Approach,
        target: Arc<Target>,
        errand: Errand,
    ) {
        let (flight, is_lost) = (approach.flight().cloned(), approach.is_lost());
        approach.abort(cx);
        self.cache = approach.finish().1;
        if let Some(next) = self.errand_after(&errand, flight.as_ref(), is_lost) {
            return self.send_scout(next, target);
        }
        self.keep_scouted(cx, &target, errand, flight);
        self.inspect(cx);
    }

    /// Decides what a last scout asks if the first was refused, too: for TLS 1.3, which shows less of
    /// a server and was not asked for so far, if it speaks nothing below; else for all that exists.
    fn errand_after(
        &self,
        errand: &Errand,
        flight: Option<&Flight>,
        is_lost: bool,
    ) -> Option<Errand> {
        let failed = errand.cause == ScoutCause::HandshakeFailed && !self.draining;
        let wider = self.config.scout.as_ref().filter(|_| failed)?;
        let (cause, hello) = match flight?.end {
            FlightEnd::Refused(Alert::PROTOCOL_VERSION) => {
                (errand.cause, wider.above(&errand.hello)?)
            }
            FlightEnd::Refused(alert) if !alert.may_be_for_want() => return None,
            // Old servers just hang up.
            FlightEnd::Cut if !is_lost || flight?.octets > 0 => return None,
            FlightEnd::Refused(_) | FlightEnd::Cut => {
                (ScoutCause::NothingSelected, wider.beyond(&errand.hello)?)
            }
            FlightEnd::Done
            | FlightEnd::Retry
            | FlightEnd::Encrypted
            | FlightEnd::Resumed
            | FlightEnd::NotTls
            | FlightEnd::Malformed
            | FlightEnd::TooMuch => return None,
        };
        Some(Errand { cause, hello: Arc::new(hello), session: errand.session })
    }

    /// Takes back a scout that is to come to its end at once, with what it found out so far.
    pub(super) fn recall(
        &mut self,
        cx: &mut Cx,
        mut approach: Approach,
        target: &Target,
        errand: Errand,
    ) {
        let flight = approach.flight().cloned();
        approach.abort(cx);
        self.keep_scouted(cx, target, errand, flight);
    }

    fn keep_scouted(
        &mut self,
        cx: &mut Cx,
        target: &Target,
        errand: Errand,
        flight: Option<Flight>,
    ) {
        let Errand { cause, hello, session } = errand;
        let scouted = Arc::new(judge_scouted(cx, &self.config, target, cause, hello, flight));
        cx.tell(Event::Scouted(target.peer.clone(), scouted.clone()));
        if let Some(session) = self.sessions.get_mut(session) {
            session.scouted = Some(scouted);
        }
    }
}

impl Errand {
    pub(super) fn hello(&self) -> Arc<ScoutHello> {
        Arc::clone(&self.hello)
    }
}

/// Judges what a target answered to a scout.
pub(crate) fn judge_scouted(
    cx: &mut Cx,
    config: &Config,
    target: &Target,
    cause: ScoutCause,
    hello: Arc<ScoutHello>,
    flight: Option<Flight>,
) -> Scouted {
    let (level, tlsa) = (target.level, usable(target));
    let names = ReferenceNames::from(target);
    let (policy, time) = (&config.policy, cx.wall_time());
    let judged = flight.as_ref().filter(|flight| hello.allows(flight)).and_then(|flight| {
        judge_flight(flight, policy, level, &tlsa, &names, time, cx.links()).map(Arc::new)
    });
    let grounds = judged.as_ref().map(|_| Arc::new(Grounds { level, tlsa, names, time }));
    Scouted { cause, hello, flight, verdict: judged, grounds }
}
