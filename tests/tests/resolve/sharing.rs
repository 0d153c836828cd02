//! What hosts and questions share: an order by chance, bounds, and one question for all.

use std::collections::BTreeMap;

use tlsfinger_core::WallTime;
use tlsfinger_core::config::{Family, Level};
use tlsfinger_core::resolve::RouteFinder;
use tlsfinger_tests::dns::World;
use tlsfinger_tests::told::text;

use super::{ask, asked, at};

#[test]
fn equal_preferences_are_shuffled_by_the_seed() {
    let zones = "
        equal.test MX 10 a.test
        equal.test MX 10 b.test
        a.test A 192.0.2.1
        a.test A 192.0.2.2
        b.test A 192.0.2.3
    ";
    let order = |seed: u8| {
        let mut world = World::new(zones);
        let config = ask("equal.test").level(Level::May).family(Family::Any).config;
        world.run(&mut RouteFinder::new(&config, [seed; 32], WallTime(0)));
        world
            .told
            .iter()
            .map(|(_, event)| text(event))
            .filter(|line| line.contains('['))
            .collect::<Vec<_>>()
    };
    let mut orders = BTreeMap::<_, usize>::new();
    for seed in 0..60 {
        assert_eq!(order(seed), order(seed));
        *orders.entry(order(seed)).or_default() += 1;
    }
    assert_eq!(orders.len(), 6, "{orders:?}");
}

#[test]
fn thousand_mx_records_are_a_hundred() {
    let mut zones = String::from("@secure .\n");
    for number in 0..1000 {
        zones += &format!("many.test MX 10 mx{number}.test\nmx{number}.test A 192.0.2.1\n");
    }
    let mut world = World::new(&zones);
    ask("many.test").run(&mut world);
    let told: Vec<_> = world.told.iter().map(|(_, event)| text(event)).collect();
    assert_eq!(told[0], "too many: many.test MX");
    assert_eq!(told.iter().filter(|line| line.contains("[192.0.2.1]")).count(), 100);
    assert!(world.most_open <= 65, "{} sockets", world.most_open);
}

#[test]
fn equal_questions_are_asked_once() {
    let zones = "
        @secure .
        d.test             MX 10 one.test
        d.test             MX 20 two.test
        one.test           CNAME end.test
        two.test           CNAME END.test
        end.test           A 192.0.2.1
        _25._tcp.end.test  TLSA 3 1 1 aa
    ";
    // The second host asks while the question is on its way, or when the answer is in the cache.
    for (fault, end) in [("", 60), ("@fault two.test * late 200", 240)] {
        let mut world = World::new(&format!("{zones}\n{fault}"));
        assert_eq!(ask("d.test").run(&mut world), at(end));
        assert_eq!(asked(&world, "_25._tcp.end.test TLSA"), 1);
        assert!(text(&world.told.last().unwrap().1).starts_with("two.test[192.0.2.1]:25"));
    }
}

#[test]
fn question_that_nobody_needs_any_more_is_given_up() {
    let zones = "
        d.test      MX 10 plain.test
        d.test      MX 20 slow.test
        plain.test  A 192.0.2.1
        slow.test   A 192.0.2.2
        @fault _25._tcp.plain.test TLSA silent
        @fault slow.test * late 2500
    ";
    let mut world = World::new(zones);
    let end = ask("d.test").resolv_conf("options timeout:1 attempts:5").run(&mut world);
    assert_eq!(asked(&world, "_25._tcp.plain.test TLSA"), 1);
    assert_eq!(end, at(2540), "answers to the first attempt count");
}
