//! The one table of fields: the check of conditions, their evaluation, `rules fields` and the page on writing rules
//! all read it. Names and meanings are those of the lines of `--json`.

use core::net::IpAddr;

use super::{
    field::{Datum, Field, Type, Words},
    heard::{Heard, Kind},
    quantity::{self, QUANTITIES, Quantity},
};
use crate::analysis::{certainty::Certainty, flow::FlowChange, time::When};

/// A field, or a quantity of a finding.
#[derive(Clone, Copy, Debug)]
pub enum Known {
    Field(&'static Field),
    Quantity(&'static Quantity),
}

impl Known {
    pub fn kind(self) -> Type {
        match self {
            Known::Field(field) => field.kind,
            Known::Quantity(_) => Type::Double,
        }
    }

    pub fn words(self) -> Words {
        match self {
            Known::Field(field) => field.words,
            Known::Quantity(_) => Words::Any,
        }
    }
}

pub fn of(kind: Kind) -> &'static [Field] {
    match kind {
        Kind::Finding => FINDING,
        Kind::Flow => FLOW,
        Kind::Device => DEVICE,
    }
}

/// Every name that a condition over `kind` may use.
pub fn names(kind: Kind) -> Vec<String> {
    let quantities = if kind == Kind::Finding { QUANTITIES } else { &[] };
    let fields = of(kind).iter().map(|field| field.name.to_owned());
    fields.chain(quantities.iter().map(|quantity| format!("{}{}", quantity::PREFIX, quantity.name))).collect()
}

pub fn find(kind: Kind, name: &str) -> Option<Known> {
    if let (Kind::Finding, Some(name)) = (kind, name.strip_prefix(quantity::PREFIX)) {
        return QUANTITIES.iter().find(|quantity| quantity.name == name).map(Known::Quantity);
    }
    of(kind).iter().find(|field| field.name == name).map(Known::Field)
}

/// The value of the field `name`; `None` where the event lacks it.
pub fn value<'a>(heard: Heard<'a>, name: &str) -> Option<Datum<'a>> {
    if let (Heard::Finding(finding), Some(name)) = (heard, name.strip_prefix(quantity::PREFIX)) {
        return finding.quantities.get(name).copied().map(Datum::Double);
    }
    let field = of(heard.kind()).iter().find(|field| field.name == name)?;
    (field.get)(heard)
}

const CERTAINTY: Words = Words::OneOf(&["suspected", "inferred", "proven"]);
const STATES: Words = Words::OneOf(&[
    "unknown",
    "CLOSED (inferred)",
    "CLOSED (proven)",
    "LISTEN (inferred)",
    "LISTEN (proven)",
    "SYN-SENT (inferred)",
    "SYN-SENT (proven)",
    "SYN-RECEIVED (inferred)",
    "SYN-RECEIVED (proven)",
    "ESTABLISHED (inferred)",
    "ESTABLISHED (proven)",
    "FIN-WAIT-1 (inferred)",
    "FIN-WAIT-1 (proven)",
    "FIN-WAIT-2 (inferred)",
    "FIN-WAIT-2 (proven)",
    "CLOSE-WAIT (inferred)",
    "CLOSE-WAIT (proven)",
    "CLOSING (inferred)",
    "CLOSING (proven)",
    "LAST-ACK (inferred)",
    "LAST-ACK (proven)",
    "TIME-WAIT (inferred)",
    "TIME-WAIT (proven)",
]);

static FINDING: &[Field] = &[
    Field::new("rule", Type::Text, "Who found it: the id of a built-in rule.", |heard| {
        Some(Datum::Text(&heard.finding()?.rule))
    })
    .words(Words::RuleId),
    Field::new("certainty", Type::Text, "How sure it is.", |heard| {
        Some(Datum::Word(certainty(heard.finding()?.certainty)))
    })
    .words(CERTAINTY),
    Field::new("device", Type::Text, "Address of the device.", |heard| {
        Some(Datum::Address(heard.finding()?.device))
    })
    .words(Words::Address),
    Field::new("client", Type::Text, "Address and port of who opened the connection.", |heard| {
        Some(Datum::Socket(heard.finding()?.client))
    }),
    Field::new("client_address", Type::Text, "The address in `client`.", |heard| {
        Some(Datum::Address(heard.finding()?.client.ip()))
    })
    .words(Words::Address),
    Field::new("client_port", Type::Int, "The port in `client`.", |heard| {
        port(heard.finding()?.client.port())
    }),
    Field::new("server", Type::Text, "Address and port that the connection was opened to.", |heard| {
        Some(Datum::Socket(heard.finding()?.server))
    }),
    Field::new("server_address", Type::Text, "The address in `server`.", |heard| {
        Some(Datum::Address(heard.finding()?.server.ip()))
    })
    .words(Words::Address),
    Field::new(
        "server_port",
        Type::Int,
        "The port in `server`; 0 where the finding is about the device as a whole.",
        |heard| port(heard.finding()?.server.port()),
    ),
    Field::new(
        "incarnation",
        Type::Int,
        "Which life of the same addresses and ports, from 1; 0 where the finding is about the device as a whole.",
        |heard| Some(Datum::Int(i64::from(heard.finding()?.incarnation))),
    ),
    Field::new("frames", Type::Numbers, "The frames that are the finding.", |heard| {
        Some(Datum::Frames(&heard.finding()?.frames))
    })
    .unit("frame numbers"),
    Field::new("text", Type::Text, "The finding in words; they may be worded better one day.", |heard| {
        Some(Datum::Text(&heard.finding()?.text))
    }),
    Field::new("epoch", Type::Double, "When, by the capture's clock.", |heard| epoch(heard.finding()?.when))
        .unit("s since 1970"),
];

static FLOW: &[Field] = &[
    Field::new("change", Type::Text, "What happened to the connection.", |heard| {
        Some(Datum::Word(match heard.flow()?.change {
            FlowChange::Opened => "opened",
            FlowChange::State => "state",
            FlowChange::Closed => "closed",
        }))
    })
    .words(Words::OneOf(&["opened", "state", "closed"])),
    Field::new("device", Type::Text, "Address of the device.", |heard| address(heard.flow()?.device))
        .words(Words::Address),
    Field::new("client", Type::Text, "Address and port of who opened the connection.", |heard| {
        Some(Datum::Socket(heard.flow()?.client))
    }),
    Field::new("client_address", Type::Text, "The address in `client`.", |heard| {
        Some(Datum::Address(heard.flow()?.client.ip()))
    })
    .words(Words::Address),
    Field::new("client_port", Type::Int, "The port in `client`.", |heard| port(heard.flow()?.client.port())),
    Field::new("server", Type::Text, "Address and port that the connection was opened to.", |heard| {
        Some(Datum::Socket(heard.flow()?.server))
    }),
    Field::new("server_address", Type::Text, "The address in `server`.", |heard| {
        Some(Datum::Address(heard.flow()?.server.ip()))
    })
    .words(Words::Address),
    Field::new("server_port", Type::Int, "The port in `server`.", |heard| port(heard.flow()?.server.port())),
    Field::new("incarnation", Type::Int, "Which life of the same addresses and ports, from 1.", |heard| {
        Some(Datum::Int(i64::from(heard.flow()?.incarnation)))
    }),
    Field::new("frame", Type::Int, "The frame that changed it.", |heard| {
        Some(Datum::count(heard.flow()?.frame))
    })
    .unit("frame number"),
    Field::new("client_state", Type::Text, "RFC 9293 state of the client, and how sure that is.", |heard| {
        Some(Datum::Text(&heard.flow()?.client_state))
    })
    .words(STATES),
    Field::new("server_state", Type::Text, "The same of the server.", |heard| {
        Some(Datum::Text(&heard.flow()?.server_state))
    })
    .words(STATES),
    Field::new("client_bytes", Type::Int, "Payload that the client sent in this life so far.", |heard| {
        Some(Datum::count(heard.flow()?.client_bytes))
    })
    .unit("octets"),
    Field::new("server_bytes", Type::Int, "Payload that the server sent in this life so far.", |heard| {
        Some(Datum::count(heard.flow()?.server_bytes))
    })
    .unit("octets"),
    Field::new("epoch", Type::Double, "When, by the capture's clock.", |heard| epoch(heard.flow()?.when))
        .unit("s since 1970"),
];

static DEVICE: &[Field] = &[
    Field::new("address", Type::Text, "Address of the device.", |heard| {
        Some(Datum::Address(heard.facts()?.address))
    })
    .words(Words::Address),
    Field::new("mac", Type::Text, "As `aa:bb:cc:dd:ee:ff`, where the link shows it.", |heard| {
        heard.facts()?.mac.as_deref().map(Datum::Text)
    })
    .optional(),
    Field::new("stack", Type::Text, "Whose TCP this is.", |heard| {
        use crate::analysis::host::Stack::*;
        Some(Datum::Word(match heard.facts()?.stack {
            Unknown => "unknown",
            Lwip => "lwip",
            Linux => "linux",
        }))
    })
    .words(Words::OneOf(&["unknown", "lwip", "linux"])),
    Field::new("stack_certainty", Type::Text, "How sure that is.", |heard| {
        heard.facts()?.stack_certainty.map(|known| Datum::Word(certainty(known)))
    })
    .words(CERTAINTY)
    .optional(),
    Field::new("accepted", Type::Int, "Connections that it answered with SYN-ACK.", |heard| {
        Some(Datum::count(heard.facts()?.accepted))
    }),
    Field::new("time_wait.entered", Type::Int, "Times that a connection entered TIME-WAIT on it.", |heard| {
        Some(Datum::count(heard.facts()?.time_wait.entered))
    }),
    Field::new("time_wait.held_now", Type::Int, "Connections believed to be in TIME-WAIT now.", |heard| {
        Some(Datum::count(heard.facts()?.time_wait.held_now))
    }),
    Field::new("time_wait.syns", Type::Int, "SYNs that met a connection in TIME-WAIT.", |heard| {
        Some(Datum::count(heard.facts()?.time_wait.syns))
    }),
    Field::new("time_wait.rsts", Type::Int, "RSTs that met a connection in TIME-WAIT.", |heard| {
        Some(Datum::count(heard.facts()?.time_wait.rsts))
    }),
    Field::new(
        "time_wait.refused_until_s",
        Type::Double,
        "Longest time after entry at which a SYN was still refused.",
        |heard| heard.facts()?.time_wait.refused_until_s.map(Datum::Double),
    )
    .unit("s")
    .optional(),
    Field::new(
        "time_wait.accepted_from_s",
        Type::Double,
        "Shortest time after entry at which a SYN was accepted after expiry.",
        |heard| heard.facts()?.time_wait.accepted_from_s.map(Datum::Double),
    )
    .unit("s")
    .optional(),
    Field::new("msl_s.at_least", Type::Double, "Its maximum segment lifetime is at least this.", |heard| {
        heard.facts()?.msl_s.at_least.map(Datum::Double)
    })
    .unit("s")
    .optional(),
    Field::new("msl_s.at_most", Type::Double, "And at most this.", |heard| {
        heard.facts()?.msl_s.at_most.map(Datum::Double)
    })
    .unit("s")
    .optional(),
    Field::new("pcb_cap.at_least", Type::Int, "It has at least so many connection blocks.", |heard| {
        heard.facts()?.pcb_cap.at_least.map(|blocks| Datum::count(blocks.into()))
    })
    .optional(),
    Field::new("pcb_cap.at_most", Type::Int, "And at most so many.", |heard| {
        heard.facts()?.pcb_cap.at_most.map(|blocks| Datum::count(blocks.into()))
    })
    .optional(),
    Field::new("rst_in_time_wait", Type::Text, "What an exact RST does to TIME-WAIT.", |heard| {
        use crate::analysis::host::RstInTimeWait::*;
        Some(Datum::Word(match heard.facts()?.rst_in_time_wait {
            Unknown => "unknown",
            Ignored => "ignored",
            Honoured => "honoured",
        }))
    })
    .words(Words::OneOf(&["unknown", "ignored", "honoured"])),
    Field::new("syn_in_time_wait", Type::Text, "What a newer SYN meets in TIME-WAIT.", |heard| {
        use crate::analysis::host::SynInTimeWait::*;
        Some(Datum::Word(match heard.facts()?.syn_in_time_wait {
            Unknown => "unknown",
            Refused => "refused",
            Accepted => "accepted",
        }))
    })
    .words(Words::OneOf(&["unknown", "refused", "accepted"])),
    Field::new("behaves_as", Type::Text, "The remedy that it behaves as having.", |heard| {
        use crate::analysis::host::Behaviour::*;
        Some(Datum::Word(match heard.facts()?.behaves_as {
            Unknown => "unknown",
            Unfixed => "unfixed",
            HonoursRst => "honours-rst",
            AcceptsSyn => "accepts-syn",
            Mixed => "mixed",
        }))
    })
    .words(Words::OneOf(&["unknown", "unfixed", "honours-rst", "accepts-syn", "mixed"])),
    Field::new("delays.waiting", Type::Int, "Attempts to connect that wait for it now.", |heard| {
        Some(Datum::count(heard.facts()?.delays.waiting))
    }),
    Field::new("delays.delayed", Type::Int, "Attempts that were let in, late.", |heard| {
        Some(Datum::count(heard.facts()?.delays.delayed))
    }),
    Field::new("delays.reset", Type::Int, "Attempts that a RST of the device ended.", |heard| {
        Some(Datum::count(heard.facts()?.delays.reset))
    }),
    Field::new("delays.unfinished", Type::Int, "Attempts that were not seen to get in.", |heard| {
        Some(Datum::count(heard.facts()?.delays.unfinished))
    }),
    Field::new("delays.waited_s", Type::Double, "Time waited in all attempts that are over.", |heard| {
        Some(Datum::Double(heard.facts()?.delays.waited_s))
    })
    .unit("s"),
    Field::new(
        "own_account.time_wait",
        Type::Int,
        "Connections in TIME-WAIT by its own last account, where it gives one.",
        |heard| heard.facts()?.own_account.map(|account| Datum::count(account.time_wait)),
    )
    .optional(),
    Field::new(
        "own_account.disagreements",
        Type::Int,
        "Connections on which its own accounts and the wire disagreed.",
        |heard| heard.facts()?.own_account.map(|account| Datum::count(account.disagreements)),
    )
    .optional(),
    Field::new("mode", Type::Text, "The mode of its test firmware, as it was last told.", |heard| {
        heard.facts()?.mode.as_deref().map(Datum::Text)
    })
    .optional(),
    Field::new("note", Type::Text, "What the numbers cannot say by themselves.", |heard| {
        heard.facts()?.note.as_deref().map(Datum::Text)
    })
    .optional(),
    Field::new("epoch", Type::Double, "When, by the capture's clock.", |heard| {
        heard.facts()?;
        epoch(When(heard.when()))
    })
    .unit("s since 1970"),
];

fn certainty(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Suspected => "suspected",
        Certainty::Inferred => "inferred",
        Certainty::Proven => "proven",
    }
}

fn port(port: u16) -> Option<Datum<'static>> {
    Some(Datum::Int(i64::from(port)))
}

fn address(address: Option<IpAddr>) -> Option<Datum<'static>> {
    address.map(Datum::Address)
}

fn epoch(When(time): When) -> Option<Datum<'static>> {
    Some(Datum::Double(time.epoch_seconds()))
}
