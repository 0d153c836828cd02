//! After a visit: a look at the SMTP around TLS.

use std::mem;
use std::sync::Arc;

use super::{State, Visit};
use crate::config::Offer;
use crate::context::Cx;
use crate::destination::check_host;
use crate::hygiene::{Errands, Hygiene, Inspection, OTHER_CLIENT};
use crate::report::{Event, Observation, Outcome};
use crate::session::Plan;
use crate::tls::Setup;

impl Visit {
    /// Looks at the SMTP of the server that was visited, if that is wanted and there is any; else
    /// the visit is over. Visits for one kind of keys leave that to the one for any.
    pub(super) fn inspect(&mut self, cx: &mut Cx) {
        let is_wanted = self.config.hygiene && !self.draining && !self.held && self.keys.is_none();
        let first = self.sessions.iter().find(|it| it.observation.handshake_error.is_none());
        let Some(first) = first.filter(|_| is_wanted) else {
            return self.finish(cx, Outcome::Session);
        };
        let (target, session) = (first.target.clone(), Box::new(first.observation.clone()));
        let base = Plan { again: true, await_quit: true, scout: None, ..self.plan(cx, &target) };
        let has_tls = session.tls.is_some() && session.proxied.is_none();
        let pipelined = Plan { pipelined: true, ..base.clone() };
        let renamed = Plan { helo_name: OTHER_CLIENT.into(), ..base.clone() };
        let has_starttls = has_tls && !self.config.wrapper;
        let errands = Errands {
            pipelined: has_starttls.then_some(pipelined),
            named: self.own_name_plan(base, &session).filter(|_| has_tls),
            renamed: has_starttls.then_some(renamed),
        };
        let lookup = &self.config.lookup;
        let inspection = Inspection::start(cx, lookup, target, session, errands);
        self.state = State::Inspecting(Box::new(inspection));
    }

    /// Decides what a session with the server's own name in the SNI extension is to do; `None` if
    /// that went out before, or cannot.
    fn own_name_plan(&self, base: Plan, session: &Observation) -> Option<Plan> {
        let hello = session.hello_again.as_deref().or(session.hello.as_ref())?;
        let name = std::str::from_utf8(&hello.server_name).ok()?;
        let offer = session.offer.as_deref()?;
        if check_host(name).is_err() || offer.server_name.as_deref() == Some(name) {
            return None;
        }
        let offer = Offer { server_name: Some(name.to_owned()), ..offer.clone() };
        let setup = Setup::new(Arc::new(offer), self.config.repeatable).map(Arc::new);
        Some(Plan { tls: Some(setup), ..base })
    }

    pub(super) fn inspected(&mut self, cx: &mut Cx) {
        if let State::Inspecting(inspection) = mem::replace(&mut self.state, State::Over) {
            self.keep_hygiene(cx, inspection.finish());
        }
        self.finish(cx, Outcome::Session);
    }

    pub(super) fn keep_hygiene(&mut self, cx: &mut Cx, hygiene: Hygiene) {
        let hygiene = Arc::new(hygiene);
        let first = self.sessions.iter_mut().find(|it| it.observation.handshake_error.is_none());
        if let Some(session) = first {
            cx.tell(Event::Inspected(session.target.peer.clone(), Arc::clone(&hygiene)));
            session.hygiene = Some(hygiene);
        }
    }
}
