//! A part of the appliance, asked within the process.

use super::{Prober, attempt::Attempt, failure};
use crate::{
    model::{Degraded, Failure, Judgement, Phase, Reason},
    spec::InternalSpec,
};

pub async fn run(prober: &Prober, spec: &InternalSpec, attempt: &mut Attempt) -> Result<(), Failure> {
    let checks = &prober.shared.self_checks;
    let Some(check) = checks.iter().find(|check| check.key() == spec.check) else {
        return Err(failure(Reason::Off, format!("this appliance has no part {:?}", spec.check)));
    };
    match attempt.phase(Phase::FirstByte, check.run()).await? {
        Judgement::Well(note) => attempt.note = note,
        Judgement::Degraded(note) => {
            // Whatever the part is about: it works, and needs attention.
            attempt.degraded = Some(Degraded::Slow);
            attempt.note = Some(note);
        }
        Judgement::Down(text) => return Err(failure(Reason::SelfCheck, text)),
        Judgement::Off(text) => {
            attempt.note = Some(text.clone());
            return Err(failure(Reason::Off, text));
        }
    }
    Ok(())
}
