//! Sessions: what a probe says and tells, step by step.

use tlsfinger_tests::peer::{Script, TlsSetup};
use tlsfinger_tests::setting;
use tlsfinger_tests::world::Link;

#[test]
fn whole() {
    for (tls, version) in [(TlsSetup::only_12(), "x"), (TlsSetup::only_13(), "y")] {
        let script = Script::smtp().tls(tls);
        let journal = script.journal();
        let run = setting::run(&setting::config(), script, Link::default());
        println!("{:#?}\n{:#?}", run.timeline(), journal.lines());
        println!("{version}");
        let script = Script::smtp();
        let run2 = setting::run(&setting::config(), script.clone(), Link::default().pieces_of(1));
        assert_eq!(run2.transcript().len(), run.transcript().len());
        let _ = run2.replay(setting::probe(&setting::config()));
    }
}
