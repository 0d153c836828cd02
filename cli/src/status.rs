//! Exit statuses: the reference's, and those of `--exit-code`.

use tlsfinger_core::judge::Conclusion;
use tlsfinger_core::report::{Report, Step, StepProblem};

/// Tells the status of `--exit-code`; 1 is left to usage and configuration.
pub(crate) const fn exit_status(conclusion: Conclusion) -> u8 {
    match conclusion {
        Conclusion::Satisfied => 0,
        Conclusion::NotSatisfied => 2,
        Conclusion::NoStartTls => 3,
        Conclusion::HandshakeFailed => 4,
        Conclusion::NoDialogue => 5,
        Conclusion::LookupFailed => 6,
    }
}

/// Decides the exit status as the reference does: whatever was found out is a success, except
/// that a server that falls silent between STARTTLS and its reply is a fatal error.
pub(crate) fn status_of_the_reference(report: &Report) -> u8 {
    let problems = report.sessions.iter().flat_map(|session| &session.observation.problems);
    let is_fatal = |(step, problem): &(Step, StepProblem)| {
        *step == Step::StartTls && !matches!(problem, StepProblem::Refused(_))
    };
    problems.into_iter().any(is_fatal).into()
}
