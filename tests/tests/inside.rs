//! A look inside TLS: what is told of records, messages, text and secrets, and to whom.

use tlsfinger_core::Probe;
use tlsfinger_core::config::{Config, Watch};
use tlsfinger_core::report::{
    Direction, Disclosure, Event, ExtensionContent, HandshakeContent, TlsMessage, TlsNote,
};
use tlsfinger_tests::peer::{ClientAuth, Script, TlsSetup};
use tlsfinger_tests::setting;
use tlsfinger_tests::world::{Link, Run};

fn run(watch: Watch, tls: TlsSetup, link: Link) -> Run<Probe> {
    let config = Config { watch, ..setting::config() };
    setting::run(&config, Script::smtp().tls(tls), link)
}

fn notes(run: &Run<Probe>) -> Vec<&TlsNote> {
    let events = run.events().into_iter();
    events
        .filter_map(|event| match event {
            Event::Tls(note) => Some(note),
            _ => None,
        })
        .collect()
}

const MESSAGES: Watch =
    Watch { messages: true, handshake_bytes: false, session_bytes: false, secrets: false };

/// The messages, a word each.
fn messages(run: &Run<Probe>) -> Vec<String> {
    let word = |note: &&TlsNote| {
        let TlsNote::Message(direction, message) = note else { return None };
        let from = if *direction == Direction::Sent { ">" } else { "<" };
        Some(match message {
            TlsMessage::Plain(message) => format!("{from} {}", message.kind),
            TlsMessage::Disclosed(Disclosure::Certificate(chain)) => {
                format!("{from} certificates {}", chain.len())
            }
            TlsMessage::Disclosed(Disclosure::Signature(scheme)) => {
                format!("{from} signature {:#06x}", scheme.0)
            }
            TlsMessage::Disclosed(Disclosure::CertificateRequest(schemes)) => {
                format!("{from} request {}", !schemes.is_empty())
            }
            TlsMessage::Disclosed(Disclosure::Ticket(_)) => format!("{from} ticket"),
            TlsMessage::Disclosed(Disclosure::Protocol(_)) => format!("{from} protocol"),
            TlsMessage::ChangeCipherSpec => format!("{from} change"),
            TlsMessage::Encrypted => format!("{from} encrypted"),
            TlsMessage::Complete => "complete".to_owned(),
        })
    };
    notes(run).iter().filter_map(word).collect()
}

#[test]
fn messages_of_both_versions() {
    let table = [
        (
            TlsSetup::only_12(),
            "> 1, < 2, < 11, < 12, < 14, > 16, > change, > encrypted, < change, < encrypted, \
             complete",
        ),
        (
            TlsSetup::only_12().client_auth(ClientAuth::Requested),
            "> 1, < 2, < 11, < 12, < 13, < 14, > 11, > 16, > change, > encrypted, < change, \
             < encrypted, complete",
        ),
        (
            TlsSetup::only_13().client_auth(ClientAuth::Requested),
            "> 1, < 2, < change, < encrypted, < request true, < certificates 2, \
             < signature 0x0403, > change, > encrypted, complete, < ticket, < ticket",
        ),
    ];
    for (tls, expected) in table {
        let whole = run(MESSAGES, tls.clone(), Link::default());
        assert_eq!(messages(&whole).join(", "), expected);
        assert_eq!(
            whole.replay(setting::probe(&Config { watch: MESSAGES, ..setting::config() })),
            Ok(())
        );
        let mut bytewise = messages(&run(MESSAGES, tls, Link::default().pieces_of(1)));
        let mut expected: Vec<_> = expected.split(", ").collect();
        // When what is told comes with the pieces, the order may be finer, not what there is.
        bytewise.sort();
        expected.sort();
        assert_eq!(bytewise, expected);
    }
}

#[test]
fn hellos_tell_what_was_offered_and_chosen() {
    let run = run(MESSAGES, TlsSetup::only_13(), Link::default());
    let content = |note: &&TlsNote| match note {
        TlsNote::Message(_, TlsMessage::Plain(message)) => message.content.clone(),
        _ => None,
    };
    let contents: Vec<_> = notes(&run).iter().filter_map(content).collect();
    let [HandshakeContent::ClientHello(client), HandshakeContent::ServerHello(server)] =
        &contents[..]
    else {
        panic!("{contents:?}");
    };
    let chosen = |kind| server.extensions.iter().find(|it| it.kind == kind).map(|it| &it.content);
    assert!(client.suites.contains(&server.suites[0]));
    assert_eq!(client.session_id, server.session_id);
    assert_eq!(chosen(43), Some(&ExtensionContent::Versions(vec![0x304])));
    let Some(ExtensionContent::KeyShares(shares)) = chosen(51) else { panic!("{server:?}") };
    assert_eq!((shares[0].group, shares[0].key.len()), (29, 32));
    let offered = client.extensions.iter().find_map(|extension| match &extension.content {
        ExtensionContent::Groups(groups) => Some(groups.clone()),
        _ => None,
    });
    assert_eq!(offered, Some(vec![29, 23, 24, 25]));
}

#[test]
fn text_is_told_by_its_beginning() {
    let watch = Watch { session_bytes: true, ..Watch::default() };
    let run = run(watch, TlsSetup::only_13(), Link::default());
    let text = |note: &&TlsNote| match note {
        TlsNote::Text { direction, octets, beginning } => {
            Some((*direction, *octets, String::from_utf8_lossy(beginning).into_owned()))
        }
        _ => None,
    };
    let told: Vec<_> = notes(&run).iter().filter_map(text).collect();
    let expected = [
        (Direction::Sent, 21, "EHLO client.example\r\n".to_owned()),
        (Direction::Received, 20, "250 mx.example.org\r\n".to_owned()),
        (Direction::Sent, 6, "QUIT\r\n".to_owned()),
        (Direction::Received, 9, "221 bye\r\n".to_owned()),
    ];
    assert_eq!(told, expected);
}

#[test]
fn secrets_are_told_to_those_who_ask_and_never_written_down() {
    let secrets = |run: &Run<Probe>| -> Vec<_> {
        let secret = |note: &&TlsNote| match note {
            TlsNote::Secret(secret) => Some(secret.clone()),
            _ => None,
        };
        notes(run).iter().filter_map(secret).collect()
    };
    let watch = Watch { secrets: true, ..Watch::default() };
    let labels_13 = [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
        "EXPORTER_SECRET",
    ];
    for (tls, labels) in
        [(TlsSetup::only_12(), &["CLIENT_RANDOM"][..]), (TlsSetup::only_13(), &labels_13)]
    {
        let run = run(watch, tls, Link::default());
        let secrets = secrets(&run);
        assert_eq!(secrets.iter().map(|it| &it.label[..]).collect::<Vec<_>>(), labels);
        for secret in secrets {
            let line = secret.to_string();
            let [label, random, hex] = line.split(' ').collect::<Vec<_>>()[..] else { panic!() };
            assert_eq!((label, random.len()), (&secret.label[..], 64));
            assert!(hex.len() >= 64 && hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
            let octets = format!("{:?}", secret.secret);
            assert!(!run.trace().contains(hex) && !run.trace().contains(&octets));
        }
    }
    let unasked =
        run(Watch { messages: true, ..Watch::default() }, TlsSetup::only_13(), Link::default());
    assert_eq!(secrets(&unasked), []);
}
