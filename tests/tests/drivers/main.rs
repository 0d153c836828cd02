//! Both drivers carry out the same scenarios and tell their machines the same.

mod peers;
mod toy;

use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use rustix::io::Errno;
use tlsfinger_core::machine::{Endpoint, LookupId, Remote, Stop, TransportId};
use tlsfinger_core::{Input, IoErrorKind, Output, limits};

use toy::{Happened, T0, T1, Toy, ended, failed, find, opened, received, send, tick};

/// Runs a scenario under both drivers; returns the events if they are the same.
#[track_caller]
fn both(scenario: impl FnMut() -> Toy) -> Vec<Happened> {
    let [blocking, smol] = run(scenario);
    assert_eq!(blocking, smol, "blocking and smol differ");
    blocking
}

/// As [`both`], with the events in the order of their transports, as that of their arrival is
/// nobody's decision.
#[track_caller]
fn both_by_transport(scenario: impl FnMut() -> Toy) -> Vec<Happened> {
    let [mut blocking, mut smol] = run(scenario);
    blocking.sort_by_key(transport);
    smol.sort_by_key(transport);
    assert_eq!(blocking, smol, "blocking and smol differ");
    blocking
}

fn run(mut scenario: impl FnMut() -> Toy) -> [Vec<Happened>; 2] {
    let mut blocking = scenario();
    tlsfinger_blocking::run(&mut blocking, |_| {}).expect("the driver has what it needs");
    let mut smol = scenario();
    smol::block_on(tlsfinger_smol::run(&mut smol, |_| {}));
    [blocking.into_events(), smol.into_events()]
}

fn transport(event: &Happened) -> Option<TransportId> {
    match event {
        Happened::Octets(id, _)
        | Happened::Input(
            Input::Opened(id) | Input::Received(id, _) | Input::Ended(id) | Input::Failed(id, _),
        ) => Some(*id),
        _ => None,
    }
}

/// Opens transport 0 and closes it as soon as something arrives.
fn say_and_hear(endpoint: Endpoint, bytes: &'static [u8]) -> Toy {
    Toy::new([Output::Open(T0, endpoint), send(T0, bytes)]).react(|input, outputs| {
        if let Input::Received(..) = input {
            outputs.push_back(Output::Close(T0));
        }
    })
}

#[test]
fn tcp_exchange() {
    let events = both(|| say_and_hear(peers::tcp(|client| _ = peers::echo(client)), b"hello"));
    assert_eq!(events, [opened(T0), received(T0, b"hello"), ended(T0)]);
}

#[test]
fn unix_exchange() {
    let events = both(|| say_and_hear(peers::unix(|client| _ = peers::echo(client)), b"hello"));
    assert_eq!(events, [opened(T0), received(T0, b"hello"), ended(T0)]);
}

#[test]
fn udp_keeps_datagrams_apart() {
    let events = both(|| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let address = socket.local_addr().expect("its address");
        thread::spawn(move || {
            let mut buffer = [0; 100];
            while let Ok((octets, client)) = socket.recv_from(&mut buffer) {
                socket.send_to(&buffer[..octets], client).ok();
            }
        });
        let sends = [send(T0, b"one"), send(T0, b""), send(T0, b"three")];
        let open = [Output::Open(T0, Endpoint::Udp(address.into()))];
        Toy::new(open.into_iter().chain(sends)).react(|input, outputs| {
            if *input == Input::Received(T0, Bytes::from_static(b"three")) {
                outputs.push_back(Output::Close(T0));
            }
        })
    });
    let datagrams = [received(T0, b"one"), received(T0, b""), received(T0, b"three")];
    assert_eq!(events, [&[opened(T0)], &datagrams[..], &[ended(T0)]].concat());
}

#[test]
fn nobody_there() {
    let open = |endpoint: Endpoint| both(|| Toy::new([Output::Open(T0, endpoint.clone())]));
    let tcp = Endpoint::Tcp(peers::closed_port().into());
    assert_eq!(open(tcp), [failed(T0, Errno::CONNREFUSED)]);
    assert_eq!(open(Endpoint::Unix(peers::fresh_path())), [failed(T0, Errno::NOENT)]);
    let too_long = PathBuf::from("/".repeat(200));
    assert_eq!(open(Endpoint::Unix(too_long)), [failed(T0, Errno::NAMETOOLONG)]);
    let address = "[fe80::1]:25".parse().expect("an address");
    let nowhere = Remote { address, interface: Some("no-such-if".into()) };
    assert_eq!(open(Endpoint::Tcp(nowhere)), [failed(T0, Errno::NODEV)]);
}

#[test]
fn udp_hears_that_nobody_is_there() {
    let endpoint = Endpoint::Udp(peers::closed_port().into());
    let events = both(|| Toy::new([Output::Open(T0, endpoint.clone()), send(T0, b"hello")]));
    assert_eq!(events, [opened(T0), failed(T0, Errno::CONNREFUSED)]);
}

#[test]
fn connect_is_abandoned() {
    let full = peers::Full::new();
    let events = both(|| {
        let endpoint = Endpoint::Tcp(full.address.into());
        Toy::new([Output::Open(T0, endpoint), send(T0, b"hello")]).ticks([20_000]).react(
            |input, outputs| {
                if let Input::Tick = input {
                    outputs.push_back(Output::Close(T0));
                }
            },
        )
    });
    assert_eq!(events, [tick(), failed(T0, Errno::CANCELED)]);
}

#[test]
fn peer_closes() {
    let events = both(|| {
        let endpoint = peers::tcp(|mut client| client.write_all(b"bye").expect("room"));
        Toy::new([Output::Open(T0, endpoint)])
    });
    assert_eq!(events, [opened(T0), received(T0, b"bye"), ended(T0)]);
}

#[test]
fn peer_resets() {
    let events = both(|| {
        let endpoint = peers::tcp(|mut client| {
            client.read_exact(&mut [0; 5]).expect("a greeting");
            peers::reset(client);
        });
        Toy::new([Output::Open(T0, endpoint)]).react(|input, outputs| {
            if let Input::Opened(_) = input {
                outputs.push_back(send(T0, b"hello"));
            }
        })
    });
    assert_eq!(events, [opened(T0), failed(T0, Errno::CONNRESET)]);
}

/// What the peer said before it left is heard, even if a write was the first to notice.
#[test]
fn last_words_survive_a_failed_write() {
    let events = both(|| {
        let (left, has_left) = channel();
        let endpoint = peers::unix(move |mut client| {
            client.write_all(b"421 bye").expect("room");
            drop(client);
            left.send(()).expect("a listener");
        });
        Toy::new([Output::Open(T0, endpoint)]).react(move |input, outputs| {
            if let Input::Opened(_) = input {
                has_left.recv().expect("the peer leaves");
                outputs.push_back(send(T0, b"EHLO"));
            }
        })
    });
    assert_eq!(events, [opened(T0), received(T0, b"421 bye"), ended(T0)]);
}

#[test]
fn failed_write_is_told() {
    let events = both(|| {
        let (deaf, is_deaf) = channel();
        let endpoint = peers::unix(move |client| {
            client.shutdown(Shutdown::Read).expect("shutdown");
            deaf.send(()).expect("a listener");
            thread::sleep(Duration::from_secs(60));
        });
        Toy::new([Output::Open(T0, endpoint)]).react(move |input, outputs| {
            if let Input::Opened(_) = input {
                is_deaf.recv().expect("the peer stops listening");
                outputs.push_back(send(T0, b"EHLO"));
            }
        })
    });
    assert_eq!(events, [opened(T0), failed(T0, Errno::PIPE)]);
}

/// More than the kernel takes at once.
const MUCH: usize = 16 * 1024 * 1024;

/// Sends [`MUCH`] in two pieces and closes at once; tells how much the peer got.
fn flush_on_close(serve: fn(TcpStream) -> usize) {
    let (tell, told) = channel();
    let events = both(|| {
        let tell = tell.clone();
        let endpoint = peers::tcp(move |client| tell.send(serve(client)).expect("a listener"));
        let half = Bytes::from(vec![b'x'; MUCH / 2]);
        let halves = [Output::Send(T0, half.clone()), Output::Send(T0, half)];
        Toy::new([Output::Open(T0, endpoint)]).react(move |input, outputs| {
            if let Input::Opened(_) = input {
                outputs.extend(halves.clone());
                outputs.push_back(Output::Close(T0));
            }
        })
    });
    assert_eq!(events, [opened(T0), ended(T0)]);
    assert_eq!((told.recv(), told.recv()), (Ok(MUCH), Ok(MUCH)));
}

#[test]
fn close_writes_everything_to_a_slow_reader() {
    flush_on_close(peers::count_slowly);
}

/// Neither side would ever go on if the driver stopped reading when it is told to close.
#[test]
fn close_writes_everything_to_a_peer_that_talks_first() {
    flush_on_close(|mut client| {
        client.write_all(&vec![b'y'; MUCH]).expect("somebody who reads");
        peers::count_slowly(client)
    });
}

#[test]
fn stuck_write_holds_nothing_up() {
    let events = both(|| {
        let endpoint = peers::tcp(|_client| thread::sleep(Duration::from_secs(60)));
        let mut ticks = 0;
        let much = [Output::Send(T0, vec![b'x'; MUCH].into()), Output::Close(T0)];
        Toy::new([Output::Open(T0, endpoint)]).ticks([200_000, 201_500, 203_000]).react(
            move |input, outputs| match input {
                Input::Opened(_) => outputs.extend(much.clone()),
                Input::Tick => {
                    ticks += 1;
                    if ticks == 3 {
                        outputs.push_back(Output::Done);
                    }
                }
                _ => {}
            },
        )
    });
    assert_eq!(events, [opened(T0), tick(), tick(), tick()]);
}

#[test]
fn ticks_are_never_early() {
    let micros = [0, 1, 999, 1_000, 1_001, 2_500, 2_500, 20_000];
    let events = both(|| Toy::new([]).ticks(micros));
    assert_eq!(events, vec![tick(); micros.len()]);
}

/// One descriptor for a server that goes on with the connection.
#[test]
fn descriptor_is_passed() {
    let (tell, told) = channel();
    let events = both_by_transport(|| {
        let tell = tell.clone();
        let server = peers::tcp(move |mut client| {
            let mut heard = String::new();
            client.read_to_string(&mut heard).expect("text");
            tell.send(heard).expect("a listener");
        });
        let proxy = peers::unix(|mut client| {
            let mut request = [0; 6];
            client.read_exact(&mut request).expect("a request before the descriptor");
            let mut taken = take_descriptor(&client);
            taken.write_all(b"from the proxy").expect("room");
        });
        Toy::new([Output::Open(T0, server), Output::Open(T1, proxy)]).react({
            let mut open = 0;
            move |input, outputs| {
                if let Input::Opened(_) = input {
                    open += 1;
                    if open == 2 {
                        let pass = Output::Pass { socket: T0, over: T1 };
                        outputs.extend([send(T0, b"hello "), send(T1, b"please"), pass]);
                    }
                }
            }
        })
    });
    assert_eq!(events, [opened(T0), ended(T0), opened(T1), ended(T1)]);
    let heard = Ok("hello from the proxy".to_owned());
    assert_eq!((told.recv(), told.recv()), (heard.clone(), heard));
}

fn take_descriptor(client: &std::os::unix::net::UnixStream) -> TcpStream {
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut carrier = [7; 2];
    let mut into = [std::io::IoSliceMut::new(&mut carrier)];
    let message = recvmsg(client, &mut into, &mut control, RecvFlags::empty()).expect("a message");
    assert_eq!((message.bytes, carrier[0]), (1, 0));
    let mut taken = control.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect(),
        _ => Vec::new(),
    });
    taken.next().expect("a descriptor").into()
}

#[test]
fn pass_over_nothing_fails() {
    let events = both(|| {
        let server = peers::tcp(|client| _ = peers::echo(client));
        let pass = Output::Pass { socket: T0, over: T1 };
        Toy::new([Output::Open(T0, server), pass])
    });
    assert_eq!(events, [failed(T0, Errno::NOTCONN)]);
}

#[test]
fn hosts_are_looked_up() {
    let events = both(|| Toy::new([find(0, "localhost")]));
    let [Happened::Input(Input::HostFound(LookupId(0), Ok(addresses)))] = &events[..] else {
        panic!("{events:?}");
    };
    assert!(addresses.iter().all(IpAddr::is_loopback), "{addresses:?}");
    let mut once = addresses.clone();
    once.dedup();
    assert_eq!(&once, addresses);
    assert!((1..=limits::ADDRESSES).contains(&once.len()));

    let events = both(|| Toy::new([find(7, "name.invalid")]));
    let [Happened::Input(Input::HostFound(LookupId(7), Err(error)))] = &events[..] else {
        panic!("{events:?}");
    };
    // A machine without a network may not even know that there is no such name.
    let known = error.message == "Name or service not known";
    assert_eq!(error.kind == IoErrorKind::NotFound, known, "{error:?}");
    assert!(!error.message.contains("lookup"), "{error:?}");
}

#[test]
fn done_leaves_everything() {
    let (tell, told) = channel();
    let events = both(|| {
        let tell = tell.clone();
        let endpoint = peers::tcp(move |client| tell.send(peers::echo(client)).expect("a test"));
        Toy::new([Output::Open(T0, endpoint)]).react(|input, outputs| {
            if let Input::Opened(_) = input {
                outputs.extend([find(0, "localhost"), Output::Done]);
            }
        })
    });
    assert_eq!(events, [opened(T0)]);
    assert_eq!((told.recv(), told.recv()), (Ok(0), Ok(0)), "the sockets are closed");
}

#[test]
fn outputs_for_unknown_transports_are_ignored() {
    let events = both(|| Toy::new([send(T0, b"x"), Output::Close(T1)]).ticks([1]));
    assert_eq!(events, [tick()]);
}

#[test]
fn many_at_once() {
    const MANY: u64 = 100;
    let events = both_by_transport(|| {
        let opens = (0..MANY)
            .map(|id| Output::Open(TransportId(id), peers::tcp(|client| _ = peers::echo(client))));
        let sends = (0..MANY).map(|id| send(TransportId(id), b"hello"));
        Toy::new(opens.chain(sends)).react(|input, outputs| {
            if let Input::Received(id, _) = input {
                outputs.push_back(Output::Close(*id));
            }
        })
    });
    let each = |id| [opened(id), received(id, b"hello"), ended(id)];
    assert_eq!(events, (0..MANY).map(TransportId).flat_map(each).collect::<Vec<_>>());
}

/// A machine that waits for ever, until it is told to stop.
fn waits_for_stop() -> Toy {
    let full = peers::Full::new();
    Toy::new([Output::Open(T0, Endpoint::Tcp(full.address.into()))]).react(move |input, outputs| {
        let _held = &full;
        if let Input::Stop(_) = input {
            outputs.push_back(Output::Done);
        }
    })
}

#[test]
fn inputs_are_taken_from_outside() {
    let stop = || {
        thread::sleep(Duration::from_millis(20));
        Input::Stop(Stop::Now)
    };
    let mut toy = waits_for_stop();
    let inbox = tlsfinger_blocking::Inbox::new().expect("descriptors");
    let handle = inbox.handle();
    thread::spawn(move || handle.give(stop()));
    tlsfinger_blocking::run_with(&mut toy, inbox, |_| {}).expect("the driver runs");
    assert_eq!(toy.into_events(), [Happened::Input(Input::Stop(Stop::Now))]);

    let mut toy = waits_for_stop();
    let inbox = tlsfinger_smol::Inbox::new();
    let handle = inbox.handle();
    thread::spawn(move || handle.give(stop()));
    smol::block_on(tlsfinger_smol::run_with(&mut toy, inbox, |_| {}));
    assert_eq!(toy.into_events(), [Happened::Input(Input::Stop(Stop::Now))]);
}

#[test]
fn smol_run_is_spawned_on_any_executor() {
    let executor = smol::Executor::new();
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let mut toy = say_and_hear(peers::tcp(|client| _ = peers::echo(client)), b"hello");
            executor.spawn(async move {
                tlsfinger_smol::run(&mut toy, |_| {}).await;
                toy.into_events()
            })
        })
        .collect();
    for task in tasks {
        let events = smol::block_on(executor.run(task));
        assert_eq!(events, [opened(T0), received(T0, b"hello"), ended(T0)]);
    }
}

#[test]
fn dropped_smol_run_closes_its_sockets() {
    let (tell, told) = channel();
    let endpoint = peers::tcp(move |client| tell.send(peers::echo(client)).expect("a test"));
    let (open, is_open) = smol::channel::bounded(1);
    let mut toy = Toy::new([Output::Open(T0, endpoint)]).react(move |input, _| {
        if let Input::Opened(_) = input {
            open.try_send(()).expect("room");
        }
    });
    let run = tlsfinger_smol::run(&mut toy, |_| {});
    smol::block_on(smol::future::or(run, async { is_open.recv().await.expect("a run") }));
    assert_eq!(told.recv(), Ok(0));
    assert_eq!(toy.into_events(), [opened(T0)]);
}
