//! The names of an address, and whether they lead back to it (RFC 1912 section 2.1).

use std::net::IpAddr;
use std::sync::Arc;

use super::error::{LookupError, RecordType};
use super::message::Data;
use super::name::{Name, Question, from_text};
use crate::config::Lookup;
use crate::context::{AskId, Cx};
use crate::limits;

/// What the reverse lookup of an address came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReverseFacts {
    /// Nobody asked: there is no address, or no DNS.
    #[default]
    Unknown,
    /// The lookup failed, or there is no name.
    Failed(LookupError),
    /// The names in the answer's order; at most [`limits::REVERSE_NAMES`].
    Found(Vec<ReverseName>),
}

/// A name of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReverseName {
    /// The name.
    pub name: String,
    /// Its own addresses have the address among them; `None` if they could not be looked up.
    pub confirmed: Option<bool>,
}

/// Looks up the names of an address, and their addresses.
#[derive(Debug)]
pub(crate) struct Reverse {
    address: IpAddr,
    pointer: Option<AskId>,
    /// Questions for the addresses of each name.
    forward: Vec<Option<AskId>>,
    facts: ReverseFacts,
}

impl Reverse {
    /// Begins, if there is an address and DNS may be asked.
    pub(crate) fn start(cx: &mut Cx, lookup: &Lookup, address: Option<IpAddr>) -> Option<Self> {
        let address = address.filter(|_| lookup.hosts.dns)?.to_canonical();
        let name = from_text(&pointer_name(address))?;
        let pointer = Some(cx.ask(Question::new(name, RecordType::PTR)));
        Some(Self { address, pointer, forward: Vec::new(), facts: ReverseFacts::Unknown })
    }

    /// Takes the answers that are there; `true` at the end.
    pub(crate) fn advance(&mut self, cx: &mut Cx) -> bool {
        if let Some(id) = self.pointer {
            let Some(answered) = cx.answer(id) else { return false };
            self.pointer = None;
            match answered.answer {
                Ok(found) => self.ask_forward(cx, &found.data),
                Err(error) => self.facts = ReverseFacts::Failed(Arc::unwrap_or_clone(error)),
            }
        }
        let ReverseFacts::Found(names) = &mut self.facts else { return true };
        for (name, asked) in names.iter_mut().zip(&mut self.forward) {
            let Some(answered) = asked.and_then(|id| cx.answer(id)) else { continue };
            *asked = None;
            let is_ours = |data: &Data| match data {
                Data::A(v4) => IpAddr::V4(*v4) == self.address,
                Data::Aaaa(v6) => IpAddr::V6(*v6) == self.address,
                Data::Mx { .. }
                | Data::Srv { .. }
                | Data::Tlsa(_)
                | Data::ShortTlsa(_)
                | Data::Cname(_)
                | Data::Ptr(_)
                | Data::Other => false,
            };
            name.confirmed = match answered.answer {
                Ok(found) => Some(found.data.iter().any(is_ours)),
                Err(error) => error.is_not_found().then_some(false),
            };
        }
        self.forward.iter().all(Option::is_none)
    }

    fn ask_forward(&mut self, cx: &mut Cx, data: &[Data]) {
        let record = if self.address.is_ipv4() { RecordType::A } else { RecordType::AAAA };
        let name = |data: &Data| if let Data::Ptr(name) = data { Some(name.clone()) } else { None };
        let names: Vec<Name> = data.iter().filter_map(name).take(limits::REVERSE_NAMES).collect();
        let ask = |name: &Name| Some(cx.ask(Question::new(name.clone(), record)));
        self.forward = names.iter().map(ask).collect();
        let unconfirmed = |name: Name| ReverseName { name: name.to_string(), confirmed: None };
        self.facts = ReverseFacts::Found(names.into_iter().map(unconfirmed).collect());
    }

    /// Ends, and gives back what was found out.
    pub(crate) fn finish(self, cx: &mut Cx) -> ReverseFacts {
        for id in self.pointer.into_iter().chain(self.forward.into_iter().flatten()) {
            cx.withdraw(id);
        }
        self.facts
    }
}

/// Makes the name that holds the names of an address (RFC 1035 section 3.5, RFC 3596 section 2.5).
fn pointer_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().rev();
            let labels = nibbles.map(|octet| format!("{:x}.{:x}.", octet & 15, octet >> 4));
            labels.collect::<String>() + "ip6.arpa"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_addresses() {
        let name = |address: &str| pointer_name(address.parse().unwrap());
        assert_eq!(name("192.0.2.1"), "1.2.0.192.in-addr.arpa");
        assert_eq!(
            name("2001:db8::cb01"),
            "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
    }
}
